//! Where tideform decides otherwise than the HPA on purpose, and none of the HPA's own cases shows it.
//!
//! Both answers are worked out: the HPA's by the algorithms that README.md states, tideform's by asking it.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::hpa::{ago, count, group, recommendations, tracked, wish};
use super::reference::hpa as states;
use super::support::{Because, decide, load, shown};

/// One such question.
pub(crate) struct Apart {
    name: &'static str,
    pub(crate) because: &'static Because,
    theirs: fn() -> Option<i64>,
    ours: &'static str,
    /// Metrics, rules of growing and of shrinking; and the observation.
    ask: fn() -> (Vec<String>, String, String, Value),
}

pub(crate) fn trials() -> Vec<Trial> {
    LIST.iter()
        .map(|apart| {
            Trial::test(format!("hpa_apart::{}", apart.name), || {
                let (metrics, scale_out, scale_in, observation) = (apart.ask)();
                let policy = load(&group(&metrics, &scale_out, &scale_in))?;
                let decision = decide(&policy, &observation)?;
                let ours = count(&decision);
                let theirs = match (apart.theirs)() {
                    Some(count) => count.to_string(),
                    None => "no recommendation".to_owned(),
                };
                if ours == apart.ours && ours != theirs {
                    return Ok(());
                }
                Err(format!(
                    "tideform says {ours}; it is listed with {}, the peer says {theirs}\n{}",
                    apart.ours,
                    shown(&policy, &observation, &decision)
                )
                .into())
            })
        })
        .collect()
}

const TENTH: states::Tolerance = states::Tolerance { down: 100, up: 100 };

fn tenth() -> Value {
    json!({ "down": 0.1, "up": 0.1 })
}

fn at_once() -> String {
    "    stabilization = \"0s\"\n".to_owned()
}

fn window(seconds: u32) -> String {
    format!("    stabilization = \"{seconds}s\"\n")
}

/// A metric that stands still for two minutes.
fn load_of(more: &str, target: i64, tolerance: &Value) -> Vec<String> {
    vec![tracked("load", more, target, tolerance)]
}

fn samples(value: f64, age: i64) -> Value {
    json!({ "samples": [{ "at": ago(age), "value": value }] })
}

fn ready_pod(value: i64) -> states::Pod {
    states::Pod {
        is_gone: false,
        is_pending: false,
        started_ago: Some(3_600),
        readiness: Some((true, 3_600)),
        value: Some(value),
        request: Some(100),
    }
}

fn per_pod(
    is_utilization: bool,
    current: i64,
    target: i128,
    tolerance: states::Tolerance,
    pods: Vec<states::Pod>,
) -> Option<i64> {
    let asked = states::PerPod {
        is_utilization,
        current,
        target,
        tolerance,
        pods,
        gate: None,
    };
    states::per_pod(&asked, states::Ours::default())
}

/// Rules that limit nothing.
fn free(window: i64) -> states::Rules {
    states::Rules {
        select: states::Select::Max,
        policies: vec![states::Policy {
            is_percent: false,
            value: 1_000_000,
            period: 1,
        }],
        window,
    }
}

fn behavior(up_window: i64, down_window: i64, min: i64, max: i64) -> states::Behavior {
    states::Behavior {
        up: free(up_window),
        down: free(down_window),
        min,
        max,
    }
}

