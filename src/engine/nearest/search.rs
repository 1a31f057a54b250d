//! The nearest value on one side that gives another answer, by probing outward and then halving.

/// Where to look on one side of a value.
#[derive(Clone, Debug)]
pub(super) struct Range {
    /// What was observed: here the answer is the one that is given.
    pub(super) start: f64,
    /// The most extreme value that is looked at.
    pub(super) end: f64,
    /// Values at which the rules say that something changes; any order.
    pub(super) hints: Vec<f64>,
}

/// How far the first probe lies from the start, as a share of the range's size of numbers.
const FIRST: f64 = 1.0 / 64.0;
/// Each further probe is so many times as far.
const FURTHER: f64 = 4.0;
/// Most probes, hints aside.
const PROBES: u32 = 16;
/// The end of halving, as a share of the value: below the third digit.
const CLOSE: f64 = 1e-4;
/// Just past a hint, for a bound that does not include its number.
const PAST: f64 = 1e-6;

/// The nearest value whose answer is one that is looked for, rounded to as few digits as leave that true, and its
/// answer.
///
/// Between two probes the answer is taken to change once: rules that leave an answer and come back to it within a
/// few percent may hide a nearer value, but what is found always gives such an answer.
pub(super) fn nearest(
    range: &Range,
    is_sought: impl Fn(u32) -> bool,
    mut ask: impl FnMut(f64) -> u32,
) -> Option<(f64, u32)> {
    let (_, other) = edge(range, |x| is_sought(ask(x)))?;
    Some(rounded(other, range, &is_sought, &mut ask))
}

/// How far an answer reaches on this side: the last value, rounded, that still has one that is not sought. `None`
/// where none that is sought follows.
pub(super) fn furthest(
    range: &Range,
    is_sought: impl Fn(u32) -> bool,
    mut ask: impl FnMut(f64) -> u32,
) -> Option<f64> {
    let (same, other) = edge(range, |x| is_sought(ask(x)))?;
    // From beyond the edge inward: the roundest number is looked for first.
    let inward = Range {
        start: other,
        end: range.start,
        hints: Vec::new(),
    };
    if same == range.start {
        return Some(same);
    }
    let (value, _) = rounded(same, &inward, &|n| !is_sought(n), &mut ask);
    Some(value)
}

/// The last value without what is sought, and one close behind it that has it.
fn edge(range: &Range, mut is_there: impl FnMut(f64) -> bool) -> Option<(f64, f64)> {
    let (start, end) = (range.start, range.end);
    if !start.is_finite() || !end.is_finite() || start == end {
        return None;
    }
    let mut same = start;
    let mut other = None;
    for probe in probes(range) {
        if is_there(probe) {
            other = Some(probe);
            break;
        }
        same = probe;
    }
    let mut other = other?;
    while (other - same).abs() > CLOSE * other.abs().max(same.abs()) {
        let middle = same + (other - same) / 2.0;
        if middle == same || middle == other {
            break;
        }
        if is_there(middle) {
            other = middle;
        } else {
            same = middle;
        }
    }
    Some((same, other))
}

/// Outward from the start, each further away than the one before.
fn probes(range: &Range) -> Vec<f64> {
    let (start, end) = (range.start, range.end);
    let sign = if end > start { 1.0 } else { -1.0 };
    let size = if start != 0.0 {
        start.abs()
    } else {
        let largest = range.hints.iter().map(|hint| hint.abs());
        largest.fold(0.0, f64::max)
    };
    let size = if size > 0.0 { size } else { 1.0 };
    let mut probes = Vec::with_capacity(PROBES as usize + 2 * range.hints.len() + 1);
    let mut offset = size * FIRST;
    for _ in 0..PROBES {
        probes.push(start + sign * offset);
        offset *= FURTHER;
    }
    for hint in &range.hints {
        probes.push(*hint);
        probes.push(hint + sign * hint.abs() * PAST);
    }
    probes.push(end);
    probes.retain(|x| x.is_finite() && sign * (x - start) > 0.0 && sign * (end - x) >= 0.0);
    probes.sort_by(|a, b| (sign * a).total_cmp(&(sign * b)));
    probes.dedup();
    probes
}

/// The value with as few digits as leave its answer one that is sought; never fewer than its whole part has.
fn rounded(
    value: f64,
    range: &Range,
    is_sought: &impl Fn(u32) -> bool,
    ask: &mut impl FnMut(f64) -> u32,
) -> (f64, u32) {
    let is_above = range.end > range.start;
    if value != 0.0 {
        let magnitude = value.abs().log10().floor();
        for digits in [3.0, 4.0, 5.0, 6.0, 9.0, 12.0] {
            // Decimals after the point.
            let decimals = (digits - 1.0 - magnitude).clamp(0.0, 300.0) as usize;
            let (down, up) = neighbors(value, decimals);
            let (inward, outward) = if is_above { (down, up) } else { (up, down) };
            for candidate in [inward, outward] {
                let is_on_its_side = if is_above {
                    range.start < candidate && candidate <= range.end
                } else {
                    range.end <= candidate && candidate < range.start
                };
                if is_on_its_side {
                    let other = ask(candidate);
                    if is_sought(other) {
                        return (candidate, other);
                    }
                }
            }
        }
    }
    let other = ask(value);
    (value, other)
}

