//! Which kind of policy a load asks for, why, and a policy to begin with.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use tideform_policies::model::units::format_duration;
use tideform_policies::schema;

use super::replay::{Kind, Played};
use super::{Analysis, Options};

/// The kind of policy for a load.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Advice {
    /// Which.
    pub kind: Kind,
    /// The evidence, a sentence each.
    pub because: Vec<String>,
    /// What to take care of, a sentence each.
    pub beware: Vec<String>,
    /// A policy to begin with, as a file of the language.
    pub policy: String,
}

/// Above this share of demand missing, in percent, reacting is too late.
const LATE: f64 = 1.0;
/// Where nothing could be replayed: below this peak to mean, nothing is to be scaled.
const FLAT: f64 = 1.3;
/// The target where nothing could be replayed: the model's example.
const TARGET: u32 = 60;
/// What cuts a target tracking's answer: at 100 % a utilization says no more.
const FULL: f64 = 100.0;

pub(super) fn of(analysis: &Analysis, options: &Options) -> Advice {
    let kind = match &analysis.replay {
        Some(replay) => replay
            .choice()
            .map_or(Kind::TargetTracking, |played| played.kind),
        None if analysis.level.peak_to_mean < FLAT => Kind::FixedFleet,
        None => Kind::TargetTracking,
    };
    Advice {
        kind,
        because: because(analysis, kind),
        beware: beware(analysis, options, kind),
        policy: policy(analysis, options, kind),
    }
}

fn because(analysis: &Analysis, kind: Kind) -> Vec<String> {
    let mut lines = Vec::new();
    let level = &analysis.level;
    if let Some(replay) = &analysis.replay {
        let regret = |kind: Kind| replay.of(kind).map_or(f64::NAN, |played| played.regret);
        let others: Vec<String> = Kind::ALL
            .iter()
            .filter(|other| **other != kind)
            .map(|other| format!("{} {:.2}", other.name(), regret(*other)))
            .collect();
        lines.push(format!(
            "Replayed on time it was not chosen on, it costs {:.2} times the optimum; {}.",
            regret(kind),
            others.join(", ")
        ));
        let best = Kind::ALL
            .into_iter()
            .min_by(|a, b| regret(*a).total_cmp(&regret(*b)))
            .filter(|best| *best != kind);
        if let Some(best) = best {
            let better = 100.0 * (1.0 - regret(best) / regret(kind));
            if !replay.is_regular && best >= Kind::Schedule {
                lines.push(
                    "No day is like another, so that nothing can be planned or predicted."
                        .to_owned(),
                );
            } else if better >= 0.5 {
                lines.push(format!(
                    "{} is {better:.0} % better, too little for what it adds to look after.",
                    capital(best.name())
                ));
            }
        }
        if let Some(played) = replay.of(kind).filter(|_| kind != Kind::FixedFleet) {
            lines.push(format!(
                "It needs {:.0} % of the instance-hours of a fleet fixed at the peak of the time before, the optimum \
                 {:.0} %; {:.2} % of demand is missing.",
                played.percent_of_fixed, replay.optimum_percent_of_fixed, played.missing_percent
            ));
        }
    }
    match kind {
        Kind::FixedFleet => lines.push(format!(
            "The largest load is {:.1} times the mean, and load varies by {:.0} %: little is to be saved by scaling.",
            level.peak_to_mean,
            100.0 * level.variation
        )),
        Kind::TargetTracking if missing(analysis, kind) <= LATE => lines.push(format!(
            "99 % of the time load rises by no more than x{:.2} within {}: reacting is in time.",
            analysis.bursts.rise_p99,
            time(analysis.bursts.window_s)
        )),
        Kind::TargetTracking => {}
        Kind::Steps => lines.push(format!(
            "Load rises by up to x{:.1} within {}, and a utilization ends at 100 %: target tracking asks for too little \
             at first, steps for as much as they say.",
            analysis.bursts.rise_max,
            time(analysis.bursts.window_s)
        )),
        Kind::Schedule | Kind::Forecast => {
            if let Some(daily) = &analysis.daily {
                lines.push(format!(
                    "The hour of the day explains {:.0} % of the load's variance{}.",
                    100.0 * daily.strength,
                    analysis.weekly.as_ref().filter(|w| w.gain >= 0.02).map_or_else(
                        String::new,
                        |weekly| format!(", the hour of the week {:.0} %", 100.0 * weekly.strength)
                    )
                ));
            }
        }
    }
    if kind == Kind::Forecast
        && let Some(horizon) = analysis
            .predictability
            .iter()
            .flat_map(|predictability| &predictability.horizons)
            .find(|horizon| horizon.best_season_percent() < horizon.naive_percent)
    {
        lines.push(format!(
            "{} ahead, a prediction that knows the season is off by {:.1} %, and the load of now by {:.1} %.",
            time(horizon.ahead_s),
            horizon.best_season_percent(),
            horizon.naive_percent
        ));
    }
    if analysis.replay.is_none() {
        lines.push(
            "The trace is shorter than three days, or holds no load: nothing could be replayed, and days could not be \
             compared."
                .to_owned(),
        );
    }
    lines
}

