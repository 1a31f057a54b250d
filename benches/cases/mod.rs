//! Groups whose decisions are measured, each with a world that moves on minute by minute.
//!
//! Shared by the benches and by the test that counts allocations. The policies are in `policies/groups.hcl`.

mod groups;

use jiff::{SignedDuration, Timestamp};
use tideform::engine::{
    Action, Decision, Memory, Nearest, Observation, Outcome, Rules, decide, decide_quiet, nearest,
};
use tideform_policies::model::{
    Capacity, Instance, InstanceSample, InstanceState, Lifecycle, MetricReading, MetricSource,
    Sample,
};

pub(crate) use groups::group;

/// The groups that are measured, by name.
pub(crate) const MEASURED: [&str; 4] = [
    "one_track",
    "five_metrics",
    "per_instance",
    "schedules_guards",
];

/// A group and its world.
pub(crate) struct Case {
    rules: Rules,
    seen: Observation,
    memory: Memory,
    minute: i64,
    has_gaps: bool,
}

impl Case {
    /// The group of this name, on a Monday at midnight.
    pub(crate) fn new(name: &str) -> Case {
        let rules = Rules::new(&group(name));
        let mut seen = Observation::of(&rules);
        seen.desired = Capacity(6);
        if name == "per_instance" {
            seen.desired = Capacity(100);
            seen.instances = Some((0..100).map(instance).collect());
        }
        Case {
            rules,
            seen,
            memory: Memory::default(),
            minute: 0,
            has_gaps: name == "rich",
        }
    }

    fn now(&self) -> Timestamp {
        let monday = Timestamp::from_second(1_767_571_200).unwrap_or(Timestamp::UNIX_EPOCH);
        monday + SignedDuration::from_mins(self.minute)
    }

    /// A minute passes, and every metric is sampled.
    pub(crate) fn feed(&mut self) {
        self.minute += 1;
        let now = self.now();
        let load = load(self.minute);
        let desired = f64::from(self.seen.desired.get().max(1));
        if let Some(instances) = &self.seen.instances {
            let share = load / 15.0;
            match self.seen.metrics.get_mut("cpu") {
                Some(MetricReading::PerInstance { at, values }) => {
                    *at = now;
                    for value in values {
                        value.value = Some(share);
                    }
                }
                _ => {
                    let values = instances.iter().map(|instance| InstanceSample {
                        id: instance.id.clone(),
                        value: Some(share),
                        of: None,
                    });
                    let reading = MetricReading::PerInstance {
                        at: now,
                        values: values.collect(),
                    };
                    self.seen.metrics.insert("cpu".into(), reading);
                }
            }
            return;
        }
        for (place, metric) in self.rules.group().policy.metrics.iter().enumerate() {
            let value = match &*metric.name {
                "cpu" => load / desired,
                "memory" => 40.0 + load / 50.0,
                "requests" => load * 2.0,
                "queue" => (load - 800.0).max(0.0) * 3.0,
                "latency" => load / 3_000.0,
                "errors" => {
                    if self.minute % 360 < 12 {
                        15.0
                    } else {
                        1.0
                    }
                }
                _ => continue,
            };
            // Five minutes of silence every 97, each metric at another time.
            let phase = (self.minute + 20 * i64::try_from(place).unwrap_or(0)) % 97;
            let is_silent = self.has_gaps && phase < 5;
            if matches!(metric.source, MetricSource::Query(_)) && !is_silent {
                self.seen
                    .metrics
                    .record(&self.rules, place, Sample { at: now, value });
            }
        }
    }

    /// Decides as a simulation does, and accepts the change.
    pub(crate) fn decide_quiet(&mut self) -> Outcome {
        let now = self.now();
        let outcome = decide_quiet(&self.rules, &self.seen, &mut self.memory, now);
        self.accept(now, outcome.desired);
        outcome
    }

    /// Decides as the loop does, finds what would have to differ for another answer, and accepts the change.
    pub(crate) fn explain(&mut self) -> (Decision, Nearest) {
        let now = self.now();
        let mut decision = decide(&self.rules, &self.seen, &self.memory, now);
        let nearest = nearest(&self.rules, &self.seen, &self.memory, now, &decision);
        self.memory = std::mem::take(&mut decision.memory);
        self.accept(now, decision.desired);
        (decision, nearest)
    }

    /// Decides as the loop does, and accepts the change.
    pub(crate) fn decide(&mut self) -> Decision {
        let now = self.now();
        let mut decision = decide(&self.rules, &self.seen, &self.memory, now);
        self.memory = std::mem::take(&mut decision.memory);
        self.accept(now, decision.desired);
        decision
    }

    fn accept(&mut self, now: Timestamp, desired: Capacity) {
        let before = std::mem::replace(&mut self.seen.desired, desired);
        self.memory
            .record(Action::by_tideform(now, before, desired));
    }
}

/// A day with a peak, and some noise that is the same on every run.
fn load(minute: i64) -> f64 {
    let from_noon = (minute % 1_440 - 720).abs() as f64;
    1_300.0 - from_noon * 1.2 + ((minute * 7_919) % 97) as f64
}

fn instance(n: i64) -> Instance {
    Instance {
        id: format!("i-{n:017x}").into(),
        state: InstanceState::InService,
        launched_at: Some(Timestamp::UNIX_EPOCH),
        in_service_at: Some(Timestamp::UNIX_EPOCH),
        lifecycle: Lifecycle::OnDemand,
        protected: false,
        instance_type: None,
        weight: 1,
        ready: None,
        ready_changed_at: None,
    }
}
