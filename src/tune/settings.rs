//! The settings of a policy that can be searched: where they stand, what they are now, and within which range.

use std::collections::BTreeMap;
use std::time::Duration;

use tideform_policies::edit::Step as Block;
use tideform_policies::model::units::format_duration;
use tideform_policies::model::{
    Capacity, Limits, Origin, Policy, Rule, ScaleRules, Share, StepBound,
};
use tideform_policies::source::SourceMap;

use super::propose::{is_literal, text_of};
use crate::engine::Rules;

/// The most points of one setting.
pub const MOST_POINTS: usize = 10_000;
/// How many points a range gets that nobody gave.
const POINTS: f64 = 40.0;

/// What a setting's number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// In the metric's unit.
    Number,
    /// Seconds, written as a duration.
    Seconds,
    /// Instances.
    Count,
    /// Percent, written as a share.
    Percent,
}

impl Unit {
    /// As the files write it.
    pub fn written(self, value: f64) -> String {
        match self {
            Unit::Number | Unit::Count => value.to_string(),
            Unit::Seconds => {
                let duration = Duration::try_from_secs_f64(value).unwrap_or_default();
                format!("\"{}\"", format_duration(duration))
            }
            Unit::Percent => format!("\"{value}%\""),
        }
    }
}

/// A direction of scaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Out,
    In,
}

impl Way {
    fn of(self, policy: &mut Policy) -> &mut ScaleRules {
        match self {
            Way::Out => &mut policy.scale_out,
            Way::In => &mut policy.scale_in,
        }
    }
}

/// A place in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Target(usize),
    Threshold { metric: usize, step: usize },
    Cooldown(Way),
    Stabilization(Way),
    ScheduleMin(usize),
    LimitsMin,
    Spot,
}

/// Values from one to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The first.
    pub from: f64,
    /// The last, or the end after the last.
    pub to: f64,
    /// From one to the next; `None`: some forty of them, at round numbers.
    pub step: Option<f64>,
}

/// A setting that the policy has.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Its path in the resolved group: `metric.cpu.track.target`.
    pub path: String,
    /// What its number counts.
    pub unit: Unit,
    /// What it is now.
    pub now: f64,
    /// Where nobody names ranges it is searched in this one; `None`: only where it is asked for.
    pub range: Option<Range>,
    /// The blocks that it stands in, from the group inward.
    pub blocks: Vec<Block>,
    /// Its name in the innermost.
    pub attribute: &'static str,
    field: Field,
}

/// A setting with the values that are tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Which.
    pub known: Known,
    /// Rising; the value of now is one of them.
    pub points: Vec<f64>,
}

impl Setting {
    /// The values of a range, and the one of now. `None`: the range is no range, or has too many.
    pub fn new(known: Known, range: Range) -> Option<Setting> {
        let Range { from, to, step } = range;
        let step = step.unwrap_or_else(|| round_step(known.unit, to - from));
        let is_range = from.is_finite() && to.is_finite() && from <= to && step > 0.0;
        if !is_range || ((to - from) / step) >= MOST_POINTS as f64 {
            return None;
        }
        let count = ((to - from) / step + 1e-9).floor() as u32;
        // Rounded, so that a tenth three times is three tenths.
        let value = |n: u32| ((from + f64::from(n) * step) * 1e6).round() / 1e6;
        let mut points: Vec<f64> = (0..=count).map(value).chain([known.now]).collect();
        points.sort_by(f64::total_cmp);
        points.dedup();
        Some(Setting { known, points })
    }

    /// Where the value of now is among the points.
    pub fn now(&self) -> u32 {
        let place = self
            .points
            .iter()
            .position(|point| *point == self.known.now);
        place
            .and_then(|place| u32::try_from(place).ok())
            .unwrap_or(0)
    }

    /// The value at a place.
    pub fn value(&self, place: u32) -> f64 {
        self.points
            .get(place as usize)
            .copied()
            .unwrap_or(self.known.now)
    }
}

/// Puts values into a policy. `false`: they contradict each other or the rest, and the policy is of no use.
pub fn apply<'s>(
    values: impl IntoIterator<Item = (&'s Setting, f64)>,
    policy: &mut Policy,
) -> bool {
    let all = values
        .into_iter()
        .all(|(setting, value)| set(setting.known.field, value, policy));
    all && is_consistent(policy)
}

