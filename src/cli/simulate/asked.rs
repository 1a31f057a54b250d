//! Pins and surges that are asked for on the command line of a simulation.

use jiff::Timestamp;
use tideform_policies::model::{Capacity, Group, Limits};

use super::super::args::nearest;
use super::super::error::CliError;
use crate::engine::ActiveSurge;
use crate::observe::{after, before};
use crate::simulate::trace::Trace;
use crate::simulate::{Asked, Pinned};

/// What people ask for in the run: surges are those of the files.
pub(super) fn asked(
    pins: &[Pinned],
    surges: &[(String, Timestamp)],
    group: &Group,
) -> Result<Asked, CliError> {
    let surges = surges.iter().map(|(name, at)| {
        let surges = &group.policy.surges;
        let surge = surges.iter().find(|surge| *surge.name == **name);
        let surge = surge.ok_or_else(|| {
            let known = surges.iter().map(|surge| surge.name.to_string());
            let near = nearest(name, known);
            let meant = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let group = group.address.short();
            CliError::Usage(format!("{group} has no surge `{name}`{meant}"))
        })?;
        Ok(ActiveSurge {
            name: surge.name.clone(),
            min: surge.min,
            from: before(*at, surge.lead),
            until: after(*at, surge.duration),
        })
    });
    Ok(Asked {
        pins: pins.to_vec(),
        surges: surges.collect::<Result<_, CliError>>()?,
    })
}

/// What is asked for, and its time.
pub(super) fn told(asked: &Asked) -> Vec<(String, Timestamp, Timestamp)> {
    let pins = asked.pins.iter();
    let pins = pins.map(|pin| (format!("the pin at {}", pin.capacity), pin.from, pin.until));
    let surges = asked.surges.iter();
    let surges = surges.map(|of| (format!("the surge `{}`", of.name), of.from, of.until));
    pins.chain(surges).collect()
}

/// What is asked for, as notes; a pin beyond the limits says where it runs.
pub(super) fn notes(asked: &Asked, limits: Option<Limits>) -> Vec<String> {
    let bound = |pin: &Pinned| {
        let limits = limits?;
        let (min, max) = (limits.min(), limits.max());
        let runs = pin.capacity.clamp(min, max);
        (runs != pin.capacity).then(|| format!(", at {runs}: the limits are {min} to {max}"))
    };
    // The pins come first.
    let bounds = asked.pins.iter().map(bound).chain(std::iter::repeat(None));
    told(asked)
        .into_iter()
        .zip(bounds)
        .map(|((what, from, until), bound)| {
            let bound = bound.unwrap_or_default();
            format!("{what} holds from {from} to {until}{bound}")
        })
        .collect()
}

/// What is asked for outside of the load would have no effect, and nobody would see it.
pub(super) fn check_times(asked: &Asked, trace: &Trace) -> Result<(), CliError> {
    let (start, end) = (trace.start(), trace.end());
    match told(asked)
        .into_iter()
        .find(|(_, from, until)| *until <= start || *from >= end)
    {
        None => Ok(()),
        Some((what, from, until)) => Err(CliError::Usage(format!(
            "{what} holds from {from} to {until}, and the load is of {start} to {end}"
        ))),
    }
}

pub(super) fn parse_pin(text: &str) -> Result<Pinned, String> {
    let wrong = || "write it as `12@2026-01-05T08:00:00Z..2026-01-05T10:00:00Z`".to_owned();
    let (capacity, span) = text.split_once('@').ok_or_else(wrong)?;
    let (from, until) = span.split_once("..").ok_or_else(wrong)?;
    let pinned = Pinned {
        capacity: Capacity(capacity.trim().parse().map_err(|_| wrong())?),
        from: from.trim().parse().map_err(|_| wrong())?,
        until: until.trim().parse().map_err(|_| wrong())?,
    };
    if pinned.from < pinned.until {
        Ok(pinned)
    } else {
        Err("it must begin before it ends".to_owned())
    }
}

pub(super) fn parse_surge(text: &str) -> Result<(String, Timestamp), String> {
    let wrong = || "write it as `campaign@2026-01-05T08:00:00Z`".to_owned();
    let (name, at) = text.split_once('@').ok_or_else(wrong)?;
    Ok((
        name.trim().to_owned(),
        at.trim().parse().map_err(|_| wrong())?,
    ))
}
