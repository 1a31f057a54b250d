//! Tideform's defaults against other scalers on recorded loads.
//!
//! `TIDEFORM_TRACES=DIR cargo bench --no-default-features --bench traces` takes every `*.csv` of a directory
//! (`timestamp,value`; the unit does not matter), scales it so that its mean needs ten instances, and prints how a policy
//! with nothing but a target of 60 % compares. `-- anchor` prints, per file, the figures of a published comparison
//! instead: instances by the 99.9th percentile, sixty of them, a boot of five minutes, a target of 70 %. `-- fronts` moves
//! the target of all that hold a utilization, and prints who misses how much for the same money.

#[path = "cases/fronts.rs"]
mod fronts;
#[path = "cases/groups.rs"]
mod groups;

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tideform::simulate::compare::{self, Comparison, Row};
use tideform::simulate::peers::Peer;
use tideform::simulate::trace::{Reading, Trace};
use tideform::simulate::world::Boot;
use tideform::simulate::{Given, PENALTIES, Prices, Scenario, Sight};
use tideform_policies::model::{Group, Metric, MetricSource, Rule, Scope};

const PRICES: Prices = Prices {
    on_demand: 0.096,
    spot: 0.037,
};

fn main() -> ExitCode {
    let Some(directory) = std::env::var_os("TIDEFORM_TRACES").map(PathBuf::from) else {
        #[allow(clippy::print_stderr, reason = "a bench reports here")]
        {
            eprintln!("nothing measured: say where the traces are with TIDEFORM_TRACES=DIR");
        }
        return ExitCode::SUCCESS;
    };
    let is_asked = |mode: &str| std::env::args().any(|argument| argument == mode);
    let done = if is_asked("fronts") {
        fronts(&directory)
    } else {
        report(&directory, is_asked("anchor"))
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            #[allow(clippy::print_stderr, reason = "a bench reports here")]
            {
                eprintln!("error: {problem}");
            }
            ExitCode::FAILURE
        }
    }
}

/// The traces of a directory, by name.
fn traces(directory: &std::path::Path) -> Result<Vec<(String, Trace)>, String> {
    let mut traces = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.extension().is_none_or(|extension| extension != "csv") {
            continue;
        }
        let text = std::fs::read(&path).map_err(|error| error.to_string())?;
        let name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        let trace = Trace::parse(&text, Reading::default())
            .map_err(|error| format!("{}: {error}", path.display()))?;
        traces.push((name.unwrap_or_default(), trace));
    }
    traces.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(traces)
}

/// What a trace runs in.
#[derive(Clone, Copy)]
struct World {
    /// So much load for each instance.
    throughput: f64,
    boot: Duration,
    /// The utilization that the policy holds.
    target: f64,
}

fn scenario(group: &Group, trace: &Trace, world: World) -> Result<Scenario, String> {
    let first = trace.values().first().copied().unwrap_or_default();
    let initial = (first / world.throughput / world.target * 100.0).ceil();
    let given = Given {
        throughput: Some(world.throughput),
        boot: Some(Boot::Fixed(world.boot)),
        initial: Some((initial as u32).max(1)),
        prices: Some(PRICES),
        ..Given::default()
    };
    Scenario::new(group, trace, &given).map_err(|error| error.to_string())
}

