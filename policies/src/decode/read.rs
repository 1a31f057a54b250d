//! One value at a time: from an evaluated value to a typed one, or to a problem with its help.
//!
//! These functions know no block. Texts of durations, shares and times are read by public functions that the
//! command line uses for its flags, too.

use std::borrow::Cow;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span as JiffSpan, SpanRelativeTo, Timestamp};

use crate::codes;
use crate::diagnostic::{Code, Diagnostic};
use crate::layers::plain;
use crate::model::{Breach, Share, Statistic};
use crate::schema::{Range, nearest};
use crate::source::Span;
use crate::value::{Number, Value};

/// What is wrong with a value, without its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub code: Code,
    pub summary: &'static str,
    pub label: String,
    pub why: Option<Cow<'static, str>>,
    pub help: Option<String>,
}

impl Problem {
    pub(crate) fn new(code: Code, summary: &'static str, label: impl Into<String>) -> Problem {
        Problem {
            code,
            summary,
            label: label.into(),
            why: None,
            help: None,
        }
    }

    pub(crate) fn help(mut self, text: impl Into<String>) -> Problem {
        self.help = Some(text.into());
        self
    }

    pub(crate) fn why(mut self, text: impl Into<Cow<'static, str>>) -> Problem {
        self.why = Some(text.into());
        self
    }

    /// The problem at its place.
    pub(crate) fn at(self, span: Span) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(self.code, self.summary).at(span, self.label);
        diagnostic.why = self.why;
        diagnostic.help = self.help.map(Cow::Owned);
        diagnostic
    }
}

/// The problem of a value of another type. `want` is "text in quotes", "a number".
pub(crate) fn wrong_type(value: &Value, want: &str) -> Problem {
    Problem::new(
        codes::VALUE_TYPE,
        "Wrong type",
        format!("must be {want}, not {}", plain(value).type_name()),
    )
}

/// Shows a value in a message: nothing of a secret, and not all of a long text.
fn shown(value: &Value) -> String {
    match value {
        Value::Sensitive(_) => "the value".to_owned(),
        value => clip(&crate::layers::show_value(value)),
    }
}

fn clip(text: &str) -> String {
    if text.chars().count() <= 60 {
        text.to_owned()
    } else {
        let head: String = text.chars().take(57).collect();
        format!("{head}...")
    }
}

type Read<T> = Result<T, Problem>;

/// Text that is not empty.
pub(crate) fn text(value: &Value) -> Read<&str> {
    match plain(value) {
        Value::String(text) if text.trim().is_empty() => Err(Problem::new(
            codes::EMPTY_TEXT,
            "Empty text",
            "must not be empty",
        )),
        Value::String(text) => Ok(text),
        Value::Number(number) if !value.is_sensitive() => {
            Err(wrong_type(value, "text").help(format!("write it in quotes: \"{number}\"")))
        }
        _ => Err(wrong_type(value, "text")),
    }
}

/// Text for one of our own notations; a number gets the hint of how it is written.
fn notation<'v>(value: &'v Value, want: &str, hint: impl Fn(&str) -> String) -> Read<&'v str> {
    match plain(value) {
        Value::String(text) => Ok(text),
        Value::Number(number) if !value.is_sensitive() => {
            Err(wrong_type(value, want).help(hint(&number.to_string())))
        }
        _ => Err(wrong_type(value, want)),
    }
}

