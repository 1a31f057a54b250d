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

/// The whole name of a control. What AWS does not take as it is gets a mark of its own, so that no two names become one.
pub(super) fn name(workspace: &str, group: &Group, block: &str) -> String {
    let address = group.address.to_string();
    let address = address.strip_prefix("group.").unwrap_or(&address);
    fitted(&format!("tideform/{workspace}/{address}"), block)
}

/// - `start`: all but the last part.
fn fitted(start: &str, block: &str) -> String {
    let whole = format!("{start}/{block}");
    // `:` is not allowed in names of policies.
    if whole.chars().count() <= LONGEST_NAME && !whole.contains(':') {
        return whole;
    }
    // The block stays last and readable: the name of a dated action ends in its time.
    let cut = block.chars().count().saturating_sub(LONGEST_BLOCK);
    let block: String = block.chars().skip(cut).collect();
    let end = format!("~{:016x}/{block}", mark(&whole));
    let room = LONGEST_NAME - end.chars().count();
    let start: String = start.chars().take(room).collect();
    format!("{start}{end}").replace(':', "-")
}

/// Most characters of the last part of a name that is cut.
const LONGEST_BLOCK: usize = 80;

/// FNV-1a over 64 bits: the same in every version and on every machine.
fn mark(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_aws_does_not_take_as_they_are_stay_apart_and_keep_their_ends() {
        let long = "x".repeat(300);
        let start = |key: &str| format!("tideform/shop/svc[\"{key}\"]");
        let (a, b) = (start(&format!("{long}a")), start(&format!("{long}b")));
        let dated = "window-20261127T110000Z";
        let mut seen = std::collections::BTreeSet::new();
        for (start, block) in [
            (start("a:b").as_str(), "cpu"),
            (&start("a-b"), "cpu"),
            (&a, "cpu"),
            (&b, "cpu"),
            (&a, dated),
            (&a, "queue-out"),
            (&a, "queue-in"),
            ("tideform/shop/web", &format!("{long}a-out")),
            ("tideform/shop/web", &format!("{long}b-out")),
            ("tideform/shop/web", &format!("a{long}")),
            ("tideform/shop/web", &format!("b{long}")),
        ] {
            let name = fitted(start, block);
            assert!(name.chars().count() <= LONGEST_NAME, "{name}");
            assert!(!name.contains(':'), "{name}");
            assert!(tideform_provider::is_ours(&name, "shop"), "{name}");
            let end = &block[block.len() - block.len().min(20)..];
            assert!(name.ends_with(end), "{name}");
            assert_eq!(tideform_provider::dated_at(&name).is_some(), block == dated);
            assert!(seen.insert(name.clone()), "{name}");
        }
        assert_eq!(fitted("tideform/shop/web", "cpu"), "tideform/shop/web/cpu");
        // It must never change: the names are in the cloud.
        assert_eq!(
            fitted("tideform/shop/svc[\"a:b\"]", "cpu"),
            format!(
                "tideform/shop/svc[\"a-b\"]~{:016x}/cpu",
                mark("tideform/shop/svc[\"a:b\"]/cpu")
            )
        );
        assert_eq!(mark("a"), 0xaf63_dc4c_8601_ec8c);
    }
}
