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
    "AWS EC2 Auto Scaling: without DefaultInstanceWarmup an instance counts once it is in service",
);
/// `every`.
pub const EVERY: Preset = preset(
    "\"1m\"",
    "Amazon CloudWatch: detailed monitoring gives a sample a minute",
);
/// `combine`.
pub const COMBINE: Preset = preset(
    "\"max\"",
    "Kubernetes HPA v2: of several metrics the largest proposal is taken; AWS target tracking likewise",
);
/// `weighted { out_above }` and its like are attributes of the group.
pub const OUT_ABOVE: Preset = preset(
    "0.3",
    "tideform's own: the metrics together are clearly on one side",
);
/// See [`OUT_ABOVE`].
pub const IN_BELOW: Preset = preset(
    "0.3",
    "tideform's own: the metrics together are clearly on one side",
);
/// See [`OUT_ABOVE`].
pub const OUT_STEP: Preset = preset(
    "5",
    "tideform's own: 1 to 6 more, by how clear the score is",
);
/// See [`OUT_ABOVE`].
pub const IN_STEP: Preset = preset(
    "3",
    "tideform's own: 1 to 4 fewer: more careful than on the way out",
);

/// `metric.source`.
pub const SOURCE: Preset = preset(
    "\"provider\"",
    "tideform's own: the cloud that runs a group measures it, too",
);
/// `metric.statistic`.
pub const STATISTIC: Preset = preset(
    "\"average\"",
    "AWS target tracking's predefined metrics and the Kubernetes HPA's averageUtilization are averages",
);
/// `metric.period`.
pub const PERIOD: Preset = preset(
    "\"1m\"",
    "Amazon CloudWatch: detailed monitoring gives a sample a minute",
);
/// `metric.delay`.
pub const DELAY: Preset = preset(
    "\"0s\"",
    "tideform's own: a provider's own delay is added by the provider",
);
/// `metric.on_missing`.
pub const ON_MISSING: Preset = preset(
    "\"hold\"",
    "Kubernetes HPA v2: a metric that cannot be read never scales in",
);
/// `metric.max_age`.
pub const MAX_AGE: Preset = preset(
    "\"15m\"",
    "tideform's own: three samples of CloudWatch's basic monitoring, one every 5 minutes",
);
/// `metric.scope`.
pub const SCOPE: Preset = preset(
    "\"instance\"",
    "AWS target tracking and Kubernetes HPA v2: a target is an average over the instances",
);
/// `metric.weight`.
pub const WEIGHT: Preset = preset("1", "tideform's own: all metrics alike");
/// `metric.want`.
pub const WANT: Preset = preset(
    "false",
    "tideform's own: a value is measured, not wished for",
);
/// `metric.breach`.
pub const BREACH: Preset = preset("\"0s\"", "Kubernetes HPA v2: a value counts at once");
/// `track.tolerance`.
pub const TOLERANCE: Preset = preset(
    "\"10%\"",
    "Kubernetes: kube-controller-manager --horizontal-pod-autoscaler-tolerance 0.1",
);

/// `enabled`.
pub const ENABLED: Preset = preset("true", "tideform's own: a block that is written is meant");
/// `scale_out.cooldown`, `scale_in.cooldown`.
pub const COOLDOWN: Preset = preset(
    "\"0s\"",
    "Kubernetes HPA v2: has none; warm-up and stabilization do its work",
);
/// `scale_out.stabilization`.
pub const STABILIZATION_OUT: Preset = preset(
    "\"0s\"",
    "Kubernetes HPA v2: behavior.scaleUp.stabilizationWindowSeconds 0",
);
/// `scale_in.stabilization`.
pub const STABILIZATION_IN: Preset = preset(
    "\"5m\"",
    "Kubernetes HPA v2: behavior.scaleDown.stabilizationWindowSeconds 300",
);
/// `scale_out.select`, `scale_in.select`.
pub const SELECT: Preset = preset("\"max\"", "Kubernetes HPA v2: behavior.*.selectPolicy Max");
/// `scale_in.order`.
pub const ORDER: Preset = preset("\"default\"", "tideform's own: the backend's own choice");

/// `schedule.timezone` beside `cron`.
pub const TIMEZONE: Preset = preset(
    "\"UTC\"",
    "AWS PutScheduledUpdateGroupAction: without TimeZone a recurrence is in UTC",
);
/// `surge.lead`.
pub const SURGE_LEAD: Preset = preset(
    "\"30m\"",
    "tideform's own: time for capacity to be found and to boot",
);
/// `surge.duration`.
pub const SURGE_DURATION: Preset = preset("\"2h\"", "tideform's own: a campaign's first rush");