/// One of a few words.
pub(crate) fn word(value: &Value, words: &'static [&'static str]) -> Read<&'static str> {
    let text = match plain(value) {
        Value::String(text) => text,
        _ => return Err(wrong_type(value, &one_of(words))),
    };
    words
        .iter()
        .find(|word| **word == &**text)
        .copied()
        .ok_or_else(|| unknown_word(value, text, words))
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn unknown_word(value: &Value, text: &str, words: &[&'static str]) -> Problem {
    let problem = Problem::new(
        codes::UNKNOWN_WORD,
        "Unknown word",
        format!("must be {}", one_of(words)),
    );
    match nearest(text, words.iter().copied()) {
        Some(near) if !value.is_sensitive() => problem.help(format!("did you mean \"{near}\"?")),
        _ => problem,
    }
}

/// `true` or `false`.
pub(crate) fn boolean(value: &Value) -> Read<bool> {
    match plain(value) {
        Value::Bool(b) => Ok(*b),
        Value::String(text) if matches!(&**text, "true" | "false") => {
            Err(wrong_type(value, "true or false").help(format!("write {text} without quotes")))
        }
        _ => Err(wrong_type(value, "true or false")),
    }
}

fn any_number(value: &Value, want: &str) -> Read<Number> {
    numeric(value, want, |bare, _| {
        let is_number = bare.parse::<f64>().is_ok_and(f64::is_finite);
        is_number.then(|| format!("write {bare} without quotes"))
    })
}

/// A number that must be whole: here a share means something else than its percent.
fn whole_number(value: &Value) -> Read<Number> {
    numeric(value, "a whole number", |bare, is_share| {
        if is_share && bare.parse::<f64>().is_ok() {
            return Some(
                "only a whole number is possible here; shares are for `add` and `remove`, in steps and rates"
                    .to_owned(),
            );
        }
        let is_whole = bare.parse::<i64>().is_ok();
        is_whole.then(|| format!("write {bare} without quotes"))
    })
}

/// A number; a text gets the hint for its number, which knows whether a `%` was behind it.
fn numeric(value: &Value, want: &str, hint: impl Fn(&str, bool) -> Option<String>) -> Read<Number> {
    match plain(value) {
        Value::Number(number) => Ok(*number),
        Value::String(text) if !value.is_sensitive() => {
            let text = text.trim();
            let bare = text.trim_end_matches('%').trim_end();
            let problem = wrong_type(value, want);
            Err(match hint(bare, text.ends_with('%')) {
                Some(help) => problem.help(help),
                None => problem,
            })
        }
        _ => Err(wrong_type(value, want)),
    }
}

/// How a number would be written as a share. Between 0 and 1 it is meant as a fraction, as in other tools.
fn as_share(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(n) if n > 0.0 && n < 1.0 => {
            // 0.07 times 100 is not quite 7.
            let percent = (n * 1e11).round() / 1e9;
            format!("a share is written in percent: \"{percent}%\" for {text}")
        }
        _ => format!("write \"{text}%\""),
    }
}

/// A number of a range.
pub(crate) fn number(value: &Value, range: Range) -> Read<f64> {
    let n = any_number(value, "a number")?.as_f64();
    let too_small = n < range.min || (range.above_min && n <= range.min);
    let too_large = n > range.max || (range.below_max && n >= range.max);
    if too_small || too_large || !n.is_finite() {
        let low = match (range.above_min, range.min > f64::MIN) {
            (_, false) => None,
            (true, _) => Some(format!("greater than {}", range.min)),
            (false, _) => Some(format!("at least {}", range.min)),
        };
        let high = match (range.below_max, range.max < f64::MAX) {
            (_, false) => None,
            (true, _) => Some(format!("less than {}", range.max)),
            (false, _) => Some(format!("at most {}", range.max)),
        };
        let bounds: Vec<String> = [low, high].into_iter().flatten().collect();
        return Err(Problem::new(
            codes::NUMBER_OUT_OF_RANGE,
            "Number outside of its range",
            format!("must be {}", bounds.join(" and ")),
        ));
    }
    Ok(n)
}

/// A metric's target.
pub(crate) fn target(value: &Value) -> Read<f64> {
    let n = any_number(value, "a number, in the metric's unit")?.as_f64();
    if n > 0.0 && n.is_finite() {
        return Ok(n);
    }
    let problem = Problem::new(
        codes::TARGET_OUT_OF_RANGE,
        "Target out of range",
        "must be greater than 0",
    );
    Err(if n == 0.0 {
        problem
            .why("Desired capacity is ready x observed / target, so a target of 0 has no answer.")
            .help("to empty the group when the metric is 0, write a `step` with `below = 0` and `set = 0` instead of `track`; to empty it at night, a `schedule` with `max = 0`; both need `limits { min = 0 }`")
    } else {
        problem.why("Desired capacity is ready x observed / target, which would be negative.")
    })
}

