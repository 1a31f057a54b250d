//! What a metric of ours is to AWS's own policies: a name that they know, one series, or metric math. Pure.

use std::collections::BTreeMap;

use tideform_policies::model::{
    BinaryOperator, Expression, FormulaFunction, Group, Metric, MetricSource, OnMissing, OwnValue,
    Scope, Statistic, UnaryOperator,
};

use super::model::{MathQuery, MathTerm, Measured, SeriesSpec};
use crate::metrics::names::{self, Asked, Series};
use crate::metrics::targets::Target;

/// What cannot be said, and what to do: the two halves of a message.
pub(super) type Problem = (String, String);

/// Requests a minute, where ours are a second.
pub(crate) const MINUTE: f64 = 60.0;

/// The metric of AWS's own that counts a group's instances in service. It must be switched on for the group.
pub(crate) const IN_SERVICE: &str = "GroupInServiceInstances";

/// The mean that target tracking knows, and the pair of predictive scaling.
pub(crate) const PAIRS: [(&str, &str); 4] = [
    ("ASGAverageCPUUtilization", "ASGCPUUtilization"),
    ("ASGAverageNetworkIn", "ASGNetworkIn"),
    ("ASGAverageNetworkOut", "ASGNetworkOut"),
    ("ALBRequestCountPerTarget", "ALBRequestCount"),
];

/// What is measured, and by how much a target of ours is to be multiplied.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tracked {
    pub(super) measured: Measured,
    pub(super) factor: f64,
}

/// Builds queries of metric math, each series once.
struct Math<'a> {
    group: &'a Group,
    target: Option<&'a Target>,
    period_s: i32,
    queries: Vec<MathQuery>,
}

/// What a target tracking policy looks at.
///
/// A total becomes a share of each instance by metric math: AWS tracks what falls as the group grows.
pub(super) fn tracked(
    group: &Group,
    metric: &Metric,
    target: Option<&Target>,
) -> Result<Tracked, Problem> {
    if let Some(found) = predefined(metric, target) {
        return Ok(found);
    }
    let mut math = Math::new(group, metric, target);
    let term = math.metric(metric, 0)?;
    let term = match metric.scope {
        Scope::Instance | Scope::Shared => term,
        Scope::Group => {
            let instances = math.own_series(IN_SERVICE);
            format!("{term} / {instances}")
        }
    };
    Ok(Tracked {
        measured: math.measured(term),
        factor: 1.0,
    })
}

/// What an alarm looks at. A number for absent data fills the gaps.
pub(super) fn watched(
    group: &Group,
    metric: &Metric,
    target: Option<&Target>,
) -> Result<Measured, Problem> {
    let mut math = Math::new(group, metric, target);
    let term = math.metric(metric, 0)?;
    let term = match metric.on_missing {
        OnMissing::Value(value) => format!("FILL({term}, {value})"),
        OnMissing::Hold | OnMissing::Last | OnMissing::ScaleOut => term,
    };
    Ok(math.measured(term))
}

fn predefined(metric: &Metric, target: Option<&Target>) -> Option<Tracked> {
    let MetricSource::Query(query) = &metric.source else {
        return None;
    };
    let is_plain = query.namespace.is_none()
        && query.dimensions.is_empty()
        && metric.statistic == Statistic::Average
        && metric.scope == Scope::Instance
        && metric.period.as_secs() == 60;
    if !is_plain {
        return None;
    }
    let (name, label, factor) = match query.name.as_str() {
        "cpu" => ("ASGAverageCPUUtilization", None, 1.0),
        "network_in" => ("ASGAverageNetworkIn", None, 1.0),
        "network_out" => ("ASGAverageNetworkOut", None, 1.0),
        "requests_per_instance" => {
            let target = target?;
            let label = format!("{}/{}", target.balancer.as_ref()?, target.group);
            ("ALBRequestCountPerTarget", Some(label), MINUTE)
        }
        _ => return None,
    };
    Some(Tracked {
        measured: Measured::Predefined {
            name: name.to_owned(),
            label,
        },
        factor,
    })
}

