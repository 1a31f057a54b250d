//! What a policy or an alarm looks at, as a `metric` block says it. Pure.

use tideform_policies::model::units::format_duration;
use tideform_policies::write::{Block, Item, Written};

use super::Labels;
use crate::metrics::targets::Target;
use crate::native::math::{self, Tree};
use crate::native::metric::{IN_SERVICE, MINUTE, PAIRS};
use crate::native::model::{Measured, SeriesSpec};

/// A metric without its rule.
pub(super) struct Said {
    /// The label of its block.
    pub(super) label: String,
    /// Its attributes.
    pub(super) items: Vec<Item>,
    /// Metrics that its formula is over: blocks of their own.
    pub(super) bases: Vec<Block>,
    /// What AWS's numbers are to be divided by.
    pub(super) divide_by: f64,
    /// The number that stands for absent data.
    pub(super) absent: Option<f64>,
    /// The length of one sample.
    pub(super) period_s: i32,
}

/// Whose metrics they are.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) group: &'a str,
    pub(super) target: Option<&'a Target>,
}

/// What a target tracking policy looks at.
///
/// - `hint`: a label, where the metric suggests none.
///
/// # Errors
/// What no file can say.
pub(super) fn tracked(
    measured: &Measured,
    subject: Subject<'_>,
    hint: &str,
    labels: &mut Labels,
) -> Result<Said, String> {
    match measured {
        Measured::Predefined { name, label } => {
            predefined(name, label.as_deref(), subject, None, labels)
        }
        Measured::Series(_) | Measured::Math(_) => {
            let tree = math::tree(measured).ok_or_else(unreadable)?;
            match tree {
                // What falls as the group grows: the total, for each instance.
                Tree::Binary("/", total, by) if is_own(&by, IN_SERVICE, subject) => {
                    let mut said = of_tree(&total, subject, hint, labels)?;
                    said.items.push(Item::attribute("scope", "group"));
                    Ok(said)
                }
                tree => of_tree(&tree, subject, hint, labels),
            }
        }
    }
}

/// What an alarm looks at.
///
/// # Errors
/// What no file can say.
pub(super) fn watched(
    measured: &Measured,
    subject: Subject<'_>,
    hint: &str,
    labels: &mut Labels,
) -> Result<Said, String> {
    let tree = math::tree(measured).ok_or_else(unreadable)?;
    let (tree, absent) = match tree {
        Tree::Call(name, arguments) if name == "FILL" => match arguments.as_slice() {
            [tree, Tree::Number(number)] => (tree.clone(), Some(*number)),
            _ => return Err(unreadable()),
        },
        tree => (tree, None),
    };
    if let Tree::Series(series) = &tree
        && let Some(name) = own_name(series, subject)
    {
        let label = labels.take(name);
        let mut items = known(name, &label);
        items.extend(statistic(series)?);
        items.extend(period(series.period_s));
        return Ok(Said {
            label,
            items,
            bases: Vec::new(),
            divide_by: 1.0,
            absent,
            period_s: series.period_s.unwrap_or(60),
        });
    }
    let mut said = of_tree(&tree, subject, hint, labels)?;
    if matches!(&tree, Tree::Series(series) if is_total(series)) {
        said.items.push(Item::attribute("scope", "group"));
    }
    said.absent = absent;
    Ok(said)
}

/// The load of predictive scaling: a pair that AWS knows by name, or a series with its mean by instances in service.
///
/// # Errors
/// What no file can say.
pub(super) fn demand(
    load: &Measured,
    scaling: Option<&Measured>,
    capacity: Option<&Measured>,
    subject: Subject<'_>,
    labels: &mut Labels,
) -> Result<Said, String> {
    let other = || {
        "its load, its metric and its capacity are not one metric and the instances in service"
            .to_owned()
    };
    match (load, scaling, capacity) {
        (Measured::Predefined { name, label }, None, None) => {
            let mean = PAIRS
                .iter()
                .find_map(|(mean, pair)| (*pair == name).then_some(*mean))
                .ok_or_else(other)?;
            predefined(mean, label.as_deref(), subject, Some("demand"), labels)
        }
        (load, Some(scaling), Some(capacity)) => {
            let tree = |measured| math::tree(measured).ok_or_else(unreadable);
            let (load, scaling, capacity) = (tree(load)?, tree(scaling)?, tree(capacity)?);
            match scaling {
                Tree::Binary("/", total, by)
                    if *total == load
                        && is_own(&by, IN_SERVICE, subject)
                        && is_own(&capacity, IN_SERVICE, subject) =>
                {
                    of_tree(&load, subject, "demand", labels)
                }
                _ => Err(other()),
            }
        }
        _ => Err(other()),
    }
}

fn unreadable() -> String {
    "the language has no such metric math".to_owned()
}

/// The `name` of a metric that has another label.
fn known(name: &str, label: &str) -> Vec<Item> {
    if name == label {
        Vec::new()
    } else {
        vec![Item::attribute("name", name)]
    }
}

fn predefined(
    name: &str,
    resource: Option<&str>,
    subject: Subject<'_>,
    label: Option<&str>,
    labels: &mut Labels,
) -> Result<Said, String> {
    let (ours, divide_by) = match name {
        "ASGAverageCPUUtilization" => ("cpu", 1.0),
        "ASGAverageNetworkIn" => ("network_in", 1.0),
        "ASGAverageNetworkOut" => ("network_out", 1.0),
        "ALBRequestCountPerTarget" => {
            let own = subject
                .target
                .and_then(|target| Some(format!("{}/{}", target.balancer.as_ref()?, target.group)));
            if own.as_deref() != resource {
                return Err(
                    "it counts the requests of another target group than the group's first"
                        .to_owned(),
                );
            }
            ("requests_per_instance", MINUTE)
        }
        other => return Err(format!("the language has no name for {other}")),
    };
    let label = labels.take(label.unwrap_or(ours));
    Ok(Said {
        items: known(ours, &label),
        label,
        bases: Vec::new(),
        divide_by,
        absent: None,
        period_s: 60,
    })
}

