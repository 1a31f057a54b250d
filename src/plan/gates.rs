//! Gates of a plan for CI: `plan --fail-if 'cost > +10%'`. Pure: it reads what the plan says and changes nothing.
//!
//! A gate is a measure, an operator and a bound. A bound with a sign is about the change from now, one without about what
//! is planned. What cannot be judged stops the plan as well: a check that passes because nobody looked is none.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use tideform_policies::decode::parse_duration;
use tideform_policies::model::GroupAddress;

use super::types::{CostChange, GroupPlan, Plan};
use crate::backtest::{Figures, SHOWN_PENALTY};

/// What a gate looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// US dollars a month.
    Cost,
    /// Instance-hours.
    Hours,
    /// Percent of minutes within the SLO.
    Slo,
    /// Minutes above it.
    Short,
    /// Changes of capacity a day.
    Actions,
    /// Changes that took back the one before.
    Flapping,
    /// J over J* of the optimum.
    Regret,
}

const MEASURES: [(&str, Measure); 7] = [
    ("cost", Measure::Cost),
    ("hours", Measure::Hours),
    ("slo", Measure::Slo),
    ("short", Measure::Short),
    ("actions", Measure::Actions),
    ("flapping", Measure::Flapping),
    ("regret", Measure::Regret),
];

impl Measure {
    fn name(self) -> &'static str {
        let named = MEASURES.iter().find(|(_, measure)| *measure == self);
        named.map_or("", |(name, _)| name)
    }

    /// A number for people: with two decimals, or three where the third matters.
    fn said(self, value: f64) -> String {
        match self {
            Measure::Slo | Measure::Regret => format!("{value:.3}"),
            Measure::Cost
            | Measure::Hours
            | Measure::Short
            | Measure::Actions
            | Measure::Flapping => format!("{value:.2}"),
        }
    }

    /// After a number, for people.
    fn unit(self) -> &'static str {
        match self {
            Measure::Cost => " USD a month",
            Measure::Hours => " instance-hours",
            Measure::Slo => " % of minutes within the SLO",
            Measure::Short => " short minutes",
            Measure::Actions => " actions a day",
            Measure::Flapping => " changes taken back",
            Measure::Regret => " times the optimum",
        }
    }

    fn of(self, figures: &Figures) -> Option<f64> {
        match self {
            Measure::Cost => figures.cost_usd_per_month,
            Measure::Hours => Some(figures.instance_hours),
            Measure::Slo => Some(figures.slo_percent),
            Measure::Short => Some(figures.short_minutes),
            Measure::Actions => Some(figures.actions_per_day),
            Measure::Flapping => Some(figures.flapping as f64),
            Measure::Regret => figures.regret.get(SHOWN_PENALTY).copied().flatten(),
        }
    }
}

/// How the number is compared with the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// Longer ones first: `>=` begins with `>`.
const OPERATORS: [(&str, Operator); 4] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    (">", Operator::Above),
    ("<", Operator::Below),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    /// What is planned.
    Planned(f64),
    /// Planned less now.
    Change(f64),
    /// The same as a percentage of now.
    ChangePercent(f64),
}

/// A gate. It holds where its comparison is true, and a plan in which one holds fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    measure: Measure,
    operator: Operator,
    bound: Bound,
    text: String,
}

/// Why a text is no gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// No operator in it.
    #[error(
        "it has no operator: write a name, one of `>`, `>=`, `<`, `<=`, and a number, as in `cost > +10%`"
    )]
    NoOperator,
    /// A measure that does not exist.
    #[error(
        "`{0}` is none of the names `cost`, `hours`, `slo`, `short`, `actions`, `flapping`, `regret`"
    )]
    Name(String),
    /// An operator that does not exist.
    #[error("`{0}` is none of the operators `>`, `>=`, `<`, `<=`")]
    Operator(String),
    /// No number.
    #[error("`{0}` is no number; write `500`, `+50` for the change from now, or `+10%`")]
    Number(String),
    /// A percentage without a sign.
    #[error("`{0}` of what? `+{0}` is the change from now")]
    PercentOfWhat(String),
    /// A duration of something that is no time.
    #[error("`{number}` is a time, and `{name}` is none")]
    NotATime {
        /// As typed.
        number: String,
        /// The measure.
        name: &'static str,
    },
}

