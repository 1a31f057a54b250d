//! Windows: too short to matter, or contradicting each other.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;

use super::Subject;
use crate::calendar::{CompiledSchedule, OpenWindow};
use crate::codes;
use crate::decode::Context;
use crate::diagnostic::Diagnostic;
use crate::model::units::format_duration;
use crate::model::{Schedule, Window};

/// The windows of recurring schedules in one year, computed once for each pattern.
#[derive(Default)]
pub(crate) struct Calendars {
    years: HashMap<String, Rc<Vec<OpenWindow>>>,
}

/// A leap year after the last change of rules that we know of: patterns that meet at all, meet in it.
const YEAR: (&str, &str) = ("2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z");

impl Calendars {
    fn year(&mut self, window: &Window) -> Rc<Vec<OpenWindow>> {
        let key = format!("{window:?}");
        self.years
            .entry(key)
            .or_insert_with(|| {
                let times: Option<(Timestamp, Timestamp)> =
                    YEAR.0.parse().ok().zip(YEAR.1.parse().ok());
                let list = match (times, CompiledSchedule::of_window(window)) {
                    (Some((from, to)), Ok(compiled)) => {
                        // More windows than hours in a year prove nothing more.
                        compiled.windows(from, to).take(8_800).collect()
                    }
                    _ => Vec::new(),
                };
                Rc::new(list)
            })
            .clone()
    }
}

pub(super) fn check(subject: &Subject<'_>, cx: &mut Context) {
    short(subject, cx);
    contradictions(subject, cx);
}

fn short(subject: &Subject<'_>, cx: &mut Context) {
    let every = subject.policy.every;
    if subject.body.get("every").is_some_and(|a| cx.is_bad(a.span)) {
        return;
    }
    let least = every.saturating_mul(3);
    let mut report = |kind: &str, name: &str, attribute: &str, length: Duration| {
        if length >= least {
            return;
        }
        let Some(block) = subject.labelled(kind, name) else {
            return;
        };
        cx.push(
            Diagnostic::warning(codes::SHORT_WINDOW, "Window shorter than three decisions")
                .at(
                    block.span_of(attribute),
                    format!(
                        "{} are less than three decisions of {}",
                        format_duration(length),
                        format_duration(every)
                    ),
                )
                .help("make the window longer, or `every` shorter"),
        );
    };
    for schedule in &subject.policy.schedules {
        match &schedule.when {
            Window::Recurring { duration, .. } => {
                report("schedule", &schedule.name, "duration", *duration);
            }
            Window::Once { start, end, .. } => {
                let length = Duration::try_from(end.duration_since(*start)).unwrap_or_default();
                report("schedule", &schedule.name, "end", length);
            }
        }
    }
    for surge in &subject.policy.surges {
        let length = surge.lead.saturating_add(surge.duration);
        report("surge", &surge.name, "duration", length);
    }
}

/// A floor of one schedule above the ceiling of another, open at the same time. A window that opens once may
/// overrule one that recurs: that is what it is for, and floors win.
fn contradictions(subject: &Subject<'_>, cx: &mut Context) {
    let schedules = &subject.policy.schedules;
    // A file with hundreds of schedules is not made by hand; the pairs looked at stay bounded, the most extreme
    // first.
    const MOST: usize = 50;
    let mut ceilings: Vec<&Schedule> = schedules.iter().filter(|s| s.max.is_some()).collect();
    let mut floors: Vec<&Schedule> = schedules.iter().filter(|s| s.min.is_some()).collect();
    if ceilings.len() > MOST || floors.len() > MOST {
        ceilings.sort_by_key(|schedule| schedule.max);
        floors.sort_by_key(|schedule| std::cmp::Reverse(schedule.min));
        ceilings.truncate(MOST);
        floors.truncate(MOST);
    }
    for (floor, ceiling) in floors
        .iter()
        .flat_map(|floor| ceilings.iter().map(move |ceiling| (*floor, *ceiling)))
        .filter(|(floor, ceiling)| floor.name != ceiling.name && floor.min > ceiling.max)
    {
        let Some(at) = meeting(&floor.when, &ceiling.when, cx) else {
            continue;
        };
        let (Some(floor_block), Some(ceiling_block)) = (
            subject.labelled("schedule", &floor.name),
            subject.labelled("schedule", &ceiling.name),
        ) else {
            continue;
        };
        let number = |capacity: Option<crate::model::Capacity>| capacity.unwrap_or_default();
        cx.push(
            Diagnostic::error(codes::CONTRADICTION, "Schedules that contradict each other")
                .at(
                    ceiling_block.span_of("max"),
                    format!("at most {}", number(ceiling.max)),
                )
                .at(
                    floor_block.span_of("min"),
                    format!("at least {} at the same time", number(floor.min)),
                )
                .why(format!("Both are open at {at}."))
                .help("make one window end where the other begins, or bring the numbers together"),
        );
    }
}

/// A time at which both are open.
fn meeting(a: &Window, b: &Window, cx: &mut Context) -> Option<Timestamp> {
    match (a, b) {
        (
            Window::Once {
                start: a_start,
                end: a_end,
                ..
            },
            Window::Once {
                start: b_start,
                end: b_end,
                ..
            },
        ) => (a_start < b_end && b_start < a_end).then(|| *a_start.max(b_start)),
        (Window::Recurring { .. }, Window::Recurring { .. }) => {
            let (a, b) = (cx.calendars.year(a), cx.calendars.year(b));
            let (mut i, mut j) = (0, 0);
            while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
                if x.start < y.end && y.start < x.end {
                    return Some(x.start.max(y.start));
                }
                if x.end <= y.end {
                    i += 1;
                } else {
                    j += 1;
                }
            }
            None
        }
        _ => None,
    }
}
