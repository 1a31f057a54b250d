//! `test` blocks.

mod values;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::context::Context;
use super::read::{self, Problem};
use super::{required, settings, validate, windows};
use crate::codes;
use crate::defaults;
use crate::diagnostic::Diagnostic;
use crate::layers::{Merged, plain};
use crate::model::{
    Capacity, Direction, Expectation, Expected, Given, GivenInstance, GroupAddress, InstanceState,
    Invariant, Lifecycle, Name, ReasonPattern, Test, TestOverride, TestStep,
};
use crate::schema::{self, About, tests as words};
use crate::source::Span;
use crate::tree::Tree;
use crate::value::{Address, Value};
use values::StepTime;
pub(crate) use values::{memory, metric_values, reasons, step_time, wants};

/// What a test may name of its group.
pub(crate) enum Subjects {
    /// There is no such group.
    NoGroup,
    /// A policy that the group uses is not there, which was reported: nothing can be said of its blocks.
    Incomplete,
    /// The names of its blocks.
    Known(Names),
}

/// The names of a group's blocks.
#[derive(Default)]
pub(crate) struct Names {
    pub metrics: Vec<Arc<str>>,
    pub surges: Vec<Arc<str>>,
    pub schedules: Vec<Arc<str>>,
    pub guards: Vec<Arc<str>>,
    pub freezes: Vec<Arc<str>>,
}

impl Names {
    pub(crate) fn of(group: &Merged<'_>) -> Names {
        let labels = |kind: &str| -> Vec<Arc<str>> {
            group
                .blocks_of(kind)
                .filter_map(Merged::label)
                .map(Arc::from)
                .collect()
        };
        Names {
            metrics: labels("metric"),
            surges: labels("surge"),
            schedules: labels("schedule"),
            guards: labels("guard"),
            freezes: labels("freeze"),
        }
    }

    /// What a reason may be about, in words and by name.
    fn of_reasons(&self, about: About) -> (&'static str, Vec<&str>) {
        match about {
            About::Metric => ("metric", each(&self.metrics).collect()),
            About::Guard => ("guard", each(&self.guards).collect()),
            About::Freeze => ("freeze", each(&self.freezes).collect()),
            About::Schedule => ("schedule", each(&self.schedules).collect()),
            About::Bound => (
                "schedule or surge",
                each(&self.schedules)
                    .chain(each(&self.surges))
                    .chain(["limits", "forecast"])
                    .collect(),
            ),
            About::Group => ("", Vec::new()),
        }
    }
}

/// Answers for a group.
pub(crate) type SubjectsOf<'a> = dyn FnMut(&GroupAddress) -> Subjects + 'a;

/// The `test` blocks.
pub(crate) fn tests(tree: &Tree, subjects_of: &mut SubjectsOf<'_>, cx: &mut Context) -> Vec<Test> {
    let mut list = Vec::new();
    let Some(schema) = schema::top("test") else {
        return list;
    };
    let mut names: HashMap<&str, Span> = HashMap::new();
    for block in &tree.tests {
        validate::block(block, schema, cx);
        if let Some(label) = block.labels.first()
            && let Some(first) = names.insert(&label.value, block.span)
        {
            cx.push(settings::used_twice(block.span, first).help("give one of them another name"));
        }
        let merged = Merged::single(block, schema);
        if merged.is_disabled() {
            continue;
        }
        let sound = required::block(&merged, schema, cx);
        let tests = of_groups(&merged, subjects_of, cx);
        if sound {
            list.extend(tests);
        }
    }
    list
}

