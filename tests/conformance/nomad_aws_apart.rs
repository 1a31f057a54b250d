//! Where tideform decides otherwise than a peer on purpose, and none of the peer's own cases shows it.
//!
//! Both answers are worked out: the peer's by the algorithm that README.md states, tideform's by asking it.

use libtest_mimic::Trial;

use super::aws;
use super::question::{Metric, Question};
use super::reference::{aws as aws_states, nomad};
use super::support::Because;

/// One such question.
pub(crate) struct Apart {
    /// The peer: the mark in the page.
    pub(crate) peer: &'static str,
    pub(crate) name: &'static str,
    pub(crate) because: &'static Because,
    /// The capacity that the peer comes to.
    theirs: fn() -> i128,
    ours: u64,
    question: fn() -> Question,
}

pub(crate) fn trials() -> Vec<Trial> {
    LIST.iter()
        .map(|apart| {
            Trial::test(format!("nomad_aws_apart::{}", apart.name), || {
                let (desired, shown) = (apart.question)().desired()?;
                let theirs = (apart.theirs)();
                if i128::from(apart.ours) == theirs {
                    return Err(format!("both come to {theirs}: nothing is apart").into());
                }
                if desired == apart.ours {
                    Ok(())
                } else {
                    Err(format!(
                        "tideform comes to {desired}; it is listed with {}, the peer comes to {theirs}\n{shown}",
                        apart.ours
                    )
                    .into())
                }
            })
        })
        .collect()
}

pub(crate) static LIST: &[Apart] = &[
    Apart {
        peer: "nomad",
        name: "a_fraction_that_is_wanted_is_rounded_up",
        because: &FRACTION,
        theirs: || {
            let strategy = nomad::Strategy::PassThrough { limits: NO_LIMITS };
            nomad_alone(&strategy, 1, &[250])
        },
        ours: 3,
        question: || Question::new(1, vec![Metric::wants("m", 2.5)]),
    },
    Apart {
        peer: "nomad",
        name: "a_percentage_that_adds_is_cut",
        because: &PERCENTAGE,
        theirs: || nomad_alone(&percentage(15), 10, &[0]),
        ours: 11,
        question: || Question::new(10, vec![in_band("add = \"15%\"")]),
    },
    Apart {
        peer: "nomad",
        name: "a_percentage_that_removes_is_at_least_one",
        because: &PERCENTAGE,
        theirs: || nomad_alone(&percentage(-10), 3, &[0]),
        ours: 2,
        question: || Question::new(3, vec![in_band("remove = \"10%\"")]),
    },
    Apart {
        peer: "nomad",
        name: "at_zero_a_mean_over_instances_says_nothing",
        because: &AT_ZERO,
        theirs: || {
            let strategy = nomad::Strategy::TargetValue {
                target: 1000,
                threshold: 100,
                limits: NO_LIMITS,
            };
            nomad_alone(&strategy, 0, &[2500])
        },
        ours: 0,
        question: || Question::new(0, vec![Metric::new("m", "track { target = 10 }", &[25.0])]),
    },
    Apart {
        peer: "nomad",
        name: "bounds_are_kept_also_where_no_metric_asks_for_a_change",
        because: &BOUNDS,
        theirs: || {
            let none = nomad::Action {
                direction: nomad::Direction::None,
                count: 2,
            };
            nomad::count_after(2, nomad::winner(&[(None, Some(none))], 5, 9))
        },
        ours: 5,
        question: || Question {
            min: 5,
            max: 9,
            ..Question::new(2, vec![Metric::wants("m", 2.0)])
        },
    },
    Apart {
        peer: "nomad",
        name: "a_group_of_checks_that_all_say_none_vetoes_nothing",
        because: &GROUPS,
        theirs: || {
            let action = |direction, count| Some(nomad::Action { direction, count });
            let checks = [
                (Some("g"), action(nomad::Direction::None, 5)),
                (Some("g"), action(nomad::Direction::None, 5)),
                (Some("h"), action(nomad::Direction::Down, 3)),
            ];
            nomad::count_after(5, nomad::winner(&checks, 0, 9))
        },
        ours: 3,
        question: || {
            let quiet = ["a", "b"].map(Metric::abstains);
            let mut metrics = Vec::from(quiet);
            metrics.push(Metric::wants("c", 3.0));
            Question::new(5, metrics)
        },
    },
    Apart {
        peer: "nomad",
        name: "a_scale_out_does_not_wait_for_the_cooldown_of_a_scale_in",
        because: &COOLDOWN,
        // During a cooldown nothing is done.
        theirs: || 3,
        ours: 5,
        question: || Question {
            cooldowns: (600, 600),
            actions: vec![(60, 4, 3)],
            ..Question::new(3, vec![Metric::wants("m", 5.0)])
        },
    },
    Apart {
        peer: "aws",
        name: "a_high_value_never_removes",
        because: &EXACT,
        theirs: || aws_states::adjusted(10, aws_states::Adjustment::Exact(5)),
        ours: 10,
        question: || {
            let steps = "step {\n  above = 50\n  set = 5\n}";
            Question::new(10, vec![Metric::new("m", steps, &[60.0])])
        },
    },
    Apart {
        peer: "aws",
        name: "a_percentage_of_nothing_is_one",
        because: &NOTHING,
        theirs: || aws_states::adjusted(0, aws_states::Adjustment::Percent(5_000, None)),
        ours: 1,
        question: || {
            let steps = "scope = \"group\"\nstep {\n  above = 50\n  add = \"50%\"\n}";
            Question::new(0, vec![Metric::new("m", steps, &[60.0])])
        },
    },
    Apart {
        peer: "aws",
        name: "a_larger_scale_out_waits_for_the_cooldown",
        because: &LARGER,
        theirs: || aws_states::during_cooldown(12, 2, 4),
        ours: 12,
        question: || {
            let steps = "step {\n  above = 50\n  add = 2\n}\nstep {\n  above = 80\n  add = 4\n}";
            Question {
                cooldowns: (300, 0),
                actions: vec![(60, 10, 12)],
                ..Question::new(12, vec![Metric::new("m", steps, &[90.0])])
            }
        },
    },
    Apart {
        peer: "aws",
        name: "a_target_has_a_tolerance",
        because: &TOLERANCE,
        theirs: || {
            aws_states::desired(
                &[(aws_states::Policy::Target(6_000), 6_300)],
                aws_states::Group {
                    in_service: 10,
                    desired: 10,
                    min: 0,
                    max: 100,
                },
            )
        },
        ours: 10,
        question: || Question::new(10, vec![Metric::new("m", "track { target = 60 }", &[63.0])]),
    },
    Apart {
        peer: "aws",
        name: "a_metric_without_data_keeps_what_another_would_remove",
        because: &INSUFFICIENT,
        // An alarm without data is not in its state, and so its policy has no say.
        theirs: || aws_states::adjusted(10, aws_states::Adjustment::Change(-3)),
        ours: 10,
        question: || {
            let steps = "step {\n  below = 50\n  remove = 3\n}";
            let metrics = vec![
                Metric::new("m", steps, &[40.0]),
                Metric::new("failing", aws::tracked(60.0), &[]),
            ];
            Question::new(10, metrics)
        },
    },
];