impl FromStr for Gate {
    type Err = GateError;

    fn from_str(text: &str) -> Result<Gate, GateError> {
        let is_operator = |c: char| matches!(c, '<' | '>' | '=' | '!');
        let start = text.find(is_operator).ok_or(GateError::NoOperator)?;
        let (name, rest) = text.split_at(start);
        let end = rest.find(|c| !is_operator(c)).unwrap_or(rest.len());
        let (operator, number) = rest.split_at(end);
        let (name, number) = (name.trim(), number.trim());
        let (_, measure) = *MEASURES
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| GateError::Name(name.to_owned()))?;
        let (_, operator) = *OPERATORS
            .iter()
            .find(|(known, _)| *known == operator)
            .ok_or_else(|| GateError::Operator(operator.to_owned()))?;
        Ok(Gate {
            measure,
            operator,
            bound: bound(measure, number)?,
            text: text.trim().to_owned(),
        })
    }
}

fn bound(measure: Measure, text: &str) -> Result<Bound, GateError> {
    let wrong = || GateError::Number(text.to_owned());
    let sign = match text.as_bytes().first() {
        Some(b'+') => Some(1.0),
        Some(b'-') => Some(-1.0),
        _ => None,
    };
    let number = if sign.is_some() {
        text.get(1..).unwrap_or_default()
    } else {
        text
    }
    .trim();
    let (number, is_percent) = match number.strip_suffix('%') {
        Some(number) => (number.trim(), true),
        None => (number, false),
    };
    let is_plain = |text: &str| text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let value = match number.parse::<f64>() {
        Ok(value) if is_plain(number) && value.is_finite() => value,
        Ok(_) => return Err(wrong()),
        Err(_) => match parse_duration(number) {
            Ok(time) if !is_percent && measure == Measure::Short => time.as_secs_f64() / 60.0,
            Ok(_) if !is_percent => {
                return Err(GateError::NotATime {
                    number: text.to_owned(),
                    name: measure.name(),
                });
            }
            _ => return Err(wrong()),
        },
    };
    match (sign, is_percent) {
        // The SLO is a percentage itself: a change of it is in points.
        (Some(sign), true) if measure != Measure::Slo => Ok(Bound::ChangePercent(sign * value)),
        (Some(sign), _) => Ok(Bound::Change(sign * value)),
        (None, true) if measure != Measure::Slo => Err(GateError::PercentOfWhat(text.to_owned())),
        (None, _) => Ok(Bound::Planned(value)),
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a gate says of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It does not hold.
    Passed,
    /// It holds: the plan fails.
    Stopped,
    /// A number is missing: the plan fails.
    NotJudged,
}

/// A gate on one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The group.
    pub group: GroupAddress,
    /// The gate, as it was written.
    pub gate: String,
    /// What it says.
    pub outcome: Outcome,
    /// The number of what is live now.
    pub now: Option<f64>,
    /// The number of what is planned.
    pub planned: Option<f64>,
    /// In words: which numbers, or what is missing.
    pub text: String,
}

impl Verdict {
    /// Whether the plan fails by it.
    pub fn stops(&self) -> bool {
        self.outcome != Outcome::Passed
    }

    /// A sentence.
    pub fn sentence(&self) -> String {
        let Verdict {
            group, gate, text, ..
        } = self;
        match self.outcome {
            Outcome::Passed => format!("`{gate}` does not hold for {group}: {text}."),
            Outcome::Stopped => format!("`{gate}` holds for {group}: {text}."),
            Outcome::NotJudged => format!("`{gate}` cannot be judged for {group}: {text}."),
        }
    }
}

