//! The Nomad Autoscaler: its strategies, and the choice between checks.
//!
//! A check is a metric; of several the largest want is taken, as by tideform's `combine = "max"`.

use serde_json::{Value, json};
use tideform::engine::Reason;

use super::question::{Asked, Metric, Question, now};
use super::support::{
    Answer, Because, File, SetAside, kind, otherwise, refusals, unknown, without,
};

pub(crate) static FILE: File = File {
    name: "nomad_strategies",
    json: include_str!("nomad_strategies.json"),
    set_aside: SET_ASIDE,
    ask,
};

const SET_ASIDE: &[SetAside] = &[
    otherwise("tv-to-zero-target-zero", "refused: invalid", &TARGET_OF_0),
    otherwise("fv-missing", "no result", &WANT_WITHOUT_VALUE),
    otherwise("groups-empty-input", "down to 2", &NO_RULE),
    otherwise("eval-unknown-error-aborts", "up to 5", &FAILED_SOURCE),
    otherwise(
        "on-error-fail-on-check-error-from-policy",
        "skip",
        &FAILED_SOURCE,
    ),
    without("eval-outside-schedule-skipped", &SCHEDULE_OF_A_CHECK),
];

static TARGET_OF_0: Because = Because {
    what: "A target of 0 is refused",
    why: "There the Nomad Autoscaler takes the metric itself as the factor, which means one thing at 0 and another \
          everywhere else. tideform says so when the file is loaded (P0107); the group is emptied by a step, \
          `below = 0` with `set = 0`, which the test checks, or at night by a schedule with `max = 0`.",
};

static WANT_WITHOUT_VALUE: Because = Because {
    what: "A want without a value is a metric of that name",
    why: "`want = true` says that a metric is a capacity, and a metric without `value` is read from its source. Where \
          nobody measures it, it has no data: nothing changes, and nothing is removed.",
};

static NO_RULE: Because = Because {
    what: "A group without any rule wants its floor",
    why: "The floor is all that such a policy says: its limits, schedules and surges. So a group that only follows \
          schedules needs no metric.",
};

static FAILED_SOURCE: Because = Because {
    what: "A metric that fails keeps the group from shrinking, and never from growing",
    why: "The Nomad Autoscaler does nothing at all when a source cannot be read or `on_error` says `fail`. A group whose \
          other metrics ask for more would be left short by a metric that says nothing; so, as with the Kubernetes HPA, \
          their growth is followed and their removals are not.",
};

static SCHEDULE_OF_A_CHECK: Because = Because {
    what: "A metric has no schedule of its own",
    why: "Schedules are the group's: a floor and a ceiling by time. The test leaves the metric out, and the others decide \
          as they do there.",
};

fn ask(case: &Value) -> Result<Answer, String> {
    match kind(case) {
        "target_value" => target_value(case),
        "factor_direction" => factor_direction(case),
        "threshold" => threshold(case),
        "pass_through" => pass_through(case),
        "fixed_value" => fixed_value(case),
        "preempt" => preempt(case),
        "groups" => groups(case),
        "cap" => cap(case),
        "evaluate" => evaluate(case),
        "on_error" => on_error(case),
        "scaling_needed" => scaling_needed(case),
        "cooldown" => cooldown(case),
        "cooldown_choice" => cooldown_choice(case),
        "cooldown_gate" => cooldown_gate(case),
        _ => unknown(case),
    }
}

// Strategies.

fn target_value(case: &Value) -> Result<Answer, String> {
    let config = &case["config"];
    let count = number(&case["current_count"])?;
    let target_is_0 = config["target"].as_f64() == Some(0.0);
    if target_is_0 && case["expected_error"].is_null() {
        empties_at_0(case, count)?;
    }
    let mut track = String::new();
    if !config["target"].is_null() {
        // Where another setting is the mistake, the target must not be one too.
        let is_aside = target_is_0 && !case["expected_error"].is_null();
        let target = if is_aside {
            json!(1)
        } else {
            config["target"].clone()
        };
        track.push_str(&format!("  target = {target}\n"));
    }
    track.push_str(&match &config["threshold"] {
        Value::String(text) => format!("  tolerance = \"{text}\"\n"),
        threshold => {
            let tolerance = threshold.as_f64().unwrap_or(0.01) * 100.0;
            format!("  tolerance = \"{tolerance:.9}%\"\n")
        }
    });
    let body = format!(
        "{}track {{\n{track}}}\n{}",
        scope(count),
        change_limits(config)
    );
    strategy(case, count, Metric::new("m", body, &samples(case)?))
}

