//! Runs the `test` blocks of a configuration through the engine: policies have unit tests.
//!
//! Each step feeds metrics to the same decision function as the loop; an accepted change is recorded as the loop
//! would record it, and its instances boot and warm up from then on. Pure: no clock, no provider, no state. The
//! report is data; [`render`] has its views.

mod check;
mod place;
pub mod render;
#[cfg(test)]
mod tests;
mod world;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tideform_policies::defaults;
use tideform_policies::model::{Capacity, Configuration, GroupAddress, Test, TestStep, units};

use crate::engine::{Decision, Rules, decide, explain};
pub use check::{Failure, Mismatch};
use check::{Invariants, Moment};
pub use place::{Mark, Place};
use world::World;

/// A test that would decide more often than this is not run: it would not end soon.
const MOST_DECISIONS: u64 = 200_000;

/// What came out of all tests.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SuiteReport {
    /// In the order of the files.
    pub tests: Vec<TestReport>,
    /// Tests that the filter left out.
    pub filtered_out: usize,
}

impl SuiteReport {
    /// No test failed.
    pub fn is_success(&self) -> bool {
        self.tests.iter().all(TestReport::is_success)
    }

    /// How many tests passed.
    pub fn passed(&self) -> usize {
        self.tests.iter().filter(|test| test.is_success()).count()
    }

    /// How many tests failed.
    pub fn failed(&self) -> usize {
        self.tests.len() - self.passed()
    }
}

/// What came out of one test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestReport {
    /// The label of the block.
    pub name: String,
    /// The group under test.
    pub group: GroupAddress,
    /// The block is run for several groups.
    #[serde(skip)]
    pub is_one_of_several: bool,
    /// The files say when it begins.
    #[serde(skip)]
    pub has_own_time: bool,
    /// Where the block stands.
    pub place: Option<Place>,
    /// Why it could not run at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What is wrong with the test as a whole.
    pub failures: Vec<Failure>,
    /// The steps that ran.
    pub steps: Vec<StepReport>,
    /// How long it took, where somebody measured it.
    #[serde(skip)]
    pub took: Option<Duration>,
}

impl TestReport {
    /// It ran, and every step gave what was expected.
    pub fn is_success(&self) -> bool {
        self.problem.is_none()
            && self.failures.is_empty()
            && self.steps.iter().all(|step| step.failures.is_empty())
    }

    /// The label; with the group, where the block is run for several.
    pub fn title(&self) -> String {
        if self.is_one_of_several {
            format!("{} ({})", self.name, self.group)
        } else {
            self.name.clone()
        }
    }
}

/// What came out of one decision. Of a step that is decided several times: of the last one, and of the first one
/// that broke an `always` or `never`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// As the files write it; of a repeated step, its last time.
    pub at: String,
    /// The same for people, who look for a repeated step where it is written: `0m until 5m (3m)`.
    #[serde(skip)]
    pub label: String,
    /// The time of the decision.
    pub time: Timestamp,
    /// Where the block stands.
    pub place: Option<Place>,
    /// Before.
    pub current: Capacity,
    /// After.
    pub desired: Capacity,
    /// What was not as expected. Empty: all was.
    pub failures: Vec<Failure>,
    /// The decision in words.
    pub explanation: Vec<String>,
    /// The decision.
    pub decision: Decision,
}

/// The tests that are wanted, in the order of the files, and how many are not.
pub fn select<'a>(
    configuration: &'a Configuration,
    wanted: &dyn Fn(&Test) -> bool,
) -> (Vec<&'a Test>, usize) {
    let (chosen, others): (Vec<&Test>, Vec<&Test>) =
        configuration.tests.iter().partition(|test| wanted(test));
    (chosen, others.len())
}

/// Runs all tests of a configuration.
pub fn run(configuration: &Configuration) -> SuiteReport {
    SuiteReport {
        tests: configuration
            .tests
            .iter()
            .map(|test| run_test(configuration, test))
            .collect(),
        filtered_out: 0,
    }
}