/// What gates say of each group that will be scaled in another way than now.
///
/// The numbers are those of the backtest. Without one, `cost` is the plan's monthly cost at the capacity of now.
pub fn judge(plan: &Plan, gates: &[Gate]) -> Vec<Verdict> {
    let changed = |group: &&GroupPlan| plan.cases.iter().any(|of| of.case.address == group.address);
    let groups: Vec<&GroupPlan> = plan.groups.iter().filter(changed).collect();
    let each = gates
        .iter()
        .flat_map(|gate| groups.iter().map(move |group| (gate, *group)));
    each.map(|(gate, group)| gate.judge(group)).collect()
}

impl Gate {
    fn judge(&self, group: &GroupPlan) -> Verdict {
        let (now, planned) = self.numbers(group);
        let verdict = |outcome, text| Verdict {
            group: group.address.clone(),
            gate: self.text.clone(),
            outcome,
            now,
            planned,
            text,
        };
        let unit = self.measure.unit();
        let number = |value: f64| self.measure.said(value);
        let found = match (self.bound, now, planned) {
            (_, _, None) => return verdict(Outcome::NotJudged, self.missing(group)),
            (Bound::Planned(bound), _, Some(planned)) => {
                Some((planned, bound, format!("{}{unit} planned", number(planned))))
            }
            (Bound::Change(_) | Bound::ChangePercent(_), None, Some(_)) => None,
            (Bound::Change(bound), Some(now), Some(planned)) => {
                let change = planned - now;
                let text = format!(
                    "{} -> {}{unit} ({}{})",
                    number(now),
                    number(planned),
                    if change < 0.0 { "-" } else { "+" },
                    number(change.abs())
                );
                Some((change, bound, text))
            }
            (Bound::ChangePercent(bound), Some(now), Some(planned)) => {
                let percent = if now == planned {
                    0.0
                } else if now == 0.0 {
                    f64::INFINITY
                } else {
                    100.0 * (planned - now) / now
                };
                let said = if percent.is_finite() {
                    format!(" ({percent:+.1} %)")
                } else {
                    String::new()
                };
                let text = format!("{} -> {}{unit}{said}", number(now), number(planned));
                Some((percent, bound, text))
            }
        };
        let Some((found, bound, text)) = found else {
            return verdict(
                Outcome::NotJudged,
                "nothing is applied yet that a change could be told from; a bound without a sign is about what is planned".to_owned(),
            );
        };
        let holds = match self.operator {
            Operator::Above => found > bound,
            Operator::AtLeast => found >= bound,
            Operator::Below => found < bound,
            Operator::AtMost => found <= bound,
        };
        verdict(
            if holds {
                Outcome::Stopped
            } else {
                Outcome::Passed
            },
            text,
        )
    }

    /// Now and planned: of the backtest, or of the plan's cost.
    fn numbers(&self, group: &GroupPlan) -> (Option<f64>, Option<f64>) {
        let played = group
            .backtest
            .as_ref()
            .and_then(|backtest| backtest.played());
        let (now, planned) = match played {
            Some(played) => (
                played.now.as_ref().and_then(|now| self.measure.of(now)),
                self.measure.of(&played.planned),
            ),
            None => (None, None),
        };
        match (&group.cost, self.measure) {
            (
                Some(CostChange {
                    before_usd_per_month,
                    after_usd_per_month,
                    ..
                }),
                Measure::Cost,
            ) if planned.is_none() => (*before_usd_per_month, *after_usd_per_month),
            _ => (now, planned),
        }
    }

    fn missing(&self, group: &GroupPlan) -> String {
        match (&group.backtest, self.measure) {
            (Some(crate::backtest::Backtest::Missing { why_not }), _) => {
                format!("it has no backtest: {why_not}")
            }
            (Some(_), Measure::Cost) => {
                "no price is known; set `instance { price_usd_per_hour }`".to_owned()
            }
            (Some(_), _) => "the backtest does not say it".to_owned(),
            (None, _) => {
                "it has no backtest: nothing is recorded of it; give its load: `--trace FILE`"
                    .to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests;