/// What stands in for a target of 0: a step that empties the group.
fn empties_at_0(case: &Value, count: u64) -> Result<(), String> {
    let body = "step {\n  below = 0\n  set = 0\n}";
    let question = Question::new(count, vec![Metric::new("m", body, &samples(case)?)]);
    let (desired, shown) = question.desired()?;
    let expected = number(&case["expected"]["count"])?;
    if desired == expected {
        Ok(())
    } else {
        Err(format!(
            "the step makes it {desired}, not {expected}\n{shown}"
        ))
    }
}

fn factor_direction(case: &Value) -> Result<Answer, String> {
    let count = number(&case["current_count"])?;
    let threshold = case["threshold"].as_f64().unwrap_or(0.01) * 100.0;
    let body = format!(
        "{}track {{\n  target = 1\n  tolerance = \"{threshold:.9}%\"\n}}",
        scope(count)
    );
    let factor = case["factor"].as_f64().ok_or("a factor")?;
    let question = Question::new(count, vec![Metric::new("m", body, &[factor])]);
    let asked = question.ask()?;
    Ok(Answer {
        ours: direction(count, asked.desired()).to_owned(),
        theirs: text(&case["expected_direction"])?.to_owned(),
        shown: asked.shown,
    })
}

fn threshold(case: &Value) -> Result<Answer, String> {
    let config = &case["config"];
    let count = number(&case["current_count"])?;
    let samples = samples(case)?;
    let mut step = String::new();
    for (theirs, ours) in [("lower_bound", "from"), ("upper_bound", "to")] {
        if !config[theirs].is_null() {
            step.push_str(&format!("  {ours} = {}\n", config[theirs]));
        }
    }
    for (theirs, unit) in [("delta", ""), ("percentage", "%")] {
        match &config[theirs] {
            Value::Null => {}
            Value::Number(change) => {
                let change = change.as_f64().ok_or("a number")?;
                let word = if change < 0.0 { "remove" } else { "add" };
                let size = change.abs();
                step.push_str(&if unit.is_empty() {
                    format!("  {word} = {size}\n")
                } else {
                    format!("  {word} = \"{size}%\"\n")
                });
            }
            other => step.push_str(&format!("  add = {other}\n")),
        }
    }
    if !config["value"].is_null() {
        step.push_str(&format!("  set = {}\n", config["value"]));
    }
    let (trigger, periods) = match &config["within_bounds_trigger"] {
        Value::Null => ("5".to_owned(), samples.len().max(5)),
        Value::Number(n) => {
            let n = n.as_u64().ok_or("a whole trigger")?;
            (n.to_string(), samples.len().max(n as usize))
        }
        other => (text(other)?.to_owned(), samples.len()),
    };
    let body = format!(
        "{}breach = \"{trigger} of {periods}\"\nstep {{\n{step}}}",
        scope(count)
    );
    strategy(case, count, Metric::new("m", body, &samples))
}

fn pass_through(case: &Value) -> Result<Answer, String> {
    let count = number(&case["current_count"])?;
    let body = format!("want = true\n{}", change_limits(&case["config"]));
    strategy(case, count, Metric::new("m", body, &samples(case)?))
}

fn fixed_value(case: &Value) -> Result<Answer, String> {
    let count = number(&case["current_count"])?;
    let value = match &case["config"]["value"] {
        Value::Null => String::new(),
        value => format!("value = {value}\n"),
    };
    let body = format!("{value}want = true");
    strategy(case, count, Metric::new("m", body, &[]))
}