/// A test for each of its groups. What is wrong for several of them is reported once.
fn of_groups(block: &Merged<'_>, subjects_of: &mut SubjectsOf<'_>, cx: &mut Context) -> Vec<Test> {
    let Some(value) = block.known("group", cx) else {
        return Vec::new();
    };
    let values = match plain(value) {
        Value::List(list) | Value::Set(list) => list.to_vec(),
        value => vec![value.clone()],
    };
    let mut tests: Vec<Test> = Vec::new();
    for (i, value) in values.iter().enumerate() {
        let Value::Address(Address::Group(address)) = plain(value) else {
            continue;
        };
        let names = match subjects_of(address) {
            Subjects::Known(names) => names,
            Subjects::Incomplete => continue,
            Subjects::NoGroup => {
                let span = block
                    .get("group")
                    .map_or(block.span, |attribute| attribute.item_span(i));
                cx.push(
                    Diagnostic::error(codes::UNKNOWN_ADDRESS, "Unknown reference")
                        .at(span, format!("there is no {address}")),
                );
                continue;
            }
        };
        if tests.iter().any(|test| test.group == *address) {
            continue;
        }
        tests.push(test(block, address, &names, cx));
    }
    tests
}

fn test(block: &Merged<'_>, group: &GroupAddress, names: &Names, cx: &mut Context) -> Test {
    for name in ["always", "never"] {
        if let Some(attribute) = block.get(name) {
            for mention in &attribute.mentions {
                if !names
                    .metrics
                    .iter()
                    .any(|metric| **metric == *mention.value)
                {
                    let problem =
                        unknown_metric(mention.span, &mention.value, each(&names.metrics), cx);
                    cx.push(problem);
                }
            }
        }
    }
    let given = block.block("given");
    let zone = given
        .and_then(|given| given.text("timezone", cx))
        .and_then(|zone| cx.zone(&zone).ok());
    let start = start(block, given, zone.as_ref(), cx);
    let mut steps = Vec::new();
    for at in block.blocks_of("at") {
        steps.extend(step(at, start, zone.as_ref(), names, cx));
    }
    in_order(&steps, cx);
    let invariants = |name: &str, cx: &Context| -> Vec<Invariant> {
        let Some(attribute) = block.get(name) else {
            return Vec::new();
        };
        block
            .formulas(name, cx)
            .into_iter()
            .enumerate()
            .map(|(i, formula)| Invariant {
                formula,
                span: attribute.item_span(i),
            })
            .collect()
    };
    let test = Test {
        name: block.label().unwrap_or_default().to_owned(),
        group: group.clone(),
        start,
        given: match given {
            Some(block) => self::given(block, cx),
            None => Given::default(),
        },
        always: invariants("always", cx),
        never: invariants("never", cx),
        span: block.span,
        steps,
    };
    if test.always.is_empty()
        && test.never.is_empty()
        && block.get("always").is_none()
        && block.get("never").is_none()
        && block.blocks_of("at").all(|at| at.block("expect").is_none())
    {
        cx.push(
            Diagnostic::warning(codes::EXPECTS_NOTHING, "Test that expects nothing")
                .at(block.span, "cannot fail")
                .help("add `expect { desired = ... }` to a step, or `always = ...`"),
        );
    } else if test.steps.is_empty() && block.blocks_of("at").next().is_none() {
        cx.push(
            Diagnostic::warning(codes::EXPECTS_NOTHING, "Test that expects nothing")
                .at(block.span, "has no step, and decides nothing")
                .help("add at \"0m\" { ... }"),
        );
    }
    test
}

/// The time of `at "0m"`: as given, else that of the first step where it has one of its own.
fn start(
    block: &Merged<'_>,
    given: Option<&Merged<'_>>,
    zone: Option<&TimeZone>,
    cx: &mut Context,
) -> Timestamp {
    let default = || {
        let text = defaults::TEST_TIME.bare();
        text.parse().unwrap_or(Timestamp::UNIX_EPOCH)
    };
    if let Some(given) = given.filter(|given| given.get("time").is_some()) {
        return windows::instant(given, "time", cx).unwrap_or_else(default);
    }
    let first = block.blocks_of("at").next().and_then(Merged::label);
    match first.map(step_time) {
        Some(Ok(StepTime::At(at))) => at.resolve(zone).unwrap_or_else(default),
        _ => default(),
    }
}

