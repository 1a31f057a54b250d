//! AWS's step scaling and target tracking.
//!
//! A policy of AWS is a metric: the one for the alarm on high values has its steps above the threshold, the one for low
//! values below it. Several policies at once are several metrics, of which the largest want is taken.

use serde_json::Value;

use super::question::{MOST, Metric, Question};
use super::support::{Answer, File, kind, unknown};

pub(crate) static FILE: File = File {
    name: "aws_step_scaling",
    json: include_str!("aws_step_scaling.json"),
    set_aside: &[],
    ask,
};

fn ask(case: &Value) -> Result<Answer, String> {
    match kind(case) {
        "rounding" => rounding(case),
        "adjustment" => adjustment(case),
        "select_step" => select_step(case),
        "step_policy" => step_policy(case),
        "bounds" => bounds(case),
        "combine" => combine(case),
        "target_tracking" => target_tracking(case),
        "target_tracking_rounding" => target_tracking_rounding(case),
        _ => unknown(case),
    }
}

/// The adjustment of a step, in HCL.
pub(crate) fn adjusted(kind: &str, by: f64, least: Option<u64>) -> Result<String, String> {
    let word = if by < 0.0 { "remove" } else { "add" };
    let size = by.abs();
    Ok(match kind {
        "change" => format!("{word} = {size}"),
        "exact" => format!("set = {size}"),
        "percent" => {
            let least = least.map_or_else(String::new, |n| format!("\nmin_adjustment = {n}"));
            // Nine decimals, so that a share is written as it is and not as binary fractions have it.
            format!("{word} = \"{size:.9}%\"{least}")
        }
        other => return Err(format!("no test knows the adjustment `{other}`")),
    })
}

/// A metric that makes one adjustment now: an addition on high values, a removal on low ones, a number in a band.
fn proposal(name: &str, kind: &str, by: f64, least: Option<u64>) -> Result<Metric, String> {
    let place = match kind {
        "exact" => "from",
        _ if by < 0.0 => "below",
        _ => "above",
    };
    let body = format!("step {{\n{place} = 50\n{}\n}}", adjusted(kind, by, least)?);
    Ok(Metric::new(name, body, &[50.0]))
}

fn rounding(case: &Value) -> Result<Answer, String> {
    const CAPACITY: f64 = 1000.0;
    let raw = float(&case["raw_change"])?;
    let metric = proposal("m", "percent", raw / CAPACITY * 100.0, None)?;
    let (desired, shown) = Question::new(CAPACITY as u64, vec![metric]).desired()?;
    Ok(Answer {
        ours: (desired as i64 - CAPACITY as i64).to_string(),
        theirs: case["expected_change"].to_string(),
        shown,
    })
}

fn adjustment(case: &Value) -> Result<Answer, String> {
    let metric = proposal(
        "m",
        text(&case["adjustment_type"])?,
        float(&case["adjustment"])?,
        case["min_adjustment_magnitude"].as_u64(),
    )?;
    capacity(
        &Question::new(count(&case["current_capacity"])?, vec![metric]),
        &case["expected_capacity"],
    )
}

/// The steps of a policy around its threshold, in HCL.
fn steps(threshold: f64, is_above: bool, kind: &str, steps: &[Value]) -> Result<String, String> {
    let mut text = String::new();
    for step in steps {
        let at = |bound: &Value| bound.as_f64().map(|bound| threshold + bound);
        let (lower, upper) = (at(&step["lower"]), at(&step["upper"]));
        let (name, start, end) = if is_above {
            ("above", lower, upper)
        } else {
            ("below", upper, lower)
        };
        let start = start.ok_or("a step with an open end at its threshold")?;
        let end = end.map_or_else(String::new, |end| format!("to = {end}\n"));
        let change = adjusted(kind, float(&step["adjustment"])?, None)?;
        text.push_str(&format!("step {{\n{name} = {start}\n{end}{change}\n}}\n"));
    }
    Ok(text)
}

