//! More load never gives fewer instances, all else equal: through windows, rates, cooldowns and bounds.

use proptest::prelude::*;
use tideform_policies::model::{
    InstanceSample, Metric, MetricReading, MetricSource, Rule, Sample, Scope,
};

use super::cases;
use super::generate::{Case, any_track, case};
use crate::engine::testing::{at, decided};

/// One tracked metric that no guard and no formula looks at.
fn tracking() -> impl Strategy<Value = Case> {
    (case(), any_track(), any::<bool>()).prop_map(|(mut case, track, is_total)| {
        case.policy.guards.clear();
        let is_query = |metric: &Metric| matches!(metric.source, MetricSource::Query(_));
        case.policy.metrics.retain(is_query);
        case.policy.metrics[0].rule = Some(Rule::Track(track));
        if is_total {
            case.policy.metrics[0].scope = Scope::Group;
        }
        case
    })
}

/// A load, and the load that is more; sometimes near the end of what a number can hold.
fn loads() -> impl Strategy<Value = (f64, f64)> {
    prop_oneof![
        8 => (0.0..200.0_f64, 0.0..100.0_f64).prop_map(|(load, more)| (load, load + more)),
        2 => (50.0..70.0_f64, 0.0..5.0_f64).prop_map(|(load, more)| (load, load + more)),
        1 => (0.0..1e300_f64, 0.0..1e308_f64).prop_map(|(load, more)| (load, load + more)),
        1 => (-1e9..1e9_f64, 0.0..1e9_f64).prop_map(|(load, more)| (load, load + more)),
    ]
}

fn check(case: &mut Case, low: MetricReading, high: MetricReading) -> Result<(), TestCaseError> {
    let rules = case.rules();
    let mut with = |reading| {
        case.seen.metrics.insert("cpu".into(), reading);
        decided(&rules, &case.seen, &case.memory, at(0.0))
    };
    let (fewer, more) = (with(low), with(high));
    prop_assert!(
        fewer.desired <= more.desired,
        "{:#?}\nand with more load\n{:#?}",
        fewer.reasons,
        more.reasons
    );
    Ok(())
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn more_load_on_the_group_never_gives_fewer(mut case in tracking(), (low, high) in loads()) {
        let sample = |value| MetricReading::Group(vec![Sample { at: at(0.0), value }]);
        check(&mut case, sample(low), sample(high))?;
    }

    #[test]
    fn more_load_on_any_instance_never_gives_fewer(
        mut case in tracking(),
        loads in prop::collection::vec(prop::option::weighted(0.85, loads()), 0..8),
        are_amounts in prop::bool::weighted(0.2),
    ) {
        let each = |pick: fn((f64, f64)) -> f64| MetricReading::PerInstance {
            at: at(0.0),
            values: loads
                .iter()
                .enumerate()
                .map(|(place, load)| InstanceSample {
                    id: format!("i-{place}").into(),
                    value: load.map(pick),
                    of: are_amounts.then_some(80.0),
                })
                .collect(),
        };
        check(&mut case, each(|load| load.0), each(|load| load.1))?;
    }
}
