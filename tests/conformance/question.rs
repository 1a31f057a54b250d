//! Questions in the public language: HCL for a group of rules, JSON for what is observed of it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tideform::engine::Decision;

use super::support::{self, Policy};

/// The most that a count in a policy may be.
pub(crate) const MOST: u64 = 1_000_000;

/// A group with these rules, and nothing that holds a move back.
pub(crate) fn group(rules: &str) -> String {
    format!(
        "provider \"mock\" {{}}\n\
         group \"peer\" {{\n\
         provider = provider.mock\n\
         resource \"asg\" {{ name = \"peer\" }}\n\
         {rules}\n\
         }}\n"
    )
}

/// `scale_out` and `scale_in` with these cooldowns, in seconds, and no look-back.
pub(crate) fn moves(cooldown_out: i64, cooldown_in: i64) -> String {
    format!(
        "scale_out {{\n  cooldown = \"{cooldown_out}s\"\n  stabilization = \"0s\"\n}}\n\
         scale_in {{\n  cooldown = \"{cooldown_in}s\"\n  stabilization = \"0s\"\n}}"
    )
}

/// One metric of a question.
pub(crate) struct Metric {
    pub(crate) name: String,
    /// The attributes and blocks of the metric, in HCL.
    pub(crate) body: String,
    /// A minute apart, oldest first, the newest now. Empty: it is not in the observation.
    pub(crate) samples: Vec<f64>,
}

impl Metric {
    pub(crate) fn new(name: &str, body: impl Into<String>, samples: &[f64]) -> Metric {
        Metric {
            name: name.to_owned(),
            body: body.into(),
            samples: samples.to_vec(),
        }
    }

    /// The metric is a capacity itself.
    pub(crate) fn wants(name: &str, capacity: f64) -> Metric {
        Metric::new(name, "want = true", &[capacity])
    }

    /// It has data and no opinion: no step is at its value.
    pub(crate) fn abstains(name: &str) -> Metric {
        Metric::new(name, "step {\n  above = 100\n  add = 1\n}", &[0.0])
    }

    /// It should have data, and has none.
    pub(crate) fn fails(name: &str) -> Metric {
        Metric::new(name, "want = true", &[])
    }
}

/// What is asked: rules, and the group that they meet.
pub(crate) struct Question {
    pub(crate) metrics: Vec<Metric>,
    /// Last asked for.
    pub(crate) desired: u64,
    /// Past their warm-up; the others of `desired` are starting.
    pub(crate) ready: u64,
    pub(crate) min: u64,
    pub(crate) max: u64,
    /// After a scale-out, and before a scale-in, in seconds.
    pub(crate) cooldowns: (i64, i64),
    /// Changes of before: so many seconds ago, from, to.
    pub(crate) actions: Vec<(i64, u64, u64)>,
}

impl Question {
    pub(crate) fn new(desired: u64, metrics: Vec<Metric>) -> Question {
        Question {
            metrics,
            desired,
            ready: desired,
            min: 0,
            max: MOST,
            cooldowns: (0, 0),
            actions: Vec::new(),
        }
    }

    pub(crate) fn hcl(&self) -> String {
        let mut rules = moves(self.cooldowns.0, self.cooldowns.1);
        rules.push_str("\nwarmup = \"3m\"");
        for metric in &self.metrics {
            rules.push_str(&format!(
                "\nmetric \"{}\" {{\n{}\n}}",
                metric.name, metric.body
            ));
        }
        group(&rules)
    }

    fn observation(&self) -> Value {
        let ago = |seconds: i64| (now() - SignedDuration::from_secs(seconds)).to_string();
        let mut metrics = Map::new();
        for metric in self.metrics.iter().filter(|m| !m.samples.is_empty()) {
            let newest = metric.samples.len() as i64 - 1;
            let samples: Vec<Value> = metric
                .samples
                .iter()
                .zip(0..)
                .map(|(value, place)| json!({ "at": ago(60 * (newest - place)), "value": value }))
                .collect();
            metrics.insert(metric.name.clone(), json!({ "samples": samples }));
        }
        let actions: Vec<Value> = self
            .actions
            .iter()
            .map(|(age, from, to)| {
                json!({ "at": ago(*age), "from": from, "to": to, "by": "tideform" })
            })
            .collect();
        let mut group = json!({
            "desired": self.desired,
            "limits": { "min": self.min, "max": self.max },
        });
        if self.ready != self.desired {
            let instances: Vec<Value> = (0..self.ready.max(self.desired))
                .map(|n| {
                    let (state, age) = if n < self.ready {
                        ("in_service", 3600)
                    } else {
                        ("pending", 60)
                    };
                    json!({
                        "id": format!("i-{n}"), "state": state, "launched_at": ago(age),
                        "lifecycle": "on_demand",
                    })
                })
                .collect();
            group["instances"] = Value::from(instances);
        }
        json!({
            "now": now().to_string(),
            "group": group,
            "metrics": metrics,
            "memory": {
                "actions": actions,
                // Seen before, so that its present size is no recommendation.
                "recommendations": [{ "at": ago(7200), "desired": self.desired }],
            },
        })
    }

    /// Asks, and shows for whoever reads a failure what was asked and why it was answered so.
    pub(crate) fn ask(&self) -> Result<Asked, String> {
        let policy: Policy = support::load(&self.hcl())?;
        let observation = self.observation();
        let decision = support::decide(&policy, &observation)?;
        let shown = support::shown(&policy, &observation, &decision);
        Ok(Asked { decision, shown })
    }

    /// The capacity that is decided on.
    pub(crate) fn desired(&self) -> Result<(u64, String), String> {
        let asked = self.ask()?;
        Ok((asked.desired(), asked.shown))
    }
}

/// A decision, and how it came about.
pub(crate) struct Asked {
    pub(crate) decision: Decision,
    pub(crate) shown: String,
}

impl Asked {
    pub(crate) fn desired(&self) -> u64 {
        u64::from(self.decision.desired.get())
    }

    /// Some reason of this kind was given.
    pub(crate) fn has(&self, kind: &str) -> bool {
        self.decision.reasons.iter().any(|r| r.kind() == kind)
    }
}

/// The time of every question.
pub(crate) fn now() -> Timestamp {
    "2026-01-05T12:00:00Z".parse().expect("a time")
}