/// Each step comes after the one before it, to its end.
fn in_order(steps: &[TestStep], cx: &mut Context) {
    for step in steps {
        if step.until.is_some_and(|until| until <= step.at) {
            cx.push(
                Diagnostic::error(codes::STEP_ORDER, "Steps of a test out of order")
                    .at(step.span, "`until` is not later than the step itself")
                    .help("`until` is a time since the start of the test, as the label of `at` is"),
            );
        }
    }
    for pair in steps.windows(2) {
        if let [before, after] = pair
            && after.at <= before.until.unwrap_or(before.at)
        {
            cx.push(
                Diagnostic::error(codes::STEP_ORDER, "Steps of a test out of order")
                    .at(after.span, "is not later than the step before it")
                    .at(before.span, "the step before it")
                    .help("write the steps in the order of their times"),
            );
        }
    }
}

/// An unknown metric, with the nearest known one.
pub(crate) fn unknown_metric<'n>(
    span: Span,
    name: &str,
    known: impl IntoIterator<Item = &'n str>,
    cx: &mut Context,
) -> Diagnostic {
    let diagnostic = Diagnostic::error(codes::UNKNOWN_METRIC, "Unknown metric")
        .at(span, format!("the group has no metric `{name}`"));
    if !cx.may_suggest() {
        return diagnostic;
    }
    // Of a generated group with thousands of metrics, some are enough to look through.
    match schema::nearest(name, known.into_iter().take(500)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!(
            "add metric \"{name}\" {{}} to the group or to a policy that it uses"
        )),
    }
}

fn each(names: &[Arc<str>]) -> impl Iterator<Item = &str> {
    names.iter().map(|name| &**name)
}

fn given(block: &Merged<'_>, cx: &mut Context) -> Given {
    if let (Some(desired), Some(ready)) =
        (block.capacity("desired", cx), block.capacity("ready", cx))
        && ready > desired
    {
        cx.push(
            contradiction()
                .at(
                    block.span_of("ready"),
                    format!("more are ready than the {desired} that are there"),
                )
                .at(block.span_of("desired"), "the capacity")
                .help(format!(
                    "write `ready = {desired}` or fewer, or raise `desired`"
                )),
        );
    }
    let (actions, recommendations) = block
        .known("memory", cx)
        .and_then(|value| memory(value).ok())
        .unwrap_or_default();
    Given {
        desired: block.capacity("desired", cx),
        ready: block.capacity("ready", cx),
        instances: block
            .blocks_of("instance")
            .map(|instance| given_instance(instance, cx))
            .collect(),
        actions,
        recommendations,
    }
}

fn given_instance(block: &Merged<'_>, cx: &Context) -> GivenInstance {
    GivenInstance {
        id: block.label_name(),
        state: match block.word("state", words::STATES, cx) {
            Some("pending") => InstanceState::Pending,
            Some("unhealthy") => InstanceState::Unhealthy,
            Some("draining") => InstanceState::Draining,
            Some("ended") => InstanceState::Ended,
            _ => InstanceState::InService,
        },
        age: block.duration("age", cx),
        is_ready: block.boolean("ready", cx),
        lifecycle: match block.word("lifecycle", words::LIFECYCLES, cx) {
            Some("spot") => Lifecycle::Spot,
            _ => Lifecycle::OnDemand,
        },
        is_protected: block.boolean("protected", cx).unwrap_or(false),
        instance_type: block.name("type", cx),
        weight: block.count_or("weight", defaults::TEST_WEIGHT, cx),
    }
}

