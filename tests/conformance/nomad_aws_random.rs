//! Random questions that both can be asked: tideform answers as the algorithms that README.md states do.
//!
//! What tideform decides otherwise on purpose is not asked, or is said next to the question.

use libtest_mimic::Trial;
use proptest::prelude::*;

use super::aws;
use super::question::{Metric, Question};
use super::random::check;
use super::reference::{aws as theirs, nomad};

/// Questions of a run for each property.
const CASES: u32 = 192;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("nomad_aws_random::nomad_checks_above_zero", || {
            check(CASES, &nomad_question(1..=50), nomad_answers)
        }),
        Trial::test("nomad_aws_random::nomad_checks_at_zero", || {
            check(CASES, &nomad_question(0..=0), nomad_answers)
        }),
        Trial::test("nomad_aws_random::nomad_check_without_data", || {
            check(CASES, &nomad_question(1..=50), nomad_without_data)
        }),
        Trial::test("nomad_aws_random::aws_policies", || {
            check(CASES, &aws_question(), aws_answers)
        }),
        Trial::test("nomad_aws_random::aws_step_of_a_metric", || {
            check(CASES, &aws_step(), aws_step_answers)
        }),
    ]
}

fn same(question: &Question, expected: i128) -> Result<(), String> {
    let (desired, shown) = question.desired()?;
    if i128::from(desired) == expected {
        Ok(())
    } else {
        Err(format!(
            "tideform comes to {desired}, the peer to {expected}\n{shown}"
        ))
    }
}

/// Hundredths as a number in HCL.
fn hundredths(n: i128) -> String {
    let sign = if n < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", n.abs() / 100, n.abs() % 100)
}

/// The same as the sample that both are given.
fn value(n: i128) -> f64 {
    n as f64 / 100.0
}

// Nomad.

#[derive(Clone, Debug)]
struct NomadQuestion {
    count: i128,
    min: i128,
    max: i128,
    checks: Vec<(nomad::Strategy, Vec<i128>)>,
}

fn nomad_question(counts: std::ops::RangeInclusive<i128>) -> impl Strategy<Value = NomadQuestion> {
    (counts, 0..10_i128, 0..60_i128).prop_flat_map(|(count, below, above)| {
        let (min, max) = ((count - below).max(0), (count + above).max(1));
        prop::collection::vec(nomad_check(count), 1..4).prop_map(move |checks| NomadQuestion {
            count,
            min,
            max,
            checks,
        })
    })
}

fn nomad_check(count: i128) -> impl Strategy<Value = (nomad::Strategy, Vec<i128>)> {
    let limits = || {
        (prop::option::of(0..20_i128), prop::option::of(0..20_i128))
            .prop_map(|(up, down)| nomad::ChangeLimits { up, down })
    };
    // Not a target of 0, which is refused. Often whole numbers, so that a sample can be at an end of the tolerance.
    let target = prop_oneof![1..10_000_i128, (1..100_i128).prop_map(|n| n * 100)];
    let threshold = prop_oneof![0..3_000_i128, (0..30_i128).prop_map(|n| n * 100)];
    let newest = (0..5_u8, sample(10_000));
    let target_value = (target, threshold, limits(), newest).prop_map(
        |(target, threshold, limits, (place, any))| {
            let newest = match place {
                0 => any,
                1 => target * (10_000 + threshold) / 10_000,
                2 => target * (10_000 - threshold) / 10_000,
                3 => target + any % (target / 2 + 1),
                _ => target - any % (target + 1),
            };
            let strategy = nomad::Strategy::TargetValue {
                target,
                threshold,
                limits,
            };
            (strategy, vec![newest])
        },
    );
    let change = prop_oneof![
        (-20..20_i128).prop_map(nomad::Change::Delta),
        (0..80_i128).prop_map(nomad::Change::Value),
        // Only where the share is whole: of others tideform takes AWS's rounding. And at 0 a share is one instance.
        (-100..200_i128).prop_map(move |percent| {
            if count > 0 && count * percent % 100 == 0 {
                nomad::Change::Percentage(percent)
            } else {
                nomad::Change::Delta(percent / 20)
            }
        }),
    ];
    let bounds = prop_oneof![
        (-500..500_i128, 1..800_i128).prop_map(|(low, width)| (Some(low), Some(low + width))),
        (-500..500_i128).prop_map(|low| (Some(low), None)),
        (-500..500_i128).prop_map(|high| (None, Some(high))),
    ];
    let threshold = (
        bounds,
        1..8_usize,
        change,
        prop::collection::vec(sample(1_000), 1..10),
    )
        .prop_map(|((lower, upper), trigger, change, mut samples)| {
            // The ends of a band are where the mistakes are.
            let ends = [lower, upper].into_iter().flatten();
            for (place, end) in ends.enumerate() {
                if let Some(sample) = samples.get_mut(place) {
                    *sample = end;
                }
            }
            let strategy = nomad::Strategy::Threshold {
                lower,
                upper,
                trigger,
                change,
            };
            (strategy, samples)
        });
    // Whole samples: of a fraction tideform wants one more, so that no work is left over.
    let pass_through = (limits(), -5..80_i128)
        .prop_map(|(limits, n)| (nomad::Strategy::PassThrough { limits }, vec![n * 100]));
    let fixed = (0..80_i128).prop_map(|value| (nomad::Strategy::FixedValue { value }, Vec::new()));
    prop_oneof![3 => target_value, 3 => threshold, 1 => pass_through, 1 => fixed]
}