fn compared(group: &Group, trace: &Trace, world: World) -> Result<Comparison, String> {
    let plain = scenario(group, trace, world)?;
    let mut comparison =
        compare::compare(&plain, trace, &Peer::ALL).map_err(|error| error.to_string())?;
    let changed = |change: fn(&mut Metric, World)| {
        let mut group = group.clone();
        for metric in &mut group.policy.metrics {
            change(metric, world);
        }
        group
    };
    let quick = quick(group);
    let full = changed(|metric, _| hold(metric, 80.0));
    // What the published rules know, too, with as much head room as they have.
    let by_load = changed(|metric, world| {
        metric.scope = Scope::Group;
        if let MetricSource::Query(query) = &mut metric.source {
            "requests".clone_into(&mut query.name);
        }
        hold(metric, 0.8 * world.throughput);
    });
    let variants = [
        ("tideform, one sample", group, "aws"),
        ("tideform, every 15s", &quick, "mock"),
        ("tideform at 80", &full, "mock"),
        ("tideform at 80, by load", &by_load, "mock"),
    ];
    for (place, (name, group, provider)) in variants.into_iter().enumerate() {
        let scenario = Scenario {
            sight: Sight::of_provider(provider),
            ..scenario(group, trace, world)?
        };
        let row = compare::own(&scenario, trace, name).map_err(|error| error.to_string())?;
        comparison.rows.insert(1 + place, row);
    }
    Ok(comparison)
}

/// The group, looked at as often as the HPA looks.
fn quick(group: &Group) -> Group {
    let mut group = group.clone();
    group.policy.every = Duration::from_secs(15);
    for metric in &mut group.policy.metrics {
        metric.period = Duration::from_secs(15);
    }
    group
}

fn hold(metric: &mut Metric, target: f64) {
    if let Some(Rule::Track(track)) = &mut metric.rule {
        track.target = target;
    }
}

/// Paid instance-hours for each demanded one.
fn cost(row: &Row) -> f64 {
    row.measures.on_demand_hours / demanded_hours(row)
}

/// Percent of the demanded instance-hours.
fn missing(row: &Row) -> f64 {
    100.0 * row.measures.missing_unit_hours / demanded_hours(row)
}

fn demanded_hours(row: &Row) -> f64 {
    row.measures.mean_demand * row.measures.duration_s / 3_600.0
}

#[allow(clippy::print_stdout, reason = "a bench reports here")]
fn report(directory: &std::path::Path, is_anchor: bool) -> Result<(), String> {
    let group = groups::group("only_a_target");
    let mut all = Vec::new();
    for (name, trace) in traces(directory)? {
        if is_anchor {
            let comparison = anchor(&group, &trace)?;
            println!("{}", anchor_table(&name, &comparison));
            continue;
        }
        all.push((name, compared(&group, &trace, usual(&trace))?));
    }
    if is_anchor {
        return Ok(());
    }
    println!(
        "{}",
        table("missing, % of the demand", &all, |row| Some(missing(row)))
    );
    println!(
        "{}",
        table("paid for each demanded", &all, |row| Some(cost(row)))
    );
    println!(
        "{}",
        table("changes a day", &all, |row| Some(
            row.measures.moves_per_day()
        ))
    );
    for (place, penalty) in PENALTIES.into_iter().enumerate() {
        let title = format!("regret at {penalty}");
        println!(
            "{}",
            table(&title, &all, |row| row.regret.get(place)?.regret)
        );
    }
    Ok(())
}

/// A mean that needs ten instances, each of which boots for 90 s.
fn usual(trace: &Trace) -> World {
    let mean = trace.values().iter().sum::<f64>() / trace.values().len() as f64;
    World {
        throughput: mean / 10.0,
        boot: Duration::from_secs(90),
        target: 60.0,
    }
}

/// What each scaler that holds a utilization pays and misses, mean over the traces, as its target moves.
#[allow(clippy::print_stdout, reason = "a bench reports here")]
fn fronts(directory: &std::path::Path) -> Result<(), String> {
    let traces = traces(directory)?;
    let group = groups::group("only_a_target");
    let quick = quick(&group);
    let own: [(&str, &Group); 2] = [("tideform", &group), ("tideform, every 15s", &quick)];
    let peers = [
        Peer::Hpa,
        Peer::Nomad,
        Peer::AwsStep,
        Peer::AwsTargetTracking,
    ];
    let mut all = Vec::new();
    for (name, group) in own {
        all.push(fronts::front(name, |target| {
            mean_of(&traces, group, target, |scenario, trace| {
                compare::own(scenario, trace, name).map_err(|error| error.to_string())
            })
        })?);
    }
    for peer in peers {
        all.push(fronts::front(peer.name(), |target| {
            mean_of(&traces, &group, target, |scenario, trace| {
                let mut compared = compare::compare(scenario, trace, &[peer])
                    .map_err(|error| error.to_string())?;
                compared.rows.pop().ok_or_else(|| "no row".to_owned())
            })
        })?);
    }
    println!("{}", fronts::tables(&all));
    Ok(())
}