/// A whole number.
pub(crate) fn count(value: &Value, min: u32, max: u32) -> Read<u32> {
    let n = whole_number(value)?;
    let problem = |label: String| {
        Problem::new(
            codes::NUMBER_OUT_OF_RANGE,
            "Number outside of its range",
            label,
        )
    };
    let Some(n) = n.as_integer() else {
        return Err(problem("must be a whole number".to_owned()));
    };
    u32::try_from(n)
        .ok()
        .filter(|n| (min..=max).contains(n))
        .ok_or_else(|| problem(format!("must be from {min} to {max}")))
}

/// A whole number of 64 bits.
pub(crate) fn integer(value: &Value) -> Read<i64> {
    whole_number(value)?
        .as_integer()
        .and_then(|n| i64::try_from(n).ok())
        .ok_or_else(|| {
            Problem::new(
                codes::NUMBER_OUT_OF_RANGE,
                "Number outside of its range",
                "must be a whole number of at most 64 bits",
            )
        })
}

/// The longest duration that a file can say. Longer ones are mistakes, and times plus one of them overflow.
const LONGEST: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);

/// Reads a duration as the files have it: `90s`, `2h30m`, `1.5h`, `28d`, `1w`, `90 mins`, `PT5M`; days are 24
/// hours long.
///
/// # Errors
/// A sentence on what is wrong and, where there is one, what to write instead. Months, years and negative
/// durations are refused, as is what is longer than ten years.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    let error = |label: &str, help: String| DurationError {
        label: label.to_owned(),
        help,
    };
    let usual = || "durations are written \"90s\", \"5m\", \"2h30m\", \"28d\"".to_owned();
    if text.is_empty() {
        return Err(error("must not be empty", usual()));
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(error(
            "has no unit",
            format!("write \"{text}s\", \"{text}m\" or \"{text}h\""),
        ));
    }
    // The shape of nearly all durations, without a general parser.
    if let Some(fast) = simple_duration(text) {
        return Ok(fast);
    }
    let span: JiffSpan = text.parse().map_err(|_| error("is no duration", usual()))?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err(error(
            "has months or years",
            "their length varies: write days, as in \"30d\"; minutes are \"5m\"".to_owned(),
        ));
    }
    if span.is_negative() {
        return Err(error("must not be negative", usual()));
    }
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .ok()
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| error("is longer than ten years", usual()))?;
    Duration::try_from(duration).map_err(|_| error("must not be negative", usual()))
}

/// `90s`, `5m`, `2h`, `28d`: digits and one unit.
fn simple_duration(text: &str) -> Option<Duration> {
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    (seconds <= LONGEST.as_secs().unsigned_abs()).then(|| Duration::from_secs(seconds))
}

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{label}; {help}")]
pub struct DurationError {
    /// "has no unit".
    pub label: String,
    /// What to write.
    pub help: String,
}

/// A duration.
pub(crate) fn duration(value: &Value) -> Read<Duration> {
    let text = notation(value, "a duration in quotes", |n| {
        format!("write \"{n}s\", \"{n}m\" or \"{n}h\"")
    })?;
    parse_duration(text).map_err(|error| {
        Problem::new(codes::DURATION, "Duration not usable", error.label).help(error.help)
    })
}

/// A duration above zero.
pub(crate) fn positive_duration(value: &Value) -> Read<Duration> {
    let duration = duration(value)?;
    if duration.is_zero() {
        return Err(Problem::new(
            codes::DURATION,
            "Duration not usable",
            "must be longer than nothing",
        ));
    }
    Ok(duration)
}

/// Reads a share as the files have it: `70%`, `12.5 %`.
pub fn parse_share(text: &str) -> Option<Share> {
    let number = text.trim().strip_suffix('%')?.trim_end();
    // `f64::from_str` also takes "inf" and "1e3", which nobody means here.
    if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let percent: f64 = number.parse().ok()?;
    percent.is_finite().then_some(Share(percent / 100.0))
}

