//! Cron expressions: five fields, as crontab and Auto Scaling groups have them, made strict.
//!
//! [`croner`] finds the times; before it sees a pattern, names become numbers, ranges that wrap around
//! are spelled out, and what it would misread (an empty list item makes it search for seconds) is
//! refused with a hint. Day of month and day of week together mean "or", as in POSIX.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use croner::parser::{CronParser, Seconds, Year};
use jiff::Zoned;
use jiff::civil::date;
use jiff::tz::TimeZone;
use thiserror::Error;

/// Why a text is no usable cron expression.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CronError {
    /// Not five fields.
    #[error("has {found} fields, not five (minute hour day month weekday)")]
    Fields {
        /// How many there are.
        found: usize,
    },
    /// `1,,2`, `,`.
    #[error("the {field} field `{text}` has an empty list item")]
    EmptyItem {
        /// Which field.
        field: &'static str,
        /// As written.
        text: String,
    },
    /// Neither a number nor a name that the field knows.
    #[error("`{item}` is no {field}")]
    Unknown {
        /// Which field.
        field: &'static str,
        /// As written.
        item: String,
        /// What was probably meant.
        hint: Option<String>,
    },
    /// A number that the field cannot have.
    #[error("{item} is no {field}: from {min} to {max}")]
    OutOfRange {
        /// Which field.
        field: &'static str,
        /// As written.
        item: String,
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
    },
    /// `22-6/2`.
    #[error("the range `{item}` runs backward and has a step")]
    BackwardStep {
        /// As written.
        item: String,
    },
    /// `*/0`.
    #[error("the step of `{item}` must be a number from 1")]
    Step {
        /// As written.
        item: String,
    },
    /// `0 0 31 2 *`.
    #[error("never fires: no such day exists")]
    NeverFires,
    /// What the library says of a rarer mistake.
    #[error("{0}")]
    Pattern(String),
}

/// A cron expression that fires.
#[derive(Clone, Debug)]
pub struct CronExpression {
    cron: croner::Cron,
    warnings: Vec<String>,
}

struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &[
    "JANUARY",
    "FEBRUARY",
    "MARCH",
    "APRIL",
    "MAY",
    "JUNE",
    "JULY",
    "AUGUST",
    "SEPTEMBER",
    "OCTOBER",
    "NOVEMBER",
    "DECEMBER",
];
const DAYS: &[&str] = &[
    "SUNDAY",
    "MONDAY",
    "TUESDAY",
    "WEDNESDAY",
    "THURSDAY",
    "FRIDAY",
    "SATURDAY",
];

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        min: 0,
        max: 59,
        names: &[],
    },
    Field {
        name: "hour",
        min: 0,
        max: 23,
        names: &[],
    },
    Field {
        name: "day of the month",
        min: 1,
        max: 31,
        names: &[],
    },
    Field {
        name: "month",
        min: 1,
        max: 12,
        names: MONTHS,
    },
    Field {
        name: "weekday",
        min: 0,
        max: 7,
        names: DAYS,
    },
];

impl CronExpression {
    /// Reads a cron expression: five fields with numbers, names (`MON`, `Monday`), lists, ranges (also
    /// `FRI-MON`), steps, `L`, `W`, `#`; or `@daily` and its like.
    ///
    /// # Errors
    /// [`CronError`], also where it can never fire.
    pub fn parse(text: &str) -> Result<CronExpression, CronError> {
        let mut warnings = Vec::new();
        let normal = normalize(text, &mut warnings)?;
        let cron = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(&normal)
            .map_err(|error| CronError::Pattern(error.to_string()))?;
        if !fires(&cron, &normal) {
            return Err(CronError::NeverFires);
        }
        Ok(CronExpression { cron, warnings })
    }

    /// What is legal but hardly meant (`*/70`), for people.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The first time it fires after `time`. A fixed time inside a clock change's gap fires when the gap
    /// ends, one inside the hour that comes twice fires the first time only.
    pub(super) fn after(&self, time: &Zoned) -> Option<Zoned> {
        self.cron.find_next_occurrence(time, false).ok()
    }

