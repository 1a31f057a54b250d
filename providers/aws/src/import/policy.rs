//! Target tracking, step and predictive scaling as `track`, `step` and `forecast`. Pure.

use std::time::Duration;

use tideform_policies::model::units::format_duration;
use tideform_policies::write::{Block, Item, Written};
use tideform_provider::{Imported, ImportedPart, LiveGroup};

use super::metric::{self, Said, Subject};
use super::{ALARM, Labels, POLICY, There, left, tidy};
use crate::metrics::targets::Target;
use crate::native::math;
use crate::native::model::{AlarmSpec, Native, Predicting, Stepping, Tracking};
use crate::native::same;

/// Says the policies of a group, or leaves them.
pub(super) fn import(
    there: &[There<'_>],
    live: &LiveGroup,
    target: Option<&Target>,
    labels: &mut Labels,
    imported: &mut Imported,
) {
    let subject = Subject {
        group: &live.resource.name,
        target,
    };
    imported.never_scales_in = never_scales_in(there);
    for one in there {
        let Native::TargetTracking(tracking) = &one.native else {
            continue;
        };
        let said = if tracking.scale_in == imported.never_scales_in {
            Err(
                "it only adds, and another policy of the group also removes: files say that for the whole group"
                    .to_owned(),
            )
        } else {
            track(&one.control.name, tracking, subject, labels)
        };
        match said {
            Ok(part) => imported.parts.push(part),
            Err(why) => imported.left.push(left(one.control, why, None)),
        }
    }
    let mut sides: Vec<Side<'_>> = Vec::new();
    for one in there {
        let Native::StepScaling(stepping) = &one.native else {
            continue;
        };
        match side(one, stepping) {
            Ok(side) => sides.push(side),
            Err((why, help)) => imported.left.push(left(one.control, why, help)),
        }
    }
    for pair in pairs(sides) {
        match steps(&pair, subject, labels) {
            Ok(part) => imported.parts.push(part),
            Err(why) => imported.left.extend(
                pair.iter()
                    .map(|side| left(side.there.control, why.clone(), None)),
            ),
        }
    }
    let mut has_forecast = false;
    for one in there {
        let Native::PredictiveScaling(predicting) = &one.native else {
            continue;
        };
        let said = if has_forecast {
            Err("a group of the files has one forecast".to_owned())
        } else {
            forecast(&one.control.name, predicting, subject, labels)
        };
        match said {
            Ok(part) => {
                has_forecast = true;
                imported.parts.push(part);
            }
            Err(why) => imported.left.push(left(one.control, why, None)),
        }
    }
}

/// Whether no policy removes anything, and target tracking is told not to.
fn never_scales_in(there: &[There<'_>]) -> bool {
    let mut is_told = false;
    for one in there {
        match &one.native {
            Native::TargetTracking(tracking) if tracking.scale_in => return false,
            Native::TargetTracking(_) => is_told = true,
            Native::StepScaling(stepping) => {
                let looks_down = stepping
                    .alarm
                    .as_ref()
                    .is_some_and(|alarm| same::looks_down(&alarm.comparison));
                if looks_down {
                    return false;
                }
            }
            Native::PredictiveScaling(_) | Native::Scheduled(_) => {}
        }
    }
    is_told
}

fn track(
    name: &str,
    tracking: &Tracking,
    subject: Subject<'_>,
    labels: &mut Labels,
) -> Result<ImportedPart, String> {
    let Said {
        label,
        mut items,
        bases,
        divide_by,
        ..
    } = metric::tracked(&tracking.metric, subject, name, labels)?;
    items.push(Item::Block(Block::new(
        "track",
        vec![number("target", tracking.target, divide_by)],
    )));
    Ok(part(
        vec![name.to_owned()],
        bases,
        Block::named("metric", &label, items),
        vec![(POLICY.to_owned(), name.to_owned())],
    ))
}

/// A number of AWS's in our unit.
fn number(name: &str, value: f64, divide_by: f64) -> Item {
    if divide_by == 1.0 {
        return Item::attribute(name, value);
    }
    let per_second = value / divide_by;
    if per_second.fract() == 0.0 {
        return Item::explained(name, per_second, &format!("a second; {value} a minute"));
    }
    Item::explained(
        name,
        Written::Expression(format!("{value} / {divide_by}")),
        "AWS counts by the minute, tideform by the second",
    )
}

fn part(
    controls: Vec<String>,
    mut blocks: Vec<Block>,
    block: Block,
    made_of: Vec<(String, String)>,
) -> ImportedPart {
    blocks.push(block);
    ImportedPart {
        controls,
        blocks,
        made_of,
    }
}

/// What `on_missing` says for an alarm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    Hold,
    Last,
    ScaleOut,
}

/// A step policy with its alarm: one direction of a metric's steps.
struct Side<'a> {
    there: &'a There<'a>,
    alarm: &'a AlarmSpec,
    looks_down: bool,
    absent: Absent,
    steps: Vec<Block>,
}