/// A share of at most `most` percent.
pub(crate) fn share(value: &Value, most: f64) -> Read<Share> {
    let text = notation(value, "a share in quotes", as_share)?;
    let problem = |label: String| Problem::new(codes::SHARE, "Share not usable", label);
    let share = parse_share(text)
        .ok_or_else(|| problem("is no share".to_owned()).help("shares are written \"70%\""))?;
    if share.percent() > most {
        return Err(problem(format!("must be from 0% to {most}%")));
    }
    Ok(share)
}

/// A number of instances, or a share of the capacity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Amount {
    Count(u32),
    Share(Share),
}

/// A number of instances from 1, or a share above 0 %.
pub(crate) fn amount(value: &Value) -> Read<Amount> {
    match adjustment(value)? {
        Amount::Share(share) if share.fraction() <= 0.0 => Err(Problem::new(
            codes::SHARE,
            "Share not usable",
            "must be above 0% and at most 10000%",
        )),
        Amount::Count(0) => count(value, 1, 1_000_000).map(Amount::Count),
        amount => Ok(amount),
    }
}

/// A number of instances from 0, or a share from 0 %.
pub(crate) fn adjustment(value: &Value) -> Read<Amount> {
    if let Value::String(text) = plain(value) {
        let problem = |label: &str| Problem::new(codes::SHARE, "Share not usable", label);
        let share = parse_share(text).ok_or_else(|| {
            let problem = problem("is neither a number of instances nor a share");
            match text.trim().parse::<u32>() {
                Ok(n) => problem.help(format!("write {n} for instances, \"{n}%\" for a share")),
                Err(_) => problem.help("write 2 for instances, \"50%\" for a share"),
            }
        })?;
        if share.percent() > 10_000.0 {
            return Err(problem("must be at most 10000%"));
        }
        return Ok(Amount::Share(share));
    }
    let is_fraction = |n: &Number| n.as_f64() > 0.0 && n.as_f64() < 1.0;
    count(value, 0, 1_000_000)
        .map(Amount::Count)
        .map_err(|problem| match plain(value) {
            Value::Number(n) if is_fraction(n) && !value.is_sensitive() => {
                problem.help(as_share(&n.to_string()))
            }
            _ => problem,
        })
}

/// A time, perhaps still without its zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Instant {
    /// With an offset.
    Fixed(Timestamp),
    /// To be read in a zone.
    Local(DateTime),
}

impl Instant {
    /// The time itself. In the gap of a clock change it is the same time by the old offset, in the hour that comes
    /// twice the first one. `None` without a zone where one is needed.
    pub(crate) fn resolve(self, zone: Option<&TimeZone>) -> Option<Timestamp> {
        match self {
            Instant::Fixed(at) => Some(at),
            Instant::Local(at) => Some(at.to_zoned(zone?.clone()).ok()?.timestamp()),
        }
    }
}

/// A time.
pub(crate) fn instant(value: &Value) -> Read<Instant> {
    let text = notation(value, "a time in quotes", |_| {
        "times are written \"2026-11-27T06:00:00Z\"".to_owned()
    })?;
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Instant::Fixed(at));
    }
    text.parse::<DateTime>().map(Instant::Local).map_err(|_| {
        Problem::new(codes::TIME, "Time not usable", "is no time")
            .help("write \"2026-11-27T06:00:00Z\", or \"2026-11-27T06:00:00\" beside a `timezone`")
    })
}

/// A list of dates.
pub(crate) fn dates(value: &Value) -> Read<Vec<Date>> {
    list(value, "a list of dates")?
        .iter()
        .map(|item| {
            let text = match plain(item) {
                Value::String(text) => text,
                _ => return Err(wrong_type(item, "a list of dates in quotes")),
            };
            text.parse::<Date>()
                .ok()
                .filter(|_| text.len() == 10)
                .ok_or_else(|| {
                    Problem::new(
                        codes::TIME,
                        "Time not usable",
                        format!("{} is no date", shown(item)),
                    )
                    .help("dates are written \"2026-12-25\"")
                })
        })
        .collect()
}