fn step(
    block: &Merged<'_>,
    start: Timestamp,
    zone: Option<&TimeZone>,
    names: &Names,
    cx: &mut Context,
) -> Option<TestStep> {
    let label = block.labels.first()?;
    let at = after(&label.value, label.span, start, zone, cx);
    let until = block.text("until", cx);
    let until = until.and_then(|text| after(&text, block.span_of("until"), start, zone, cx));
    let metrics_span = block.span_of("metrics");
    let values = block
        .known("metrics", cx)
        .and_then(|value| metric_values(value).ok())
        .unwrap_or_default();
    for name in values.keys() {
        if !names.metrics.contains(name) {
            let problem = unknown_metric(metrics_span, name, each(&names.metrics), cx);
            cx.push(problem);
        }
    }
    Some(TestStep {
        label: label.value.clone(),
        at: at?,
        until,
        metrics: values,
        metrics_span,
        ready: block.capacity("ready", cx),
        overrides: overrides(block, names, cx),
        spent_usd: block.number("spent_usd", cx),
        failed_spot_launches: block.count("failed_spot_launches", cx).unwrap_or(0),
        expectations: match block.block("expect") {
            Some(expect) => expectations(expect, names, cx),
            None => Vec::new(),
        },
        span: block.span,
    })
}

/// How long after the start a time is.
fn after(
    text: &str,
    span: Span,
    start: Timestamp,
    zone: Option<&TimeZone>,
    cx: &mut Context,
) -> Option<Duration> {
    let problem = |label: &str, help: &'static str| {
        Problem::new(codes::TIME, "Time not usable", label).help(help)
    };
    let found = step_time(text).and_then(|time| match time {
        StepTime::After(after) => Ok(after),
        StepTime::At(at) => {
            let at = at.resolve(zone).ok_or_else(|| {
                problem(
                    "has neither an offset nor a zone",
                    "add timezone = \"Europe/Berlin\" to `given`, or write the offset: \"...T06:00:00Z\"",
                )
            })?;
            Duration::try_from(at.duration_since(start)).map_err(|_| {
                problem("is before the start of the test", "give an earlier `time`, or none")
            })
        }
    });
    match found {
        Ok(after) => Some(after),
        Err(problem) => {
            // `until` may have been reported as a value already.
            if !cx.is_bad(span) {
                cx.bad_value(problem, span);
            }
            None
        }
    }
}

fn overrides(block: &Merged<'_>, names: &Names, cx: &mut Context) -> Vec<TestOverride> {
    let mut list = Vec::new();
    if let Some(pin) = block.block("pin")
        && let (Some(desired), Some(duration)) =
            (pin.capacity("desired", cx), pin.duration("duration", cx))
    {
        list.push(TestOverride::Pin { desired, duration });
    }
    if let Some(duration) = block
        .block("pause")
        .and_then(|pause| pause.duration("duration", cx))
    {
        list.push(TestOverride::Pause { duration });
    }
    for surge in block.blocks_of("surge") {
        let name = surge.label_name();
        if !names.surges.contains(&name) {
            let diagnostic = Diagnostic::error(codes::UNKNOWN_ADDRESS, "Unknown reference")
                .at(surge.span, format!("the group has no surge `{name}`"));
            cx.push(match schema::nearest(&name, each(&names.surges)) {
                Some(near) => diagnostic.help(format!("did you mean \"{near}\"?")),
                None => diagnostic,
            });
        }
        list.push(TestOverride::Surge {
            name,
            duration: surge.duration("duration", cx),
        });
    }
    list
}

fn contradiction() -> Diagnostic {
    Diagnostic::error(codes::TEST_CONTRADICTION, "Test that contradicts itself")
}

/// Reports numbers that no decision can give together.
fn contradictory(block: &Merged<'_>, cx: &mut Context) {
    for (name, bound, is_outside) in [
        (
            "at_most",
            "at_least",
            Capacity::lt as fn(&Capacity, &Capacity) -> bool,
        ),
        ("desired", "at_least", Capacity::lt),
        ("desired", "at_most", Capacity::gt),
    ] {
        if let (Some(number), Some(limit)) = (block.capacity(name, cx), block.capacity(bound, cx))
            && is_outside(&number, &limit)
        {
            cx.push(
                contradiction()
                    .at(
                        block.span_of(name),
                        format!("cannot hold together with `{bound} = {limit}`"),
                    )
                    .at(block.span_of(bound), format!("`{bound}`"))
                    .help("no capacity is both: correct one of them"),
            );
        }
    }
}