/// `forecast.model`.
pub const MODEL: Preset = preset(
    "\"auto\"",
    "tideform's own: the model that does best on the history",
);
/// `forecast.quantile`.
pub const QUANTILE: Preset = preset(
    "0.9",
    "tideform's own: short of capacity one time in ten at most",
);
/// `forecast.lead`.
pub const FORECAST_LEAD: Preset = preset(
    "\"10m\"",
    "tideform's own: boot and warm-up of a usual instance",
);
/// `forecast.history`.
pub const HISTORY: Preset = preset("\"28d\"", "tideform's own: four of every weekday");
/// `forecast.mode`.
pub const FORECAST_MODE: Preset = preset(
    "\"scale\"",
    "tideform's own: a block that is written is meant",
);

/// `guard.release`.
pub const RELEASE: Preset = preset(
    "\"0s\"",
    "tideform's own: a guard lets go when its condition is gone",
);
/// `freeze.blocks`.
pub const FREEZE_BLOCKS: Preset = preset("\"all\"", "tideform's own: a freeze is a freeze");

/// `mix.on_demand_base`.
pub const ON_DEMAND_BASE: Preset = preset("0", "AWS InstancesDistribution: OnDemandBaseCapacity 0");
/// `mix.spot`.
pub const SPOT: Preset = preset(
    "\"0%\"",
    "AWS InstancesDistribution: OnDemandPercentageAboveBaseCapacity 100",
);
/// `fallback.after`.
pub const FALLBACK_AFTER: Preset = preset(
    "3",
    "tideform's own: one failure is chance, three are a shortage",
);
/// `fallback.duration`.
pub const FALLBACK_DURATION: Preset = preset(
    "\"30m\"",
    "tideform's own: spot shortages last tens of minutes",
);

/// `budget.alert`.
pub const ALERT: Preset = preset(
    "[80, 100]",
    "tideform's own: one warning in time, and one when the money is spent",
);
/// `budget.on_exceed`.
pub const ON_EXCEED: Preset = preset(
    "\"warn\"",
    "tideform's own: money alone never takes capacity from users",
);
/// `slo.utilization`.
pub const UTILIZATION: Preset = preset(
    "100",
    "tideform's own: users feel it where an instance has no room left",
);
/// `slo.objective`.
pub const OBJECTIVE: Preset = preset("99.9", "tideform's own: three nines, 43 minutes a month");

/// `group.controller`.
pub const CONTROLLER: Preset = preset(
    "\"tideform\"",
    "tideform's own: the loop can do all that the language says",
);
/// `group.adopt`.
pub const ADOPT: Preset = preset(
    "false",
    "tideform's own: what tideform did not make is left alone",
);
/// `group.coexist`.
pub const COEXIST: Preset = preset(
    "false",
    "tideform's own: two controllers on one group fight",
);
/// `tideform.workspace`.
pub const WORKSPACE: Preset = preset(
    "\"default\"",
    "Terraform: the first workspace is \"default\"",
);
/// `mock.world`.
pub const MOCK_WORLD: Preset = preset(
    "\".tideform/mock.world\"",
    "tideform's own: beside the state",
);
/// `mock.clock`.
pub const MOCK_CLOCK: Preset = preset(
    "\"real\"",
    "tideform's own: a cloud's time passes by itself",
);

/// `given.time` of a test.
pub const TEST_TIME: Preset = preset(
    "\"2026-01-05T12:00:00Z\"",
    "tideform's own: a Monday at noon, when most schedules of office hours are open",
);
/// `given.instance.state` of a test.
pub const TEST_STATE: Preset = preset("\"in_service\"", "tideform's own: most instances are");
/// `given.instance.lifecycle` of a test.
pub const TEST_LIFECYCLE: Preset = preset(
    "\"on_demand\"",
    "AWS EC2 Auto Scaling: on demand, without a mixed instances policy",
);
/// `given.instance.protected` of a test.
pub const TEST_PROTECTED: Preset = preset(
    "false",
    "AWS EC2 Auto Scaling: NewInstancesProtectedFromScaleIn false",
);
/// `given.instance.weight` of a test.
pub const TEST_WEIGHT: Preset = preset(
    "1",
    "AWS EC2 Auto Scaling: without WeightedCapacity an instance counts as 1",
);

/// A sample counts as fresh for this many periods of its metric and the source's delay.
///
/// Source: tideform's own. One sample may come late and one be lost before a metric has no data.
pub const FRESH_PERIODS: u32 = 3;

/// The longest time that a breach may ask for. AWS: an alarm evaluates at most one day.
pub const LONGEST_BREACH: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