/// What one check makes of its samples, or which mistake is in its configuration.
fn strategy(case: &Value, count: u64, metric: Metric) -> Result<Answer, String> {
    let expected = &case["expected"];
    let theirs = match (&case["expected_error"], expected) {
        (Value::Object(error), _) => format!("refused: {}", text(&error["reason"])?),
        (_, Value::Null) => "no result".to_owned(),
        (_, action) => action_text(action)?,
    };
    let question = Question::new(count, vec![metric]);
    let codes = refusals(&question.hcl())?;
    if !codes.is_empty() {
        let mut reasons: Vec<&str> = codes.iter().map(|code| mistake(code)).collect();
        reasons.sort_unstable();
        reasons.dedup();
        return Ok(Answer {
            ours: format!("refused: {}", reasons.join(", ")),
            theirs,
            shown: format!("{codes:?}\n{}", question.hcl()),
        });
    }
    let asked = question.ask()?;
    let ours = if asked.has("no_data") {
        "no result".to_owned()
    } else if asked.has("abstained") && expected.is_null() {
        // A check that is not within its bounds has no vote, as a metric that abstains.
        "no result".to_owned()
    } else if expected["count"].is_null() {
        direction(count, asked.desired()).to_owned()
    } else {
        moved(count, asked.desired())
    };
    Ok(Answer {
        ours,
        theirs,
        shown: asked.shown,
    })
}

/// The kind of mistake that a code is, in the words of the cases.
fn mistake(code: &str) -> &'static str {
    match code {
        "P0105" | "P0106" | "P0125" => "missing",
        "P0016" | "P0117" | "P0120" => "conflict",
        _ => "invalid",
    }
}

/// At 0 only a total says anything; elsewhere the metric is one of each instance.
fn scope(count: u64) -> &'static str {
    if count == 0 {
        "scope = \"group\"\n"
    } else {
        ""
    }
}

fn change_limits(config: &Value) -> String {
    [
        ("max_scale_up", "max_add"),
        ("max_scale_down", "max_remove"),
    ]
    .iter()
    .filter(|(theirs, _)| !config[*theirs].is_null())
    .map(|(theirs, ours)| format!("{ours} = {}\n", config[*theirs]))
    .collect()
}

// The choice between checks.

/// Actions as metrics that want them.
///
/// The cases name counts without a current one. It is put between those of the two directions: a scale-in to `c` is a
/// want of `c`, a scale-out to `c` one of `current + 1 + c`, so that the order of counts is kept within a direction.
struct Votes {
    current: u64,
}

impl Votes {
    fn among<'a>(actions: impl Iterator<Item = &'a Value>) -> Result<Votes, String> {
        let mut current = 1;
        for action in actions {
            if action["direction"] == "down" {
                current = current.max(number(&action["count"])? + 1);
            }
        }
        Ok(Votes { current })
    }

    fn metric(&self, name: &str, action: &Value) -> Result<Metric, String> {
        let count = number(&action["count"])?;
        let want = match text(&action["direction"])? {
            "up" => self.current + 1 + count,
            "down" => count,
            _ => self.current,
        };
        Ok(Metric::wants(name, want as f64))
    }

    fn answer(&self, asked: Asked, expected: &Value) -> Result<Answer, String> {
        let desired = asked.desired();
        let ours = match direction(self.current, desired) {
            "up" => format!("up to {}", desired - self.current - 1),
            _ => moved(self.current, desired),
        };
        let theirs = match expected {
            Value::Null => "no result".to_owned(),
            expected => action_text(expected)?,
        };
        Ok(Answer {
            ours,
            theirs,
            shown: asked.shown,
        })
    }
}

fn preempt(case: &Value) -> Result<Answer, String> {
    let actions = [&case["a"], &case["b"]];
    let votes = Votes::among(actions.into_iter())?;
    let metrics = vec![
        votes.metric("a", actions[0])?,
        votes.metric("b", actions[1])?,
    ];
    let asked = Question::new(votes.current, metrics).ask()?;
    votes.answer(asked, &case["expected"])
}

fn groups(case: &Value) -> Result<Answer, String> {
    let checks = list(&case["checks"])?;
    if checks.is_empty() {
        let question = Question {
            min: 2,
            ..Question::new(5, Vec::new())
        };
        let asked = question.ask()?;
        return Ok(Answer {
            ours: moved(5, asked.desired()),
            theirs: "no result".to_owned(),
            shown: asked.shown,
        });
    }
    let actions = checks.iter().map(|check| &check["action"]);
    let votes = Votes::among(actions.clone())?;
    let mut metrics = Vec::new();
    for (place, check) in checks.iter().enumerate() {
        let name = format!("m{place}");
        metrics.push(if check["action"].is_null() || is_left_out(check) {
            Metric::abstains(&name)
        } else {
            votes.metric(&name, &check["action"])?
        });
    }
    let asked = Question::new(votes.current, metrics).ask()?;
    let mut answer = votes.answer(asked, &case["expected"])?;
    // Nobody votes: nothing changes, in both.
    if answer.ours == "none" && actions.clone().all(Value::is_null) {
        answer.ours = "no result".to_owned();
    }
    Ok(answer)
}

