//! Arguments that several commands share, and how their texts are read.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};
use jiff::Timestamp;
use tideform_policies::load::VariableArgument;
use tideform_policies::model::{GroupAddress, Name};

use super::error::CliError;
use crate::plan::{GroupPattern, check_patterns};

/// Flags that every command has.
#[derive(Args, Clone, Debug)]
pub(super) struct GlobalArgs {
    /// Work in this directory instead of the current one
    #[arg(
        short = 'C',
        long = "directory",
        global = true,
        value_name = "DIR",
        default_value = "."
    )]
    pub(super) directory: PathBuf,

    /// The workspace; stronger than TIDEFORM_WORKSPACE and the `tideform` block
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) workspace: Option<String>,

    /// No color, also on a terminal (as NO_COLOR in the environment)
    #[arg(long, global = true)]
    pub(super) no_color: bool,

    /// Whether to ask; with `--input=false` a command that would ask fails instead
    #[arg(
        long,
        global = true,
        value_name = "BOOL",
        default_value_t = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        action = ArgAction::Set
    )]
    pub(super) input: bool,
}

/// Values of variables.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct VariableArgs {
    /// Sets a variable; may be repeated, and the last one wins
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(super) var: Vec<String>,

    /// Reads variables from a file; in order with `--var`
    #[arg(long = "var-file", value_name = "FILE")]
    pub(super) var_file: Vec<PathBuf>,
}

impl VariableArgs {
    /// The flags in the order of the command line, which clap keeps only in `matches`.
    ///
    /// # Errors
    /// A `--var` without `=`.
    pub(super) fn ordered(
        &self,
        matches: Option<&clap::ArgMatches>,
    ) -> Result<Vec<VariableArgument>, CliError> {
        let indices = |id: &str| -> Vec<usize> {
            let indices = matches.and_then(|m| m.try_contains_id(id).ok().and(m.indices_of(id)));
            indices.map(Iterator::collect).unwrap_or_default()
        };
        let mut all = Vec::new();
        let places = indices("var");
        for (i, text) in self.var.iter().enumerate() {
            let (name, value) = text.split_once('=').ok_or_else(|| {
                CliError::Usage(format!(
                    "`--var {text}` has no value: write it as `--var name=value`"
                ))
            })?;
            let argument = VariableArgument::Value {
                name: name.trim().to_owned(),
                value: value.to_owned(),
            };
            all.push((places.get(i).copied().unwrap_or(i), argument));
        }
        let places = indices("var_file");
        for (i, path) in self.var_file.iter().enumerate() {
            let argument = VariableArgument::File(path.clone());
            all.push((places.get(i).copied().unwrap_or(i), argument));
        }
        all.sort_by_key(|(place, _)| *place);
        Ok(all.into_iter().map(|(_, argument)| argument).collect())
    }
}

/// Which groups a command is about.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct GroupArgs {
    /// Only these groups: `web`, `svc.api`, `group.svc["api"]`, or a glob such as `svc.*`; may be repeated
    #[arg(long = "group", value_name = "ADDR")]
    pub(super) group: Vec<String>,
}

impl GroupArgs {
    /// The patterns; none: all groups.
    pub(super) fn patterns(&self) -> Vec<GroupPattern> {
        self.group
            .iter()
            .map(|text| GroupPattern::new(text))
            .collect()
    }

    /// Keeps the addresses that are meant.
    ///
    /// # Errors
    /// A pattern that none matches.
    pub(super) fn select(&self, all: &[GroupAddress]) -> Result<Vec<GroupAddress>, CliError> {
        let patterns = self.patterns();
        check_patterns(&patterns, &all.iter().collect::<Vec<_>>())?;
        let is_meant = |address: &&GroupAddress| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(address))
        };
        Ok(all.iter().filter(is_meant).cloned().collect())
    }
}

/// The known name that is most like what was typed, if any is.
pub(super) fn nearest(typed: &str, known: impl IntoIterator<Item = String>) -> Option<String> {
    let typed = typed.strip_prefix("group.").unwrap_or(typed);
    let known: Vec<String> = known.into_iter().collect();
    tideform_policies::schema::nearest(typed, known.iter().map(String::as_str)).map(str::to_owned)
}

