//! Runs the `test` blocks of a configuration through the engine: policies have unit tests.
//!
//! Each step feeds metrics to the same decision function as the loop; an accepted change is recorded as the loop
//! would record it, and its instances warm up from then on. Pure: no clock, no provider, no state. The report is
//! data; [`render`] has its views.

mod check;
pub mod render;
#[cfg(test)]
mod tests;
mod world;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tideform_policies::model::{Capacity, Configuration, GroupAddress, Test, TestStep};
use tideform_policies::source::{SourceMap, Span};

use crate::engine::{Decision, Rules, decide, explain};
pub use check::{Failure, Mismatch};
use world::World;

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
    /// Where the block stands.
    pub place: Option<Place>,
    /// Why it could not run at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The steps that ran.
    pub steps: Vec<StepReport>,
}

impl TestReport {
    /// It ran, and every step gave what was expected.
    pub fn is_success(&self) -> bool {
        self.problem.is_none() && self.steps.iter().all(|step| step.failures.is_empty())
    }
}

/// What came out of one step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// After the first, as the files write it.
    pub at: String,
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

/// A place in a file, and the line that stands there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// The text of the line.
    pub text: String,
}

impl Place {
    fn of(sources: &SourceMap, span: Span) -> Option<Place> {
        let (file, line, _) = sources.place(span)?;
        let text = sources
            .get(span.source)?
            .text
            .lines()
            .nth(line.checked_sub(1)?)?;
        Some(Place {
            file: file.to_string(),
            line,
            text: text.to_owned(),
        })
    }
}

/// Runs the tests of a configuration whose name contains `filter`.
pub fn run(configuration: &Configuration, filter: Option<&str>) -> SuiteReport {
    let mut report = SuiteReport {
        tests: Vec::new(),
        filtered_out: 0,
    };
    for test in &configuration.tests {
        if filter.is_some_and(|filter| !test.name.contains(filter)) {
            report.filtered_out += 1;
            continue;
        }
        report.tests.push(run_test(configuration, test));
    }
    report
}

fn run_test(configuration: &Configuration, test: &Test) -> TestReport {
    let mut report = TestReport {
        name: test.name.clone(),
        group: test.group.clone(),
        place: Place::of(&configuration.sources, test.span),
        problem: None,
        steps: Vec::new(),
    };
    let Some(group) = configuration.groups.get(&test.group) else {
        report.problem = Some(format!("there is no {}", test.group));
        return report;
    };
    let rules = Rules::new(group);
    let start = test.given.time.unwrap_or_else(default_time);
    let mut world = World::new(&rules, &test.given, start);
    for step in &test.steps {
        report.steps.push(run_step(
            configuration,
            test,
            step,
            &rules,
            &mut world,
            start,
        ));
    }
    report
}

fn run_step(
    configuration: &Configuration,
    test: &Test,
    step: &TestStep,
    rules: &Rules,
    world: &mut World,
    start: Timestamp,
) -> StepReport {
    let after = SignedDuration::try_from(step.at).unwrap_or(SignedDuration::MAX);
    let now = start.checked_add(after).unwrap_or(Timestamp::MAX);
    let seen = world.observe(rules, step, now);
    let decision = decide(rules, &seen, &world.memory, now);
    let failures = check::check(
        &configuration.sources,
        test,
        step,
        rules,
        &seen,
        &decision,
        now,
    );
    world.accept(&decision, now);
    StepReport {
        at: tideform_policies::model::units::format_duration(step.at),
        time: now,
        place: Place::of(&configuration.sources, step.span),
        current: decision.current,
        desired: decision.desired,
        failures,
        explanation: explain::lines(
            rules.group(),
            decision.current,
            decision.desired,
            &decision.reasons,
            None,
        ),
        decision,
    }
}

/// A Monday at noon: 2026-01-05T12:00:00Z.
fn default_time() -> Timestamp {
    Timestamp::from_second(1_767_614_400).unwrap_or(Timestamp::UNIX_EPOCH)
}