fn list<'v>(value: &'v Value, want: &str) -> Read<&'v [Value]> {
    match plain(value) {
        Value::List(list) | Value::Set(list) => Ok(list),
        Value::String(_) if !value.is_sensitive() => {
            Err(wrong_type(value, want).help(format!("write [{}]", shown(value))))
        }
        _ => Err(wrong_type(value, want)),
    }
}

/// A list of texts.
pub(crate) fn texts(value: &Value) -> Read<Vec<String>> {
    list(value, "a list of texts")?
        .iter()
        .map(|item| text(item).map(str::to_owned))
        .collect()
}

/// A list of percentages, rising.
pub(crate) fn percents(value: &Value) -> Read<Vec<f64>> {
    let mut out: Vec<f64> = Vec::new();
    for item in list(value, "a list of percentages")? {
        let n = any_number(item, "a list of numbers, in percent")?.as_f64();
        let problem = |label: &str| {
            Problem::new(
                codes::NUMBER_OUT_OF_RANGE,
                "Number outside of its range",
                format!("{}: {label}", shown(item)),
            )
        };
        if !(n > 0.0 && n <= 1_000.0) {
            return Err(problem("must be above 0 and at most 1000 percent"));
        }
        if out.last().is_some_and(|last| *last >= n) {
            return Err(problem("each must be larger than the one before it"));
        }
        out.push(n);
    }
    Ok(out)
}

/// A map of texts. Numbers and truth values become their text, as Terraform has it.
pub(crate) fn text_map(value: &Value) -> Read<Vec<(String, String)>> {
    let Value::Object(map) = plain(value) else {
        return Err(wrong_type(value, "a map: { Name = \"value\" }"));
    };
    map.iter()
        .map(|(key, item)| {
            let text = match plain(item) {
                Value::String(text) => text.to_string(),
                Value::Number(n) => n.to_string(),
                Value::Bool(b) => b.to_string(),
                _ => return Err(wrong_type(item, "a map of texts")),
            };
            Ok((key.to_string(), text))
        })
        .collect()
}