/// The pair of load and mean that AWS knows by one name, and by how much a number of ours is to be multiplied.
///
/// Source: Amazon EC2 Auto Scaling API, PredictiveScalingPredefinedMetricPair.
pub(super) fn pair(metric: &Metric, target: Option<&Target>) -> Option<(Measured, f64)> {
    let Tracked { measured, factor } = predefined(metric, target)?;
    let Measured::Predefined { name, label } = measured else {
        return None;
    };
    let name = PAIRS
        .iter()
        .find_map(|(mean, pair)| (*mean == name).then_some(*pair))?;
    let measured = Measured::Predefined {
        name: name.to_owned(),
        label,
    };
    Some((measured, factor))
}

impl<'a> Math<'a> {
    fn new(group: &'a Group, metric: &Metric, target: Option<&'a Target>) -> Math<'a> {
        Math {
            group,
            target,
            period_s: i32::try_from(metric.period.as_secs()).unwrap_or(60),
            queries: Vec::new(),
        }
    }

    /// The answer of all: a single series, or the queries with the expression last.
    fn measured(mut self, term: String) -> Measured {
        if let [
            MathQuery {
                id,
                what: MathTerm::Series(series),
            },
        ] = self.queries.as_slice()
            && *id == term
        {
            return Measured::Series(series.clone());
        }
        self.queries.push(MathQuery {
            id: "value".to_owned(),
            what: MathTerm::Expression(term),
        });
        Measured::Math(self.queries)
    }

    /// The term that stands for a metric.
    fn metric(&mut self, metric: &Metric, depth: u8) -> Result<String, Problem> {
        match &metric.source {
            MetricSource::Query(query) => {
                if query
                    .provider
                    .as_ref()
                    .is_some_and(|source| *source != self.group.provider)
                {
                    return Err((
                        format!("AWS cannot read `{}` from another source", metric.name),
                        "Use a CloudWatch metric, or `controller = \"tideform\"`.".to_owned(),
                    ));
                }
                let asked = names::ask(
                    query,
                    metric.statistic,
                    Some(&self.group.resource.name),
                    self.target,
                    metric.period.as_secs_f64(),
                )
                .map_err(|problem| (problem.what, problem.help))?;
                Ok(match asked {
                    Asked::Series { series, divide_by } => {
                        let id = self.series(series);
                        if divide_by == 1.0 {
                            id
                        } else {
                            format!("({id} / {divide_by})")
                        }
                    }
                    Asked::Percent { part, whole } => {
                        let (part, whole) = (self.series(part), self.series(whole));
                        format!("(100 * FILL({part}, 0) / {whole})")
                    }
                })
            }
            MetricSource::Formula(formula) if depth < 16 => {
                self.expression(&formula.expression, depth + 1)
            }
            MetricSource::Formula(_) => Err((
                "the formula is too deep for metric math".to_owned(),
                "Write it over fewer other formulas.".to_owned(),
            )),
        }
    }

    fn series(&mut self, series: Series) -> String {
        let wanted = MathTerm::Series(SeriesSpec {
            namespace: series.namespace,
            name: series.name,
            dimensions: series.dimensions,
            statistic: series.statistic,
            period_s: (self.period_s != 60).then_some(self.period_s),
        });
        if let Some(known) = self.queries.iter().find(|query| query.what == wanted) {
            return known.id.clone();
        }
        let id = format!("m{}", self.queries.len() + 1);
        self.queries.push(MathQuery {
            id: id.clone(),
            what: wanted,
        });
        id
    }

    fn own_series(&mut self, name: &str) -> String {
        let dimensions = BTreeMap::from([(
            "AutoScalingGroupName".to_owned(),
            self.group.resource.name.to_string(),
        )]);
        self.series(Series {
            namespace: "AWS/AutoScaling".to_owned(),
            name: name.to_owned(),
            dimensions,
            statistic: "Average".to_owned(),
        })
    }

    /// Source: Amazon CloudWatch User Guide, "Using math expressions with CloudWatch metrics".
    fn expression(&mut self, expression: &Expression, depth: u8) -> Result<String, Problem> {
        let cannot = |what: &str| {
            Err((
                format!("metric math has no {what}"),
                "Write the formula without it, or use `controller = \"tideform\"`.".to_owned(),
            ))
        };
        Ok(match expression {
            Expression::Number(number) => number.to_string(),
            Expression::Bool(_) => return cannot("true and false"),
            Expression::Metric(name) => {
                let group = self.group;
                let metric = group.metric(name).ok_or_else(|| {
                    (
                        format!("there is no metric `{name}`"),
                        "Declare it.".to_owned(),
                    )
                })?;
                self.metric(metric, depth)?
            }
            Expression::Own(OwnValue::Ready | OwnValue::Live) => self.own_series(IN_SERVICE),
            Expression::Own(OwnValue::Desired) => self.own_series("GroupDesiredCapacity"),
            Expression::Own(OwnValue::Min) => self.own_series("GroupMinSize"),
            Expression::Own(OwnValue::Max) => self.own_series("GroupMaxSize"),
            Expression::Unary(UnaryOperator::Negate, inner) => {
                format!("(0 - {})", self.expression(inner, depth)?)
            }
            Expression::Unary(UnaryOperator::Not, _) => return cannot("`!`"),
            Expression::Binary(operator, left, right) => {
                let sign = match operator {
                    BinaryOperator::Add => "+",
                    BinaryOperator::Subtract => "-",
                    BinaryOperator::Multiply => "*",
                    BinaryOperator::Divide => "/",
                    BinaryOperator::Less => "<",
                    BinaryOperator::LessOrEqual => "<=",
                    BinaryOperator::Greater => ">",
                    BinaryOperator::GreaterOrEqual => ">=",
                    BinaryOperator::Equal => "==",
                    BinaryOperator::NotEqual => "!=",
                    BinaryOperator::And => "AND",
                    BinaryOperator::Or => "OR",
                    BinaryOperator::Modulo => return cannot("`%`"),
                };
                format!(
                    "({} {sign} {})",
                    self.expression(left, depth)?,
                    self.expression(right, depth)?
                )
            }
            Expression::Conditional(condition, then, otherwise) => format!(
                "IF({}, {}, {})",
                self.expression(condition, depth)?,
                self.expression(then, depth)?,
                self.expression(otherwise, depth)?
            ),
            Expression::Call(function, arguments) => {
                let name = match function {
                    FormulaFunction::Abs => "ABS",
                    FormulaFunction::Ceil => "CEIL",
                    FormulaFunction::Floor => "FLOOR",
                    FormulaFunction::Max => return self.extreme(arguments, ">", depth),
                    FormulaFunction::Min => return self.extreme(arguments, "<", depth),
                    FormulaFunction::Log => return cannot("`log` of a base of your own"),
                    FormulaFunction::Pow => return cannot("`pow`"),
                    FormulaFunction::Signum => return cannot("`signum`"),
                };
                let [argument] = arguments.as_slice() else {
                    return cannot("such arguments");
                };
                format!("{name}({})", self.expression(argument, depth)?)
            }
        })
    }

    /// MAX and MIN of metric math are over time; of two values the greater is found by a comparison.
    fn extreme(
        &mut self,
        arguments: &[Expression],
        sign: &str,
        depth: u8,
    ) -> Result<String, Problem> {
        let mut terms = Vec::with_capacity(arguments.len());
        for argument in arguments {
            terms.push(self.expression(argument, depth)?);
        }
        terms
            .into_iter()
            .reduce(|a, b| format!("IF({a} {sign} {b}, {a}, {b})"))
            .ok_or_else(|| {
                (
                    "nothing to compare".to_owned(),
                    "Give arguments.".to_owned(),
                )
            })
    }
}
