//! Text in lines of a width: broken between words, going on under its beginning. Pure.
//!
//! A terminal breaks long lines wherever its edge is, in the middle of a word and back at the left: what people read is
//! broken here before. What programs read is not broken at all.

/// With less room than this beside its head a text goes on at [`NARROW`]: a column of single words helps nobody.
const LEAST: usize = 24;
/// Where the text of a long head goes on.
const NARROW: usize = 12;

/// `head`, and the words of `text` after it: in the following lines they stand under the first.
///
/// - `width`: of the whole line, which has room for [`LEAST`] in any case; `None`: no end. A word that no line has room
///   for stands out.
///
/// Escape sequences of styles have no width.
pub(crate) fn wrapped(head: &str, text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else {
        return vec![format!("{head}{text}")];
    };
    let start = columns(head);
    let hang = if start + LEAST > width {
        NARROW.min(start)
    } else {
        start
    };
    let width = width.max(hang + LEAST);
    let mut lines = Vec::new();
    let (mut line, mut column) = (head.to_owned(), start);
    let mut is_empty = true;
    for word in words_of(text) {
        let length = columns(&word);
        // Beside a head that is longer than what follows hangs, the first word too may go to the next line.
        let has_room_below = !is_empty || hang < start;
        if has_room_below && column + usize::from(!is_empty) + length > width {
            lines.push(line.trim_end().to_owned());
            line = " ".repeat(hang);
            column = hang;
            is_empty = true;
        }
        // Spaces between columns are none at a line's beginning.
        if is_empty && word.is_empty() && column == hang && !lines.is_empty() {
            continue;
        }
        if !is_empty {
            line.push(' ');
            column += 1;
        }
        line.push_str(&word);
        column += length;
        is_empty = false;
    }
    lines.push(line);
    lines
}

/// The words of a text; a number and its unit, and a change and its arrow, are one.
fn words_of(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_glued = false;
    for word in text.split(' ') {
        let is_unit = matches!(word, "%" | "s" | "s:" | "%:" | "->" | "USD");
        match words.last_mut() {
            Some(last) if is_unit || is_glued => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
        is_glued = word == "->";
    }
    words
}

/// How many columns a text takes, styles aside.
fn columns(text: &str) -> usize {
    let mut columns = 0;
    let mut is_escape = false;
    for c in text.chars() {
        match (is_escape, c) {
            (false, '\u{1b}') => is_escape = true,
            (false, _) => columns += 1,
            (true, 'm') => is_escape = false,
            (true, _) => {}
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_goes_on_under_its_beginning_and_no_word_is_broken() {
        let wrap = |head: &str, text: &str, width| wrapped(head, text, Some(width)).join("\n");
        let text = "82 % against a target of 60 % wants 9";
        for (head, text, width, expected) in [
            (
                "cpu   ",
                text,
                40,
                "cpu   82 % against a target of 60 %\n      wants 9",
            ),
            (
                "cpu   ",
                text,
                80,
                "cpu   82 % against a target of 60 % wants 9",
            ),
            ("", "", 80, ""),
            ("a ", "", 80, "a "),
            // A unit stays with its number, and an arrow with both sides.
            (
                "",
                "target of 60 % wants 4 -> 9 now",
                24,
                "target of 60 % wants\n4 -> 9 now",
            ),
            // Columns set apart by spaces do not indent the next line.
            (
                "",
                "scale out by 2   +0.19 USD an hour",
                24,
                "scale out by 2\n+0.19 USD an hour",
            ),
            // A head that leaves no room.
            (
                "  a head that is longer than half   ",
                "one two three",
                40,
                "  a head that is longer than half   one\n            two three",
            ),
            (
                "  a head that is longer than half   ",
                "twelve",
                40,
                "  a head that is longer than half\n            twelve",
            ),
            // Nothing can be done about a word that has no room anywhere.
            (
                "x ",
                "abcdefghijklmnopqrstuvwxyz0123 y",
                28,
                "x abcdefghijklmnopqrstuvwxyz0123\n  y",
            ),
            // Styles take no room.
            (
                "\u{1b}[1mab\u{1b}[0m ",
                "cd efghijklmnopqrstuvwxyz01 \u{1b}[2mx\u{1b}[0m",
                30,
                "\u{1b}[1mab\u{1b}[0m cd efghijklmnopqrstuvwxyz01\n   \u{1b}[2mx\u{1b}[0m",
            ),
        ] {
            assert_eq!(wrap(head, text, width), expected);
        }
        assert_eq!(wrapped("a ", "b  c", None), ["a b  c"]);
    }
}
