//! What holds where the files say nothing: every default once, with its source.
//!
//! The texts are written as in the files; the schema shows them and the decoder reads them, so that the
//! documentation cannot differ from what runs.

/// A default as it would be written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// `"1m"`, `0.1`, `true`: HCL, text in quotes.
    pub text: &'static str,
    /// Where the number comes from.
    pub source: &'static str,
}

const fn preset(text: &'static str, source: &'static str) -> Preset {
    Preset { text, source }
}

impl Preset {
    /// The text without its quotes.
    pub fn bare(&self) -> &'static str {
        self.text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(self.text)
    }
}

/// `warmup`.
pub const WARMUP: Preset = preset(
    "\"0s\"",
    "AWS: without DefaultInstanceWarmup an instance counts from the moment it is in service",
);
/// `every`.
pub const EVERY: Preset = preset("\"1m\"", "the length of CloudWatch's detailed samples");
/// `combine`.
pub const COMBINE: Preset = preset(
    "\"max\"",
    "Kubernetes HPA and AWS: of several metrics the largest capacity wins",
);
/// `weighted { out_above }` and its like are attributes of the group.
pub const OUT_ABOVE: Preset = preset("0.3", "DESIGN 3, weighted");
/// See [`OUT_ABOVE`].
pub const IN_BELOW: Preset = preset("0.3", "DESIGN 3, weighted");
/// See [`OUT_ABOVE`].
pub const OUT_STEP: Preset = preset("5", "DESIGN 3, weighted");
/// See [`OUT_ABOVE`].
pub const IN_STEP: Preset = preset("3", "DESIGN 3, weighted");

/// `metric.source`.
pub const SOURCE: Preset = preset("\"provider\"", "the group's own provider");
/// `metric.statistic`.
pub const STATISTIC: Preset = preset("\"average\"", "AWS and Kubernetes HPA track averages");
/// `metric.period`.
pub const PERIOD: Preset = preset("\"1m\"", "the length of CloudWatch's detailed samples");
/// `metric.delay`.
pub const DELAY: Preset = preset(
    "\"0s\"",
    "the provider's own delay is added by the provider",
);
/// `metric.on_missing`.
pub const ON_MISSING: Preset = preset(
    "\"hold\"",
    "Kubernetes HPA: a metric that cannot be read never scales in",
);
/// `metric.max_age`.
pub const MAX_AGE: Preset = preset("\"15m\"", "DESIGN 3.1");
/// `metric.scope`.
pub const SCOPE: Preset = preset("\"instance\"", "target tracking of averages");
/// `metric.weight`.
pub const WEIGHT: Preset = preset("1", "all metrics alike");
/// `metric.want`.
pub const WANT: Preset = preset("false", "the value is measured, not wished for");
/// `metric.breach`.
pub const BREACH: Preset = preset("\"0s\"", "AWS: one evaluation period");
/// `track.tolerance`.
pub const TOLERANCE: Preset = preset("\"10%\"", "Kubernetes HPA: tolerance 0.1");

/// `enabled`.
pub const ENABLED: Preset = preset("true", "a block that is written is meant");
/// `scale_out.cooldown`, `scale_in.cooldown`.
pub const COOLDOWN: Preset = preset(
    "\"0s\"",
    "Kubernetes HPA: warm-up and stabilization do the work of a cooldown",
);
/// `scale_out.stabilization`.
pub const STABILIZATION_OUT: Preset = preset("\"0s\"", "Kubernetes HPA: scaleUp window 0");
/// `scale_in.stabilization`.
pub const STABILIZATION_IN: Preset = preset("\"5m\"", "Kubernetes HPA: scaleDown window 300 s");
/// `scale_out.select`, `scale_in.select`.
pub const SELECT: Preset = preset("\"max\"", "Kubernetes HPA: selectPolicy Max");
/// `scale_in.order`.
pub const ORDER: Preset = preset("\"default\"", "the backend's own choice");