/// What is left, and what to do.
type Left = (String, Option<&'static str>);

fn side<'a>(there: &'a There<'a>, stepping: &'a Stepping) -> Result<Side<'a>, Left> {
    let Some(alarm) = &stepping.alarm else {
        return Err((
            "no alarm starts it".to_owned(),
            Some("Delete it, or give it an alarm and import again."),
        ));
    };
    let looks_down = same::looks_down(&alarm.comparison);
    let is_simple = ["GreaterThanOrEqualToThreshold", "GreaterThanThreshold"]
        .into_iter()
        .chain(["LessThanOrEqualToThreshold", "LessThanThreshold"])
        .any(|known| known == alarm.comparison);
    if !is_simple {
        return Err((
            format!("its alarm compares by {}", alarm.comparison),
            Some("Give it an alarm with a fixed threshold, and import again."),
        ));
    }
    let absent = match (alarm.missing.as_str(), looks_down) {
        ("missing" | "notBreaching", _) => Absent::Hold,
        ("ignore", _) => Absent::Last,
        ("breaching", false) => Absent::ScaleOut,
        ("breaching", true) => {
            return Err((
                "it removes instances where data is absent".to_owned(),
                Some(
                    "Write `on_missing = 0` on a metric that is silent at zero, with the steps of this policy.",
                ),
            ));
        }
        (other, _) => return Err((format!("its alarm takes absent data as {other}"), None)),
    };
    let steps = step_blocks(stepping, alarm, looks_down);
    if steps.is_empty() {
        return Err(("none of its steps does anything".to_owned(), None));
    }
    Ok(Side {
        there,
        alarm,
        looks_down,
        absent,
        steps,
    })
}

fn step_blocks(stepping: &Stepping, alarm: &AlarmSpec, looks_down: bool) -> Vec<Block> {
    let mut spans = same::spans(&stepping.steps, looks_down);
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let sign = if looks_down { -1.0 } else { 1.0 };
    let mut blocks = Vec::new();
    for (n, (near, far, adjustment)) in spans.iter().enumerate() {
        if *adjustment == 0 {
            continue;
        }
        let mut items = vec![Item::attribute(
            if looks_down { "below" } else { "above" },
            tidy(alarm.threshold + sign * near),
        )];
        // Up to the next step that does something, nothing need be said.
        let goes_on = spans
            .get(n + 1)
            .is_some_and(|(from, _, next)| from == far && *next != 0);
        if far.is_finite() && !goes_on {
            items.push(Item::attribute("to", tidy(alarm.threshold + sign * far)));
        }
        let size = adjustment.unsigned_abs();
        let direction = if *adjustment > 0 { "add" } else { "remove" };
        match stepping.adjustment.as_str() {
            "PercentChangeInCapacity" => {
                items.push(Item::attribute(direction, format!("{size}%")));
                if let Some(least) = stepping
                    .min_adjustment
                    .and_then(|least| u32::try_from(least).ok())
                    .filter(|least| *least > 0)
                {
                    items.push(Item::attribute("min_adjustment", least));
                }
            }
            "ExactCapacity" => items.push(Item::attribute("set", size)),
            _ => items.push(Item::attribute(direction, size)),
        }
        blocks.push(Block::new("step", items));
    }
    blocks
}

/// Two policies that look at one metric alike, one each way, are one metric with steps both ways.
fn pairs(sides: Vec<Side<'_>>) -> Vec<Vec<Side<'_>>> {
    let mut pairs: Vec<Vec<Side<'_>>> = Vec::new();
    for side in sides {
        let fits = |pair: &&mut Vec<Side<'_>>| match pair.as_slice() {
            [other] => are_one(other, &side),
            _ => false,
        };
        match pairs.iter_mut().find(fits) {
            Some(pair) if side.looks_down => pair.push(side),
            Some(pair) => pair.insert(0, side),
            None => pairs.push(vec![side]),
        }
    }
    pairs
}

