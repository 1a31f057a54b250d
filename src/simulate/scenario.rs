//! A group and a trace made ready to be simulated: what the files say of the world, what somebody said instead, and what
//! had to be assumed. Pure.

use std::time::Duration;

use tideform_mock::launch::{InstanceModel, parse_over};
use tideform_policies::model::{Capacity, Controller, Group, Limits, MetricSource, Mix, Name};

use super::asked::Asked;
use super::native::Native;
use super::own::Own;
use super::policy::{Policy, Sight, backlog_as_load, metric_of};
use super::prices::Prices;
use super::run::Setup;
use super::trace::Trace;
use super::world::{Boot, Faults, Model, Target, Work};
use crate::engine::{Rules, spot_part};

/// What somebody says of the world, stronger than the files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// From launch to serving.
    pub boot: Option<Boot>,
    /// How long an ending instance finishes its work.
    pub drain: Option<Duration>,
    /// Load per second that one unit carries at 100 % utilization.
    pub throughput: Option<f64>,
    /// Seconds that one request or job takes on an idle instance.
    pub latency_s: Option<f64>,
    /// What happens with load that cannot be served at once.
    pub work: Option<Work>,
    /// How late samples of metrics can be seen.
    pub metric_delay: Option<Duration>,
    /// Spreads each sample by so much around its value.
    pub noise: f64,
    /// What goes wrong.
    pub faults: Faults,
    /// All randomness comes from here.
    pub seed: u64,
    /// What the group has at the start; default: what the first load needs.
    pub initial: Option<u32>,
    /// The limits that hold where the policy has none.
    pub live_limits: Option<Limits>,
    /// The mix that holds where the policy has none.
    pub live_mix: Option<Mix>,
    /// What instances cost; `None`: nobody knows.
    pub prices: Option<Prices>,
    /// What people ask for while it runs.
    pub asked: Asked,
}

/// Why a group cannot be simulated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScenarioError {
    /// Nobody says what one instance carries.
    #[error("nothing says what load one instance carries")]
    NoThroughput,
    /// A number that cannot be computed with.
    #[error("the {0} must be above 0 and finite")]
    Number(&'static str),
}

/// What a reader of the results should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The trace is coarser than the decisions.
    Coarse {
        /// The step of the trace.
        step: Duration,
        /// How often the policy decides.
        every: Duration,
    },
    /// Metrics that do not follow from load and capacity: left out of the decisions.
    Unknown(Vec<Name>),
    /// The policy has a forecast, and it is not simulated.
    NoForecast,
    /// The group is scaled by the cloud's own policies, and these are what is simulated.
    Native,
    /// Steps whose load is a lower bound.
    LowerBounds(usize),
    /// Steps that were not in the trace, and were filled in.
    Filled(usize),
    /// Jobs wait, since a metric of the policy is about a queue.
    Queue,
    /// `instance { load }` names a metric of what waits.
    BacklogAsLoad(Name),
    /// No price is known: an instance-hour costs a dollar.
    NoPrice,
    /// The group has no limits of its own.
    NoLimits,
    /// The load was recorded, and by whom.
    Recorded(String),
    /// The load is counted in units at full use, since nobody says what one carries.
    InUnits,
    /// Something else, in words.
    Said(String),
}

/// A group and a world for it.
#[derive(Debug)]
pub struct Scenario {
    /// The policy, ready to be asked.
    pub rules: Rules,
    /// How its provider shows metrics.
    pub sight: Sight,
    /// The world and its start.
    pub setup: Setup,
    /// The limits that hold where the policy has none.
    pub live_limits: Option<Limits>,
    /// The mix that holds where the policy has none.
    pub live_mix: Option<Mix>,
    /// What people ask for while it runs.
    pub asked: Asked,
    /// What a reader of the results should know.
    pub notes: Vec<Note>,
}