    /// The last time it fired, up to and including `time`.
    pub(super) fn until(&self, time: &Zoned) -> Option<Zoned> {
        self.cron.find_previous_occurrence(time, true).ok()
    }
}

/// Whether the days of a pattern exist at all. It is looked up where that can be done, for a search that finds
/// nothing takes milliseconds.
fn fires(cron: &croner::Cron, normal: &str) -> bool {
    let mut fields = normal.split(' ').skip(2);
    let (day, _, weekday) = (fields.next(), fields.next(), fields.next());
    let (day, weekday) = (day.unwrap_or("*"), weekday.unwrap_or("*"));
    if !weekday.starts_with('+') {
        let exists = |month: u16, day: u16| match month {
            2 => day <= 29,
            4 | 6 | 9 | 11 => day <= 30,
            _ => day <= 31,
        };
        let mut days = cron.pattern.days.values();
        // The weekday nearest to a day needs the day; the last one is always there.
        days.extend(day.split(',').filter_map(|item| match item {
            "L" | "LW" => Some(1),
            item => item.strip_suffix('W')?.parse().ok(),
        }));
        let months = cron.pattern.months.values();
        // Of day and weekday either is enough, unless the weekday is free.
        return weekday != "*"
            || months
                .iter()
                .any(|month| days.iter().any(|day| exists(*month, *day)));
    }
    // A leap day comes within eight years of any start; what has not fired by then never does.
    date(2024, 1, 1)
        .to_zoned(TimeZone::UTC)
        .is_ok_and(|start| cron.find_next_occurrence(&start, true).is_ok())
}

/// The pattern in numbers, with every range running forward.
fn normalize(text: &str, warnings: &mut Vec<String>) -> Result<String, CronError> {
    let trimmed = text.trim();
    if let Some(nickname) = trimmed.strip_prefix('@') {
        return Ok(match nickname.to_ascii_lowercase().as_str() {
            "yearly" | "annually" => "0 0 1 1 *",
            "monthly" => "0 0 1 * *",
            "weekly" => "0 0 * * 0",
            "daily" | "midnight" => "0 0 * * *",
            "hourly" => "0 * * * *",
            _ => {
                return Err(CronError::Pattern(format!(
                    "`{trimmed}` is none of @yearly, @monthly, @weekly, @daily, @hourly"
                )));
            }
        }
        .to_owned());
    }
    let parts: Vec<&str> = trimmed.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Err(CronError::Fields { found: parts.len() });
    }
    let mut out = String::new();
    for (field, part) in FIELDS.iter().zip(parts) {
        if !out.is_empty() {
            out.push(' ');
        }
        let (both, part_items) = match part.strip_prefix('+') {
            Some(rest) if field.names == DAYS => ("+", rest),
            _ => ("", part),
        };
        out.push_str(both);
        for (i, item) in part_items.split(',').enumerate() {
            if item.is_empty() {
                return Err(CronError::EmptyItem {
                    field: field.name,
                    text: part.to_owned(),
                });
            }
            if i > 0 {
                out.push(',');
            }
            field.item(&mut out, item, warnings)?;
        }
    }
    Ok(out)
}