fn beware(analysis: &Analysis, options: &Options, kind: Kind) -> Vec<String> {
    let mut lines = Vec::new();
    let bursts = &analysis.bursts;
    if bursts.is_coarse() {
        lines.push(format!(
            "A step is {}, a boot {}: bursts inside a step are invisible here. Look at a finer trace.",
            time(bursts.window_s),
            time(bursts.boot_s)
        ));
    }
    if kind != Kind::FixedFleet && missing(analysis, kind) > LATE {
        lines.push(format!(
            "{:.1} % of demand is missing: at 1 % of all moments load rises by more than x{:.1} within {}, and nothing \
             that reacts is in time for that. More room costs more than it saves, with an instance missing at {:.0} \
             prices of one; where it is worth more to you, raise `limits.min`.",
            missing(analysis, kind),
            bursts.rise_p99,
            time(bursts.window_s),
            analysis.replay.as_ref().map_or(0.0, |replay| replay.penalty)
        ));
    }
    if kind == Kind::TargetTracking
        && options.throughput.is_none()
        && bursts.rise_max > FULL / f64::from(target(analysis))
    {
        lines.push(format!(
            "The largest rise within {} is x{:.1}: a utilization, which ends at 100 %, shows only part of it, so that the \
             policy below adds by a step too. requests_per_instance shows all of it: say --throughput.",
            time(bursts.window_s),
            bursts.rise_max
        ));
    }
    if let Some(recurring) = &analysis.spikes.recurring {
        lines.push(format!(
            "Spikes begin around {:02}:{:02} on {} of {} days; the policy below opens a window for them.",
            recurring.minute_of_day / 60,
            recurring.minute_of_day % 60,
            recurring.days,
            recurring.of_days
        ));
    } else if analysis.spikes.per_week >= 1.0 && kind != Kind::FixedFleet {
        lines.push(format!(
            "{:.1} spikes a week of x{:.1} (half of them or more) come at no fixed time: no policy foresees them. For \
             those that you know of, plan a surge.",
            analysis.spikes.per_week, analysis.spikes.median_magnitude
        ));
    }
    if let Some(trend) = &analysis.trend {
        if let Some(shift) = &trend.shift {
            lines.push(format!(
                "Since {} the load is at another level, {} against {} a day before: older days say less.",
                shift.date,
                number(shift.after),
                number(shift.before)
            ));
        } else if trend.is_clear {
            lines.push(format!(
                "Load changes by {:+.1} % a week: look at limits and fixed floors again in time.",
                trend.percent_per_week
            ));
        }
    }
    if kind == Kind::Forecast
        && let Some(missing) = inert_forecast()
    {
        lines.push(format!(
            "`forecast` does nothing in this version: {missing}. Until then the schedules below stand in for it."
        ));
    }
    if analysis.trace.filled > 0 {
        lines.push(format!(
            "{} of {} steps were filled in.",
            analysis.trace.filled, analysis.trace.steps
        ));
    }
    lines
}

