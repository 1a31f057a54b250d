//! tideform: Terraform for autoscaling.

pub mod analyze;
pub mod apply;
pub mod backend;
pub mod backtest;
pub mod cli;
pub mod cost;
pub mod defaults;
pub mod demo;
pub mod engine;
pub mod examples;
pub mod history;
pub mod import;
pub mod observe;
pub mod plan;
pub mod reconcile;
pub mod registry;
pub mod simulate;
pub mod suite;
pub mod tune;
mod wrap;