/// Reports a subject that no reason of the kind can have.
fn check_subject(pattern: &ReasonPattern, span: Span, names: &Names, cx: &mut Context) {
    let Some(subject) = &pattern.subject else {
        return;
    };
    let kind = pattern.kind;
    let (what, known) = names.of_reasons(schema::about(kind));
    if known.contains(&&**subject) {
        return;
    }
    let problem = Diagnostic::error(codes::UNKNOWN_WORD, "Unknown word");
    cx.push(if what.is_empty() {
        problem
            .at(
                span,
                format!("`{kind}` is about the group, and takes no name"),
            )
            .help(format!("write \"{kind}\""))
    } else {
        let problem = problem.at(span, format!("the group has no {what} `{subject}`"));
        match schema::nearest(subject, known.iter().copied()) {
            Some(near) => problem.help(format!("did you mean \"{kind}.{near}\"?")),
            None if known.is_empty() => problem,
            None => {
                let shown: Vec<String> = known
                    .iter()
                    .take(12)
                    .map(|name| format!("\"{kind}.{name}\""))
                    .collect();
                problem.help(format!("possible are {}", shown.join(", ")))
            }
        }
    });
}

/// An attribute of `expect`, and what its value makes.
type Named<T> = (&'static str, fn(T) -> Expected);

fn expectations(block: &Merged<'_>, names: &Names, cx: &mut Context) -> Vec<Expectation> {
    contradictory(block, cx);
    let mut list: Vec<Expectation> = Vec::new();
    // From the name to the end of the value: what a failure underlines.
    let span_of = |name: &str| {
        let attribute = block.get(name);
        attribute.map_or(block.span, |attribute| Span {
            start: attribute.name.start.min(attribute.span.start),
            ..attribute.span
        })
    };
    let add = |list: &mut Vec<Expectation>, name: &str, what: Expected| {
        list.push(Expectation {
            what,
            span: span_of(name),
        });
    };
    let counts: [Named<Capacity>; 6] = [
        ("desired", Expected::Desired),
        ("at_least", Expected::AtLeast),
        ("at_most", Expected::AtMost),
        ("ready", Expected::Ready),
        ("on_demand", Expected::OnDemand),
        ("spot", Expected::Spot),
    ];
    for (name, what) in counts {
        if let Some(capacity) = block.capacity(name, cx) {
            add(&mut list, name, what(capacity));
        }
    }
    if let Some(word) = block.word("direction", &["out", "in", "hold"], cx) {
        add(
            &mut list,
            "direction",
            Expected::Direction(match word {
                "out" => Direction::Out,
                "in" => Direction::In,
                _ => Direction::Hold,
            }),
        );
    }
    let kinds: [Named<ReasonPattern>; 2] = [
        ("reasons", Expected::Reason),
        ("without", Expected::NoReason),
    ];
    for (name, what) in kinds {
        let patterns = block.known(name, cx).and_then(|value| reasons(value).ok());
        for (i, pattern) in patterns.unwrap_or_default().into_iter().enumerate() {
            let span = block
                .get(name)
                .map_or(block.span, |attribute| attribute.item_span(i));
            check_subject(&pattern, span, names, cx);
            // One reason is underlined with its name, as a number is; of several, the one that is meant.
            let is_alone = block.get(name).is_none_or(|list| list.items.len() < 2);
            list.push(Expectation {
                what: what(pattern),
                span: if is_alone { span_of(name) } else { span },
            });
        }
    }
    let wanted = block.known("wants", cx).and_then(|value| wants(value).ok());
    for (metric, want) in wanted.unwrap_or_default() {
        if !names.metrics.contains(&metric) {
            let problem = unknown_metric(block.span_of("wants"), &metric, each(&names.metrics), cx);
            cx.push(problem);
        }
        add(&mut list, "wants", Expected::Want { metric, want });
    }
    if let Some(ids) = block
        .known("victims", cx)
        .and_then(|value| read::texts(value).ok())
    {
        let ids = ids.iter().map(|id| Name::from(id.as_str())).collect();
        add(&mut list, "victims", Expected::Victims(ids));
    }
    list
}
