//! What a policy is expected to cost in a month, for plans.
//!
//! Bounds, not a bill: at the floor, at the capacity of now, at the ceiling. The recurring schedules of the coming
//! week stand for all weeks; one-off windows, surges and the forecast are left out.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tideform_policies::calendar::CompiledSchedule;
use tideform_policies::model::{Lifecycle, Limits, Mix, Policy, Window};

use super::prices::GroupPrices;
use crate::engine::spot_part;

/// A month of 365 days a year: 8,760 / 12.
pub const HOURS_PER_MONTH: f64 = 730.0;

const WEEK_HOURS: i64 = 7 * 24;

/// What a group is expected to cost in a month, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonthlyCost {
    /// At the floor all the time: limits and schedules, never more than that.
    pub at_min_usd: f64,
    /// At this capacity, where limits and schedules allow it.
    pub at_current_usd: f64,
    /// At the ceiling all the time.
    pub at_max_usd: f64,
    /// Hours a week in which a schedule raises the floor above `limits.min`.
    pub raised_hours_per_week: f64,
}

/// What a capacity costs for an hour, split by the mix; `None` where a price that it needs is not known.
pub fn hourly_cost(capacity: u32, mix: Option<&Mix>, prices: &GroupPrices) -> Option<f64> {
    let spot = mix.map_or(0, |mix| spot_part(mix, capacity));
    let part = |units: u32, lifecycle: Lifecycle| {
        if units == 0 {
            Some(0.0)
        } else {
            Some(f64::from(units) * prices.per_unit(lifecycle)?)
        }
    };
    Some(part(capacity.saturating_sub(spot), Lifecycle::OnDemand)? + part(spot, Lifecycle::Spot)?)
}

/// What a group under this policy is expected to cost in a month.
///
/// - `limits`: the policy's, or the live ones where it has none; `mix`: likewise.
/// - `current`: the capacity of now, in units; it is brought between the floor and the ceiling of each hour.
/// - `now`: where the week that is looked at begins.
///
/// `None` where a price that it needs is not known. Schedules that cannot be read count as absent: `policies` has
/// refused them.
pub fn monthly_cost(
    policy: &Policy,
    limits: Limits,
    mix: Option<&Mix>,
    current: u32,
    prices: &GroupPrices,
    now: Timestamp,
) -> Option<MonthlyCost> {
    let end = now
        .checked_add(SignedDuration::from_hours(WEEK_HOURS))
        .unwrap_or(Timestamp::MAX);
    let (min, max) = (limits.min().get(), limits.max().get());
    let windows = recurring_windows(policy, now, end);
    let mut edges = vec![now, end];
    for window in &windows {
        edges.extend([window.start, window.end]);
    }
    edges.retain(|edge| now <= *edge && *edge <= end);
    edges.sort_unstable();
    edges.dedup();
    let week_ms = (end.as_millisecond() - now.as_millisecond()) as f64;

    let mut cost = MonthlyCost {
        at_min_usd: 0.0,
        at_current_usd: 0.0,
        at_max_usd: 0.0,
        raised_hours_per_week: 0.0,
    };
    for pair in edges.windows(2) {
        let &[from, to] = pair else { continue };
        let open = || windows.iter().filter(|w| w.start <= from && from < w.end);
        // As the engine's limits: the largest floor, the smallest ceiling, a floor before a schedule's ceiling.
        let floor = open().filter_map(|w| w.min).fold(min, u32::max).min(max);
        let ceiling = open().filter_map(|w| w.max).fold(max, u32::min).max(floor);
        let ms = (to.as_millisecond() - from.as_millisecond()) as f64;
        let hours = HOURS_PER_MONTH * ms / week_ms;
        let at = |capacity: u32| Some(hourly_cost(capacity, mix, prices)? * hours);
        cost.at_min_usd += at(floor)?;
        cost.at_current_usd += at(current.clamp(floor, ceiling))?;
        cost.at_max_usd += at(ceiling)?;
        if floor > min {
            cost.raised_hours_per_week += ms / 3_600_000.0;
        }
    }
    Some(cost)
}

struct FloorWindow {
    start: Timestamp,
    end: Timestamp,
    min: Option<u32>,
    max: Option<u32>,
}