/// A statistic.
pub(crate) fn statistic(value: &Value) -> Read<Statistic> {
    const WORDS: &[&str] = &[
        "average", "sum", "minimum", "maximum", "rate", "p50", "p90", "p99",
    ];
    let text = match plain(value) {
        Value::String(text) => text,
        _ => return Err(wrong_type(value, "a statistic: \"average\", \"p99\"")),
    };
    Ok(match &**text {
        "average" => Statistic::Average,
        "sum" => Statistic::Sum,
        "minimum" => Statistic::Minimum,
        "maximum" => Statistic::Maximum,
        "rate" => Statistic::Rate,
        other => {
            let percentile = other
                .strip_prefix('p')
                .filter(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
                .and_then(|rest| rest.parse::<f64>().ok());
            match percentile {
                Some(p) if (0.0..=100.0).contains(&p) => Statistic::Percentile(p),
                Some(_) => {
                    return Err(Problem::new(
                        codes::STATISTIC,
                        "Statistic not usable",
                        "a percentile is from p0 to p100",
                    ));
                }
                None => {
                    let problem = Problem::new(
                        codes::STATISTIC,
                        "Statistic not usable",
                        "must be average, sum, minimum, maximum, rate, or a percentile like p99",
                    );
                    let near = match other {
                        "avg" | "mean" => Some("average"),
                        "min" => Some("minimum"),
                        "max" => Some("maximum"),
                        "median" => Some("p50"),
                        other => nearest(other, WORDS.iter().copied()),
                    };
                    return Err(match near {
                        Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                        None => problem,
                    });
                }
            }
        }
    })
}

/// A breach: `"2m"`, `"3 of 5"`.
pub(crate) fn breach(value: &Value) -> Read<Breach> {
    let text = notation(value, "a duration or \"M of N\"", |n| {
        format!("write \"{n}m\", or \"{n} of {n}\" periods")
    })?;
    let problem = |label: &str| Problem::new(codes::BREACH, "Breach not usable", label);
    if let Some((m, n)) = text.split_once("of") {
        let (Ok(breaching), Ok(periods)) = (m.trim().parse::<u32>(), n.trim().parse::<u32>())
        else {
            return Err(problem("is no \"M of N\"").help("write \"3 of 5\""));
        };
        if breaching == 0 || periods == 0 {
            return Err(problem("must name at least one period"));
        }
        return Ok(Breach::Of { breaching, periods });
    }
    let duration = parse_duration(text).map_err(|error| {
        problem(&error.label).help("write a duration, \"2m\", or periods, \"3 of 5\"")
    })?;
    Ok(if duration.is_zero() {
        Breach::Now
    } else {
        Breach::For(duration)
    })
}

/// Where the close name of an unknown zone is looked for.
pub(crate) fn unknown_timezone(text: &str) -> Problem {
    let problem = Problem::new(
        codes::UNKNOWN_TIMEZONE,
        "Unknown time zone",
        "is no IANA time zone",
    );
    let known: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.as_str().to_owned())
        .collect();
    // "Berlin" for "Europe/Berlin", or a slip of the finger.
    let city = known.iter().find(|name| {
        name.rsplit('/')
            .next()
            .is_some_and(|city| city.eq_ignore_ascii_case(text))
    });
    match city
        .map(String::as_str)
        .or_else(|| nearest(text, known.iter().map(String::as_str)))
    {
        Some(near) => problem.help(format!("did you mean \"{near}\"?")),
        None => problem.help("zones are written \"Europe/Berlin\", \"America/New_York\", \"UTC\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("5m", 300.0),
            ("2h30m", 9_000.0),
            ("1.5h", 5_400.0),
            ("28d", 28.0 * 86_400.0),
            ("1w", 7.0 * 86_400.0),
            ("90 mins", 5_400.0),
            ("PT5M", 300.0),
            ("500ms", 0.5),
            ("0s", 0.0),
        ] {
            assert_eq!(
                parse_duration(text).map(|d| d.as_secs_f64()),
                Ok(seconds),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for (text, label) in [
            ("5", "has no unit"),
            ("1mo", "has months or years"),
            ("2y", "has months or years"),
            ("-5m", "must not be negative"),
            ("5x", "is no duration"),
            ("", "must not be empty"),
            ("99999999999h", "is no duration"),
            ("9999999h", "is longer than ten years"),
        ] {
            let error = parse_duration(text).map_err(|e| e.label);
            assert_eq!(error, Err(label.to_owned()), "{text}");
        }
    }

    #[test]
    fn shares_are_percentages_in_text() {
        assert_eq!(parse_share("70%"), Some(Share(0.7)));
        assert_eq!(parse_share("12.5 %").map(Share::percent), Some(12.5));
        for text in ["70", "%", "-5%", "inf%", "1e3%", "5%%"] {
            assert_eq!(parse_share(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_without_an_offset_needs_a_zone() {
        let local = instant(&Value::from("2026-03-29T02:30:00")).expect("a time");
        assert_eq!(local.resolve(None), None);
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
        // In the gap: the same time by the old offset.
        assert_eq!(
            local.resolve(Some(&berlin)).map(|t| t.to_string()),
            Some("2026-03-29T01:30:00Z".to_owned())
        );
        let twice = instant(&Value::from("2026-10-25T02:30:00")).expect("a time");
        assert_eq!(
            twice.resolve(Some(&berlin)).map(|t| t.to_string()),
            Some("2026-10-25T00:30:00Z".to_owned())
        );
    }

    #[test]
    fn a_secret_is_not_shown_in_a_message() {
        let secret = Value::from(vec![Value::from("hunter2").sensitive()]);
        let problem = dates(&secret).expect_err("no date");
        assert!(!problem.label.contains("hunter2"), "{}", problem.label);
    }
}
