//! What a user would use instead: models of other scalers, as controllers in the same world.
//!
//! Each is written from its own documentation or publication, with its own defaults, and is told what the policy says:
//! metric, target, warmup, limits, mix ([`Common`]). None of them knows the future. `docs/simulation.md`, "Compared with
//! other scalers", states each rule; what the tests check them against is said there, too.
//!
//! - [`hpa`], [`aws_target_tracking`], [`aws_step`], [`nomad`]: what clouds and orchestrators do; the rules of AWS
//!   that these and [`super::native`] share are in [`aws`].
//! - [`react`], [`adapt`], [`hist`], [`reg`], [`conpaas`]: published rules, which see the load itself ([`by_load`]).
//! - `fixed`: a fleet of the largest demand of the trace, within the limits, which only somebody knows who has seen it.

pub mod adapt;
pub mod aws;
pub mod aws_step;
pub mod aws_target_tracking;
pub mod by_load;
mod common;
pub mod conpaas;
pub mod hist;
pub mod hpa;
pub mod nomad;
pub mod react;
pub mod reg;
#[cfg(test)]
mod tests;

pub use common::{Common, Source, TARGET_WITHOUT_TRACK};

use std::cmp::Ordering;

use super::controller::{Controller, Fixed};
use by_load::ByLoad;

/// Another scaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// The Kubernetes HorizontalPodAutoscaler, v2.
    Hpa,
    /// Target tracking of Amazon EC2 Auto Scaling.
    AwsTargetTracking,
    /// Step scaling of Amazon EC2 Auto Scaling.
    AwsStep,
    /// The Nomad Autoscaler with its target-value strategy.
    Nomad,
    /// Chieu et al.
    React,
    /// Ali-Eldin et al.
    Adapt,
    /// Urgaonkar et al.
    Hist,
    /// Iqbal et al.
    Reg,
    /// Fernandez et al.
    ConPaas,
    /// A fleet of the largest demand, within the limits, which does not scale.
    Fixed,
}

impl Peer {
    /// All of them, in the order of tables.
    pub const ALL: [Peer; 10] = [
        Peer::Hpa,
        Peer::AwsTargetTracking,
        Peer::AwsStep,
        Peer::Nomad,
        Peer::React,
        Peer::Adapt,
        Peer::Hist,
        Peer::Reg,
        Peer::ConPaas,
        Peer::Fixed,
    ];

    /// Its name on the command line and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Peer::Hpa => "hpa",
            Peer::AwsTargetTracking => "aws-target-tracking",
            Peer::AwsStep => "aws-step",
            Peer::Nomad => "nomad",
            Peer::React => "react",
            Peer::Adapt => "adapt",
            Peer::Hist => "hist",
            Peer::Reg => "reg",
            Peer::ConPaas => "conpaas",
            Peer::Fixed => "fixed",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Peer> {
        Peer::ALL.into_iter().find(|peer| peer.name() == name)
    }

    /// It, for a group.
    pub fn controller(self, common: &Common) -> Box<dyn Controller> {
        match self {
            Peer::Hpa => Box::new(hpa::Hpa::new(common.clone())),
            Peer::AwsTargetTracking => Box::new(aws_target_tracking::new(common)),
            Peer::AwsStep => Box::new(aws_step::new(common)),
            Peer::Nomad => Box::new(nomad::Nomad::new(common.clone())),
            Peer::React => Box::new(ByLoad::new(common.clone(), react::React)),
            Peer::Adapt => Box::new(ByLoad::new(common.clone(), adapt::Adapt::default())),
            Peer::Hist => Box::new(ByLoad::new(common.clone(), hist::Hist::default())),
            Peer::Reg => Box::new(ByLoad::new(common.clone(), reg::Reg)),
            Peer::ConPaas => Box::new(ByLoad::new(common.clone(), conpaas::ConPaas::default())),
            Peer::Fixed => Box::new(Fixed(common.ask(common.peak_demand))),
        }
    }

    /// Its settings, in a line.
    pub fn settings(self, common: &Common) -> String {
        let every = common::short(common.every);
        match self {
            Peer::Hpa => hpa::settings(common),
            Peer::AwsTargetTracking => aws_target_tracking::settings(common),
            Peer::AwsStep => aws_step::settings(common),
            Peer::Nomad => nomad::settings(common),
            Peer::React => format!("knows the load; every {every}, head room of 20 %"),
            Peer::Adapt => {
                format!("knows the load; every {every}, in by a quarter of the excess")
            }
            Peer::Hist => {
                format!("knows the load; every {every}, 90th percentile of the hour so far")
            }
            Peer::Reg => format!("knows the load; every {every}, in by a fit of 60 values"),
            Peer::ConPaas => format!("knows the load; every {every}, the best of 3 predictors"),
            Peer::Fixed => fixed_settings(common),
        }
    }
}

/// How large the fixed fleet is, and which limit keeps it from being as large as the peak demand.
fn fixed_settings(common: &Common) -> String {
    let peak = common.peak_demand;
    let size = common.ask(peak).desired;
    let limit = match size.cmp(&peak) {
        Ordering::Less => format!(", the limits' maximum; the peak needs {peak}"),
        Ordering::Equal => String::new(),
        Ordering::Greater => format!(", the limits' minimum; the peak needs {peak}"),
    };
    let noun = if size == 1 { "instance" } else { "instances" };
    format!("{size} {noun} at all times{limit}")
}