/// `schedule.timezone` beside `cron`.
pub const TIMEZONE: Preset = preset("\"UTC\"", "AWS: scheduled actions without a TimeZone");
/// `surge.lead`.
pub const SURGE_LEAD: Preset = preset("\"30m\"", "time for capacity to be found and to boot");
/// `surge.duration`.
pub const SURGE_DURATION: Preset = preset("\"2h\"", "a campaign's first rush");

/// `forecast.model`.
pub const MODEL: Preset = preset("\"auto\"", "the model that does best on the history");
/// `forecast.quantile`.
pub const QUANTILE: Preset = preset("0.9", "short of capacity one time in ten at most");
/// `forecast.lead`.
pub const FORECAST_LEAD: Preset = preset("\"10m\"", "boot and warm-up of a usual instance");
/// `forecast.history`.
pub const HISTORY: Preset = preset("\"28d\"", "four of every weekday");
/// `forecast.mode`.
pub const FORECAST_MODE: Preset = preset("\"scale\"", "a block that is written is meant");

/// `guard.release`.
pub const RELEASE: Preset = preset("\"0s\"", "a guard lets go when its condition is gone");
/// `freeze.blocks`.
pub const FREEZE_BLOCKS: Preset = preset("\"all\"", "a freeze is a freeze");

/// `mix.on_demand_base`.
pub const ON_DEMAND_BASE: Preset = preset("0", "AWS: OnDemandBaseCapacity 0");
/// `mix.spot`.
pub const SPOT: Preset = preset("\"0%\"", "AWS: OnDemandPercentageAboveBaseCapacity 100");
/// `fallback.after`.
pub const FALLBACK_AFTER: Preset = preset("3", "one failure is chance, three are a shortage");
/// `fallback.duration`.
pub const FALLBACK_DURATION: Preset = preset("\"30m\"", "spot shortages last tens of minutes");

/// `budget.alert`.
pub const ALERT: Preset = preset("[80, 100]", "AWS Budgets' usual thresholds");
/// `budget.on_exceed`.
pub const ON_EXCEED: Preset = preset("\"warn\"", "money alone never takes capacity from users");
/// `slo.utilization`.
pub const UTILIZATION: Preset = preset("100", "DESIGN 2");
/// `slo.objective`.
pub const OBJECTIVE: Preset = preset("99.9", "DESIGN 2");

/// `group.controller`.
pub const CONTROLLER: Preset = preset("\"tideform\"", "the loop can do all that the language says");
/// `group.adopt`.
pub const ADOPT: Preset = preset("false", "what tideform did not make is left alone");
/// `group.coexist`.
pub const COEXIST: Preset = preset("false", "two controllers on one group fight");
/// `tideform.workspace`.
pub const WORKSPACE: Preset = preset("\"default\"", "Terraform's first workspace");
/// `mock.world`.
pub const MOCK_WORLD: Preset = preset("\".tideform/mock.world\"", "beside the state");
/// `mock.clock`.
pub const MOCK_CLOCK: Preset = preset("\"real\"", "a cloud's time passes by itself");

/// `given.time` of a test.
pub const TEST_TIME: Preset = preset(
    "\"2026-01-05T12:00:00Z\"",
    "a Monday at noon: most schedules of office hours are open",
);
/// `given.instance.state` of a test.
pub const TEST_STATE: Preset = preset("\"in_service\"", "most instances are");
/// `given.instance.lifecycle` of a test.
pub const TEST_LIFECYCLE: Preset = preset("\"on_demand\"", "AWS: without a mixed instances policy");
/// `given.instance.protected` of a test.
pub const TEST_PROTECTED: Preset = preset("false", "AWS: NewInstancesProtectedFromScaleIn false");
/// `given.instance.weight` of a test.
pub const TEST_WEIGHT: Preset =
    preset("1", "AWS: without WeightedCapacity an instance counts as 1");

/// The longest time that a breach may ask for. AWS: an alarm evaluates at most one day.
pub const LONGEST_BREACH: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