fn recurring_windows(policy: &Policy, from: Timestamp, to: Timestamp) -> Vec<FloorWindow> {
    let mut windows = Vec::new();
    for schedule in &policy.schedules {
        if !matches!(schedule.when, Window::Recurring { .. }) {
            continue;
        }
        let Ok(compiled) = CompiledSchedule::new(schedule) else {
            continue;
        };
        windows.extend(compiled.windows(from, to).map(|window| FloorWindow {
            start: window.start.max(from),
            end: window.end.min(to),
            min: schedule.min.map(|min| min.get()),
            max: schedule.max.map(|max| max.get()),
        }));
    }
    windows
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cost::prices::{Price, PriceSource};
    use serde_json::{Value, json};
    use tideform_policies::model::Capacity;

    /// A policy of defaults with some parts of its own.
    pub(in crate::cost) fn policy(parts: Value) -> Policy {
        let rules = json!({
            "enabled": true, "cooldown_s": 0, "stabilization_s": 0, "select": "max", "rates": [],
            "order": "default", "order_is_set": false
        });
        let mut policy = json!({
            "warmup_s": 0, "warmup_is_set": false, "every_s": 60, "combine": "max", "metrics": [],
            "scale_out": rules, "scale_in": rules, "schedules": [], "surges": [], "guards": [], "freezes": [],
            "slo": { "utilization": 100.0, "objective": 99.9 }
        });
        for (name, value) in parts.as_object().into_iter().flatten() {
            policy[name] = value.clone();
        }
        serde_json::from_value(policy).expect("a policy")
    }

    fn prices() -> GroupPrices {
        let price = |usd_per_hour| {
            Some(Price {
                usd_per_hour,
                source: PriceSource::File,
            })
        };
        GroupPrices {
            on_demand: price(0.1),
            spot: price(0.04),
            units_per_instance: 1.0,
        }
    }

    fn limits(min: u32, max: u32) -> Limits {
        Limits::new(Capacity(min), Capacity(max)).expect("min <= max")
    }

    fn now() -> Timestamp {
        "2026-06-03T12:00:00Z".parse().expect("a time")
    }

    fn office(min: Value, max: Value) -> Value {
        json!({ "name": "office", "min": min, "max": max, "when": { "recurring": {
            "cron": "0 8 * * MON-FRI", "timezone": "Europe/Berlin", "duration_s": 36000 } } })
    }

    fn cost(policy: &Policy, limits: Limits, current: u32) -> MonthlyCost {
        monthly_cost(
            policy,
            limits,
            policy.mix.as_ref(),
            current,
            &prices(),
            now(),
        )
        .expect("priced")
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    }

    #[test]
    fn without_schedules_a_month_is_730_hours_at_each_bound() {
        let cost = cost(&policy(json!({})), limits(2, 10), 4);
        close(cost.at_min_usd, 2.0 * 0.1 * 730.0);
        close(cost.at_current_usd, 4.0 * 0.1 * 730.0);
        close(cost.at_max_usd, 10.0 * 0.1 * 730.0);
        assert_eq!(cost.raised_hours_per_week, 0.0);
    }

    #[test]
    fn the_mix_is_split_as_the_engine_splits_it() {
        let mix = json!({ "mix": { "on_demand_base": 2, "spot": 0.7, "types": [] } });
        let policy = policy(mix);
        // 10: base 2, of 8 above it 5.6 spot, rounded down.
        close(
            hourly_cost(10, policy.mix.as_ref(), &prices()).expect("priced"),
            5.0 * 0.1 + 5.0 * 0.04,
        );
        close(
            hourly_cost(2, policy.mix.as_ref(), &prices()).expect("priced"),
            0.2,
        );
        close(
            hourly_cost(0, policy.mix.as_ref(), &GroupPrices::default()).expect("nothing to pay"),
            0.0,
        );
    }

    #[test]
    fn schedules_raise_the_floor_for_their_hours_of_the_week() {
        let policy = policy(json!({ "schedules": [office(json!(6), Value::Null)] }));
        let cost = cost(&policy, limits(2, 10), 4);
        close(cost.raised_hours_per_week, 50.0);
        let month = |in_window: f64, outside: f64| {
            (in_window * 50.0 + outside * 118.0) / 168.0 * 730.0 * 0.1
        };
        close(cost.at_min_usd, month(6.0, 2.0));
        close(cost.at_current_usd, month(6.0, 4.0));
        close(cost.at_max_usd, month(10.0, 10.0));
    }

    #[test]
    fn a_schedules_ceiling_lowers_the_maximum_and_a_floor_wins_over_it() {
        let policy_of = |schedules: Value| policy(json!({ "schedules": schedules }));
        let night = json!({ "name": "night", "max": 3, "when": { "recurring": {
            "cron": "0 0 * * *", "timezone": "UTC", "duration_s": 86400 } } });
        let ceiling = cost(&policy_of(json!([night])), limits(2, 10), 9);
        close(ceiling.at_max_usd, 3.0 * 73.0);
        close(ceiling.at_current_usd, 3.0 * 73.0);
        let both = cost(
            &policy_of(json!([night, office(json!(6), Value::Null)])),
            limits(2, 10),
            9,
        );
        close(both.at_max_usd, (6.0 * 50.0 + 3.0 * 118.0) / 168.0 * 73.0);
        let beyond = cost(
            &policy_of(json!([office(json!(60), Value::Null)])),
            limits(2, 10),
            9,
        );
        close(
            beyond.at_min_usd,
            (10.0 * 50.0 + 2.0 * 118.0) / 168.0 * 73.0,
        );
    }

    #[test]
    fn one_off_windows_are_no_part_of_a_usual_month() {
        let once = json!({ "name": "sale", "min": 9, "when": { "once": {
            "start": "2026-06-04T00:00:00Z", "end": "2026-06-05T00:00:00Z" } } });
        let policy = policy(json!({ "schedules": [once] }));
        close(cost(&policy, limits(2, 10), 4).at_min_usd, 2.0 * 73.0);
    }

    #[test]
    fn an_unknown_price_gives_no_number() {
        let policy = policy(json!({}));
        let unknown = monthly_cost(
            &policy,
            limits(0, 10),
            None,
            0,
            &GroupPrices::default(),
            now(),
        );
        assert_eq!(unknown, None);
    }
}