fn sample(most: i128) -> impl Strategy<Value = i128> {
    prop_oneof![8 => 0..most, 1 => Just(0), 1 => -most..0]
}

fn nomad_metric(place: usize, count: i128, strategy: &nomad::Strategy, samples: &[i128]) -> Metric {
    let scope = if count == 0 {
        "scope = \"group\"\n"
    } else {
        ""
    };
    let limited = |limits: &nomad::ChangeLimits| {
        let line = |name: &str, most: Option<i128>| {
            most.map_or_else(String::new, |most| format!("{name} = {most}\n"))
        };
        line("max_add", limits.up) + &line("max_remove", limits.down)
    };
    let body = match strategy {
        nomad::Strategy::TargetValue {
            target,
            threshold,
            limits,
        } => format!(
            "{scope}{}track {{\ntarget = {}\ntolerance = \"{}%\"\n}}",
            limited(limits),
            hundredths(*target),
            hundredths(*threshold),
        ),
        nomad::Strategy::Threshold {
            lower,
            upper,
            trigger,
            change,
        } => {
            let end = |name: &str, end: Option<i128>| {
                end.map_or_else(String::new, |n| format!("{name} = {}\n", hundredths(n)))
            };
            let word = |n: i128| if n < 0 { "remove" } else { "add" };
            let change = match change {
                nomad::Change::Delta(n) => format!("{} = {}", word(*n), n.abs()),
                nomad::Change::Percentage(n) => format!("{} = \"{}%\"", word(*n), n.abs()),
                nomad::Change::Value(n) => format!("set = {n}"),
            };
            format!(
                "{scope}breach = \"{trigger} of {}\"\nstep {{\n{}{}{change}\n}}",
                samples.len().max(*trigger),
                end("from", *lower),
                end("to", *upper),
            )
        }
        nomad::Strategy::PassThrough { limits } => format!("{}want = true", limited(limits)),
        nomad::Strategy::FixedValue { value } => format!("value = {value}\nwant = true"),
    };
    let samples: Vec<f64> = samples.iter().map(|n| value(*n)).collect();
    Metric::new(&format!("m{place}"), body, &samples)
}

fn nomad_asked(question: &NomadQuestion) -> (Question, i128) {
    let NomadQuestion {
        count,
        min,
        max,
        checks,
    } = question;
    let metrics = checks
        .iter()
        .enumerate()
        .map(|(place, (strategy, samples))| nomad_metric(place, *count, strategy, samples))
        .collect();
    let votes: Vec<nomad::Check> = checks
        .iter()
        .map(|(strategy, samples)| (None, nomad::run(strategy, *count, samples)))
        .collect();
    let ours = Question {
        min: *min as u64,
        max: *max as u64,
        ..Question::new(*count as u64, metrics)
    };
    (
        ours,
        nomad::count_after(*count, nomad::winner(&votes, *min, *max)),
    )
}

