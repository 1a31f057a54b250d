//! What policies and groups have in common, from the merged block of a group.

use super::context::Context;
use super::metric::{breach, metric};
use super::read::{self, Amount};
use super::windows;
use crate::defaults;
use crate::layers::Merged;
use crate::model::{
    Blocks, Budget, Combine, Fallback, Forecast, ForecastMode, Guard, GuardEffect, InstanceModel,
    InstanceType, Limits, Maintenance, Mix, OnExceed, Policy, Rate, RateAmount, ScaleRules, Select,
    Slo, VictimOrder, WeightedConstants,
};

/// The policy of a merged group. Parts that were reported are left out.
pub(crate) fn policy(group: &Merged<'_>, cx: &mut Context) -> Policy {
    let schedules = group
        .blocks_of("schedule")
        .filter_map(|block| windows::schedule(block, cx))
        .collect();
    let freezes = group
        .blocks_of("freeze")
        .filter_map(|block| windows::freeze(block, cx))
        .collect();
    let surges = group
        .blocks_of("surge")
        .filter_map(|block| windows::surge(block, cx))
        .collect();
    let cx = &*cx;
    Policy {
        warmup: group.duration_or("warmup", defaults::WARMUP, cx),
        warmup_is_set: group.get("warmup").is_some(),
        every: group.duration_or("every", defaults::EVERY, cx),
        combine: combine(group, cx),
        metrics: group.blocks_of("metric").map(|b| metric(b, cx)).collect(),
        scale_out: scale_rules(group.block("scale_out"), true, cx),
        scale_in: scale_rules(group.block("scale_in"), false, cx),
        limits: group
            .block("limits")
            .and_then(|block| Limits::new(block.capacity("min", cx)?, block.capacity("max", cx)?)),
        schedules,
        surges,
        forecast: group.block("forecast").and_then(|b| forecast(b, cx)),
        guards: group
            .blocks_of("guard")
            .filter_map(|block| guard(block, cx))
            .collect(),
        freezes,
        mix: group.block("mix").map(|block| mix(block, cx)),
        maintenance: group
            .block("maintenance")
            .and_then(|block| maintenance(block, cx)),
        instance: group.block("instance").map(|block| InstanceModel {
            boot: block.duration("boot", cx),
            throughput: block.number("throughput", cx),
            load: block.name("load", cx),
            price_usd_per_hour: block.number("price_usd_per_hour", cx),
            spot_price_usd_per_hour: block.number("spot_price_usd_per_hour", cx),
        }),
        budget: group.block("budget").and_then(|block| budget(block, cx)),
        slo: slo(group.block("slo"), cx),
    }
}

fn combine(group: &Merged<'_>, cx: &Context) -> Combine {
    match group.word("combine", &["max", "majority", "weighted"], cx) {
        Some("majority") => Combine::Majority,
        Some("weighted") => Combine::Weighted(WeightedConstants {
            out_above: group.number_or("out_above", defaults::OUT_ABOVE, cx),
            in_below: group.number_or("in_below", defaults::IN_BELOW, cx),
            out_step: group.number_or("out_step", defaults::OUT_STEP, cx),
            in_step: group.number_or("in_step", defaults::IN_STEP, cx),
        }),
        _ => Combine::Max,
    }
}

fn scale_rules(block: Option<&Merged<'_>>, is_out: bool, cx: &Context) -> ScaleRules {
    let stabilization = if is_out {
        defaults::STABILIZATION_OUT
    } else {
        defaults::STABILIZATION_IN
    };
    let preset =
        |preset: crate::defaults::Preset| read::parse_duration(preset.bare()).unwrap_or_default();
    let Some(block) = block else {
        return ScaleRules {
            enabled: true,
            cooldown: preset(defaults::COOLDOWN),
            stabilization: preset(stabilization),
            select: Select::Max,
            rates: Vec::new(),
            order: VictimOrder::Default,
            order_is_set: false,
            drain: None,
        };
    };
    let amount = if is_out { "add" } else { "remove" };
    ScaleRules {
        enabled: block.boolean("enabled", cx).unwrap_or(true),
        cooldown: block.duration_or("cooldown", defaults::COOLDOWN, cx),
        stabilization: block.duration_or("stabilization", stabilization, cx),
        select: match block.word("select", &["max", "min", "disabled"], cx) {
            Some("min") => Select::Min,
            Some("disabled") => Select::Disabled,
            _ => Select::Max,
        },
        rates: block
            .blocks_of("rate")
            .filter_map(|rate| {
                Some(Rate {
                    amount: match rate.amount(amount, cx)? {
                        Amount::Count(n) => RateAmount::Count(n),
                        Amount::Share(share) => RateAmount::Share(share),
                    },
                    per: rate.duration("per", cx)?,
                })
            })
            .collect(),
        order: match block.word("order", &["newest", "oldest", "default"], cx) {
            Some("newest") => VictimOrder::Newest,
            Some("oldest") => VictimOrder::Oldest,
            _ => VictimOrder::Default,
        },
        order_is_set: block.get("order").is_some(),
        drain: block.duration("drain", cx),
    }
}