fn select_step(case: &Value) -> Result<Answer, String> {
    const CAPACITY: u64 = 100;
    let body = steps(
        float(&case["threshold"])?,
        case["breach"] == "above",
        "change",
        list(&case["steps"])?,
    )?;
    let metric = Metric::new("m", body, &[float(&case["metric"])?]);
    let asked = Question::new(CAPACITY, vec![metric]).ask()?;
    Ok(Answer {
        ours: if asked.has("abstained") {
            "null".to_owned()
        } else {
            (asked.desired() as i64 - CAPACITY as i64).to_string()
        },
        theirs: case["expected_adjustment"].to_string(),
        shown: asked.shown,
    })
}

fn step_policy(case: &Value) -> Result<Answer, String> {
    let threshold = float(&case["threshold"])?;
    let kind = text(&case["adjustment_type"])?;
    let value = [float(&case["metric"])?];
    let out = steps(threshold, true, kind, list(&case["scale_out_steps"])?)?;
    let r#in = steps(threshold, false, kind, list(&case["scale_in_steps"])?)?;
    let question = Question {
        ready: count(&case["in_service_capacity"])?,
        ..Question::new(
            count(&case["desired_capacity"])?,
            vec![
                Metric::new("out", out, &value),
                Metric::new("in", r#in, &value),
            ],
        )
    };
    capacity(&question, &case["expected_desired_capacity"])
}

fn bounds(case: &Value) -> Result<Answer, String> {
    let metric = proposal("m", "change", float(&case["adjustment"])?, None)?;
    let question = Question {
        min: case["min_capacity"].as_u64().unwrap_or(0),
        max: case["max_capacity"].as_u64().unwrap_or(MOST),
        ..Question::new(count(&case["current_capacity"])?, vec![metric])
    };
    capacity(&question, &case["expected_capacity"])
}

fn combine(case: &Value) -> Result<Answer, String> {
    let mut metrics = Vec::new();
    for (place, policy) in list(&case["proposals"])?.iter().enumerate() {
        metrics.push(proposal(
            &format!("m{place}"),
            text(&policy["adjustment_type"])?,
            float(&policy["adjustment"])?,
            None,
        )?);
    }
    // Where only exact capacities are proposed the current one is left open.
    let current = case["current_capacity"].as_u64().unwrap_or(1);
    capacity(&Question::new(current, metrics), &case["expected_capacity"])
}

/// `track`, which follows every deviation.
pub(crate) fn tracked(target: f64) -> String {
    format!("track {{\n  target = {target}\n  tolerance = \"0%\"\n}}")
}

fn target_tracking(case: &Value) -> Result<Answer, String> {
    let body = tracked(float(&case["target"])?);
    let metric = Metric::new("m", body, &[float(&case["metric"])?]);
    capacity(
        &Question::new(count(&case["current_capacity"])?, vec![metric]),
        &case["expected_capacity"],
    )
}

fn target_tracking_rounding(case: &Value) -> Result<Answer, String> {
    // 100 instances at 100 % each: one more or fewer is a percent.
    let metric = Metric::new("m", tracked(100.0), &[100.0 + float(&case["raw_change"])?]);
    let (desired, shown) = Question::new(100, vec![metric]).desired()?;
    Ok(Answer {
        ours: (desired as i64 - 100).to_string(),
        theirs: case["expected_change"].to_string(),
        shown,
    })
}

fn capacity(question: &Question, expected: &Value) -> Result<Answer, String> {
    let (desired, shown) = question.desired()?;
    Ok(Answer {
        ours: desired.to_string(),
        theirs: expected.to_string(),
        shown,
    })
}

fn list(value: &Value) -> Result<&Vec<Value>, String> {
    value
        .as_array()
        .ok_or_else(|| format!("{value} is no list"))
}

fn count(value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("{value} is no count"))
}

fn float(value: &Value) -> Result<f64, String> {
    value
        .as_f64()
        .ok_or_else(|| format!("{value} is no number"))
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is no text"))
}