/// Reads a duration: `90s`, `2h30m`, `28d`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    const EXAMPLE: &str = "write it as `90s`, `2h30m` or `7d`";
    let mut total = 0_f64;
    let mut rest = text;
    if rest.is_empty() {
        return Err(EXAMPLE.to_owned());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(|| format!("the unit is missing: {EXAMPLE}"))?;
        let number: f64 = rest[..digits].parse().map_err(|_| EXAMPLE.to_owned())?;
        rest = &rest[digits..];
        let unit_end = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let seconds = match &rest[..unit_end] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            unit => {
                return Err(match meant_duration(text) {
                    Some(meant) => format!("unknown unit `{unit}`: did you mean `{meant}`?"),
                    None => format!("unknown unit `{unit}`: {EXAMPLE}"),
                });
            }
        };
        rest = &rest[unit_end..];
        total += number * seconds;
    }
    // Ten years: longer spans are a slip of the finger, and arithmetic on times stays far from its ends.
    if !total.is_finite() || total > 315_576_000.0 {
        return Err("longer than ten years".to_owned());
    }
    Duration::try_from_secs_f64(total).map_err(|error| error.to_string())
}

/// What a duration with its unit in words means: `7days` is `7d`.
fn meant_duration(text: &str) -> Option<String> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(split)?;
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" => "h",
        "day" | "days" => "d",
        "week" | "weeks" => "w",
        _ => return None,
    };
    (!number.is_empty()).then(|| format!("{number}{unit}"))
}

/// Reads a number of instances.
pub(super) fn parse_instances(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a number of instances, like 12"))
}

/// Reads how many of something.
pub(super) fn parse_count(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a whole number, like 50"))
}

/// Reads a duration that must be longer than nothing.
pub(super) fn parse_positive_duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if duration.is_zero() {
        return Err("must be longer than 0s".to_owned());
    }
    Ok(duration)
}

/// A moment on the command line: a time, or a time span before now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
    /// RFC 3339.
    At(Timestamp),
    /// `2h`: so long ago (or from now, where the flag says so).
    Ago(Duration),
}

impl Moment {
    /// The moment in the past.
    pub(super) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Moment::At(at) => at,
            Moment::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }

    /// The moment in the future.
    pub(super) fn after(self, now: Timestamp) -> Timestamp {
        match self {
            Moment::At(at) => at,
            Moment::Ago(ago) => now.checked_add(ago).unwrap_or(Timestamp::MAX),
        }
    }
}

/// Reads RFC 3339 (`2026-11-27T08:00:00Z`) or a duration (`2h`).
pub(super) fn parse_moment(text: &str) -> Result<Moment, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Moment::At(at));
    }
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && let Ok(at) = date.to_zoned(jiff::tz::TimeZone::UTC)
    {
        return Ok(Moment::At(at.timestamp()));
    }
    parse_duration(text)
        .map(Moment::Ago)
        .map_err(|_| match meant_duration(text) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                "write a time as `2026-11-27T08:00:00Z`, a day as `2026-11-27`, or a span as `2h`"
                    .to_owned()
            }
        })
}

/// Reads a group's address.
pub(super) fn parse_group(text: &str) -> Result<GroupAddress, String> {
    GroupAddress::parse(text)
        .ok_or_else(|| "write an address as `web`, `svc.api` or `group.svc[\"api\"]`".to_owned())
}

/// Reads a name of a block.
pub(super) fn parse_name(text: &str) -> Result<Name, String> {
    if text.trim().is_empty() {
        return Err("must not be empty".to_owned());
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_every_unit_and_refused_without_one() {
        for (text, seconds) in [
            ("90s", 90),
            ("2h30m", 9_000),
            ("28d", 2_419_200),
            ("1w", 604_800),
            ("0s", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in ["", "90", "h", "1x", "-1h", "1h-", "99999999w", "1.2.3s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_is_a_time_a_day_or_a_span() {
        let now: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
        let read = |text| parse_moment(text).unwrap().before(now).to_string();
        assert_eq!(read("2h"), "2026-01-05T10:00:00Z");
        assert_eq!(read("2026-01-01"), "2026-01-01T00:00:00Z");
        assert_eq!(read("2026-01-01T03:00:00+01:00"), "2026-01-01T02:00:00Z");
        assert!(parse_moment("yesterday").is_err());
        assert_eq!(
            parse_moment("7days"),
            Err("did you mean `7d`?".to_owned()),
            "a unit in words is understood well enough to say how it is written"
        );
    }
}