/// The share of demand that a kind misses, in percent.
fn missing(analysis: &Analysis, kind: Kind) -> f64 {
    let replay = analysis.replay.as_ref();
    replay
        .and_then(|replay| replay.of(kind))
        .map_or(0.0, |played| played.missing_percent)
}

/// The stabilization of scaling in.
fn hold(analysis: &Analysis) -> String {
    let replay = analysis.replay.as_ref();
    time(
        replay
            .and_then(|replay| replay.choice()?.hold_s)
            .unwrap_or(300),
    )
}

fn target(analysis: &Analysis) -> u32 {
    let replay = analysis.replay.as_ref();
    let played: Option<&Played> = replay.and_then(|replay| replay.choice());
    played
        .and_then(|played| played.target_percent)
        .or_else(|| replay.and_then(|r| r.of(Kind::TargetTracking)?.target_percent))
        .unwrap_or(TARGET)
}

/// A policy of the kind, with the numbers of the trace.
pub(super) fn policy(analysis: &Analysis, options: &Options, kind: Kind) -> String {
    let mut hcl = Hcl::default();
    let per_instance = analysis.load_per_instance;
    let instances = |load: f64| {
        per_instance.map_or(1, |per_instance| {
            ((load / per_instance).ceil() as u32).max(1)
        })
    };
    hcl.line(&format!(
        "# For a load like that of {}.",
        analysis.trace.from
    ));
    if per_instance.is_none() {
        hcl.line("# Without load, nothing is known of numbers of instances: say what one");
        hcl.line("# carries with --throughput.");
    } else if options.throughput.is_none() {
        hcl.line("# Numbers of instances assume that the peak needs about 20: say what one");
        hcl.line("# carries with --throughput.");
    }
    hcl.open("policy \"recommended\"");
    let target = target(analysis);
    let peak = instances(analysis.level.max);
    match kind {
        Kind::FixedFleet => {}
        Kind::TargetTracking | Kind::Schedule | Kind::Forecast => {
            if let Some(throughput) = options.throughput {
                hcl.open("metric \"requests_per_instance\"");
                hcl.line(&format!(
                    "track {{ target = {} }} # {target} % of what an instance carries",
                    number(throughput * f64::from(target) / FULL)
                ));
            } else {
                hcl.open("metric \"cpu\"");
                hcl.line(&format!("track {{ target = {target} }}"));
                hcl.close();
                hcl.open("metric \"full\"");
                hcl.line("name = \"cpu\"");
                hcl.open("step");
                hcl.pairs(&[("above", "95".to_owned()), ("add", "\"50%\"".to_owned())]);
                hcl.close();
            }
            hcl.close();
        }
        Kind::Steps => steps(&mut hcl, target),
    }
    if kind == Kind::Forecast {
        hcl.line("");
        hcl.open("metric \"requests\"");
        hcl.line("scope = \"group\"");
        hcl.close();
        hcl.line("");
        hcl.open("forecast");
        hcl.pairs(&[
            ("metric", "\"requests\"".to_owned()),
            ("per_instance", number(per_instance.unwrap_or(1.0))),
            ("lead", format!("\"{}\"", lead(options.boot))),
        ]);
        hcl.close();
    }
    if kind != Kind::FixedFleet {
        hcl.line("");
        hcl.open("scale_in");
        hcl.line(&format!("stabilization = \"{}\"", hold(analysis)));
        hcl.close();
    }
    // A schedule stands in for a forecast, as long as there is none.
    if kind == Kind::Schedule || kind == Kind::Forecast && inert_forecast().is_some() {
        for (index, window) in analysis.busy.iter().enumerate() {
            let lead = lead_minutes(options.boot);
            let opens = (u32::from(window.from_hour) * 60 + 1440 - lead) % 1440;
            // Opening before midnight is the day before.
            let name = if index == 0 {
                "busy".to_owned()
            } else {
                format!("busy-{}", index + 1)
            };
            let days = if u32::from(window.from_hour) * 60 < lead {
                "*"
            } else {
                window.days.cron()
            };
            let length = Duration::from_secs(u64::from(u32::from(window.hours) * 60 + lead) * 60);
            hcl.schedule(&name, opens, days, length, instances(window.load), analysis);
        }
    }
    if let Some(recurring) = analysis
        .spikes
        .recurring
        .as_ref()
        .filter(|_| kind != Kind::FixedFleet)
    {
        let lead = lead_minutes(options.boot) + 15;
        let opens = (recurring.minute_of_day + 1440 - lead) % 1440;
        let length =
            analysis.spikes.median_length_s.div_ceil(900) * 900 + u64::from(lead + 15) * 60;
        let peaks: Vec<f64> = analysis
            .spikes
            .largest
            .iter()
            .map(|spike| spike.peak)
            .collect();
        let floor = instances(super::numbers::median(&peaks));
        hcl.schedule(
            "spikes",
            opens,
            "*",
            Duration::from_secs(length),
            floor,
            analysis,
        );
    }
    hcl.line("");
    hcl.open("limits");
    if kind == Kind::FixedFleet {
        hcl.pairs(&[("min", peak.to_string()), ("max", peak.to_string())]);
    } else {
        let min = instances(analysis.level.base).max(1);
        // Room for half as much again as was ever seen.
        hcl.pairs(&[
            ("min", min.to_string()),
            ("max", peak.saturating_add(peak.div_ceil(2)).to_string()),
        ]);
    }
    hcl.close();
    hcl.close();
    hcl.text
}

