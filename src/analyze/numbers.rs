//! Means, quantiles, correlation: what every part needs.

/// The values in order.
pub(super) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The mean; 0 of nothing.
pub(super) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard deviation, of all there is; 0 of nothing.
pub(super) fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: Vec<f64> = values.iter().map(|v| (v - mean) * (v - mean)).collect();
    self::mean(&squares).sqrt()
}

/// A quantile of sorted values, linear between two of them; 0 of nothing.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let place = q.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let low = sorted[below];
    let high = sorted[(below + 1).min(last)];
    low + (high - low) * (place - below as f64)
}

/// The median; 0 of nothing.
pub(super) fn median(values: &[f64]) -> f64 {
    quantile(&sorted(values), 0.5)
}

/// How far values lie from their median, so that it is the standard deviation where they are normal.
pub(super) fn spread(values: &[f64]) -> f64 {
    let middle = median(values);
    let far: Vec<f64> = values.iter().map(|v| (v - middle).abs()).collect();
    1.4826 * median(&far)
}

/// A ratio; 0 where there is nothing to compare with.
pub(super) fn ratio(of: f64, to: f64) -> f64 {
    if to > 0.0 { of / to } else { 0.0 }
}

/// Pearson's correlation of a series with itself `lag` steps earlier; nothing where that says nothing.
pub(super) fn autocorrelation(values: &[f64], lag: usize) -> Option<f64> {
    let pairs = values.len().checked_sub(lag)?;
    if lag == 0 || pairs < 2 {
        return None;
    }
    let (early, late) = (&values[..pairs], &values[lag..]);
    let (mean_early, mean_late) = (mean(early), mean(late));
    let mut both = 0.0;
    let mut square_early = 0.0;
    let mut square_late = 0.0;
    for (a, b) in early.iter().zip(late) {
        let (a, b) = (a - mean_early, b - mean_late);
        both += a * b;
        square_early += a * a;
        square_late += b * b;
    }
    let scale = (square_early * square_late).sqrt();
    (scale > 0.0).then_some(both / scale)
}
