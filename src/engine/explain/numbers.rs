//! Numbers in words: as few digits as tell the truth, with the metric's unit.

use tideform_policies::model::{Group, MetricSource, Share};

/// Most digits that a number is given so that it stands on its own side of its marks.
const MOST_DIGITS: i32 = 9;

/// Three significant digits, the whole part never cut; what is tiny or huge in powers of ten.
pub fn number(x: f64) -> String {
    with_digits(x, 3)
}

/// The same, with as many more digits as it takes to stand where it does beside other numbers: 66.04 is not shown as
/// 66 where 66 is the limit.
pub(super) fn number_beside(x: f64, marks: &[f64]) -> String {
    let is_told_apart = |text: &str| {
        let shown: f64 = text.parse().unwrap_or(x);
        marks
            .iter()
            .filter(|mark| mark.is_finite())
            .all(|mark| shown.total_cmp(mark) == x.total_cmp(mark))
    };
    (3..=MOST_DIGITS)
        .map(|digits| with_digits(x, digits))
        .find(|text| is_told_apart(text))
        .unwrap_or_else(|| number(x))
}

/// Every digit: for numbers that are already as short as they may be.
pub(super) fn exact(x: f64) -> String {
    if x == 0.0 || (1e-3..1e15).contains(&x.abs()) {
        // Also of minus zero.
        format!("{}", x + 0.0)
    } else {
        format!("{x:e}")
    }
}

fn with_digits(x: f64, digits: i32) -> String {
    let size = x.abs();
    if x == 0.0 {
        return "0".to_owned();
    }
    if !(1e-3..1e15).contains(&size) {
        let decimals = usize::try_from(digits - 1).unwrap_or(0);
        return format!("{x:.decimals$e}");
    }
    let magnitude = size.log10().floor() as i32;
    let decimals = usize::try_from(digits - 1 - magnitude).unwrap_or(0);
    let text = format!("{x:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// `50 %`.
pub(super) fn percent(share: Share) -> String {
    format!("{} %", number(share.percent()))
}

/// The unit of a metric by its known name, with the space before it; empty for all others.
pub fn unit(group: &Group, metric: &str) -> &'static str {
    let name = match group.metric(metric).map(|metric| &metric.source) {
        Some(MetricSource::Query(query)) => query.name.to_ascii_lowercase(),
        _ => String::new(),
    };
    if name == "cpu"
        || name == "memory"
        || name == "error_rate"
        || name == "mem_used_percent"
        || name.contains("utilization")
    {
        " %"
    } else if name == "latency" {
        " s"
    } else {
        ""
    }
}

/// A change in cost: `+0.29 USD/h`; with more digits where it is less than a cent.
pub fn usd_per_hour(amount: f64) -> String {
    if amount.abs() >= 0.01 || amount == 0.0 {
        format!("{amount:+.2} USD/h")
    } else {
        format!("{amount:+.4} USD/h")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_their_whole_part() {
        for (x, text) in [
            (82.0, "82"),
            (83.25, "83.2"),
            (53.192, "53.2"),
            (12.75, "12.8"),
            (1.0 / 3.0, "0.333"),
            (0.012_345, "0.0123"),
            (1_234.5, "1234"),
            (100.0, "100"),
            (0.0, "0"),
            (-0.5, "-0.5"),
            (1e-9, "1.00e-9"),
            (1e300, "1.00e300"),
        ] {
            assert_eq!(number(x), text);
        }
    }

    #[test]
    fn a_number_is_never_shown_on_the_other_side_of_its_mark() {
        for (x, mark, text) in [
            (66.04, 66.0, "66.04"),
            (65.96, 66.0, "65.96"),
            (66.0, 66.0, "66"),
            (99.999, 100.0, "99.999"),
            (7.001, 7.0, "7.001"),
            (50.04, 66.0, "50"),
            (f64::NAN, 1.0, "NaN"),
        ] {
            assert_eq!(number_beside(x, &[mark]), text);
        }
    }

    #[test]
    fn small_money_is_not_shown_as_none() {
        for (amount, text) in [
            (0.288, "+0.29 USD/h"),
            (-1.5, "-1.50 USD/h"),
            (0.0042, "+0.0042 USD/h"),
            (0.0, "+0.00 USD/h"),
        ] {
            assert_eq!(usd_per_hour(amount), text);
        }
    }
}
