//! The metric names that tideform knows, as CloudWatch has them. Pure.
//!
//! Source: Amazon EC2, Application Load Balancer and Amazon SQS user guides, "CloudWatch metrics".

use std::collections::BTreeMap;

use tideform_policies::model::{MetricQuery, Statistic};

use super::targets::Target;

/// All known names; others need a namespace.
pub(crate) const NAMES: [&str; 10] = [
    "cpu",
    "network_in",
    "network_out",
    "requests",
    "requests_per_instance",
    "queue_depth",
    "latency",
    "error_rate",
    "capacity",
    "instances",
];

const ALB: &str = "AWS/ApplicationELB";

/// One series of CloudWatch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: BTreeMap<String, String>,
    /// As `MetricStat.Stat` has it: `Average`, `p99.9`.
    pub(crate) statistic: String,
}

/// What is asked for a metric of ours.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    /// One series, its values divided by `divide_by`: a period's seconds where a rate is wanted.
    Series { series: Series, divide_by: f64 },
    /// 100 x the first over the second; no failures reported are none.
    Percent { part: Series, whole: Series },
}

/// Why a metric cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotAsked {
    /// What is wrong: a lowercase fragment.
    pub(crate) what: String,
    /// What to do.
    pub(crate) help: String,
}

/// Whether the target group of the resource must be known.
pub(crate) fn needs_target(query: &MetricQuery) -> bool {
    query.namespace.is_none()
        && query.dimensions.is_empty()
        && matches!(
            query.name.as_str(),
            "requests" | "requests_per_instance" | "latency" | "error_rate"
        )
}

/// Translates a metric of ours.
///
/// - `group`: the Auto Scaling group's name.
/// - `target`: where its traffic comes from, if known.
/// - `period_s`: the length of one sample.
pub(crate) fn ask(
    query: &MetricQuery,
    statistic: Statistic,
    group: Option<&str>,
    target: Option<&Target>,
    period_s: f64,
) -> Result<Asked, NotAsked> {
    if query.query.is_some() {
        return Err(NotAsked {
            what: "CloudWatch metrics have no `query`".to_owned(),
            help: "Write `namespace`, `name` and `dimensions`, or a formula in `value`.".to_owned(),
        });
    }
    if let Some(namespace) = &query.namespace {
        let mut dimensions = query.dimensions.clone();
        // AWS/EC2 without dimensions would be every instance of the account.
        if dimensions.is_empty()
            && namespace == "AWS/EC2"
            && let Some(group) = group
        {
            dimensions.insert("AutoScalingGroupName".to_owned(), group.to_owned());
        }
        return Ok(series(
            namespace,
            &query.name,
            dimensions,
            statistic,
            period_s,
        ));
    }
    let own = || -> Result<BTreeMap<String, String>, NotAsked> {
        if !query.dimensions.is_empty() {
            return Ok(query.dimensions.clone());
        }
        let group = group.ok_or_else(|| missing(&query.name, "the group that it is about"))?;
        Ok([("AutoScalingGroupName".to_owned(), group.to_owned())].into())
    };
    let traffic = || -> Result<BTreeMap<String, String>, NotAsked> {
        if !query.dimensions.is_empty() {
            return Ok(query.dimensions.clone());
        }
        target
            .map(Target::dimensions)
            .ok_or_else(|| NotAsked {
                what: format!("`{}` is measured at a load balancer, and this group has no target group", query.name),
                help: "Write `dimensions = { LoadBalancer = \"app/...\", TargetGroup = \"targetgroup/...\" }`, or attach a target group.".to_owned(),
            })
    };
    match query.name.as_str() {
        "cpu" => Ok(series(
            "AWS/EC2",
            "CPUUtilization",
            own()?,
            statistic,
            period_s,
        )),
        "network_in" => Ok(series("AWS/EC2", "NetworkIn", own()?, statistic, period_s)),
        "network_out" => Ok(series("AWS/EC2", "NetworkOut", own()?, statistic, period_s)),
        // Counts: whatever the statistic, what is meant is how many there are each second.
        "requests" => Ok(series(
            ALB,
            "RequestCount",
            traffic()?,
            Statistic::Rate,
            period_s,
        )),
        "requests_per_instance" => Ok(series(
            ALB,
            "RequestCountPerTarget",
            // CloudWatch has no sum of it by load balancer alone.
            traffic()?,
            Statistic::Rate,
            period_s,
        )),
        // Both are there only where the group's own metrics are switched on. Without weights they are the same number.
        // Source: Amazon EC2 Auto Scaling User Guide, "Available CloudWatch metrics".
        "capacity" => Ok(series(
            "AWS/AutoScaling",
            "GroupInServiceCapacity",
            own()?,
            statistic,
            period_s,
        )),
        "instances" => Ok(series(
            "AWS/AutoScaling",
            "GroupInServiceInstances",
            own()?,
            statistic,
            period_s,
        )),
        "latency" => Ok(series(
            ALB,
            "TargetResponseTime",
            traffic()?,
            statistic,
            period_s,
        )),
        "error_rate" => {
            let dimensions = traffic()?;
            let sum = |name: &str| Series {
                namespace: ALB.to_owned(),
                name: name.to_owned(),
                dimensions: dimensions.clone(),
                statistic: "Sum".to_owned(),
            };
            Ok(Asked::Percent {
                part: sum("HTTPCode_Target_5XX_Count"),
                whole: sum("RequestCount"),
            })
        }
        "queue_depth" if query.dimensions.contains_key("QueueName") => Ok(series(
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            query.dimensions.clone(),
            statistic,
            period_s,
        )),
        "queue_depth" => Err(NotAsked {
            what: "`queue_depth` needs the queue".to_owned(),
            help: "Write `dimensions = { QueueName = \"jobs\" }`.".to_owned(),
        }),
        name => Err(missing(name, "a `namespace`")),
    }
}