pub(crate) static LIST: &[Apart] = &[
    Apart {
        name: "above_the_target_never_fewer",
        because: &ONE_WAY,
        theirs: || Some(states::value(30, 20, TENTH, 5, 2, false)),
        ours: "5",
        ask: || {
            let observation = json!({
                "now": ago(0),
                "group": { "desired": 5, "instances": [{ "id": "a" }, { "id": "b" }] },
                "metrics": { "load": samples(30.0, 0) },
            });
            let metrics = load_of("scope = \"shared\"", 20, &tenth());
            (metrics, at_once(), at_once(), observation)
        },
    },
    Apart {
        name: "a_count_of_zero_is_raised_to_the_minimum",
        because: &AT_ZERO,
        theirs: || {
            let mut past = states::Past::default();
            let behavior = behavior(0, 0, 2, 9);
            Some(states::reconcile(&[Some(4)], &behavior, &mut past, 0, 0))
        },
        ours: "4",
        ask: || wished(0, 4, (2, 9), json!([]), (0, 0)),
    },
    Apart {
        name: "above_the_maximum_the_metrics_still_count",
        because: &OUT_OF_BOUNDS,
        theirs: || {
            let mut past = states::Past::default();
            let behavior = behavior(0, 0, 2, 9);
            Some(states::reconcile(&[Some(4)], &behavior, &mut past, 12, 0))
        },
        ours: "4",
        ask: || wished(12, 4, (2, 9), json!([]), (0, 0)),
    },
    Apart {
        name: "a_mean_is_exact",
        because: &EXACT,
        theirs: || {
            let none = states::Tolerance { down: 0, up: 0 };
            let pods = vec![ready_pod(10), ready_pod(11)];
            per_pod(false, 2, 10, none, pods)
        },
        ours: "3",
        ask: || {
            let observation = json!({
                "now": ago(0),
                "group": { "desired": 2, "instances": [{ "id": "a" }, { "id": "b" }] },
                "metrics": { "load": { "at": ago(0), "per_instance": { "a": 10, "b": 11 } } },
            });
            let metrics = load_of("period = \"1m\"", 10, &json!({ "down": 0.0, "up": 0.0 }));
            (metrics, at_once(), at_once(), observation)
        },
    },
    Apart {
        name: "a_stale_sample_is_no_data",
        because: &STALE,
        theirs: || Some(states::value(40, 20, TENTH, 2, 2, false)),
        ours: "no recommendation",
        ask: || {
            let observation = json!({
                "now": ago(0), "group": { "desired": 2 },
                "metrics": { "load": samples(40.0, 181) },
            });
            let metrics = load_of("period = \"1m\"", 20, &tenth());
            (metrics, at_once(), at_once(), observation)
        },
    },
    Apart {
        name: "what_has_failed_needs_no_request",
        because: &STRANGERS,
        theirs: || {
            let failed = states::Pod {
                is_gone: true,
                request: None,
                ..ready_pod(0)
            };
            per_pod(true, 1, 30, TENTH, vec![ready_pod(60), failed])
        },
        ours: "2",
        ask: || {
            let observation = json!({
                "now": ago(0),
                "group": {
                    "desired": 1, "instances": [{ "id": "a" }, { "id": "b", "state": "unhealthy" }],
                },
                "metrics": { "load": {
                    "at": ago(0), "per_instance": { "a": 60 }, "of": { "a": 100 },
                } },
            });
            let metrics = load_of("period = \"1m\"", 30, &tenth());
            (metrics, at_once(), at_once(), observation)
        },
    },
    Apart {
        name: "a_shared_value_says_nothing_where_nothing_is_ready",
        because: &NONE_READY,
        theirs: || Some(states::value(5, 20, TENTH, 3, 0, false)),
        ours: "no recommendation",
        ask: || {
            let observation = json!({
                "now": ago(0),
                "group": { "desired": 3, "instances": [] },
                "metrics": { "load": samples(5.0, 0) },
            });
            let metrics = load_of("scope = \"shared\"", 20, &tenth());
            (metrics, at_once(), at_once(), observation)
        },
    },
    Apart {
        name: "a_rate_counts_every_change_within_its_period",
        because: &EVENTS,
        theirs: || {
            let mut behavior = behavior(0, 0, 0, 1_000);
            behavior.up.policies = vec![states::Policy {
                is_percent: false,
                value: 2,
                period: 600,
            }];
            behavior.down.policies[0].period = 15;
            let mut past = states::Past::default();
            // Five were removed, and a little later another two.
            states::store(20, 15, &behavior, &mut past, -60);
            states::store(15, 13, &behavior, &mut past, -10);
            Some(states::rate(90, &behavior, &past, 13, 0).0)
        },
        ours: "22",
        ask: || {
            let (metrics, _, scale_in, mut observation) =
                wished(13, 90, (0, 1_000), json!([]), (0, 0));
            observation["memory"]["actions"] = json!([
                { "at": ago(60), "from": 20, "to": 15 }, { "at": ago(10), "from": 15, "to": 13 },
            ]);
            let scale_out = format!(
                "{}    rate {{\n      add = 2\n      per = \"10m\"\n    }}\n",
                at_once()
            );
            (metrics, scale_out, scale_in, observation)
        },
    },
    Apart {
        name: "without_data_the_present_count_is_recommended",
        because: &WITHOUT_DATA,
        theirs: || {
            let behavior = behavior(0, 300, 0, 1_000);
            let mut past = states::Past::default();
            states::reconcile(&[Some(8)], &behavior, &mut past, 8, -400);
            states::reconcile(&[None], &behavior, &mut past, 8, -200);
            Some(states::reconcile(&[Some(3)], &behavior, &mut past, 8, 0))
        },
        ours: "8",
        // The log that a decision without data leaves 200 s ago.
        ask: || {
            let (metrics, scale_out, scale_in, observation) =
                wished(8, 3, (0, 1_000), json!([]), (0, 300));
            let policy = load(&group(&metrics, &scale_out, &scale_in)).expect("a policy");
            let mut before = observation.clone();
            before["now"] = ago(200).into();
            before["metrics"] = json!({});
            before["memory"]["recommendations"] = recommendations(&json!([
                { "replicas": 8, "age_s": 400 },
            ]));
            let memory = decide(&policy, &before).expect("a decision").memory;
            let mut observation = observation;
            observation["memory"] = serde_json::to_value(&memory).expect("JSON");
            (metrics, scale_out, scale_in, observation)
        },
    },
    Apart {
        name: "an_earlier_recommendation_never_scales_out",
        because: &NO_BEHAVIOR,
        // Without `behavior`: the largest of the new one and the log.
        theirs: || Some(states::stabilize_down_only(3, &[(5, 60)], 300)),
        ours: "3",
        ask: || {
            let log = recommendations(&json!([{ "replicas": 5, "age_s": 60 }]));
            wished(2, 3, (0, 1_000), log, (0, 300))
        },
    },
    Apart {
        name: "a_recommendation_as_old_as_the_window_no_longer_counts",
        because: &NO_BEHAVIOR,
        theirs: || Some(states::stabilize_down_only(3, &[(5, 300)], 300)),
        ours: "3",
        ask: || {
            let log = recommendations(&json!([{ "replicas": 5, "age_s": 300 }]));
            wished(5, 3, (0, 1_000), log, (0, 300))
        },
    },
];

