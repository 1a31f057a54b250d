//! Text made safe for HTML, and the page's numbers and times.

use jiff::{SignedDuration, Timestamp};

/// A text as HTML: in an element or in a quoted attribute it is what it says, whatever it is. Control characters, and
/// those that turn the direction of writing, become visible as U+FFFD.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(character),
            other if is_unseen(other) => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

/// The same without HTML, for what the script writes into text nodes.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|of| if is_unseen(of) { '\u{fffd}' } else { of })
        .collect()
}

fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// A time of the run; times that cannot be said are the last that can.
pub(super) fn at(start: Timestamp, ms: i64) -> Timestamp {
    start
        .checked_add(SignedDuration::from_millis(ms))
        .unwrap_or(Timestamp::MAX)
}

/// `2026-11-27 08:00`, with seconds where there are any; UTC.
pub(super) fn moment(start: Timestamp, ms: i64) -> String {
    let time = at(start, ms);
    let format = if time.as_second() % 60 == 0 {
        "%Y-%m-%d %H:%M"
    } else {
        "%Y-%m-%d %H:%M:%S"
    };
    time.strftime(format).to_string()
}

/// `1d 4h`, `12m 30s`: at most two parts.
pub(super) fn span(ms: i64) -> String {
    let mut rest = (ms.max(0) + 500) / 1000;
    let mut parts: Vec<String> = Vec::new();
    for (length, unit) in [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")] {
        let n = rest / length;
        rest %= length;
        if n > 0 && parts.len() < 2 {
            parts.push(format!("{n}{unit}"));
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() {
        return format!("{ms}ms");
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_text_is_it_stays_a_text() {
        for (text, html) in [
            ("web", "web"),
            (
                "<script>alert(1)</script>",
                "&lt;script&gt;alert(1)&lt;/script&gt;",
            ),
            ("\" onload=\"x", "&quot; onload=&quot;x"),
            ("it's & <b>", "it&#39;s &amp; &lt;b&gt;"),
            ("a\u{202e}b\u{0}c\u{7}", "a\u{fffd}b\u{fffd}c\u{fffd}"),
            ("größe – 40 %", "größe – 40 %"),
        ] {
            assert_eq!(escaped(text), html);
        }
    }

    #[test]
    fn spans_have_two_parts_at_most() {
        for (ms, said) in [
            (0, "0ms"),
            (1_000, "1s"),
            (90_000, "1m 30s"),
            (3_600_000, "1h"),
            (3_601_000, "1h"),
            (100_000_000, "1d 3h"),
        ] {
            assert_eq!(span(ms), said);
        }
    }
}