/// The nearest numbers with so many decimals, not above and not below: as they are when their text is read.
fn neighbors(x: f64, decimals: usize) -> (f64, f64) {
    let read = |x: f64| format!("{x:.decimals$}").parse::<f64>().unwrap_or(x);
    let nearest = read(x);
    let unit = 10_f64.powi(-i32::try_from(decimals).unwrap_or(i32::MAX));
    if nearest == x {
        (x, x)
    } else if nearest < x {
        (nearest, read(nearest + unit))
    } else {
        (read(nearest - unit), nearest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: f64, end: f64, hints: &[f64]) -> Range {
        Range {
            start,
            end,
            hints: hints.to_vec(),
        }
    }

    #[test]
    fn the_value_is_the_shortest_that_gives_another_answer() {
        type Row = (f64, f64, fn(f64) -> u32, Option<(f64, u32)>);
        let table: [Row; 9] = [
            // A bound that does not include its number, and one that does.
            (60.0, 1e5, |x| u32::from(x > 66.0), Some((66.1, 1))),
            (60.0, 1e5, |x| u32::from(x >= 66.0), Some((66.0, 1))),
            (60.0, 0.0, |x| u32::from(x < 54.0), Some((53.9, 1))),
            (60.0, 0.0, |x| u32::from(x <= 54.0), Some((54.0, 1))),
            // The whole part is never cut.
            (900.0, 1e6, |x| u32::from(x > 1_234.5), Some((1_235.0, 1))),
            (0.02, 1.0, |x| u32::from(x > 0.123), Some((0.124, 1))),
            // Of a narrow region as many digits as it takes.
            (60.0, 100.0, |x| u32::from(61.12 < x && x < 61.13), None),
            (60.0, 1e5, |_| 0, None),
            (
                0.0,
                1e5,
                |x| if x >= 100.0 { 7 } else { 0 },
                Some((100.0, 7)),
            ),
        ];
        for (start, end, ask, expected) in table {
            assert_eq!(
                nearest(&range(start, end, &[]), |n| n != 0, ask),
                expected,
                "{start}"
            );
        }
        let narrow = |x: f64| u32::from(61.12 < x && x < 61.13);
        let (value, _) =
            nearest(&range(60.0, 100.0, &[61.121]), |n| n != 0, narrow).expect("hinted");
        assert_eq!((value, narrow(value)), (61.121, 1));
    }

    #[test]
    fn how_far_an_answer_reaches_is_told_by_the_roundest_number_that_still_has_it() {
        type Row = (f64, f64, fn(f64) -> u32, Option<f64>);
        let table: [Row; 5] = [
            (150.0, 0.0, |x| u32::from(x < 100.0), Some(100.0)),
            (150.0, 1e5, |x| u32::from(x >= 200.0), Some(199.0)),
            (150.0, 1e5, |x| u32::from(x > 200.0), Some(200.0)),
            (100.0, 0.0, |x| u32::from(x < 100.0), Some(100.0)),
            (150.0, 0.0, |_| 0, None),
        ];
        for (start, end, ask, expected) in table {
            let got = furthest(&range(start, end, &[100.0, 200.0]), |n| n != 0, ask);
            assert_eq!(got, expected, "{start} to {end}");
        }
    }

    #[test]
    fn absurd_ranges_have_no_answer_and_end() {
        for (start, end) in [
            (f64::NAN, 1.0),
            (0.0, f64::INFINITY),
            (5.0, 5.0),
            (f64::MAX, f64::MAX),
        ] {
            assert_eq!(nearest(&range(start, end, &[]), |n| n != 0, |_| 1), None);
        }
        // From 0 to the ends of numbers.
        assert!(nearest(&range(0.0, f64::MAX, &[1e-300, 1e300]), |n| n != 0, |_| 1).is_some());
        assert!(
            nearest(
                &range(0.0, -1e-300, &[]),
                |n| n != 0,
                |x| u32::from(x < 0.0)
            )
            .is_some()
        );
    }

    #[test]
    fn few_questions_are_asked() {
        let mut asked = 0;
        let found = nearest(
            &range(82.0, 1e5, &[90.0]),
            |n| n != 9,
            |x| {
                asked += 1;
                if x > 90.0 { 10 } else { 9 }
            },
        );
        assert_eq!(found, Some((90.1, 10)));
        assert!(asked <= 8, "{asked}");
    }
}
