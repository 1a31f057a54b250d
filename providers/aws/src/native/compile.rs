//! The files' policy as AWS's own controls, or what of it AWS cannot say. Pure.
//!
//! ```text
//! track     -> target tracking         forecast  -> predictive scaling
//! step      -> step policy and alarm   schedule  -> scheduled actions
//! ```

use std::time::Duration;

use tideform_policies::model::{
    Breach, Combine, Group, Metric, OnMissing, Rule, ScaleRules, Select, Share,
};
use tideform_provider::Unsupported;

use super::forecast::predicting;
use super::metric::{self, Problem};
use super::model::{Native, Tracking};
use super::steps::stepping;
use crate::metrics::targets::Target;

/// Most characters of a policy's name. Source: Amazon EC2 Auto Scaling API, PutScalingPolicy.
const LONGEST_NAME: usize = 255;

/// A control before it has its name's first parts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Compiled {
    /// The last part of the name.
    pub(super) block: String,
    /// Where the files say so.
    pub(super) path: String,
    pub(super) native: Native,
}

/// The policies of a group; scheduled actions are [`super::schedule`]'s.
///
/// # Errors
/// All that AWS cannot say.
pub(super) fn policies(
    group: &Group,
    target: Option<&Target>,
) -> Result<Vec<Compiled>, Vec<Unsupported>> {
    let mut problems = limits_of_native(group);
    let mut compiled = Vec::new();
    for metric in &group.policy.metrics {
        match of_metric(group, metric, target) {
            Ok(list) => compiled.extend(list),
            Err(more) => problems.extend(more),
        }
    }
    if let Some(forecast) = &group.policy.forecast {
        match predicting(group, forecast, target) {
            Ok(predicting) => compiled.push(Compiled {
                block: "forecast".to_owned(),
                path: "forecast".to_owned(),
                native: Native::PredictiveScaling(predicting),
            }),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() {
        Ok(compiled)
    } else {
        Err(problems)
    }
}

/// The whole name of a control, cut where AWS ends it.
pub(super) fn name(workspace: &str, group: &Group, block: &str) -> String {
    let address = group.address.to_string();
    let address = address.strip_prefix("group.").unwrap_or(&address);
    // `:` is not allowed in names of policies.
    format!("tideform/{workspace}/{address}/{block}")
        .replace(':', "-")
        .chars()
        .take(LONGEST_NAME)
        .collect()
}

/// What tideform's loop does, and AWS does not.
pub(super) fn loop_does_this(path: &str, what: &str) -> Unsupported {
    Unsupported {
        path: path.to_owned(),
        what: format!("AWS's own policies have no {what}"),
        help: "Take it out, or use `controller = \"tideform\"`, which does this.".to_owned(),
    }
}

/// What no policy of AWS's can say.
fn limits_of_native(group: &Group) -> Vec<Unsupported> {
    let policy = &group.policy;
    let mut problems = Vec::new();
    if !matches!(policy.combine, Combine::Max) {
        problems.push(loop_does_this(
            "combine",
            "other way than the largest capacity",
        ));
    }
    for guard in &policy.guards {
        problems.push(loop_does_this(&format!("guard.{}", guard.name), "guards"));
    }
    for freeze in &policy.freezes {
        problems.push(loop_does_this(
            &format!("freeze.{}", freeze.name),
            "freezes",
        ));
    }
    if policy
        .mix
        .as_ref()
        .is_some_and(|mix| mix.fallback.is_some())
    {
        problems.push(loop_does_this("mix.fallback", "fallback to on-demand"));
    }
    problems.extend(direction("scale_out", &policy.scale_out, Duration::ZERO));
    problems.extend(direction(
        "scale_in",
        &policy.scale_in,
        // The default, which AWS replaces by its own slow scale-in.
        Duration::from_secs(300),
    ));
    if !policy.scale_out.enabled || policy.scale_out.select == Select::Disabled {
        problems.push(loop_does_this("scale_out.enabled", "switch for growing"));
    }
    problems
}

fn direction(path: &str, rules: &ScaleRules, default: Duration) -> Vec<Unsupported> {
    let mut problems = Vec::new();
    if !rules.cooldown.is_zero() {
        problems.push(loop_does_this(
            &format!("{path}.cooldown"),
            "cooldown (their instance warmup takes its place)",
        ));
    }
    if rules.stabilization != default && !rules.stabilization.is_zero() {
        problems.push(loop_does_this(
            &format!("{path}.stabilization"),
            "stabilization window",
        ));
    }
    if !rules.rates.is_empty() {
        problems.push(loop_does_this(
            &format!("{path}.rate"),
            "limits on the rate of change",
        ));
    }
    problems
}

fn of_metric(
    group: &Group,
    metric: &Metric,
    target: Option<&Target>,
) -> Result<Vec<Compiled>, Vec<Unsupported>> {
    let path = format!("metric.{}", metric.name);
    let unsupported = |(what, help): Problem| {
        vec![Unsupported {
            path: path.clone(),
            what,
            help,
        }]
    };
    match &metric.rule {
        None => Ok(Vec::new()),
        Some(Rule::Want) => Err(vec![loop_does_this(
            &path,
            "metric that is the capacity itself",
        )]),
        Some(Rule::Track(track)) => {
            let mut problems = Vec::new();
            if metric.breach != Breach::Now {
                problems.push(loop_does_this(
                    &format!("{path}.breach"),
                    "choice of breach: AWS owns the alarms of target tracking",
                ));
            }
            if metric.on_missing != OnMissing::Hold {
                problems.push(loop_does_this(
                    &format!("{path}.on_missing"),
                    "choice for absent data: AWS owns the alarms of target tracking",
                ));
            }
            if track.tolerance_out != Share(0.1) || track.tolerance_in != Share(0.1) {
                problems.push(loop_does_this(
                    &format!("{path}.track.tolerance"),
                    "choice of tolerance: AWS owns the alarms of target tracking",
                ));
            }
            if metric.max_add.is_some() || metric.max_remove.is_some() {
                problems.push(loop_does_this(
                    &format!("{path}.max_add"),
                    "largest change of target tracking",
                ));
            }
            // Source: Amazon EC2 Auto Scaling API, TargetTrackingMetricStat, Period.
            if !matches!(metric.period.as_secs(), 10 | 30 | 60) {
                problems.push(Unsupported {
                    path: format!("{path}.period"),
                    what: "target tracking of AWS has periods of 10s, 30s and 1m".to_owned(),
                    help: "Write one of these, or use `controller = \"tideform\"`.".to_owned(),
                });
            }
            if !problems.is_empty() {
                return Err(problems);
            }
            let tracked = metric::tracked(group, metric, target).map_err(unsupported)?;
            let scale_in =
                group.policy.scale_in.enabled && group.policy.scale_in.select != Select::Disabled;
            Ok(vec![Compiled {
                block: metric.name.to_string(),
                path: path.clone(),
                native: Native::TargetTracking(Tracking {
                    metric: tracked.measured,
                    target: track.target * tracked.factor,
                    scale_in,
                }),
            }])
        }
        Some(Rule::Steps(steps)) => {
            let watched = metric::watched(group, metric, target).map_err(unsupported)?;
            stepping(group, metric, steps, &watched).map_err(|what| {
                vec![Unsupported {
                    path: path.clone(),
                    what,
                    help: "Change the steps, or use `controller = \"tideform\"`.".to_owned(),
                }]
            })
        }
    }
}