/// The directions that a word blocks.
pub(crate) fn blocks(block: &Merged<'_>, cx: &Context) -> Option<Blocks> {
    Some(
        match block.word("blocks", &["scale_in", "scale_out", "all"], cx)? {
            "scale_in" => Blocks::ScaleIn,
            "scale_out" => Blocks::ScaleOut,
            _ => Blocks::All,
        },
    )
}

fn guard(block: &Merged<'_>, cx: &Context) -> Option<Guard> {
    let effect = match block.capacity("cap", cx) {
        Some(cap) => GuardEffect::Cap(cap),
        None => GuardEffect::Block(blocks(block, cx)?),
    };
    Some(Guard {
        name: block.label_name(),
        when: block.formula("when", cx)?,
        breach: breach(block, cx),
        effect,
        release: block.duration_or("release", defaults::RELEASE, cx),
    })
}

fn forecast(block: &Merged<'_>, cx: &Context) -> Option<Forecast> {
    Some(Forecast {
        metric: block.name("metric", cx)?,
        per_instance: block.number("per_instance", cx)?,
        model: block
            .text("model", cx)
            .unwrap_or_else(|| defaults::MODEL.bare().to_owned()),
        quantile: block.number_or("quantile", defaults::QUANTILE, cx),
        lead: block.duration_or("lead", defaults::FORECAST_LEAD, cx),
        history: block.duration_or("history", defaults::HISTORY, cx),
        mode: match block.word("mode", &["scale", "observe"], cx) {
            Some("observe") => ForecastMode::Observe,
            _ => ForecastMode::Scale,
        },
    })
}

fn mix(block: &Merged<'_>, cx: &Context) -> Mix {
    let named = block
        .known("types", cx)
        .and_then(|value| read::texts(value).ok())
        .unwrap_or_default();
    let mut types: Vec<InstanceType> = named
        .into_iter()
        .map(|name| InstanceType { name, weight: None })
        .collect();
    types.extend(block.blocks_of("type").map(|inner| InstanceType {
        name: inner.label().unwrap_or_default().to_owned(),
        weight: inner.count("weight", cx),
    }));
    Mix {
        on_demand_base: block.count_or("on_demand_base", defaults::ON_DEMAND_BASE, cx),
        spot: block.share_or("spot", defaults::SPOT, cx),
        types,
        allocation: block.text("allocation", cx),
        rebalance: block.boolean("rebalance", cx),
        fallback: block.block("fallback").map(|inner| Fallback {
            after: inner.count_or("after", defaults::FALLBACK_AFTER, cx),
            duration: inner.duration_or("duration", defaults::FALLBACK_DURATION, cx),
        }),
    }
}

fn maintenance(block: &Merged<'_>, cx: &Context) -> Option<Maintenance> {
    Some(Maintenance {
        min_healthy: block.share("min_healthy", cx)?,
        max_healthy: block.share("max_healthy", cx)?,
    })
}

fn budget(block: &Merged<'_>, cx: &Context) -> Option<Budget> {
    Some(Budget {
        monthly_usd: block.number("monthly_usd", cx)?,
        alert: block
            .known("alert", cx)
            .and_then(|value| read::percents(value).ok())
            .or_else(|| serde_json::from_str(defaults::ALERT.text).ok())
            .unwrap_or_default(),
        on_exceed: match block.word("on_exceed", &["warn", "block_scale_out"], cx) {
            Some("block_scale_out") => OnExceed::BlockScaleOut,
            _ => OnExceed::Warn,
        },
    })
}

fn slo(block: Option<&Merged<'_>>, cx: &Context) -> Slo {
    let number = |name: &str, default: crate::defaults::Preset| {
        block
            .and_then(|block| block.number(name, cx))
            .or_else(|| default.bare().parse().ok())
            .unwrap_or(100.0)
    };
    Slo {
        utilization: number("utilization", defaults::UTILIZATION),
        objective: number("objective", defaults::OBJECTIVE),
    }
}