impl Field {
    fn item(
        &self,
        out: &mut String,
        item: &str,
        warnings: &mut Vec<String>,
    ) -> Result<(), CronError> {
        let (range, step) =
            match item.split_once('/') {
                Some((range, step)) => {
                    let step = step.parse::<u32>().ok().filter(|n| *n > 0).ok_or_else(|| {
                        CronError::Step {
                            item: item.to_owned(),
                        }
                    })?;
                    (range, Some(step))
                }
                None => (item, None),
            };
        if let Some(step) = step
            && step > self.max - self.min
        {
            warnings.push(format!(
                "the step of `{item}` is longer than the {} field, so only its first value is left",
                self.name
            ));
        }
        // A step past the field says nothing more than the largest that fits.
        let step = step.map(|step| step.min(self.max - self.min));
        let (low, high) = match range.split_once('-') {
            Some((low, high)) => (self.number(low)?, Some(self.number(high)?)),
            None if range == "*" || range == "?" => {
                out.push('*');
                push_step(out, step);
                return Ok(());
            }
            None => match self.special(range)? {
                Some(special) => {
                    out.push_str(&special);
                    push_step(out, step);
                    return Ok(());
                }
                None => (self.number(range)?, None),
            },
        };
        // Sunday opens a week as 0, also where it is written as 7.
        let (low, high) = match (low, high) {
            (7, Some(7)) if self.names == DAYS => (0, Some(0)),
            (7, high) if self.names == DAYS && (high.is_some() || step.is_some()) => (0, high),
            range => range,
        };
        match high {
            None => {
                // `5/15` in Vixie cron: from 5 on, every 15.
                if step.is_some() {
                    let _ = write!(out, "{low}-{}", self.last());
                } else {
                    let _ = write!(out, "{low}");
                }
            }
            // Sunday closes a week as well as it opens one.
            Some(0) if self.names == DAYS && low > 0 => {
                let _ = write!(out, "{low}-7");
            }
            Some(high) if low <= high => {
                let _ = write!(out, "{low}-{high}");
            }
            Some(_) if step.is_some() => {
                return Err(CronError::BackwardStep {
                    item: item.to_owned(),
                });
            }
            Some(high) => {
                let _ = write!(out, "{low}-{},{}-{high}", self.last(), self.min);
            }
        }
        push_step(out, step);
        Ok(())
    }

    /// The largest value that is not another name of the smallest.
    fn last(&self) -> u32 {
        if self.names == DAYS { 6 } else { self.max }
    }

    /// `L`, `15W`, `MON#2`, `5L`: left to croner, with names as numbers.
    fn special(&self, text: &str) -> Result<Option<String>, CronError> {
        let upper = text.to_ascii_uppercase();
        let is_day = self.name == "day of the month";
        if is_day && (upper == "L" || upper == "LW" || upper.strip_suffix('W').is_some()) {
            if let Some(day) = upper.strip_suffix('W')
                && day != "L"
            {
                self.number(day)?;
            }
            return Ok(Some(upper));
        }
        if self.names == DAYS {
            if let Some((day, nth)) = upper.split_once('#') {
                let nth_known = nth == "L" || matches!(nth.parse::<u32>(), Ok(1..=5));
                if !nth_known {
                    return Err(CronError::Unknown {
                        field: "occurrence of a weekday",
                        item: text.to_owned(),
                        hint: Some("`MON#1` to `MON#5`, or `MON#L` for the last".to_owned()),
                    });
                }
                return Ok(Some(format!("{}#{nth}", self.number(day)?)));
            }
            if let Some(day) = upper.strip_suffix('L')
                && let Ok(day) = self.number(day)
            {
                return Ok(Some(format!("{day}#L")));
            }
        }
        Ok(None)
    }

    fn number(&self, text: &str) -> Result<u32, CronError> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return text
                .parse::<u32>()
                .ok()
                .filter(|n| (self.min..=self.max).contains(n))
                .ok_or_else(|| CronError::OutOfRange {
                    field: self.name,
                    item: text.to_owned(),
                    min: self.min,
                    max: self.max,
                });
        }
        let upper = text.to_ascii_uppercase();
        let first = if self.names == MONTHS { 1 } else { 0 };
        for (i, name) in (first..).zip(self.names) {
            if upper.len() >= 3 && name.starts_with(&upper) && (upper.len() == 3 || upper == *name)
            {
                return Ok(i);
            }
        }
        let known: BTreeSet<&str> = self.names.iter().filter_map(|name| name.get(..3)).collect();
        let hint = known
            .iter()
            .map(|name| (strsim::damerau_levenshtein(name, &upper), *name))
            .chain(
                self.names
                    .iter()
                    .filter_map(|n| Some((strsim::damerau_levenshtein(n, &upper), n.get(..3)?))),
            )
            .min()
            .filter(|(distance, _)| *distance <= 2)
            .map(|(_, name)| format!("did you mean `{name}`?"));
        Err(CronError::Unknown {
            field: self.name,
            item: text.to_owned(),
            hint,
        })
    }
}

