//! The world that a load goes through.

use tideform::engine::Rules;
use tideform::simulate::trace::Trace;
use tideform::simulate::world::{Boot, Model, Target};
use tideform::simulate::{Measures, Policy, Prices, Run, Setup, Sight};

/// A trace through the policy of a group.
pub(crate) fn run(rules: &Rules, sight: Sight, trace: &Trace) -> Measures {
    let prices = Prices {
        on_demand: 0.096,
        spot: 0.037,
    };
    let setup = Setup {
        start: trace.start(),
        step: trace.step(),
        model: Model {
            boot: Boot::Fixed(std::time::Duration::from_secs(90)),
            throughput: 100.0,
            ..Model::default()
        },
        initial: Target::on_demand(6),
        is_new: false,
        slo_utilization: 85.0,
        mix: None,
        prices,
    };
    let mut run = Run::new(setup, Policy::new(rules, sight, prices));
    run.extend(trace.values());
    run.finish().0
}
