//! What the files ask for and AWS cannot do, or cannot do yet: found at plan, at the line that asked. Pure.

use tideform_policies::model::{Group, Metric, MetricSource, ProviderAddress, Scope};
use tideform_provider::Unsupported;

use crate::metrics::names;
use crate::write::LAUNCH_ATTRIBUTES;

/// How spot capacity may be chosen. Source: Amazon EC2 Auto Scaling API, `InstancesDistribution`.
const ALLOCATIONS: [&str; 4] = [
    "price-capacity-optimized",
    "capacity-optimized",
    "capacity-optimized-prioritized",
    "lowest-price",
];

/// All problems of a group.
pub(crate) fn check(group: &Group) -> Vec<Unsupported> {
    let mut problems = Vec::new();
    let mut add = |path: &str, what: String, help: String| {
        problems.push(Unsupported {
            path: path.to_owned(),
            what,
            help,
        });
    };
    let policy = &group.policy;
    if let Some(drain) = policy.scale_in.drain {
        let seconds = drain.as_secs();
        // Source: Amazon EC2 Auto Scaling API, PutLifecycleHook, HeartbeatTimeout.
        if !(30..=7200).contains(&seconds) {
            add(
                "scale_in.drain",
                "a lifecycle hook waits from 30s to 2h".to_owned(),
                "Write a duration between these.".to_owned(),
            );
        }
    }
    if let Some(mix) = &policy.mix {
        if mix.types.is_empty() && group.launch.is_some() {
            add(
                "mix",
                "a new group needs the instance types of its mix".to_owned(),
                "Write `types = [\"m6i.large\", \"m5.large\"]` in `mix`.".to_owned(),
            );
        }
        let percent = mix.spot.fraction() * 100.0;
        if (percent - percent.round()).abs() > 1e-9 {
            add(
                "mix.spot",
                "AWS divides in whole percent".to_owned(),
                format!("Write `\"{}%\"`.", percent.round()),
            );
        }
        if let Some(allocation) = &mix.allocation
            && !ALLOCATIONS.contains(&allocation.as_str())
        {
            add(
                "mix.allocation",
                format!("AWS has no allocation strategy `{allocation}`"),
                format!("One of: {}.", ALLOCATIONS.join(", ")),
            );
        }
    }
    if let Some(maintenance) = policy.maintenance {
        for (name, share) in [
            ("min_healthy", maintenance.min_healthy),
            ("max_healthy", maintenance.max_healthy),
        ] {
            if (share.percent() - share.percent().round()).abs() > 1e-9 {
                add(
                    &format!("maintenance.{name}"),
                    "AWS takes whole percent".to_owned(),
                    format!("Write `\"{}%\"`.", share.percent().round()),
                );
            }
        }
    }
    if let Some(launch) = &group.launch {
        for name in launch.attributes.keys() {
            if !LAUNCH_ATTRIBUTES.iter().any(|(known, _)| known == name) {
                let known: Vec<&str> = LAUNCH_ATTRIBUTES.iter().map(|(name, _)| *name).collect();
                add(
                    &format!("launch.{name}"),
                    format!("AWS groups have no `{name}` here"),
                    format!("Known are: {}.", known.join(", ")),
                );
            }
        }
        for name in ["launch_template", "subnets"] {
            if !launch.attributes.contains_key(name) {
                add(
                    "launch",
                    format!("a new group needs `{name}`"),
                    format!(
                        "Write {} in `launch`.",
                        LAUNCH_ATTRIBUTES
                            .iter()
                            .find(|(known, _)| *known == name)
                            .map_or("it", |(_, what)| *what)
                    ),
                );
            }
        }
    }
    for metric in &policy.metrics {
        if let Some((path, what, help)) = check_metric(metric, &group.provider) {
            add(&path, what, help);
        }
    }
    problems
}

fn check_metric(metric: &Metric, own: &ProviderAddress) -> Option<(String, String, String)> {
    let MetricSource::Query(query) = &metric.source else {
        return None;
    };
    if query.provider.as_ref().is_some_and(|source| source != own) {
        return None;
    }
    let path = format!("metric.{}", metric.name);
    let seconds = metric.period.as_secs();
    // Source: Amazon CloudWatch API, MetricStat, Period.
    let is_period = metric.period.subsec_nanos() == 0
        && (matches!(seconds, 1 | 5 | 10 | 20 | 30) || (seconds > 0 && seconds.is_multiple_of(60)));
    if !is_period {
        return Some((
            format!("{path}.period"),
            "CloudWatch has periods of 1s, 5s, 10s, 20s, 30s and whole minutes".to_owned(),
            "Write one of these.".to_owned(),
        ));
    }
    // Whether the group has a target group is only known when it is read.
    let target = names::needs_target(query);
    let problem = if target {
        None
    } else {
        names::ask(query, metric.statistic, Some("group"), None, 60.0).err()
    };
    if let Some(problem) = problem {
        return Some((path, problem.what, problem.help));
    }
    let is_total = matches!(query.name.as_str(), "requests" | "queue_depth")
        && query.namespace.is_none()
        && metric.scope == Scope::Instance
        && matches!(metric.rule, Some(tideform_policies::model::Rule::Track(_)));
    is_total.then(|| {
        (
            path,
            format!(
                "`{}` is a total of the group, and is tracked as if it were each instance's",
                query.name
            ),
            "Write `scope = \"group\"`, and the target as what one instance carries.".to_owned(),
        )
    })
}