fn set(field: Field, value: f64, policy: &mut Policy) -> bool {
    let seconds = || Duration::try_from_secs_f64(value).unwrap_or_default();
    match field {
        Field::Target(metric) => {
            let rule = policy
                .metrics
                .get_mut(metric)
                .map(|metric| &mut metric.rule);
            if let Some(Some(Rule::Track(track))) = rule {
                track.target = value;
            }
            value > 0.0
        }
        Field::Threshold { metric, step } => {
            let rule = policy
                .metrics
                .get_mut(metric)
                .map(|metric| &mut metric.rule);
            if let Some(Some(Rule::Steps(steps))) = rule {
                move_threshold(steps, step, value);
            }
            true
        }
        Field::Cooldown(way) => {
            way.of(policy).cooldown = seconds();
            value >= 0.0
        }
        Field::Stabilization(way) => {
            way.of(policy).stabilization = seconds();
            value >= 0.0
        }
        Field::ScheduleMin(schedule) => {
            if let Some(schedule) = policy.schedules.get_mut(schedule) {
                schedule.min = Some(Capacity(value as u32));
            }
            value >= 0.0
        }
        Field::LimitsMin => {
            let max = policy.limits.map_or(Capacity(u32::MAX), Limits::max);
            policy.limits = Limits::new(Capacity(value as u32), max).or(policy.limits);
            value >= 0.0 && value <= f64::from(max.get())
        }
        Field::Spot => {
            if let Some(mix) = &mut policy.mix {
                mix.spot = Share(value / 100.0);
            }
            (0.0..=100.0).contains(&value)
        }
    }
}

/// A step's own bound, and the end of the one before it, where that is this bound.
fn move_threshold(steps: &mut [tideform_policies::model::Step], place: usize, value: f64) {
    let old = steps.get(place).map(|step| step.when);
    for (nth, step) in steps.iter_mut().enumerate() {
        match (&mut step.when, old) {
            (StepBound::Above { from, to }, Some(StepBound::Above { from: old, .. }))
            | (StepBound::Below { from, to }, Some(StepBound::Below { from: old, .. })) => {
                if nth == place {
                    *from = value;
                } else if *to == Some(old) {
                    *to = Some(value);
                }
            }
            _ => {}
        }
    }
}

/// What `validate` refuses, and what turns the order of steps around.
fn is_consistent(policy: &Policy) -> bool {
    let (mut highest_below, mut lowest_above);
    for metric in &policy.metrics {
        let Some(Rule::Steps(steps)) = &metric.rule else {
            continue;
        };
        (highest_below, lowest_above) = (f64::NEG_INFINITY, f64::INFINITY);
        let mut before: Option<StepBound> = None;
        for step in steps {
            match (step.when, before) {
                (StepBound::Above { from, .. }, Some(StepBound::Above { from: last, .. }))
                    if from <= last =>
                {
                    return false;
                }
                (StepBound::Below { from, .. }, Some(StepBound::Below { from: last, .. }))
                    if from >= last =>
                {
                    return false;
                }
                _ => {}
            }
            match step.when {
                StepBound::Above { from, to } => {
                    lowest_above = lowest_above.min(from);
                    if to.is_some_and(|to| to <= from) {
                        return false;
                    }
                }
                StepBound::Below { from, to } => {
                    highest_below = highest_below.max(from);
                    if to.is_some_and(|to| to >= from) {
                        return false;
                    }
                }
                StepBound::Band { .. } => {}
            }
            before = Some(step.when);
        }
        if highest_below >= lowest_above {
            return false;
        }
    }
    let max = policy.limits.map(Limits::max);
    policy.schedules.iter().all(|schedule| {
        let Some(min) = schedule.min else { return true };
        schedule.max.is_none_or(|max| min <= max) && max.is_none_or(|max| min <= max)
    })
}

/// The settings of a group that can be searched, in the order of the documentation. `interrupts`: spot instances are taken
/// back in the world that judges, so that its share is worth searching.
pub fn known(
    rules: &Rules,
    origins: &BTreeMap<String, Origin>,
    sources: &SourceMap,
    interrupts: bool,
) -> Vec<Known> {
    let mut finder = Finder {
        origins,
        sources,
        known: Vec::new(),
    };
    let policy = &rules.group().policy;
    for (place, metric) in policy.metrics.iter().enumerate() {
        let blocks = vec![Block::named("metric", &metric.name)];
        match &metric.rule {
            Some(Rule::Track(track)) => {
                let now = track.target;
                let range = if rules.is_utilization(place) {
                    Range {
                        from: now.min(30.0),
                        to: now.max(90.0),
                        step: Some(1.0),
                    }
                } else {
                    around(now, 0.5)
                };
                let mut inner = blocks;
                inner.push(Block::plain("track"));
                let path = format!("metric.{}.track.target", metric.name);
                let field = Field::Target(place);
                finder.push(path, Unit::Number, now, Some(range), inner, "target", field);
            }
            Some(Rule::Steps(steps)) => finder.thresholds(place, &metric.name, steps, &blocks),
            Some(Rule::Want) | None => {}
        }
    }
    for (kind, way, rules) in [
        ("scale_out", Way::Out, &policy.scale_out),
        ("scale_in", Way::In, &policy.scale_in),
    ] {
        if !rules.enabled {
            continue;
        }
        for (attribute, now, field) in [
            ("cooldown", rules.cooldown, Field::Cooldown(way)),
            (
                "stabilization",
                rules.stabilization,
                Field::Stabilization(way),
            ),
        ] {
            let now = now.as_secs_f64();
            let range = Range {
                from: 0.0,
                to: (2.0 * now).max(600.0),
                step: None,
            };
            let (path, blocks) = (format!("{kind}.{attribute}"), vec![Block::plain(kind)]);
            finder.push(
                path,
                Unit::Seconds,
                now,
                Some(range),
                blocks,
                attribute,
                field,
            );
        }
    }
    let max = policy.limits.map_or(u32::MAX, |limits| limits.max().get());
    if let Some(limits) = policy.limits {
        let now = limits.min().get();
        // What keeps a group available is not seen in a load: the floor is only raised, unless somebody asks.
        let range = Range {
            from: f64::from(now),
            to: f64::from(max.min(now.saturating_mul(4).saturating_add(4))),
            step: None,
        };
        let blocks = vec![Block::plain("limits")];
        let (path, now) = ("limits.min".to_owned(), f64::from(now));
        finder.push(
            path,
            Unit::Count,
            now,
            Some(range),
            blocks,
            "min",
            Field::LimitsMin,
        );
    }
    for (place, schedule) in policy.schedules.iter().enumerate() {
        let Some(now) = schedule.min.map(Capacity::get) else {
            continue;
        };
        let most = schedule.max.map_or(max, Capacity::get).min(max);
        let range = Range {
            from: 0.0,
            to: f64::from(most.min(now.saturating_mul(3).saturating_add(3))),
            step: None,
        };
        let blocks = vec![Block::named("schedule", &schedule.name)];
        let path = format!("schedule.{}.min", schedule.name);
        let field = Field::ScheduleMin(place);
        finder.push(
            path,
            Unit::Count,
            f64::from(now),
            Some(range),
            blocks,
            "min",
            field,
        );
    }
    if let Some(mix) = &policy.mix {
        let range = Range {
            from: 0.0,
            to: 100.0,
            step: Some(5.0),
        };
        let (blocks, now) = (vec![Block::plain("mix")], mix.spot.percent());
        let range = Some(range).filter(|_| interrupts);
        let path = "mix.spot".to_owned();
        finder.push(path, Unit::Percent, now, range, blocks, "spot", Field::Spot);
    }
    finder.known
}

