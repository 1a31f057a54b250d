//! AWS's own controls: `controller = "native"`.
//!
//! ```text
//! compile, metric, steps, forecast, schedule   the files -> controls, or what AWS cannot say     pure
//! model                                        controls as plain data, to compare and to show    pure
//! from_sdk, to_sdk                             plain data <-> the SDK's types                    pure
//! put                                          makes, changes and removes them
//! ```

mod compile;
mod forecast;
pub(crate) mod from_sdk;
mod metric;
pub(crate) mod model;
pub(crate) mod put;
mod schedule;
mod steps;
pub(crate) mod to_sdk;

use tideform_policies::model::{Adopt, Controller, Group};
use tideform_provider::{
    Control, ControlContext, ControlKind, ControlSpec, LiveGroup, Unsupported,
};

use crate::metrics::targets::Target;
use model::{Measured, Native};

/// The controls that the files want of a group.
///
/// # Errors
/// All that AWS cannot say.
pub(crate) fn wanted(
    group: &Group,
    context: &ControlContext<'_>,
    target: Option<&Target>,
) -> Result<Vec<ControlSpec>, Vec<Unsupported>> {
    if group.controller != Controller::Native {
        return Ok(Vec::new());
    }
    let mut problems = Vec::new();
    let mut compiled = Vec::new();
    let policies = match context.only_schedules {
        true => Ok(Vec::new()),
        false => compile::policies(group, target),
    };
    for part in [policies, schedule::actions(group, context)] {
        match part {
            Ok(list) => compiled.extend(list),
            Err(list) => problems.extend(list),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut specs: Vec<ControlSpec> = compiled
        .into_iter()
        .map(|one| match one.native {
            // No process of AWS's own stops predictive scaling.
            Native::PredictiveScaling(forecast) if context.is_paused => compile::Compiled {
                native: Native::PredictiveScaling(forecast.only_forecasting()),
                ..one
            },
            _ => one,
        })
        .map(|one| ControlSpec {
            name: adopted_name(group, context.live, &one.native)
                .unwrap_or_else(|| compile::name(context.workspace, group, &one.block)),
            kind: kind(&one.native),
            path: one.path,
            summary: one.native.summary(),
            settings: one.native.settings(),
        })
        .collect();
    specs.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    Ok(specs)
}

fn kind(native: &Native) -> ControlKind {
    match native {
        Native::Scheduled(_) => ControlKind::Schedule,
        Native::TargetTracking(_) | Native::StepScaling(_) | Native::PredictiveScaling(_) => {
            ControlKind::Dynamic
        }
    }
}

/// The name of an adopted policy that looks at the same metric in the same way: it is changed, and not replaced.
fn adopted_name(group: &Group, live: Option<&LiveGroup>, wanted: &Native) -> Option<String> {
    let is_adopted = |control: &&Control| match &group.adopt {
        Adopt::None => false,
        Adopt::All => !control.name.starts_with("tideform/"),
        Adopt::Named(names) => names.contains(&control.name),
    };
    live?
        .controls
        .iter()
        .filter(is_adopted)
        .find(|control| {
            Native::of(&control.settings).is_ok_and(|there| is_the_same(&there, wanted))
        })
        .map(|control| control.name.clone())
}

fn is_the_same(there: &Native, wanted: &Native) -> bool {
    let direction = |native: &Native| -> Option<(Measured, Option<String>)> {
        match native {
            Native::TargetTracking(tracking) => Some((tracking.metric.clone(), None)),
            Native::StepScaling(stepping) => {
                let alarm = stepping.alarm.as_ref()?;
                Some((alarm.metric.clone(), Some(alarm.comparison.clone())))
            }
            Native::PredictiveScaling(_) | Native::Scheduled(_) => None,
        }
    };
    match (direction(there), direction(wanted)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}
