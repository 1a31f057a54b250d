//! Absent data never removes an instance; only a number in `on_missing`, the bounds and a pin do without data.

use proptest::prelude::*;
use tideform_policies::model::{
    Adjustment, Combine, MetricReading, OnMissing, Rule, Sample, Scope,
};

use super::generate::{Case, capacity, case, share};
use super::{cases, facts};
use crate::engine::testing::{at, below, decided, metric, plain};
use crate::engine::{Memory, Reason};

fn without_overrides() -> impl Strategy<Value = Case> {
    case().prop_map(|mut case| {
        case.seen.overrides.pin = None;
        case.seen.overrides.pause = None;
        case
    })
}

fn forgets_numbers(case: &mut Case) {
    for metric in &mut case.policy.metrics {
        if let OnMissing::Value(_) = metric.on_missing {
            metric.on_missing = OnMissing::Hold;
        }
    }
}

proptest! {
    #![proptest_config(cases(80))]

    /// With `max` and `weighted` one silent metric is enough; a majority may go on without it.
    #[test]
    fn one_metric_without_data_is_enough_to_keep_all_instances(
        mut case in without_overrides(),
        rule in prop::sample::select(vec![0, 1, 2_u8]),
        is_stale in any::<bool>(),
    ) {
        forgets_numbers(&mut case);
        case.seen.left_out.clear();
        case.policy.metrics[0].rule = match rule {
            0 => crate::engine::testing::track(60.0),
            1 => Some(Rule::Want),
            _ => Some(Rule::Steps(vec![below(20.0, None, Adjustment::Remove(2))])),
        };
        // Of an empty group a mean says nothing, and there is nothing to keep.
        case.policy.metrics[0].scope = Scope::Group;
        if case.policy.combine == Combine::Majority {
            case.policy.combine = Combine::Max;
        }
        match case.seen.metrics.get_mut("cpu") {
            Some(MetricReading::Group(samples)) if is_stale => {
                let metric = &case.policy.metrics[0];
                let fresh = metric.period * 3 + metric.delay;
                let last = metric.on_missing == OnMissing::Last;
                samples.retain(|sample| {
                    let old = facts::age(at(0.0), sample.at);
                    old > fresh && !(last && old <= metric.max_age)
                });
            }
            _ => { case.seen.metrics.remove("cpu"); }
        }
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        prop_assert!(decision.desired.get() >= facts::held(&case, at(0.0)), "{:#?}", decision.reasons);
    }

    #[test]
    fn a_group_without_any_data_is_never_scaled_in(mut case in without_overrides()) {
        forgets_numbers(&mut case);
        case.seen.metrics = Default::default();
        let is_silent = |metric: &tideform_policies::model::Metric| {
            matches!(metric.source, tideform_policies::model::MetricSource::Query(_))
        };
        case.policy.metrics.retain(is_silent);
        case.policy.metrics[0].rule = crate::engine::testing::track(60.0);
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        prop_assert!(decision.desired.get() >= facts::held(&case, at(0.0)), "{:#?}", decision.reasons);
    }

    /// No data and abstention count against: it takes more than half of all that have a rule.
    #[test]
    fn a_majority_that_shrinks_is_one_of_all_metrics_with_a_rule(mut case in without_overrides()) {
        case.policy.combine = Combine::Majority;
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        let asked = case.policy.metrics.iter().filter(|metric| {
            metric.rule.is_some() && !case.seen.left_out.contains(&metric.name)
        });
        let current = case.seen.desired;
        let wants = decision.reasons.iter().filter(|reason| match reason {
            Reason::Opinion { want, .. } | Reason::Want { want, .. } | Reason::Step { want, .. } => {
                *want < current
            }
            _ => false,
        });
        let (asked, wants) = (asked.count(), wants.count());
        if asked > 0 && wants * 2 <= asked {
            prop_assert!(decision.desired.get() >= facts::held(&case, at(0.0)));
        }
    }

    /// With `hold`, data that is too old is no data.
    #[test]
    fn stale_data_is_absent_data(mut case in without_overrides()) {
        for metric in &mut case.policy.metrics {
            metric.on_missing = OnMissing::Hold;
        }
        // Guards and formulas walk back over older samples.
        case.policy.guards.clear();
        case.policy.metrics.truncate(1);
        let metric = &mut case.policy.metrics[0];
        metric.source = crate::engine::testing::metric("cpu", None).source;
        let fresh = metric.period * 3 + metric.delay;
        let mut without = case.clone();
        without.seen.metrics = Default::default();
        if let Some(reading) = case.seen.metrics.get_mut("cpu") {
            match reading {
                MetricReading::Group(samples) => {
                    samples.retain(|sample| facts::age(at(0.0), sample.at) > fresh);
                }
                MetricReading::PerInstance { at: sampled, .. } => {
                    *sampled = (*sampled).min(at(-60.0));
                }
            }
        }
        let stale = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        let absent = decided(&without.rules(), &without.seen, &without.memory, at(0.0));
        prop_assert_eq!((stale.desired, stale.memory), (absent.desired, absent.memory));
    }

    /// A removal step never removes more than it says, whatever failed.
    #[test]
    fn a_removal_step_never_removes_more_than_it_says(
        case in without_overrides(),
        n in capacity(),
        share in share(),
        is_share in any::<bool>(),
    ) {
        let remove = if is_share { Adjustment::RemoveShare(share) } else { Adjustment::Remove(n) };
        let mut policy = plain();
        policy.metrics = vec![metric("cpu", Some(Rule::Steps(vec![below(20.0, None, remove)])))];
        let mut seen = case.seen;
        seen.limits = None;
        let sample = Sample { at: at(0.0), value: 0.0 };
        seen.metrics.insert("cpu".into(), MetricReading::Group(vec![sample]));
        policy.limits = None;
        let current = seen.desired.get();
        let most = match remove {
            Adjustment::RemoveShare(share) if share.fraction() > 0.0 => {
                facts::whole(f64::from(current) * share.fraction()).1.max(1)
            }
            Adjustment::RemoveShare(_) => 0,
            _ => n,
        };
        let rules = crate::engine::Rules::new(&crate::engine::testing::group(policy));
        let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
        prop_assert!(
            current.saturating_sub(decision.desired.get()) <= most,
            "{current} minus {most}: {:#?}",
            decision.reasons
        );
    }
}
