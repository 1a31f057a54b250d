//! Checks of what fits together within one group, once its layers are merged. A file for each kind of check.
//!
//! Each check looks at values that were read without a problem; those that judge the group as a whole
//! (whether it can leave zero, whether rules fight) run only where nothing in it was reported.

mod effects;
mod fights;
mod fleet;
mod limits;
mod metrics;
mod schedules;
mod steps;
mod thresholds;

pub(crate) use schedules::Calendars;

use std::cell::OnceCell;
use std::collections::HashMap;

use crate::decode::Context;
use crate::layers::Merged;
use crate::model::{Metric, MetricSource, Policy, ProviderAddress, Statistic};

/// A group under check.
pub(crate) struct Subject<'a> {
    /// What was decoded.
    pub policy: &'a Policy,
    /// Where it was written.
    pub body: &'a Merged<'a>,
    /// Who runs it, where that is known.
    pub provider: Option<&'a ProviderAddress>,
    /// The kind of its resource, where that is known.
    pub resource: Option<&'a str>,
    /// The cloud's own controls scale it.
    pub is_native: bool,
    /// Nothing in it was reported so far.
    pub is_sound: bool,
    /// The labelled blocks of `body`, by kind and first label; made when it is first asked.
    labelled: OnceCell<HashMap<(&'a str, &'a str), &'a Merged<'a>>>,
}

/// Runs all checks of one group.
pub(crate) fn group(subject: &Subject<'_>, cx: &mut Context) {
    metrics::check(subject, cx);
    limits::check(subject, cx);
    thresholds::check(subject, cx);
    schedules::check(subject, cx);
    fleet::check(subject, cx);
    if subject.is_sound {
        limits::check_zero(subject, cx);
        fights::check(subject, cx);
        fights::check_capped(subject, cx);
        effects::check(subject, cx);
    }
}

impl<'a> Subject<'a> {
    /// A group under check.
    pub(crate) fn new(policy: &'a Policy, body: &'a Merged<'a>, is_sound: bool) -> Subject<'a> {
        Subject {
            policy,
            body,
            provider: None,
            resource: None,
            is_native: false,
            is_sound,
            labelled: OnceCell::new(),
        }
    }

    /// Who runs it, and the kind of its resource.
    pub(crate) fn of(
        self,
        provider: Option<&'a ProviderAddress>,
        resource: Option<&'a str>,
    ) -> Subject<'a> {
        Subject {
            provider,
            resource,
            ..self
        }
    }

    /// Scaled by the cloud's own controls.
    pub(crate) fn native(self, is_native: bool) -> Subject<'a> {
        Subject { is_native, ..self }
    }

    /// The block of a kind with this first label.
    fn labelled(&self, kind: &str, label: &str) -> Option<&'a Merged<'a>> {
        let map = self.labelled.get_or_init(|| {
            let mut map = HashMap::with_capacity(self.body.blocks.len());
            for block in &self.body.blocks {
                if let Some(label) = block.label() {
                    map.entry((block.kind, label)).or_insert(block);
                }
            }
            map
        });
        map.get(&(kind, label)).copied()
    }

    /// Whether a metric is a utilization of the instances that the backend cuts at 100 %. On other resources
    /// (containers with a share of a machine) it is relative to a request and can be larger.
    fn is_capped(&self, metric: &Metric) -> bool {
        let MetricSource::Query(query) = &metric.source else {
            return false;
        };
        let is_utilization = matches!(
            query.name.as_str(),
            "cpu" | "memory" | "CPUUtilization" | "MemoryUtilization" | "mem_used_percent"
        );
        let is_mean = !matches!(metric.statistic, Statistic::Sum | Statistic::Rate);
        let on_instances = self.resource == Some("asg");
        is_utilization
            && is_mean
            && on_instances
            && query.provider.is_none()
            && query.query.is_none()
    }
}