impl Scenario {
    /// Makes a group ready for a trace.
    ///
    /// # Errors
    /// [`ScenarioError`]: something is not known, or no number.
    pub fn new(group: &Group, trace: &Trace, given: &Given) -> Result<Scenario, ScenarioError> {
        let mut group = group.clone();
        if let Some(delay) = given.metric_delay {
            for metric in &mut group.policy.metrics {
                metric.delay = delay;
            }
        }
        let mut notes = notes(&group, trace);
        let model = model(&group, given, &mut notes)?;
        let slo_utilization = group.policy.slo.utilization;
        positive(slo_utilization, "SLO's utilization")?;
        let prices = given.prices.unwrap_or_else(|| {
            notes.push(Note::NoPrice);
            Prices {
                on_demand: 1.0,
                spot: 1.0,
            }
        });
        let mut setup = Setup {
            start: trace.start(),
            step: trace.step(),
            model,
            initial: Target::on_demand(0),
            is_new: false,
            slo_utilization,
            prices,
            mix: group.policy.mix.clone().or_else(|| given.live_mix.clone()),
        };
        let limits = group.policy.limits.or(given.live_limits);
        if limits.is_none() {
            notes.push(Note::NoLimits);
        }
        let first = trace.values().first().copied().unwrap_or(0.0);
        let within = |desired: u32| match limits {
            Some(limits) => Capacity(desired).clamp(limits.min(), limits.max()).get(),
            None => desired,
        };
        let desired = within(given.initial.unwrap_or_else(|| setup.demand(first)));
        let mix = group.policy.mix.as_ref().or(given.live_mix.as_ref());
        setup.initial = Target {
            desired,
            spot: mix.map_or(0, |mix| spot_part(mix, desired)),
        };
        let sight = Sight::of_provider(&group.provider.kind);
        let scenario = Scenario {
            rules: Rules::new(&group),
            sight,
            setup,
            live_limits: given.live_limits,
            live_mix: given.live_mix.clone(),
            asked: given.asked.clone(),
            notes,
        };
        let unknown = scenario.policy().unknown().to_vec();
        let mut notes = scenario.notes;
        if !unknown.is_empty() {
            notes.push(Note::Unknown(unknown));
        }
        Ok(Scenario { notes, ..scenario })
    }

    /// The load per second that one unit of a group carries at 100 % utilization.
    ///
    /// # Errors
    /// [`ScenarioError`]: nobody says so, or it is no number.
    pub fn throughput(group: &Group, given: &Given) -> Result<f64, ScenarioError> {
        let instance = group.policy.instance.as_ref();
        let throughput = given
            .throughput
            .or_else(|| launched(group).map(|model| model.throughput))
            .or_else(|| instance.and_then(|instance| instance.throughput))
            .ok_or(ScenarioError::NoThroughput)?;
        positive(throughput, "throughput")
    }

    /// The group, with what was said in place of its own.
    pub fn group(&self) -> &Group {
        self.rules.group()
    }

    /// The limits that hold.
    pub fn limits(&self) -> Option<Limits> {
        self.group().policy.limits.or(self.live_limits)
    }

    /// Its policy as a controller, without any memory.
    pub fn policy(&self) -> Policy<'_> {
        Policy::new(&self.rules, self.sight, self.setup.prices)
            .with_live_limits(self.live_limits)
            .with_live_mix(self.live_mix.clone())
            .with_asked(self.asked.clone())
    }

    /// Who scales the group, without any memory: its policy, or what the cloud does with it.
    pub fn controller(&self) -> Own<'_> {
        match self.group().controller {
            Controller::Tideform => Own::Loop(Box::new(self.policy())),
            Controller::Native => Own::Cloud(Box::new(
                Native::new(&self.rules)
                    .with_live_limits(self.live_limits)
                    .with_live_mix(self.live_mix.clone())
                    .with_asked(self.asked.clone()),
            )),
        }
    }

    /// The units that each step of a trace needs, in runs of equal ones.
    pub fn demand(&self, trace: &Trace) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for load in trace.values() {
            let demand = self.setup.demand(*load);
            match runs.last_mut() {
                Some((last, steps)) if *last == demand => *steps += 1,
                _ => runs.push((demand, 1)),
            }
        }
        runs
    }
}

fn positive(number: f64, what: &'static str) -> Result<f64, ScenarioError> {
    (number.is_finite() && number > 0.0)
        .then_some(number)
        .ok_or(ScenarioError::Number(what))
}

/// The mock cloud's attributes of `launch`, where the group is there; they have been checked.
fn launched(group: &Group) -> Option<InstanceModel> {
    if group.provider.kind.as_ref() != "mock" {
        return None;
    }
    let base = InstanceModel::of(group.policy.instance.as_ref());
    let attributes = &group.launch.as_ref()?.attributes;
    parse_over(attributes, base).ok()
}

