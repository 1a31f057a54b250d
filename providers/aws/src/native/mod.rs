//! AWS's own controls: `controller = "native"`.
//!
//! ```text
//! compile, metric, steps, forecast, schedule   the files -> controls, or what AWS cannot say     pure
//! same, math                                   whether an adopted control does this already      pure
//! model                                        controls as plain data, to compare and to show    pure
//! from_sdk, to_sdk                             plain data <-> the SDK's types                    pure
//! put                                          makes, changes and removes them
//! ```

mod compile;
mod forecast;
pub(crate) mod from_sdk;
pub(crate) mod math;
pub(crate) mod metric;
pub(crate) mod model;
pub(crate) mod put;
pub(crate) mod same;
pub(crate) mod schedule;
mod steps;
pub(crate) mod to_sdk;

use tideform_policies::model::{Adopt, Controller, Group};
use tideform_provider::{ControlContext, ControlKind, ControlSpec, LiveGroup, Unsupported};

use crate::metrics::targets::Target;
use compile::Compiled;
use model::{Native, Scheduled};
use same::Steady;

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
    if context.is_paused {
        // No process of AWS's own stops predictive scaling.
        for one in &mut compiled {
            if let Native::PredictiveScaling(forecast) = &one.native {
                one.native = Native::PredictiveScaling(forecast.clone().only_forecasting());
            }
        }
    }
    let adopted = adopted(group, context);
    let steady = steady(group, &compiled);
    let kept = assigned(&adopted, &compiled, steady);
    let mut specs: Vec<ControlSpec> = compiled
        .into_iter()
        .zip(kept)
        .map(|(one, kept)| {
            let (name, native) = match kept.and_then(|n| adopted.get(n)) {
                Some(adopted) => (
                    adopted.name.to_owned(),
                    same::kept(&adopted.native, &one.native, steady),
                ),
                None => (
                    compile::name(context.workspace, group, &one.block),
                    one.native,
                ),
            };
            ControlSpec {
                name,
                kind: kind(&native),
                path: one.path,
                summary: native.summary(),
                settings: native.settings(),
            }
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

/// A control that the group adopts.
struct Adopted<'a> {
    name: &'a str,
    /// What it said when it was last applied; where it never was, what it says.
    native: Native,
    /// Where the files said so.
    path: Option<&'a str>,
}

/// The controls that the group adopts: those that were applied, there or not, then those that are there.
fn adopted<'a>(group: &Group, context: &ControlContext<'a>) -> Vec<Adopted<'a>> {
    let is_adopted = |name: &String| match &group.adopt {
        Adopt::None => false,
        Adopt::All => !name.starts_with("tideform/"),
        Adopt::Named(names) => names.contains(name),
    };
    let controls = |live: &'a LiveGroup| live.controls.as_slice();
    let live = context.live.map(controls).unwrap_or_default();
    let applied = context.applied.iter().filter(|spec| is_adopted(&spec.name));
    let applied: Vec<Adopted<'a>> = applied
        .filter_map(|spec| {
            let mut native = Native::of(&spec.settings).ok()?;
            if let Some(there) = live.iter().find(|control| control.name == spec.name)
                && let Ok(there) = Native::of(&there.settings)
            {
                native.rename_alarm(&there);
            }
            Some(Adopted {
                name: &spec.name,
                native,
                path: Some(&spec.path),
            })
        })
        .collect();
    let known: Vec<&str> = applied.iter().map(|adopted| adopted.name).collect();
    let live = live
        .iter()
        .filter(|control| is_adopted(&control.name) && !known.contains(&control.name.as_str()))
        .filter_map(|control| {
            Some(Adopted {
                name: &control.name,
                native: Native::of(&control.settings).ok()?,
                path: None,
            })
        })
        .collect::<Vec<_>>();
    applied.into_iter().chain(live).collect()
}

/// The sides of the limits that no wanted action moves.
fn steady(group: &Group, compiled: &[Compiled]) -> Steady {
    let never_moves = |limit: Option<u32>, side: fn(&Scheduled) -> Option<i32>| {
        limit
            .and_then(|limit| i32::try_from(limit).ok())
            .is_some_and(|limit| {
                compiled.iter().all(|one| match &one.native {
                    Native::Scheduled(scheduled) => side(scheduled) == Some(limit),
                    _ => true,
                })
            })
    };
    let limits = group.policy.limits;
    Steady {
        min: never_moves(limits.map(|limits| limits.min().get()), |one| one.min),
        max: never_moves(limits.map(|limits| limits.max().get()), |one| one.max),
    }
}

/// For each wanted control the adopted one that becomes it: one that does the same already, else one about the same,
/// else the scheduled action that the files said in the same place. It is changed, and not replaced.
fn assigned(adopted: &[Adopted<'_>], compiled: &[Compiled], steady: Steady) -> Vec<Option<usize>> {
    let mut taken = vec![false; adopted.len()];
    let mut kept: Vec<Option<usize>> = vec![None; compiled.len()];
    let does_the_same = |there: &Adopted<'_>, wanted: &Compiled| {
        same::kept(&there.native, &wanted.native, steady) == there.native
    };
    let is_about_the_same = |there: &Adopted<'_>, wanted: &Compiled| {
        same::is_about_the_same(&there.native, &wanted.native)
    };
    let has_its_place = |there: &Adopted<'_>, wanted: &Compiled| {
        there.path == Some(&wanted.path) && same::writes_the_same(&there.native, &wanted.native)
    };
    for fits in [
        &does_the_same as &dyn Fn(&Adopted<'_>, &Compiled) -> bool,
        &is_about_the_same,
        &has_its_place,
    ] {
        for (one, slot) in compiled.iter().zip(&mut kept) {
            if slot.is_some() {
                continue;
            }
            let found = adopted
                .iter()
                .zip(&mut taken)
                .enumerate()
                .find(|(_, (there, taken))| !**taken && fits(there, one));
            if let Some((n, (_, taken))) = found {
                *taken = true;
                *slot = Some(n);
            }
        }
    }
    kept
}