fn nomad_answers(question: &NomadQuestion) -> Result<(), String> {
    let (ours, expected) = nomad_asked(question);
    same(&ours, expected)
}

/// On purpose: with a metric that has no data growth is followed as there, and nothing is removed.
fn nomad_without_data(question: &NomadQuestion) -> Result<(), String> {
    let (mut ours, expected) = nomad_asked(question);
    ours.metrics.push(Metric::fails("failing"));
    same(&ours, expected.max(question.count))
}

// AWS.

#[derive(Clone, Debug)]
struct AwsQuestion {
    group: theirs::Group,
    policies: Vec<(theirs::Policy, i128)>,
}

fn aws_question() -> impl Strategy<Value = AwsQuestion> {
    // Some are warming, or some are there that nobody asked for any more.
    let capacity = prop_oneof![
        3 => (1..60_i128).prop_map(|n| (n, n)),
        2 => (1..60_i128, 1..20_i128).prop_map(|(ready, warming)| (ready, ready + warming)),
        1 => (1..60_i128, 1..20_i128).prop_map(|(n, more)| (n + more, n)),
    ];
    (capacity, 0..10_i128, 0..60_i128).prop_flat_map(|((in_service, desired), below, above)| {
        let group = theirs::Group {
            in_service,
            desired,
            min: (desired - below).max(0),
            max: desired + above,
        };
        prop::collection::vec(aws_policy(group), 1..4)
            .prop_map(move |policies| AwsQuestion { group, policies })
    })
}

fn aws_policy(group: theirs::Group) -> impl Strategy<Value = (theirs::Policy, i128)> {
    let steps = aws_steps(group).prop_map(|(alarm, threshold, steps, metric)| {
        let policy = theirs::Policy::Steps {
            alarm,
            threshold,
            steps,
        };
        (policy, metric)
    });
    let target = (1..10_000_i128, 0..20_000_i128)
        .prop_map(|(target, metric)| (theirs::Policy::Target(target), metric));
    // Target tracking is stated for a group at rest.
    if group.in_service == group.desired {
        prop_oneof![3 => steps, 1 => target].boxed()
    } else {
        steps.boxed()
    }
}

type Steps = (theirs::Alarm, i128, Vec<theirs::Step>, i128);

fn aws_steps(group: theirs::Group) -> impl Strategy<Value = Steps> {
    let adjustment = move |alarm| {
        let sign = if alarm == theirs::Alarm::High { 1 } else { -1 };
        let exact = if group.in_service > group.desired {
            // What an exact number means to instances that are about to end is not stated.
            Just(theirs::Adjustment::Change(0)).boxed()
        } else {
            (0..80_i128).prop_map(theirs::Adjustment::Exact).boxed()
        };
        prop_oneof![
            3 => (0..20_i128).prop_map(move |n| theirs::Adjustment::Change(sign * n)),
            3 => (0..15_000_i128, prop::option::of(1..8_i128))
                .prop_map(move |(n, least)| theirs::Adjustment::Percent(sign * n, least)),
            1 => exact,
        ]
    };
    prop::sample::select(vec![theirs::Alarm::High, theirs::Alarm::Low]).prop_flat_map(
        move |alarm| {
            (
                -500..5_000_i128,
                prop::collection::vec((1..800_i128, adjustment(alarm)), 1..4),
                any::<bool>(),
                -2_500..2_500_i128,
                0..8_usize,
            )
                .prop_map(move |(threshold, parts, is_open, off, end)| {
                    let mut steps = Vec::new();
                    let mut at = 0;
                    let last = parts.len() - 1;
                    for (place, (width, adjustment)) in parts.into_iter().enumerate() {
                        let (near, far) = (at, at + width);
                        let far = (!is_open || place < last).then_some(far);
                        at += width;
                        steps.push(match alarm {
                            theirs::Alarm::High => theirs::Step {
                                lower: Some(near),
                                upper: far,
                                adjustment,
                            },
                            theirs::Alarm::Low => theirs::Step {
                                lower: far.map(|far| -far),
                                upper: Some(-near),
                                adjustment,
                            },
                        });
                    }
                    // The ends of the steps are where the mistakes are.
                    let ends: Vec<i128> = steps
                        .iter()
                        .flat_map(|step| [step.lower, step.upper])
                        .flatten()
                        .collect();
                    let metric = threshold + ends.get(end).copied().unwrap_or(off);
                    (alarm, threshold, steps, metric)
                })
        },
    )
}