/// Paid for each demanded, and percent missing, mean over the traces, at a target.
fn mean_of(
    traces: &[(String, Trace)],
    group: &Group,
    target: f64,
    run: impl Fn(&Scenario, &Trace) -> Result<Row, String>,
) -> Result<fronts::Point, String> {
    let mut group = group.clone();
    for metric in &mut group.policy.metrics {
        hold(metric, target);
    }
    let (mut paid, mut missed) = (0.0, 0.0);
    for (_, trace) in traces {
        let world = World {
            target,
            ..usual(trace)
        };
        let row = run(&scenario(&group, trace, world)?, trace)?;
        paid += cost(&row);
        missed += missing(&row);
    }
    let count = traces.len().max(1) as f64;
    Ok(fronts::Point {
        target,
        paid: paid / count,
        missing: missed / count,
    })
}

/// A row for each scaler, a column for each trace, and the mean: of ratios the geometric one.
fn table(title: &str, all: &[(String, Comparison)], value: impl Fn(&Row) -> Option<f64>) -> String {
    let mut text = format!("| {title} |");
    for (name, _) in all {
        let _ = write!(text, " {name} |");
    }
    text.push_str(" mean |\n|---|");
    text.push_str(&"---:|".repeat(all.len() + 1));
    let is_ratio = title.starts_with("regret");
    let rows = all
        .first()
        .map_or(0, |(_, comparison)| comparison.rows.len());
    for place in 0..rows {
        let mut sum = 0.0;
        for (nth, (_, comparison)) in all.iter().enumerate() {
            let Some(row) = comparison.rows.get(place) else {
                continue;
            };
            if nth == 0 {
                let _ = write!(text, "\n| {} |", row.name);
            }
            let number = value(row).unwrap_or(f64::NAN);
            sum += if is_ratio { number.ln() } else { number };
            let _ = write!(text, " {number:.2} |");
        }
        let mean = sum / all.len() as f64;
        let mean = if is_ratio { mean.exp() } else { mean };
        let _ = write!(text, " {mean:.2} |");
    }
    text.push('\n');
    text
}

/// As the published comparison has it.
fn anchor(group: &Group, trace: &Trace) -> Result<Comparison, String> {
    let mut group = group.clone();
    for metric in &mut group.policy.metrics {
        hold(metric, 70.0);
    }
    group.policy.every = trace.step();
    let mut sorted = trace.values().to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (0.999 * (sorted.len() - 1) as f64) as usize;
    let high = sorted.get(rank).copied().unwrap_or(1.0);
    let world = World {
        throughput: high / 60.0,
        boot: Duration::from_secs(300),
        target: 100.0,
    };
    compared(&group, trace, world)
}

fn anchor_table(name: &str, comparison: &Comparison) -> String {
    let mut text = format!("{name}\n| rule | thU | thO | tU | tO | miss | cost | regret |\n");
    text.push_str("|---|---:|---:|---:|---:|---:|---:|---:|\n");
    for row in &comparison.rows {
        let e = &row.measures.elasticity;
        let regret = row.regret.iter().find(|of| of.penalty == 10.0);
        let _ = writeln!(
            text,
            "| {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.3} | {:.3} |",
            row.name,
            e.under_accuracy_percent,
            e.over_accuracy_percent,
            e.under_timeshare_percent,
            e.over_timeshare_percent,
            missing(row),
            cost(row),
            regret.and_then(|of| of.regret).unwrap_or(f64::NAN),
        );
    }
    text
}
