//! What a scaler pays and misses as its target moves, and what that comes to against another for the same money.

use std::fmt::Write;

/// The targets that are tried, from the most careful.
const TARGETS: [f64; 11] = [
    45.0, 50.0, 55.0, 60.0, 65.0, 70.0, 75.0, 80.0, 85.0, 90.0, 95.0,
];

/// The targets of the first scaler that the others are compared at.
const SHOWN: [f64; 4] = [50.0, 60.0, 70.0, 80.0];

/// One target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) target: f64,
    /// Paid for each demanded.
    pub(crate) paid: f64,
    /// Percent of the demand.
    pub(crate) missing: f64,
}

/// A scaler at all targets.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    name: String,
    points: Vec<Point>,
}

/// A scaler, tried at each target.
pub(crate) fn front(
    name: &str,
    run: impl Fn(f64) -> Result<Point, String>,
) -> Result<Front, String> {
    Ok(Front {
        name: name.to_owned(),
        points: TARGETS.into_iter().map(run).collect::<Result<_, _>>()?,
    })
}

impl Front {
    fn at(&self, target: f64) -> Option<Point> {
        self.points.iter().copied().find(|p| p.target == target)
    }

    /// One figure where another is `x`, on the lines between the points; `None` beyond them.
    fn where_is(&self, x: f64, of: fn(&Point) -> f64, wanted: fn(&Point) -> f64) -> Option<f64> {
        self.points.windows(2).find_map(|pair| {
            let [a, b] = pair else { return None };
            let (from, to) = (of(a), of(b));
            let is_between = (from.min(to)..=from.max(to)).contains(&x);
            let share = if to == from {
                0.0
            } else {
                (x - from) / (to - from)
            };
            is_between.then(|| wanted(a) + share * (wanted(b) - wanted(a)))
        })
    }
}

/// The first scaler at some targets, and all others at its cost and at its shortage.
pub(crate) fn tables(all: &[Front]) -> String {
    let Some(first) = all.first() else {
        return String::new();
    };
    let paid = |p: &Point| p.paid;
    let missing = |p: &Point| p.missing;
    let shown: Vec<Point> = SHOWN
        .iter()
        .filter_map(|target| first.at(*target))
        .collect();
    let mut text = table(
        "missing, %, where as much is paid:",
        &shown,
        all,
        paid,
        missing,
    );
    text.push('\n');
    text += &table(
        "paid, where as much is missing:",
        &shown,
        all,
        missing,
        paid,
    );
    text
}

fn table(
    title: &str,
    shown: &[Point],
    all: &[Front],
    same: fn(&Point) -> f64,
    other: fn(&Point) -> f64,
) -> String {
    let mut text = format!("| {title} |");
    for point in shown {
        let _ = write!(text, " {:.2} |", same(point));
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(shown.len()));
    for front in all {
        let _ = write!(text, "\n| {} |", front.name);
        for point in shown {
            match front.where_is(same(point), same, other) {
                Some(value) => {
                    let _ = write!(text, " {value:.2} |");
                }
                None => text.push_str(" - |"),
            }
        }
    }
    text.push('\n');
    text
}