fn of_tree(
    tree: &Tree,
    subject: Subject<'_>,
    hint: &str,
    labels: &mut Labels,
) -> Result<Said, String> {
    if let Tree::Series(series) = tree {
        let items = series_items(series)?;
        return Ok(Said {
            label: labels.take(&label_of(series)),
            items,
            bases: Vec::new(),
            divide_by: 1.0,
            absent: None,
            period_s: series.period_s.unwrap_or(60),
        });
    }
    let mut seen: Vec<(SeriesSpec, String)> = Vec::new();
    let mut periods = Vec::new();
    let mut bases = Vec::new();
    let mut problem = None;
    let formula = tree.expression(&mut |series| {
        periods.push(series.period_s);
        for (name, own) in OWN {
            if is_own(&Tree::Series(series.clone()), name, subject) {
                return Some(own.to_owned());
            }
        }
        if let Some((_, label)) = seen.iter().find(|(known, _)| known == series) {
            return Some(format!("metric.{label}"));
        }
        match series_items(series) {
            Ok(items) => {
                let label = labels.take(&label_of(series));
                bases.push(Block::named("metric", &label, items));
                seen.push((series.clone(), label.clone()));
                Some(format!("metric.{label}"))
            }
            Err(what) => {
                problem.get_or_insert(what);
                None
            }
        }
    });
    let formula = formula.ok_or_else(|| problem.unwrap_or_else(unreadable))?;
    let first = periods.first().copied().flatten();
    if periods.iter().any(|period| *period != first) {
        return Err("its metric math puts periods of several lengths together".to_owned());
    }
    let mut items = vec![Item::attribute("value", Written::Expression(formula))];
    items.extend(period(first));
    Ok(Said {
        label: labels.take(hint),
        items,
        bases,
        divide_by: 1.0,
        absent: None,
        period_s: first.unwrap_or(60),
    })
}

/// A group's own metrics, as formulas call them.
const OWN: [(&str, &str); 4] = [
    (IN_SERVICE, "self.ready"),
    ("GroupDesiredCapacity", "self.desired"),
    ("GroupMinSize", "self.min"),
    ("GroupMaxSize", "self.max"),
];

fn is_own(tree: &Tree, name: &str, subject: Subject<'_>) -> bool {
    matches!(
        tree,
        Tree::Series(series)
            if series.namespace == "AWS/AutoScaling"
                && series.name == name
                && series.statistic == "Average"
                && is_of_group(series, subject)
    )
}

fn is_of_group(series: &SeriesSpec, subject: Subject<'_>) -> bool {
    series.dimensions.len() == 1
        && series
            .dimensions
            .get("AutoScalingGroupName")
            .is_some_and(|name| name == subject.group)
}

/// The short name of a group's own series of EC2.
fn own_name(series: &SeriesSpec, subject: Subject<'_>) -> Option<&'static str> {
    if series.namespace != "AWS/EC2" || !is_of_group(series, subject) {
        return None;
    }
    match series.name.as_str() {
        "CPUUtilization" => Some("cpu"),
        "NetworkIn" => Some("network_in"),
        "NetworkOut" => Some("network_out"),
        _ => None,
    }
}

/// Whether it counts something for the whole group.
fn is_total(series: &SeriesSpec) -> bool {
    series.namespace == "AWS/SQS"
        || (series.namespace == "AWS/ApplicationELB" && series.name == "RequestCount")
}

fn label_of(series: &SeriesSpec) -> String {
    match series.name.as_str() {
        "CPUUtilization" => "cpu",
        "RequestCount" => "requests",
        "RequestCountPerTarget" => "requests_per_instance",
        "TargetResponseTime" => "latency",
        "ApproximateNumberOfMessagesVisible" => "queue_depth",
        "ApproximateAgeOfOldestMessage" => "queue_age",
        other => other,
    }
    .to_owned()
}

fn series_items(series: &SeriesSpec) -> Result<Vec<Item>, String> {
    let mut items = vec![
        Item::attribute("namespace", series.namespace.as_str()),
        Item::attribute("name", series.name.as_str()),
    ];
    if !series.dimensions.is_empty() {
        let dimensions = series
            .dimensions
            .iter()
            .map(|(name, value)| (name.clone(), Written::from(value.as_str())))
            .collect();
        items.push(Item::attribute("dimensions", Written::Map(dimensions)));
    }
    items.extend(statistic(series)?);
    items.extend(period(series.period_s));
    Ok(items)
}

fn statistic(series: &SeriesSpec) -> Result<Option<Item>, String> {
    let ours = match series.statistic.as_str() {
        "Average" => return Ok(None),
        "Sum" => "sum",
        "Minimum" => "minimum",
        "Maximum" => "maximum",
        other => {
            let percent = other
                .strip_prefix('p')
                .and_then(|text| text.parse::<f64>().ok());
            match percent {
                Some(_) => other,
                None => return Err(format!("the language has no statistic {other}")),
            }
        }
    };
    Ok(Some(Item::attribute("statistic", ours)))
}

fn period(period_s: Option<i32>) -> Option<Item> {
    let seconds = u64::try_from(period_s.filter(|seconds| *seconds != 60)?).ok()?;
    let text = format_duration(std::time::Duration::from_secs(seconds));
    Some(Item::attribute("period", text))
}