fn push_step(out: &mut String, step: Option<u32>) {
    if let Some(step) = step {
        let _ = write!(out, "/{step}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        let mut warnings = Vec::new();
        match normalize(text, &mut warnings) {
            Ok(text) => text,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn names_and_backward_ranges_become_numbers() {
        for (text, want) in [
            ("0 8 * * MON-FRI", "0 8 * * 1-5"),
            ("0 8 * * Friday-Monday", "0 8 * * 5-6,0-1"),
            ("0 8 * * FRI-SUN", "0 8 * * 5-7"),
            ("0 8 * * 7", "0 8 * * 7"),
            ("0 8 * * 7-1", "0 8 * * 0-1"),
            ("0 8 * * 7-7", "0 8 * * 0-0"),
            ("0 8 * * 7/2", "0 8 * * 0-6/2"),
            ("0 22-6 * NOV-feb *", "0 22-23,0-6 * 11-12,1-2 *"),
            ("*/15 5/6 L * mon#2", "*/15 5-23/6 L * 1#2"),
            ("0 0 ? * 5L", "0 0 * * 5#L"),
            ("@daily", "0 0 * * *"),
            ("0 0 29 2 *", "0 0 29 2 *"),
            ("0 0 31 2 MON", "0 0 31 2 1"),
            ("0 0 LW 2 *", "0 0 LW 2 *"),
            ("0 0 13 * +FRI", "0 0 13 * +5"),
        ] {
            assert_eq!(normal(text), want, "{text}");
            assert!(CronExpression::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_before_the_library_sees_it() {
        for (text, want) in [
            (", * * * *", "the minute field `,` has an empty list item"),
            ("0 8 * *", "has 4 fields, not five"),
            ("0 8 * * * *", "has 6 fields"),
            ("", "has 0 fields"),
            ("60 * * * *", "60 is no minute: from 0 to 59"),
            ("99999999999 * * * *", "99999999999 is no minute"),
            ("0 8 * * MOO", "`MOO` is no weekday"),
            ("0 8 * XYZ *", "`XYZ` is no month"),
            ("*/0 * * * *", "the step of `*/0` must be a number from 1"),
            ("*/x * * * *", "the step of `*/x`"),
            ("0 22-6/2 * * *", "the range `22-6/2` runs backward"),
            ("0 0 31 2 *", "never fires"),
            ("0 0 30 feb *", "never fires"),
            ("0 0 30W 2 *", "never fires"),
            ("0 0 31 4,6,9,11 *", "never fires"),
            ("0 0 31 2 +MON", "never fires"),
            ("1-2-3 * * * *", "`2-3` is no minute"),
            ("@often", "`@often` is none of"),
            ("0 0 * * 1#9", "is no occurrence"),
        ] {
            let error = CronExpression::parse(text).err().map(|e| e.to_string());
            assert!(
                error.as_deref().is_some_and(|e| e.contains(want)),
                "{text}: {error:?}"
            );
        }
    }

    #[test]
    fn a_misspelled_day_gets_the_nearest_one() {
        let Err(CronError::Unknown { hint, .. }) = CronExpression::parse("0 8 * * Mondya") else {
            panic!("accepted");
        };
        assert_eq!(hint.as_deref(), Some("did you mean `MON`?"));
    }

    #[test]
    fn a_step_longer_than_its_field_is_a_warning() {
        let cron = CronExpression::parse("*/70 * * * *").expect("legal");
        assert_eq!(cron.warnings().len(), 1);
        assert!(
            CronExpression::parse("*/15 * * * *")
                .expect("legal")
                .warnings()
                .is_empty()
        );
    }
}