const NO_LIMITS: nomad::ChangeLimits = nomad::ChangeLimits {
    up: None,
    down: None,
};

fn percentage(by: i128) -> nomad::Strategy {
    nomad::Strategy::Threshold {
        lower: Some(0),
        upper: None,
        trigger: 1,
        change: nomad::Change::Percentage(by),
    }
}

fn in_band(adjustment: &str) -> Metric {
    Metric::new("m", format!("step {{\nfrom = 0\n{adjustment}\n}}"), &[0.0])
}

/// The count after one check.
fn nomad_alone(strategy: &nomad::Strategy, count: i128, samples: &[i128]) -> i128 {
    let check = (None, nomad::run(strategy, count, samples));
    nomad::count_after(count, nomad::winner(&[check], 0, 1_000))
}

static FRACTION: Because = Because {
    what: "A fraction that is wanted is rounded up",
    why: "`pass_through` cuts it. Who wants 2.5 instances has work for three.",
};

static PERCENTAGE: Because = Because {
    what: "Percentages are made whole as AWS makes them",
    why: "`threshold` rounds the new count up, so that 15 % of 10 adds two and a tenth of three removes none. tideform cuts \
          the change and makes it at least one, in both directions, so that one rule holds on every backend. \
          `min_adjustment` asks for more.",
};

static AT_ZERO: Because = Because {
    what: "At 0 a mean over instances says nothing",
    why: "`target_value` takes the metric over the target as the count there. In tideform a metric is either a total, with \
          `scope = \"group\"`, which leaves 0 by that very number, or a mean over instances, which nobody can have \
          measured on an empty group.",
};

static BOUNDS: Because = Because {
    what: "Limits are kept at once",
    why: "A check that says none starts no change there, also where the count lies outside of the bounds. tideform brings \
          the group between its limits whatever the metrics say.",
};

static GROUPS: Because = Because {
    what: "A metric that abstains vetoes nothing, alone or with others",
    why: "A group of checks that all say none keeps what another check would remove. tideform has no groups of metrics: a \
          step metric in no step abstains, as a none vote in a group does, and a tracked metric near its target wants the \
          present capacity, as a check outside of any group does. A step with `add = 0` says that nothing may go.",
};

static COOLDOWN: Because = Because {
    what: "Each direction has its own cooldown",
    why: "There nothing at all is done during a cooldown. In tideform a scale-out never waits for a scale-in: load that \
          comes back is answered. A scale-in waits its cooldown after a change in either direction, also after a scale-out \
          whose own cooldown is shorter.",
};

static EXACT: Because = Because {
    what: "A high value never removes",
    why: "With `set` on an `above` step the capacity is at least that number; AWS sets it also where that removes instances \
          while the alarm says that the load is high. On a `below` step `set` is exact, and so it is in a band \
          (`from`, `to`), which is how to write a number that holds in both directions.",
};

static NOTHING: Because = Because {
    what: "A percentage of nothing is one",
    why: "A share of an empty group is 0, and no such step would ever bring it back.",
};

static LARGER: Because = Because {
    what: "During a cooldown nothing more is added",
    why: "Application Auto Scaling adds what a larger step asks for beyond the increase that started the cooldown. In \
          tideform a cooldown holds its direction for as long as it says. Without a cooldown, capacity that is warming \
          counts as asked for, and a larger step asks for the difference at once: `warmup` does what is meant there.",
};

static TOLERANCE: Because = Because {
    what: "A target has a tolerance",
    why: "Of 10 % unless `tolerance` says otherwise, as the Kubernetes HPA has it; with `\"0%\"` every deviation is followed. \
          AWS documents no tolerance, and scales in more slowly than out in its own way.",
};

static INSUFFICIENT: Because = Because {
    what: "A metric without data keeps what another would remove",
    why: "An alarm of AWS without data does nothing, and other policies scale in. tideform does not know what the absent \
          metric would have asked for, so nothing is removed, unless `on_missing` gives it a number.",
};