/// Runs one test of a configuration.
pub fn run_test(configuration: &Configuration, test: &Test) -> TestReport {
    let mut report = TestReport {
        name: test.name.clone(),
        group: test.group.clone(),
        is_one_of_several: is_one_of_several(configuration, test),
        has_own_time: defaults::TEST_TIME.bare().parse().ok() != Some(test.start),
        place: Place::of(&configuration.sources, test.span),
        problem: None,
        failures: Vec::new(),
        steps: Vec::new(),
        took: None,
    };
    let Some(group) = configuration.groups.get(&test.group) else {
        report.problem = Some(format!("there is no {}", test.group));
        return report;
    };
    if let Some(problem) = World::impossible(group, test) {
        report.problem = Some(problem);
        return report;
    }
    let every = group.policy.every.max(Duration::from_secs(1));
    let decisions: u64 = test.steps.iter().map(|step| repeats(step, every)).sum();
    if decisions > MOST_DECISIONS {
        report.problem = Some(format!(
            "it would make {decisions} decisions, and the most is {MOST_DECISIONS}"
        ));
        return report;
    }
    let mut run = Run {
        configuration,
        invariants: Invariants::new(test),
        rules: Rules::new(group),
        world: World::new(group, test),
        test,
    };
    for step in &test.steps {
        run.step(step, every, &mut report.steps);
    }
    report.failures = run.invariants.never_checked(&configuration.sources);
    report
}

/// Whether the block of a test is run for other groups, too.
fn is_one_of_several(configuration: &Configuration, test: &Test) -> bool {
    let others = configuration.tests.iter();
    others.filter(|other| other.span == test.span).count() > 1
}

/// How often a step is decided.
fn repeats(step: &TestStep, every: Duration) -> u64 {
    let Some(until) = step.until else { return 1 };
    let span = until.saturating_sub(step.at).as_nanos();
    let times = span.checked_div(every.as_nanos()).unwrap_or(0);
    u64::try_from(times).unwrap_or(u64::MAX).saturating_add(1)
}

/// A test that is under way.
struct Run<'a> {
    configuration: &'a Configuration,
    test: &'a Test,
    rules: Rules,
    world: World,
    invariants: Invariants<'a>,
}

impl Run<'_> {
    fn step(&mut self, step: &TestStep, every: Duration, reports: &mut Vec<StepReport>) {
        let mut after = step.at;
        let mut is_first = true;
        let mut has_failed = false;
        loop {
            let next = after.saturating_add(every);
            let is_last = step.until.is_none_or(|until| next > until);
            let now = later(self.test.start, after);
            let seen = self.world.observe(step, is_first, now);
            let decision = decide(&self.rules, &seen.observation, &self.world.memory, now);
            let moment = Moment {
                sources: &self.configuration.sources,
                rules: &self.rules,
                seen: &seen.observation,
                decision: &decision,
                now,
            };
            let mut failures = self.invariants.check(&moment);
            if is_last {
                let expected = check::expectations(step, &moment);
                failures.splice(0..0, expected);
            }
            if is_first {
                failures.splice(0..0, check::samples(step, &seen, &moment));
            }
            self.world.accept(&decision, now);
            if is_last || (!failures.is_empty() && !has_failed) {
                has_failed |= !failures.is_empty();
                reports.push(self.report(step, after, now, failures, decision));
            }
            if is_last {
                return;
            }
            is_first = false;
            after = next;
        }
    }

    fn report(
        &self,
        step: &TestStep,
        after: Duration,
        time: Timestamp,
        failures: Vec<Failure>,
        decision: Decision,
    ) -> StepReport {
        let at = if after == step.at {
            step.label.clone()
        } else {
            units::format_duration(after)
        };
        let label = match step.until {
            Some(until) => format!(
                "{} until {} ({})",
                step.label,
                units::format_duration(until),
                units::format_duration(after)
            ),
            None => at.clone(),
        };
        StepReport {
            at,
            label,
            time,
            place: Place::of(&self.configuration.sources, step.span),
            current: decision.current,
            desired: decision.desired,
            failures,
            explanation: explain::explain(self.rules.group(), &decision, time, None).lines(),
            decision,
        }
    }
}

/// So long after a time, stopping at the last timestamp there is.
fn later(time: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| time.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}
