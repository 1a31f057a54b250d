//! Problems in the files, as seen from the cloud. Pure.

use super::*;
use crate::reconcile::Moved;

pub(super) fn report_unsupported(
    situation: &Situation<'_>,
    group: &Group,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
) {
    let at = |mut diagnostic: Diagnostic, path: &str, text: String| {
        if let Some(span) = places.span(situation.address, path) {
            diagnostic = diagnostic.at(span, text);
        }
        diagnostic
    };
    if let Some(can) = situation.capabilities
        && !can
            .resource_kinds
            .iter()
            .any(|kind| **kind == *group.resource.kind)
    {
        let why = if can.resource_kinds.is_empty() {
            format!("{} is a source of metrics only.", group.provider)
        } else {
            format!(
                "{} scales: {}.",
                group.provider,
                can.resource_kinds.join(", ")
            )
        };
        let diagnostic = Diagnostic::error(
            codes::RESOURCE_KIND_UNKNOWN,
            "Provider has no such kind of resource",
        )
        .why(why);
        diagnostics.push(at(diagnostic, "resource", "not there".to_owned()));
        return;
    }
    for problem in situation.unsupported {
        let diagnostic = Diagnostic::error(codes::NOT_EXPRESSIBLE, "Provider cannot do this")
            .why(format!(
                "{}, {}: {}.",
                situation.address, problem.path, problem.what
            ))
            .help(problem.help.clone());
        diagnostics.push(at(diagnostic, &problem.path, problem.what.clone()));
    }
}

pub(super) fn report_owner(
    situation: &Situation<'_>,
    group: &Group,
    live: &LiveGroup,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
) {
    let Some(owner) = &live.owner else { return };
    if situation.lineage == Some(owner.state.as_str()) || situation.options.take_over {
        return;
    }
    let mut diagnostic = Diagnostic::error(codes::OWNED_ELSEWHERE, "Another state owns the resource")
        .why(format!(
            "{} `{}` carries the tag of workspace `{}`, {}, state {}. Two states that manage one resource undo each other's work.",
            group.resource.kind, group.resource.name, owner.workspace, owner.group, owner.state
        ))
        .help(if owner.workspace == situation.options.workspace {
            "another directory may use this workspace's name too: then give this one a name of its own, `tideform { workspace = \"...\" }`. If this workspace's state was lost, restore it. Only where nobody uses the other state any more: --take-over."
        } else {
            "take the group out of the other configuration and apply it there, or use --take-over."
        });
    if let Some(span) = places.span(situation.address, "resource.name") {
        diagnostic = diagnostic.at(span, "owned elsewhere");
    }
    diagnostics.push(diagnostic);
}

/// A load balancer that lets an ending instance go on for longer than the instance does.
pub(super) fn report_deregistration(
    situation: &Situation<'_>,
    group: &Group,
    live: &LiveGroup,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
) {
    let Some(drain) = group.policy.scale_in.drain else {
        return;
    };
    let resource = format!("{} `{}`", group.resource.kind, group.resource.name);
    for balancer in &live.deregistration {
        let target = &balancer.target;
        let mut diagnostic = match &balancer.delay {
            Ok(delay) if *delay <= drain => continue,
            Ok(delay) => {
                let (drain, delay) = (format_duration(drain), format_duration(*delay));
                Diagnostic::warning(
                    codes::DRAIN_TOO_SHORT,
                    "Drain ends before the load balancer lets go",
                )
                .why(format!(
                    "{target} of {resource} lets an ending instance finish its requests for {delay} (its deregistration delay), and the instance ends after {drain}."
                ))
                .help(format!(
                    "write `drain = \"{delay}\"`, or set the deregistration delay of {target} to {drain} or less."
                ))
            }
            Err(error) => Diagnostic::warning(
                codes::DRAIN_TOO_SHORT,
                "Deregistration delay could not be read",
            )
            .why(format!(
                "Whether {target} of {resource} lets an ending instance go within {} is not known: {error}",
                format_duration(drain)
            ))
            .help("give the permission, or look at the deregistration delay by hand."),
        };
        if let Some(span) = places.span(situation.address, "scale_in.drain") {
            diagnostic = diagnostic.at(span, "compared with the load balancer's");
        }
        diagnostics.push(diagnostic);
    }
}

