//! tideform: Terraform for autoscaling.

pub mod apply;
pub mod cli;
pub mod observe;
pub mod plan;
pub mod reconcile;
pub mod registry;