fn are_one(a: &Side<'_>, b: &Side<'_>) -> bool {
    let (up, down) = if a.looks_down { (b, a) } else { (a, b) };
    let absent =
        up.absent == down.absent || (up.absent == Absent::ScaleOut && down.absent == Absent::Hold);
    a.looks_down != b.looks_down
        && math::is_same(&a.alarm.metric, &b.alarm.metric)
        && (a.alarm.periods, a.alarm.breaching) == (b.alarm.periods, b.alarm.breaching)
        && absent
        && up.alarm.threshold > down.alarm.threshold
}

fn steps(
    sides: &[Side<'_>],
    subject: Subject<'_>,
    labels: &mut Labels,
) -> Result<ImportedPart, String> {
    let Some(first) = sides.first() else {
        return Err("there are no steps".to_owned());
    };
    let name = &first.there.control.name;
    let Said {
        label,
        mut items,
        bases,
        absent,
        period_s,
        ..
    } = metric::watched(&first.alarm.metric, subject, name, labels)?;
    items.extend(breach(first.alarm, period_s));
    match (absent, first.absent) {
        (Some(number), Absent::Hold) => items.push(Item::attribute("on_missing", number)),
        (Some(_), _) => {
            return Err("its alarm takes absent data as a number and as something else".to_owned());
        }
        (None, Absent::Hold) => {}
        (None, Absent::Last) => items.push(Item::attribute("on_missing", "last")),
        (None, Absent::ScaleOut) => items.push(Item::attribute("on_missing", "scale_out")),
    }
    for side in sides {
        let threshold = tidy(side.alarm.threshold);
        match side.alarm.comparison.as_str() {
            "GreaterThanThreshold" => items.push(Item::Comment(format!(
                "Its alarm goes off above {threshold}, not at {threshold} itself, and goes on to."
            ))),
            "LessThanThreshold" => items.push(Item::Comment(format!(
                "Its alarm goes off below {threshold}, not at {threshold} itself, and goes on to."
            ))),
            _ => {}
        }
        items.extend(side.steps.iter().cloned().map(Item::Block));
    }
    let mut made_of = Vec::new();
    for side in sides {
        let policy = &side.there.control.name;
        let alarm = side.alarm.name.as_ref().unwrap_or(policy);
        made_of.push((POLICY.to_owned(), policy.clone()));
        made_of.push((ALARM.to_owned(), alarm.clone()));
    }
    Ok(part(
        sides
            .iter()
            .map(|side| side.there.control.name.clone())
            .collect(),
        bases,
        Block::named("metric", &label, items),
        made_of,
    ))
}

/// How long a step must be breached, where that is not at once.
fn breach(alarm: &AlarmSpec, period_s: i32) -> Option<Item> {
    let (breaching, periods) = (alarm.breaching, alarm.periods);
    if (breaching, periods) == (1, 1) {
        return None;
    }
    let text = if breaching == periods {
        let seconds = u64::try_from(periods.saturating_mul(period_s)).unwrap_or_default();
        format_duration(Duration::from_secs(seconds))
    } else {
        format!("{breaching} of {periods}")
    };
    Some(Item::attribute("breach", text))
}

fn forecast(
    name: &str,
    predicting: &Predicting,
    subject: Subject<'_>,
    labels: &mut Labels,
) -> Result<ImportedPart, String> {
    let Said {
        label,
        items,
        mut bases,
        divide_by,
        ..
    } = metric::demand(
        &predicting.load,
        predicting.scaling.as_ref(),
        predicting.capacity.as_ref(),
        subject,
        labels,
    )?;
    bases.push(Block::named("metric", &label, items));
    let lead = Duration::from_secs(u64::try_from(predicting.buffer_s).unwrap_or_default());
    let mut said = vec![
        Item::attribute("metric", label),
        number("per_instance", predicting.target, divide_by),
        Item::attribute("lead", format_duration(lead)),
    ];
    if predicting.mode == "ForecastOnly" {
        said.push(Item::attribute("mode", "observe"));
    }
    Ok(part(
        vec![name.to_owned()],
        bases,
        Block::new("forecast", said),
        vec![(POLICY.to_owned(), name.to_owned())],
    ))
}