fn aws_step() -> impl Strategy<Value = Steps> {
    aws_steps(theirs::Group {
        in_service: 100,
        desired: 100,
        min: 0,
        max: 1_000,
    })
}

fn aws_body(policy: &theirs::Policy) -> Result<String, String> {
    let theirs::Policy::Steps {
        alarm,
        threshold,
        steps,
    } = policy
    else {
        let theirs::Policy::Target(target) = policy else {
            return Err("a policy without a body".to_owned());
        };
        return Ok(aws::tracked(value(*target)));
    };
    let mut text = String::new();
    for step in steps {
        let (name, start, end) = match alarm {
            theirs::Alarm::High => ("above", step.lower, step.upper),
            theirs::Alarm::Low => ("below", step.upper, step.lower),
        };
        let at = |bound: i128| hundredths(threshold + bound);
        let start = start.map_or_else(String::new, |start| format!("{name} = {}\n", at(start)));
        let end = end.map_or_else(String::new, |end| format!("to = {}\n", at(end)));
        let word = if *alarm == theirs::Alarm::High {
            "add"
        } else {
            "remove"
        };
        let change = match step.adjustment {
            theirs::Adjustment::Change(n) => format!("{word} = {}", n.abs()),
            theirs::Adjustment::Exact(n) => format!("set = {n}"),
            theirs::Adjustment::Percent(n, least) => {
                let least = least.map_or_else(String::new, |n| format!("\nmin_adjustment = {n}"));
                format!("{word} = \"{}%\"{least}", hundredths(n.abs()))
            }
        };
        text.push_str(&format!("step {{\n{start}{end}{change}\n}}\n"));
    }
    Ok(text)
}

fn aws_answers(question: &AwsQuestion) -> Result<(), String> {
    let AwsQuestion { group, policies } = question;
    let mut metrics = Vec::new();
    for (place, (policy, metric)) in policies.iter().enumerate() {
        let body = aws_body(policy)?;
        metrics.push(Metric::new(&format!("m{place}"), body, &[value(*metric)]));
    }
    let ours = Question {
        ready: group.in_service as u64,
        min: group.min as u64,
        max: group.max as u64,
        ..Question::new(group.desired as u64, metrics)
    };
    same(&ours, theirs::desired(policies, *group))
}

/// Whether a step applies at all, and what it makes of 100.
fn aws_step_answers((alarm, threshold, steps, metric): &Steps) -> Result<(), String> {
    let expected = theirs::step(*alarm, *threshold, steps, *metric).map(|step| {
        let result = theirs::adjusted(100, step.adjustment);
        match alarm {
            // A high value never removes, whatever number is set.
            theirs::Alarm::High => result.max(100),
            theirs::Alarm::Low => result.max(0),
        }
    });
    let body = aws_body(&theirs::Policy::Steps {
        alarm: *alarm,
        threshold: *threshold,
        steps: steps.clone(),
    })?;
    let question = Question::new(100, vec![Metric::new("m", body, &[value(*metric)])]);
    let asked = question.ask()?;
    let ours = (!asked.has("abstained")).then(|| i128::from(asked.desired()));
    if ours == expected {
        Ok(())
    } else {
        Err(format!(
            "tideform: {ours:?}, the peer: {expected:?}\n{}",
            asked.shown
        ))
    }
}
