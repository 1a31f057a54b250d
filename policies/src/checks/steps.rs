//! Steps with an end of their own, and bands: that each holds a value, and that each value meets at most one.

use crate::codes;
use crate::decode::Context;
use crate::diagnostic::Diagnostic;
use crate::layers::Merged;
use crate::source::Span;

/// One end of a range; minus or plus infinite where nothing is written.
#[derive(Clone, Copy)]
struct End {
    at: f64,
    is_included: bool,
}

/// The values that a step applies to.
struct Range {
    low: End,
    high: End,
    span: Span,
}

impl Range {
    fn is_empty(&self) -> bool {
        self.low.at > self.high.at
            || (self.low.at == self.high.at && !(self.low.is_included && self.high.is_included))
    }

    /// Whether both hold a value. `other` begins no lower.
    fn meets(&self, other: &Range) -> bool {
        other.low.at < self.high.at
            || (other.low.at == self.high.at && other.low.is_included && self.high.is_included)
    }
}

/// Checks the steps of a metric of which at least one has a `from` or a `to`.
pub(super) fn check(block: &Merged<'_>, cx: &mut Context) {
    let starts = |name: &str| -> Vec<f64> {
        let mut list: Vec<f64> = block
            .blocks_of("step")
            .filter_map(|step| step.number(name, cx))
            .collect();
        list.sort_by(f64::total_cmp);
        list
    };
    let (above, below) = (starts("above"), starts("below"));
    let end = |at: Option<f64>, infinite: f64, is_included| End {
        at: at.unwrap_or(infinite),
        is_included,
    };
    let mut ranges = Vec::new();
    let mut empty = Vec::new();
    for step in block.blocks_of("step") {
        let number = |name: &str| step.number(name, cx);
        let to = number("to");
        let (low, high, name) = if let Some(from) = number("above") {
            let next = above.get(above.partition_point(|x| *x <= from)).copied();
            let low = end(Some(from), 0.0, true);
            (low, end(to.or(next), f64::INFINITY, false), "above")
        } else if let Some(from) = number("below") {
            let next = below.partition_point(|x| *x < from).checked_sub(1);
            let next = next.and_then(|i| below.get(i)).copied();
            let high = end(Some(from), 0.0, true);
            (end(to.or(next), f64::NEG_INFINITY, false), high, "below")
        } else if number("from").is_some() || to.is_some() {
            let low = end(number("from"), f64::NEG_INFINITY, true);
            (low, end(to, f64::INFINITY, false), "from")
        } else {
            // What is written there was reported.
            continue;
        };
        let place = if step.get(name).is_some() { name } else { "to" };
        let range = Range {
            low,
            high,
            span: step.span_of(place),
        };
        if !range.is_empty() {
            ranges.push(range);
        } else if to.is_some() {
            empty.push((
                step.span_of("to"),
                name,
                if name == "below" { high } else { low },
            ));
        } else {
            // Two with one bound: they meet at it.
            ranges.push(Range { high: low, ..range });
        }
    }
    for (span, name, start) in empty {
        let side = if name == "below" { "below" } else { "above" };
        cx.push(
            Diagnostic::error(codes::EMPTY_STEP, "Step that holds no value")
                .at(span, format!("must be {side} {}", start.at))
                .why("A step reaches from its bound to `to`, and the value of `to` is not in it."),
        );
    }
    ranges.sort_by(|a, b| a.low.at.total_cmp(&b.low.at));
    for pair in ranges.windows(2) {
        if let [a, b] = pair
            && a.meets(b)
        {
            let (first, second) = if a.span <= b.span { (a, b) } else { (b, a) };
            cx.push(
                Diagnostic::error(codes::OVERLAPPING_STEPS, "Steps that overlap")
                    .at(second.span, format!("at {} both steps apply", b.low.at))
                    .at(first.span, "the other step")
                    .help("end one step, with `to`, where the other begins"),
            );
        }
    }
}