/// In a named group a vote for none is left out: that of a metric that abstains.
fn is_left_out(check: &Value) -> bool {
    check["group"] != "" && check["action"]["direction"] == "none"
}

fn cap(case: &Value) -> Result<Answer, String> {
    let (min, max) = (number(&case["min"])?, number(&case["max"])?);
    let count = case["count"].as_f64().ok_or("a count")?;
    let question = Question {
        min,
        max,
        ..Question::new(min, vec![Metric::wants("m", count)])
    };
    let (desired, shown) = question.desired()?;
    Ok(Answer {
        ours: desired.to_string(),
        theirs: number(&case["expected_count"])?.to_string(),
        shown,
    })
}

fn evaluate(case: &Value) -> Result<Answer, String> {
    let current = number(&case["current_count"])?;
    let mut metrics = Vec::new();
    for (place, check) in list(&case["checks"])?.iter().enumerate() {
        let name = format!("m{place}");
        match text(&check["outcome"])? {
            "outside_schedule" => {}
            "fatal_error" | "cancelled" | "strategy_error" => metrics.push(Metric::fails(&name)),
            "action" if check["action"].is_null() || is_left_out(check) => {
                metrics.push(Metric::abstains(&name))
            }
            "action" => {
                let action = &check["action"];
                let count = number(&action["count"])?;
                metrics.push(match (text(&action["direction"])?, &check["strategy"]) {
                    ("none", _) => Metric::wants(&name, current as f64),
                    // Its source is never asked.
                    (_, strategy) if strategy == "fixed_value" => {
                        Metric::new(&name, format!("value = {count}\nwant = true"), &[])
                    }
                    _ => Metric::wants(&name, count as f64),
                });
            }
            outcome => return Err(format!("no test knows the outcome `{outcome}`")),
        }
    }
    let mut question = Question::new(current, metrics);
    if let (Some(min), Some(max)) = (case["min"].as_u64(), case["max"].as_u64()) {
        (question.min, question.max) = (min, max);
    }
    let asked = question.ask()?;
    let theirs = match &case["expected"] {
        Value::Null => "none".to_owned(),
        action => action_text(action)?,
    };
    let ours = moved(current, asked.desired());
    let has_schedule = list(&case["checks"])?
        .iter()
        .any(|check| check["outcome"] == "outside_schedule");
    if has_schedule && ours != theirs {
        return Err(format!(
            "without it {ours}, the peer {theirs}\n{}",
            asked.shown
        ));
    }
    Ok(Answer {
        ours,
        theirs,
        shown: asked.shown,
    })
}

/// A check that failed, beside one that wants more, and beside one that wants fewer.
fn on_error(case: &Value) -> Result<Answer, String> {
    let has_failed = case["strategy_failed"] == true;
    let beside = |want: f64| {
        let first = if has_failed {
            Metric::fails("failing")
        } else {
            Metric::abstains("failing")
        };
        Question::new(3, vec![first, Metric::wants("other", want)]).ask()
    };
    let (growing, shrinking) = (beside(5.0)?, beside(1.0)?);
    // Skipped or not, it says none, and none beats a removal.
    let expected = if has_failed { 3 } else { 1 };
    if shrinking.desired() != expected {
        return Err(format!("a removal is not held\n{}", shrinking.shown));
    }
    Ok(Answer {
        ours: match (has_failed, growing.desired()) {
            (true, 5) => "skip",
            (false, 5) => "continue",
            _ => "abort",
        }
        .to_owned(),
        theirs: text(&case["expected"])?.to_owned(),
        shown: growing.shown,
    })
}

// Whether it is carried out, and what follows.

fn scaling_needed(case: &Value) -> Result<Answer, String> {
    let current = number(&case["current_count"])?;
    let action = &case["action"];
    let metric = match text(&action["direction"])? {
        "none" => Metric::abstains("m"),
        _ => Metric::wants("m", number(&action["count"])? as f64),
    };
    let (desired, shown) = Question::new(current, vec![metric]).desired()?;
    Ok(Answer {
        ours: (desired != current).to_string(),
        theirs: case["expected"].to_string(),
        shown,
    })
}