fn model(group: &Group, given: &Given, notes: &mut Vec<Note>) -> Result<Model, ScenarioError> {
    let policy = &group.policy;
    let instance = policy.instance.as_ref();
    let launched = launched(group);
    let default = Model::default();
    let needs_queue = (0..policy.metrics.len())
        .any(|place| metric_of(group, place).is_some_and(|metric| metric.needs_queue()));
    let work = given.work.unwrap_or(if needs_queue {
        notes.push(Note::Queue);
        Work::Queue
    } else {
        Work::Requests
    });
    let mix = policy.mix.as_ref().or(given.live_mix.as_ref());
    let first_type = mix.and_then(|mix| mix.types.first());
    Ok(Model {
        boot: given.boot.unwrap_or_else(|| {
            let boot = launched.as_ref().map(|model| model.boot);
            let boot = boot.or_else(|| instance.and_then(|instance| instance.boot));
            boot.map_or(default.boot, Boot::Fixed)
        }),
        drain: given
            .drain
            .or(policy.scale_in.drain)
            .or_else(|| launched.as_ref().map(|model| model.drain))
            .unwrap_or(default.drain),
        throughput: Scenario::throughput(group, given)?,
        latency_s: given
            .latency_s
            .or_else(|| launched.as_ref().map(|model| model.latency_s))
            .unwrap_or(default.latency_s),
        weight: first_type
            .and_then(|first| first.weight)
            .unwrap_or(1)
            .max(1),
        order: policy.scale_in.order,
        rebalance: mix.is_some_and(|mix| mix.rebalance == Some(true)),
        work,
        faults: given.faults,
        noise: given.noise,
        seed: given.seed,
    })
}

fn notes(group: &Group, trace: &Trace) -> Vec<Note> {
    let mut notes = Vec::new();
    let every = group.policy.every;
    if trace.step() > every {
        notes.push(Note::Coarse {
            step: trace.step(),
            every,
        });
    }
    if !trace.lower_bounds().is_empty() {
        notes.push(Note::LowerBounds(trace.lower_bounds().len()));
    }
    if trace.filled() > 0 {
        notes.push(Note::Filled(trace.filled()));
    }
    if group.policy.forecast.is_some() {
        notes.push(Note::NoForecast);
    }
    if group.controller == Controller::Native {
        notes.push(Note::Native);
    }
    if let Some(name) = backlog_as_load(group) {
        notes.push(Note::BacklogAsLoad(name.clone()));
    }
    debug_assert!(group.policy.metrics.iter().all(|metric| matches!(
        metric.source,
        MetricSource::Query(_) | MetricSource::Formula(_)
    )));
    notes
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use tideform_policies::model::units::format_duration;
        let steps = |n: usize| if n == 1 { "step" } else { "steps" };
        match self {
            Note::Coarse { step, every } => write!(
                f,
                "bursts inside a step are invisible: the trace has a value every {}, and the policy decides every {}",
                format_duration(*step),
                format_duration(*every)
            ),
            Note::Unknown(names) => write!(
                f,
                "left out of the decisions, since they do not follow from load and capacity: {}",
                names.join(", ")
            ),
            Note::NoForecast => f.write_str("the policy's forecast is not simulated: it sets no floor here"),
            Note::Native => f.write_str(
                "the group is scaled by the cloud's own policies: what is simulated is Amazon EC2 Auto Scaling with what \
                 `apply` writes",
            ),
            Note::LowerBounds(n) => write!(
                f,
                "in {n} {} the load is a lower bound: the group was at its limit when it was recorded",
                steps(*n)
            ),
            Note::Filled(n) => write!(f, "{n} {} that the trace lacks were filled in", steps(*n)),
            Note::Queue => f.write_str("load that cannot be served waits in a queue, since the policy looks at one"),
            Note::BacklogAsLoad(name) => write!(
                f,
                "`{name}` is what waits, and not what arrives, so it is no load: name a metric of arrivals in `instance {{ load }}`"
            ),
            Note::NoPrice => f.write_str(
                "no price is known, so an instance-hour counts as 1 USD; set `instance { price_usd_per_hour }`",
            ),
            Note::Recorded(source) => write!(f, "the load is {source}, as it was recorded"),
            Note::InUnits => f.write_str(
                "nothing says what load one instance carries, so the load is counted in instances at full use",
            ),
            Note::Said(text) => f.write_str(text),
            Note::NoLimits => f.write_str("the policy has no limits, and none bind it here"),
        }
    }
}