fn missing(name: &str, what: &str) -> NotAsked {
    NotAsked {
        what: format!("CloudWatch needs {what} for `{name}`"),
        help: format!(
            "Write `namespace = \"...\"` with the metric's own name, or one of the known names: {}.",
            NAMES.join(", ")
        ),
    }
}

fn series(
    namespace: &str,
    name: &str,
    dimensions: BTreeMap<String, String>,
    statistic: Statistic,
    period_s: f64,
) -> Asked {
    let (statistic, divide_by) = match statistic {
        Statistic::Average => ("Average".to_owned(), 1.0),
        Statistic::Sum => ("Sum".to_owned(), 1.0),
        Statistic::Minimum => ("Minimum".to_owned(), 1.0),
        Statistic::Maximum => ("Maximum".to_owned(), 1.0),
        Statistic::Percentile(percent) => (format!("p{percent}"), 1.0),
        Statistic::Rate => ("Sum".to_owned(), period_s),
    };
    Asked::Series {
        series: Series {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions,
            statistic,
        },
        divide_by,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str) -> MetricQuery {
        MetricQuery {
            provider: None,
            name: name.to_owned(),
            namespace: None,
            dimensions: BTreeMap::new(),
            query: None,
        }
    }

    fn target() -> Target {
        Target {
            group: "targetgroup/web/73e2d6bc24d8a067".to_owned(),
            balancer: Some("app/shop/50dc6c495c0c9188".to_owned()),
        }
    }

    #[test]
    fn every_known_name_is_asked_for() {
        for name in NAMES {
            let mut query = query(name);
            if name == "queue_depth" {
                query
                    .dimensions
                    .insert("QueueName".to_owned(), "jobs".to_owned());
            }
            let asked = ask(
                &query,
                Statistic::Average,
                Some("web"),
                Some(&target()),
                60.0,
            );
            assert!(asked.is_ok(), "{name}: {asked:?}");
        }
    }

    #[test]
    fn a_rate_is_the_sum_over_the_seconds_of_its_period() {
        let asked = ask(
            &query("requests"),
            Statistic::Average,
            Some("web"),
            Some(&target()),
            300.0,
        );
        let Ok(Asked::Series { series, divide_by }) = asked else {
            panic!("{asked:?}");
        };
        assert_eq!((series.statistic.as_str(), divide_by), ("Sum", 300.0));
        assert_eq!(
            series.dimensions["LoadBalancer"],
            "app/shop/50dc6c495c0c9188"
        );
    }

    #[test]
    fn percentiles_are_written_as_cloudwatch_reads_them() {
        for (percent, text) in [(50.0, "p50"), (99.9, "p99.9")] {
            let asked = ask(
                &query("latency"),
                Statistic::Percentile(percent),
                None,
                Some(&target()),
                60.0,
            );
            assert!(matches!(asked, Ok(Asked::Series { series, .. }) if series.statistic == text));
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let error = ask(
            &query("orders"),
            Statistic::Average,
            Some("web"),
            None,
            60.0,
        )
        .unwrap_err();
        assert!(error.help.contains("queue_depth"), "{error:?}");
        let error = ask(
            &query("latency"),
            Statistic::Average,
            Some("web"),
            None,
            60.0,
        )
        .unwrap_err();
        assert!(error.what.contains("no target group"), "{error:?}");
    }
}