struct Finder<'a> {
    origins: &'a BTreeMap<String, Origin>,
    sources: &'a SourceMap,
    known: Vec<Known>,
}

impl Finder<'_> {
    #[allow(clippy::too_many_arguments, reason = "one call a kind of setting")]
    fn push(
        &mut self,
        path: String,
        unit: Unit,
        now: f64,
        range: Option<Range>,
        blocks: Vec<Block>,
        attribute: &'static str,
        field: Field,
    ) {
        // What nobody has written, or has computed in the group's own block, is only searched where it is asked for.
        let origin = self.origins.get(&path);
        let is_offered = origin.is_some_and(|origin| {
            let text = origin.span.and_then(|span| text_of(self.sources, span));
            text.is_some_and(|text| is_literal(text) || origin.layer.starts_with("policy."))
        });
        self.known.push(Known {
            range: range.filter(|_| is_offered),
            path,
            unit,
            now,
            blocks,
            attribute,
            field,
        });
    }

    /// The steps of the files stand in their own order: they are known by their bounds.
    fn thresholds(
        &mut self,
        metric: usize,
        name: &str,
        steps: &[tideform_policies::model::Step],
        blocks: &[Block],
    ) {
        for nth in 0..steps.len() {
            for attribute in ["above", "below"] {
                let path = format!("metric.{name}.step[{nth}].{attribute}");
                let origin = self.origins.get(&path).and_then(|origin| origin.span);
                let text = origin.and_then(|span| text_of(self.sources, span));
                let Some(now) = text.and_then(|text| text.parse::<f64>().ok()) else {
                    continue;
                };
                let step = steps.iter().position(|step| match step.when {
                    StepBound::Above { from, .. } => attribute == "above" && from == now,
                    StepBound::Below { from, .. } => attribute == "below" && from == now,
                    StepBound::Band { .. } => false,
                });
                let Some(step) = step else { continue };
                let field = Field::Threshold { metric, step };
                let range = (now > 0.0).then(|| around(now, 0.4));
                let blocks = blocks.to_vec();
                self.push(path, Unit::Number, now, range, blocks, attribute, field);
            }
        }
    }
}

/// Some way to either side, at round numbers.
fn around(now: f64, share: f64) -> Range {
    let step = round_step(Unit::Number, 2.0 * share * now);
    Range {
        from: ((now * (1.0 - share)) / step).ceil().max(1.0) * step,
        to: now * (1.0 + share),
        step: Some(step),
    }
}

/// A round number that makes some forty points of a width.
fn round_step(unit: Unit, width: f64) -> f64 {
    let wanted = (width / POINTS).max(f64::MIN_POSITIVE);
    match unit {
        Unit::Seconds => [15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0]
            .into_iter()
            .find(|step| *step >= wanted)
            .unwrap_or(3_600.0),
        Unit::Number | Unit::Count | Unit::Percent => {
            let magnitude = 10_f64.powf(wanted.log10().floor());
            let step = [1.0, 2.0, 5.0, 10.0]
                .into_iter()
                .map(|of| of * magnitude)
                .find(|step| *step >= wanted * 0.999)
                .unwrap_or(10.0 * magnitude);
            match unit {
                Unit::Number => step,
                _ => step.max(1.0).ceil(),
            }
        }
    }
}
