//! A load of minutes as a CSV file, the same on every run.

use jiff::Timestamp;
use tideform::simulate::trace::{Reading, Trace, TraceError};

/// A load with days, weekends and noise, that is the same on every run.
pub(crate) fn csv(minutes: u32) -> String {
    let mut text = String::with_capacity(30 * minutes as usize);
    text.push_str("timestamp,value\n");
    let mut noise: u64 = 1;
    for minute in 0..minutes {
        let at = 1_767_225_600 + i64::from(minute) * 60;
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let jitter = (noise >> 40) as f64 / f64::from(1 << 24) - 0.5;
        let hour = f64::from(minute % 1_440) / 60.0;
        let day = 1.0 + 0.8 * ((hour - 9.0) / 24.0 * std::f64::consts::TAU).sin();
        let weekend = if minute / 1_440 % 7 < 2 { 0.6 } else { 1.0 };
        let load = 1_000.0 * day * weekend * (1.0 + 0.1 * jitter);
        let time = Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH);
        text.push_str(&format!("{time},{load:.1}\n"));
    }
    text
}

/// Reads the file.
pub(crate) fn read(csv: &str) -> Result<Trace, TraceError> {
    Trace::parse(csv.as_bytes(), Reading::default())
}
