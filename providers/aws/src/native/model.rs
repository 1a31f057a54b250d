//! The controls of an Auto Scaling group as plain data: made from the files, or read back from AWS, and compared.
//!
//! Both ways end in the same types, so that what was applied and read back is equal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tideform_provider::Settings;

/// A policy or scheduled action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Native {
    /// A target tracking policy.
    TargetTracking(Tracking),
    /// A step policy and its alarm.
    StepScaling(Stepping),
    /// Predictive scaling.
    PredictiveScaling(Predicting),
    /// A scheduled action.
    Scheduled(Scheduled),
}

/// A target tracking policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tracking {
    pub(crate) metric: Measured,
    /// In AWS's unit: requests a minute where ours is requests a second.
    pub(crate) target: f64,
    pub(crate) scale_in: bool,
}

/// What a policy or an alarm looks at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measured {
    /// One that AWS knows by name.
    Predefined {
        name: String,
        /// `app/<balancer>/<id>/targetgroup/<group>/<id>`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
    },
    /// One series.
    Series(SeriesSpec),
    /// Metric math: the last one is what counts.
    Math(Vec<MathQuery>),
}

/// One series of CloudWatch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeriesSpec {
    pub(crate) namespace: String,
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) dimensions: BTreeMap<String, String>,
    pub(crate) statistic: String,
    /// `None`: AWS's own, a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) period_s: Option<i32>,
}

/// One query of metric math.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MathQuery {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) what: MathTerm,
}

/// A series or an expression over others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MathTerm {
    Series(SeriesSpec),
    Expression(String),
}

/// A step policy and its alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stepping {
    /// `ChangeInCapacity`, `PercentChangeInCapacity`, `ExactCapacity`.
    pub(crate) adjustment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min_adjustment: Option<i32>,
    /// Relative to the alarm's threshold.
    pub(crate) steps: Vec<StepSpec>,
    /// `None`: the policy has no alarm. Only read, never wanted.
    pub(crate) alarm: Option<AlarmSpec>,
}

/// One step, its bounds relative to the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lower: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upper: Option<f64>,
    pub(crate) adjustment: i32,
}

/// The alarm of a step policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AlarmSpec {
    /// `None`: the policy's. That of an adopted policy may have one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) metric: Measured,
    /// `GreaterThanOrEqualToThreshold` or `LessThanOrEqualToThreshold`; an adopted one may look past its threshold only.
    pub(crate) comparison: String,
    pub(crate) threshold: f64,
    pub(crate) periods: i32,
    pub(crate) breaching: i32,
    /// `missing`, `breaching`, `notBreaching`, `ignore`.
    pub(crate) missing: String,
}

/// Predictive scaling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Predicting {
    pub(crate) target: f64,
    /// Load, per instance, and capacity; or a pair that AWS knows by name.
    pub(crate) load: Measured,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scaling: Option<Measured>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) capacity: Option<Measured>,
    /// `ForecastAndScale` or `ForecastOnly`.
    pub(crate) mode: String,
    pub(crate) buffer_s: i32,
}

/// A scheduled action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scheduled {
    /// Recurring, by cron.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cron: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timezone: Option<String>,
    /// Once, at this second since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<jiff::Timestamp>,
    /// `None`: left as it is. Only read, never wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<i32>,
    /// `None`: left as it is. Only read, never wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<i32>,
    /// The capacity that it asks for. Only read, never wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) desired: Option<i32>,
    /// After this it does not act any more. Only read, never wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<jiff::Timestamp>,
}

impl Predicting {
    /// The same, that only predicts.
    pub(crate) fn only_forecasting(self) -> Predicting {
        Predicting {
            mode: "ForecastOnly".to_owned(),
            ..self
        }
    }
}

impl Native {
    /// As the map that everyone else compares and shows.
    pub(crate) fn settings(&self) -> Settings {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map.into_iter().collect(),
            _ => Settings::new(),
        }
    }

    /// Back from the map.
    ///
    /// # Errors
    /// What is wrong with it: a plan that was saved by another version.
    pub(crate) fn of(settings: &Settings) -> Result<Native, serde_json::Error> {
        serde_json::from_value(Value::Object(settings.clone().into_iter().collect()))
    }

    /// Takes the name that its alarm has now: whoever made it anew chose that.
    pub(super) fn rename_alarm(&mut self, there: &Native) {
        if let (Native::StepScaling(own), Native::StepScaling(there)) = (self, there)
            && let (Some(own), Some(there)) = (&mut own.alarm, &there.alarm)
        {
            own.name.clone_from(&there.name);
        }
    }

    /// For people.
    pub(crate) fn summary(&self) -> String {
        match self {
            Native::TargetTracking(tracking) => {
                format!(
                    "target tracking, {} at {}",
                    tracking.metric, tracking.target
                )
            }
            Native::StepScaling(stepping) => {
                let steps = stepping
                    .steps
                    .iter()
                    .filter(|step| step.adjustment != 0)
                    .count();
                let steps = if steps == 1 {
                    "1 step".to_owned()
                } else {
                    format!("{steps} steps")
                };
                match &stepping.alarm {
                    Some(alarm) => format!(
                        "step scaling, {steps}, {} {} {}",
                        alarm.metric,
                        if alarm.comparison.starts_with("Less") {
                            "at or below"
                        } else {
                            "at or above"
                        },
                        alarm.threshold
                    ),
                    None => format!("step scaling, {steps}, without an alarm"),
                }
            }
            Native::PredictiveScaling(predicting) => format!(
                "predictive scaling, {} at {} an instance{}",
                predicting.load,
                predicting.target,
                if predicting.mode == "ForecastOnly" {
                    ", only observing"
                } else {
                    ""
                }
            ),
            Native::Scheduled(scheduled) => {
                let limits = [
                    ("min", scheduled.min),
                    ("max", scheduled.max),
                    ("desired", scheduled.desired),
                ]
                .into_iter()
                .filter_map(|(name, number)| Some(format!("{name} {}", number?)))
                .collect::<Vec<_>>()
                .join(", ");
                match (&scheduled.cron, scheduled.at) {
                    (Some(cron), _) => format!(
                        "`{cron}` {}: {limits}",
                        scheduled.timezone.as_deref().unwrap_or("UTC")
                    ),
                    (None, Some(at)) => format!("at {at}: {limits}"),
                    (None, None) => limits,
                }
            }
        }
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Measured::Predefined { name, .. } => f.write_str(match name.as_str() {
                "ASGAverageCPUUtilization" => "cpu",
                "ASGAverageNetworkIn" => "network_in",
                "ASGAverageNetworkOut" => "network_out",
                "ALBRequestCountPerTarget" => "requests a minute",
                other => other,
            }),
            Measured::Series(series) => write!(f, "{} {}", series.namespace, series.name),
            Measured::Math(queries) => match queries.last().map(|query| &query.what) {
                Some(MathTerm::Expression(expression)) => write!(f, "`{expression}`"),
                _ => f.write_str("metric math"),
            },
        }
    }
}
