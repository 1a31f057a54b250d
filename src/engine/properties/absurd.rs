//! NaN, infinities, negative values, 0, 1e308 and capacities without end do no harm.

use proptest::prelude::*;
use proptest::sample::select;
use tideform_policies::model::{
    Capacity, Limits, Metric, MetricReading, MetricSource, OnMissing, Sample,
};

use super::generate::{Case, case};
use super::{cases, facts};
use crate::engine::testing::{at, decided};

const EDGES: [f64; 12] = [
    0.0,
    -0.0,
    -1.0,
    1.0,
    1e308,
    -1e308,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

fn without_numbers(mut case: Case) -> Case {
    for metric in &case.policy.metrics {
        let Some(reading) = case.seen.metrics.get_mut(&metric.name) else {
            continue;
        };
        match reading {
            MetricReading::Group(samples) => samples.retain(|sample| sample.value.is_finite()),
            MetricReading::PerInstance { values, .. } => {
                for sample in values {
                    sample.value = sample.value.filter(|value| value.is_finite());
                }
            }
        }
    }
    for metric in &mut case.policy.metrics {
        if let OnMissing::Value(value) = metric.on_missing
            && !value.is_finite()
        {
            metric.on_missing = OnMissing::Hold;
        }
    }
    case
}

/// Guards and `breach` count the times of samples, those without a number too.
fn is_timeless(metric: &Metric) -> bool {
    matches!(metric.source, MetricSource::Query(_))
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn what_is_no_number_is_no_sample(mut case in case()) {
        case.policy.guards.clear();
        case.policy.metrics.retain(is_timeless);
        let clean = without_numbers(case.clone());
        let mut dirty = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        let mut clean = decided(&clean.rules(), &clean.seen, &clean.memory, at(0.0));
        // A bound: a sample of the future is looked at again, whatever it says.
        (dirty.next_change, clean.next_change) = (None, None);
        prop_assert_eq!(dirty, clean);
    }

    #[test]
    fn values_at_the_edges_of_numbers_leave_the_limits_and_the_arithmetic_whole(
        mut case in case(),
        values in prop::collection::vec(select(EDGES.to_vec()), 6),
        target in select(vec![f64::MIN_POSITIVE, 1e-300, 1.0, 1e300, f64::MAX]),
    ) {
        let names: [&str; 3] = ["cpu", "queue", "errors"];
        for (name, pair) in names.into_iter().zip(values.chunks(2)) {
            let samples = pair.iter().enumerate().map(|(place, value)| Sample {
                at: at(place as f64 * 0.5 - 0.5),
                value: *value,
            });
            case.seen.metrics.insert(name.into(), MetricReading::Group(samples.collect()));
        }
        for metric in &mut case.policy.metrics {
            if let Some(tideform_policies::model::Rule::Track(track)) = &mut metric.rule {
                track.target = target;
            }
        }
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        let (min, max) = facts::limits(&case.policy, &case.seen);
        if !facts::is_paused(&case.seen, at(0.0)) {
            prop_assert!((min..=max).contains(&decision.desired.get()));
        }
        let text = serde_json::to_string(&decision).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<crate::engine::Decision>(&text).expect("read"), decision);
    }

    #[test]
    fn the_largest_capacities_never_wrap(
        mut case in case(),
        current in select(vec![0, 1, u32::MAX - 1, u32::MAX]),
        weights in prop::collection::vec(select(vec![1, u32::MAX / 2, u32::MAX]), 8),
        has_limits in any::<bool>(),
    ) {
        case.seen.desired = Capacity(current);
        for (instance, weight) in case.seen.instances.iter_mut().flatten().zip(weights) {
            instance.weight = weight;
        }
        case.policy.limits = has_limits
            .then(|| Limits::new(Capacity(1), Capacity(u32::MAX)))
            .flatten();
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        if let Err(why) = super::replay::replay(&case, &decision, at(0.0)) {
            prop_assert!(false, "{}\n{:#?}", why, decision);
        }
    }
}