/// A plain wish.
fn wished(
    current: u32,
    wanted: u32,
    limits: (u32, u32),
    log: Value,
    windows: (u32, u32),
) -> (Vec<String>, String, String, Value) {
    let observation = json!({
        "now": ago(0),
        "group": { "desired": current, "limits": { "min": limits.0, "max": limits.1 } },
        "metrics": { "wish": samples(f64::from(wanted), 0) },
        "memory": { "recommendations": log },
    });
    (
        vec![wish()],
        window(windows.0),
        window(windows.1),
        observation,
    )
}

static ONE_WAY: Because = Because {
    what: "Above the target never fewer, below it never more",
    why: "The HPA multiplies the ratio by the pods that are ready. With fewer ready than asked for, a ratio above 1 can so \
          give less than the present count, and with more of them one below 1 can give more. Here both keep the count.",
};
static AT_ZERO: Because = Because {
    what: "A count of 0 below the minimum is raised",
    why: "In the HPA a count of 0 with a minimum above 0 means switched off. Here floors are always reached at once; \
          `tideform pause` switches a group off.",
};
static OUT_OF_BOUNDS: Because = Because {
    what: "Outside the limits the metrics still count",
    why: "Above its maximum or below its minimum the HPA goes to that bound and asks the metrics in the next round. Here \
          both happen in one decision, and a floor is reached past all rates and windows.",
};
static EXACT: Because = Because {
    what: "Means and ratios are exact",
    why: "The HPA cuts a mean to a whole thousandth and works in binary fractions: 25 pods at 110 against 50 become 56. \
          Here they become 55. Percentages of requests are cut to whole ones as in the HPA.",
};
static STALE: Because = Because {
    what: "A sample that is older than three periods is no data",
    why: "The HPA takes any sample that the metrics API serves, however old it is.",
};
static STRANGERS: Because = Because {
    what: "Samples and requests of what is not in the group, or has failed, count nowhere",
    why: "In the HPA a sample of a pod outside of the group enters the mean, and a failed pod without a request keeps the \
          whole group from scaling.",
};
static NONE_READY: Because = Because {
    what: "A shared value says nothing where nothing is ready",
    why: "The HPA multiplies by the pods that are ready, and so removes all of a group that has none.",
};
static EVENTS: Because = Because {
    what: "Every rate counts every change within its period",
    why: "The HPA overwrites an event that is too old for its own direction's rates, although a rate of the other \
          direction may look back further.",
};
static WITHOUT_DATA: Because = Because {
    what: "A decision without data recommends what is there",
    why: "The HPA logs nothing in a round whose metrics failed. Here the present count is remembered as recommended, so that \
          neither direction moves on what was measured before a gap: after it a window starts anew.",
};
static NO_BEHAVIOR: Because = Because {
    what: "An earlier recommendation never scales out",
    why: "Without `behavior` the HPA takes the largest recommendation of the last five minutes, also where that is above the \
          present count and the newest wish. Here stabilization only holds back, as it does in the HPA with `behavior`; and \
          a recommendation exactly as old as the window no longer counts.",
};