/// What this version lacks for forecasts.
fn inert_forecast() -> Option<&'static str> {
    schema::top("policy")?.block("forecast", None)?.inert
}

fn steps(hcl: &mut Hcl, target: u32) {
    hcl.open("metric \"cpu\"");
    let rules = [
        ("above", 95, "add   ", 100),
        ("above", target + 15, "add   ", 50),
        ("above", target, "add   ", 20),
        ("below", 3 * target / 4, "remove", 10),
        ("below", target / 2, "remove", 25),
    ];
    for (side, at, change, percent) in rules {
        hcl.open("step");
        let width = change.trim_end().len().max(side.len());
        hcl.line(&format!("{side:<width$} = {at}"));
        hcl.line(&format!("{:<width$} = \"{percent}%\"", change.trim_end()));
        hcl.close();
    }
    hcl.close();
}

/// A boot, and a decision: in whole quarters of an hour.
fn lead_minutes(boot: Duration) -> u32 {
    u32::try_from((boot.as_secs() + 60).div_ceil(900) * 15)
        .unwrap_or(15)
        .min(720)
}

fn lead(boot: Duration) -> String {
    format_duration((boot + Duration::from_secs(120)).max(Duration::from_secs(300)))
}

/// Text of the language, indented as `fmt` does.
#[derive(Debug, Default)]
struct Hcl {
    text: String,
    depth: usize,
}

impl Hcl {
    fn line(&mut self, line: &str) {
        if line.is_empty() {
            self.text.push('\n');
        } else {
            let _ = writeln!(self.text, "{:indent$}{line}", "", indent = 2 * self.depth);
        }
    }

    fn open(&mut self, block: &str) {
        self.line(&format!("{block} {{"));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.line("}");
    }

    fn pairs(&mut self, pairs: &[(&str, String)]) {
        let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in pairs {
            self.line(&format!("{name:<width$} = {value}"));
        }
    }

    fn schedule(
        &mut self,
        name: &str,
        opens: u32,
        days: &str,
        length: Duration,
        min: u32,
        analysis: &Analysis,
    ) {
        self.line("");
        self.open(&format!("schedule \"{name}\""));
        self.pairs(&[
            (
                "cron",
                format!("\"{} {} * * {days}\"", opens % 60, opens / 60),
            ),
            ("timezone", format!("\"{}\"", analysis.trace.timezone)),
            ("duration", format!("\"{}\"", format_duration(length))),
            ("min", min.to_string()),
        ]);
        self.close();
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

pub(super) fn time(seconds: u64) -> String {
    format_duration(Duration::from_secs(seconds))
}

/// A load, with three digits that mean something, or all that lie before the point up to 15.
pub(super) fn number(value: f64) -> String {
    if value.abs() >= 1e15 {
        return format!("{value:.2e}");
    }
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