/// The end of the cooldown that holds a move, in seconds from now.
fn held_for(asked: &Asked) -> String {
    asked
        .decision
        .reasons
        .iter()
        .find_map(|reason| match reason {
            Reason::InCooldown { until, .. } => Some(until.duration_since(now()).as_secs()),
            _ => None,
        })
        .map_or_else(|| "over".to_owned(), |seconds| format!("{seconds} s"))
}

fn seconds_text(seconds: i64) -> String {
    if seconds > 0 {
        format!("{seconds} s")
    } else {
        "over".to_owned()
    }
}

fn cooldown(case: &Value) -> Result<Answer, String> {
    let cooldown = seconds(&case["cooldown_s"])?;
    let question = Question {
        cooldowns: (cooldown, 0),
        actions: vec![(seconds(&case["last_event_age_s"])?, 1, 2)],
        ..Question::new(2, vec![Metric::wants("m", 5.0)])
    };
    let asked = question.ask()?;
    Ok(Answer {
        ours: held_for(&asked),
        theirs: seconds_text(seconds(&case["expected_remaining_s"])?),
        shown: asked.shown,
    })
}

/// The cooldown of a second move in the direction of the first.
fn cooldown_choice(case: &Value) -> Result<Answer, String> {
    let cooldowns = (
        seconds(&case["cooldown_on_scale_up_s"])?,
        seconds(&case["cooldown_s"])?,
    );
    let (before, want) = match text(&case["direction"])? {
        "up" => (2, 5.0),
        "down" => (4, 1.0),
        other => return Err(format!("nothing is done for `{other}`")),
    };
    let question = Question {
        cooldowns,
        actions: vec![(0, before, 3)],
        ..Question::new(3, vec![Metric::wants("m", want)])
    };
    let asked = question.ask()?;
    Ok(Answer {
        ours: held_for(&asked),
        theirs: seconds_text(seconds(&case["expected_cooldown_s"])?),
        shown: asked.shown,
    })
}

fn cooldown_gate(case: &Value) -> Result<Answer, String> {
    const COOLDOWN: i64 = 86_400;
    let mut question = Question {
        cooldowns: (COOLDOWN, COOLDOWN),
        ..Question::new(
            2,
            vec![Metric::wants(
                "m",
                if case["action_needed"] == true {
                    5.0
                } else {
                    2.0
                },
            )],
        )
    };
    if case["in_cooldown"] == true {
        let left = case["cooldown_ends_in_s"].as_i64().unwrap_or(0);
        question.actions = vec![(COOLDOWN - left, 1, 2)];
    }
    let (desired, shown) = question.desired()?;
    Ok(Answer {
        ours: (desired != 2).to_string(),
        theirs: case["expected_scales"].to_string(),
        shown,
    })
}

// Words.

fn direction(current: u64, desired: u64) -> &'static str {
    match desired.cmp(&current) {
        std::cmp::Ordering::Less => "down",
        std::cmp::Ordering::Equal => "none",
        std::cmp::Ordering::Greater => "up",
    }
}

/// `up to 4`, `none`.
fn moved(current: u64, desired: u64) -> String {
    match direction(current, desired) {
        "none" => "none".to_owned(),
        direction => format!("{direction} to {desired}"),
    }
}

/// The same of an action as the cases have it.
fn action_text(action: &Value) -> Result<String, String> {
    let direction = text(&action["direction"])?;
    Ok(match action["count"].as_u64() {
        Some(count) if direction != "none" => format!("{direction} to {count}"),
        _ => direction.to_owned(),
    })
}

fn samples(case: &Value) -> Result<Vec<f64>, String> {
    list(&case["metrics"])?
        .iter()
        .map(|value| {
            value
                .as_f64()
                .ok_or_else(|| format!("{value} is no number"))
        })
        .collect()
}

fn list(value: &Value) -> Result<&Vec<Value>, String> {
    value
        .as_array()
        .ok_or_else(|| format!("{value} is no list"))
}

fn number(value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("{value} is no count"))
}

fn seconds(value: &Value) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| format!("{value} is no time"))
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is no text"))
}