/// What somebody has switched off of what scales a group in the cloud.
pub(super) fn report_switched_off(
    situation: &Situation<'_>,
    group: &Group,
    live: &LiveGroup,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
) {
    if group.controller != Controller::Native {
        return;
    }
    let nothing = Moved::default();
    let moved = situation.applied.map_or(&nothing, |applied| &applied.moved);
    let off = moved.off_by_others(live);
    if off.is_empty() {
        return;
    }
    let effects: Vec<&str> = off.iter().map(|off| off.effect.as_str()).collect();
    let commands: Vec<String> = off.iter().map(|off| format!("`{}`", off.resume)).collect();
    let mut diagnostic = Diagnostic::warning(
        codes::SWITCHED_OFF,
        "The cloud is kept from scaling the group",
    )
    .why(format!(
        "{} `{}`: {}.",
        group.resource.kind,
        group.resource.name,
        effects.join("; ")
    ))
    .help(format!(
        "unless that is meant, resume it: {}",
        commands.join(", ")
    ));
    if let Some(span) = places.span(situation.address, "resource.name") {
        diagnostic = diagnostic.at(span, "something is switched off");
    }
    diagnostics.push(diagnostic);
}

pub(super) fn report_foreign_controls(
    situation: &Situation<'_>,
    group: &Group,
    live: &LiveGroup,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
) {
    let workspace = &situation.options.workspace;
    if group.controller == Controller::Tideform && !group.coexist {
        let foreign: Vec<String> = live
            .controls
            .iter()
            .filter(|control| {
                control.enabled
                    && control.kind == ControlKind::Dynamic
                    && !is_ours(control, workspace)
                    && !is_adopted(control, &group.adopt)
            })
            .map(|control| format!("`{}` ({})", control.name, control.summary))
            .collect();
        if !foreign.is_empty() {
            let mut diagnostic = Diagnostic::error(
                codes::FOREIGN_CONTROL,
                "Another policy moves the capacity",
            )
            .why(format!(
                "{} `{}` has {} enabled. It would work against tideform's loop.",
                group.resource.kind,
                group.resource.name,
                foreign.join(", ")
            ))
            .help(
                "take it over with `adopt`, disable it where it was made, or say `coexist = true`.",
            );
            if let Some(span) = places.span(situation.address, "resource.name") {
                diagnostic = diagnostic.at(span, "moved by another policy");
            }
            diagnostics.push(diagnostic);
        }
    }
    let Adopt::Named(names) = &group.adopt else {
        return;
    };
    let before = situation.applied.map(|applied| &applied.group.adopt);
    for (i, name) in names.iter().enumerate() {
        let is_there = live
            .controls
            .iter()
            .chain(situation.set_aside.iter().copied())
            .any(|control| control.name == *name);
        // One that somebody deleted is put back.
        let is_put = situation.controls.iter().any(|spec| spec.name == *name);
        if is_there || is_put {
            continue;
        }
        let resource = format!("{} `{}`", group.resource.kind, group.resource.name);
        let was_adopted = matches!(before, Some(Adopt::Named(names)) if names.contains(name));
        let diagnostic = Diagnostic::warning(codes::NOTHING_TO_ADOPT, "No such policy to adopt");
        let mut diagnostic = if was_adopted {
            diagnostic
                .why(format!(
                    "{resource} has no policy or scheduled action named `{name}`. The name stood in `adopt` at the last apply too: where there was one, it was taken away since."
                ))
                .help(format!(
                    "take `{name}` out of `adopt`: another one that somebody makes by this name would be taken away too."
                ))
        } else {
            diagnostic
                .why(format!(
                    "{resource} has no policy or scheduled action named `{name}`."
                ))
                .help(format!(
                    "correct the name, or take it out of `adopt`; {}.",
                    others(situation, group, live)
                ))
        };
        if let Some(span) = places.span(situation.address, &format!("adopt[{i}]")) {
            diagnostic = diagnostic.at(span, "not there");
        }
        diagnostics.push(diagnostic);
    }
}

/// What could be adopted.
fn others(situation: &Situation<'_>, group: &Group, live: &LiveGroup) -> String {
    let names: Vec<String> = unmanaged(Some(live), &situation.options.workspace, &group.adopt)
        .iter()
        .map(|control| format!("`{}`", control.name))
        .collect();
    match names.as_slice() {
        [] => "the group has no others that are not tideform's".to_owned(),
        names => format!("the group has {}", names.join(", ")),
    }
}
