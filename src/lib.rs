//! tideform: Terraform for autoscaling.

pub mod apply;
pub mod plan;
pub mod registry;
