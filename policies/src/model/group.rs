//! The resolved group: what is left of the files once everything is evaluated, merged and checked.
//!
//! Plain data with serde: `apply` writes it to the state, and `reconcile` runs what it finds there.
//! An `Option` that is `None` was absent in the files, and so is not managed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::address::{GroupAddress, ProviderAddress};
use super::formula::Formula;
use super::schedule::{Freeze, Schedule, Surge};
use super::units::{Capacity, Name, Share, seconds};

/// One group with all its layers merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its address in the files.
    pub address: GroupAddress,
    /// Who runs it.
    pub provider: ProviderAddress,
    /// What is scaled.
    pub resource: Resource,
    /// Who scales it.
    pub controller: Controller,
    /// Existing policies of the cloud that tideform takes over.
    pub adopt: Adopt,
    /// Foreign dynamic policies may act beside the loop.
    pub coexist: bool,
    /// How to create the resource; without it tideform neither creates nor destroys one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<Launch>,
    /// How it scales.
    pub policy: Policy,
}

/// The scaled thing, in the provider's words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// `asg`, and later `ecs_service`, `deployment`, …
    pub kind: Arc<str>,
    /// The provider's name of it.
    pub name: Arc<str>,
}

/// Who moves the capacity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Controller {
    /// Tideform's loop.
    #[default]
    Tideform,
    /// The cloud's own policies, which tideform writes.
    Native,
}

/// Which existing policies of the cloud are taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adopt {
    /// None.
    #[default]
    None,
    /// All that are found.
    All,
    /// Those of these names.
    Named(Vec<String>),
}

/// How to create the resource. The attributes are the provider's; it checks them at plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    /// As evaluated, in the order of the file.
    pub attributes: BTreeMap<String, serde_json::Value>,
}

/// How a group scales: the part that policies and groups have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// In service this long before an instance counts as ready.
    #[serde(rename = "warmup_s", with = "seconds")]
    pub warmup: Duration,
    /// `warmup` stands in the files, so that the provider's own attribute is managed.
    pub warmup_is_set: bool,
    /// How often the loop decides.
    #[serde(rename = "every_s", with = "seconds")]
    pub every: Duration,
    /// How the metrics' opinions become one.
    pub combine: Combine,
    /// In the order of the files.
    pub metrics: Vec<Metric>,
    /// The rules of growing.
    pub scale_out: ScaleRules,
    /// The rules of shrinking.
    pub scale_in: ScaleRules,
    /// `None`: the live limits hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Recurring and one-off windows.
    pub schedules: Vec<Schedule>,
    /// Planned surges, started by hand.
    pub surges: Vec<Surge>,
    /// Predicted demand as a floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// Circuit breakers.
    pub guards: Vec<Guard>,
    /// Times in which moves are blocked.
    pub freezes: Vec<Freeze>,
    /// `None`: the mix is not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
    /// `None`: how the provider replaces instances is not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// What one instance is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceModel>,
    /// Money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// When users feel it.
    pub slo: Slo,
}

/// Smallest and largest capacity of a group. Invariant: `min <= max`, kept by [`Limits::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawLimits")]
pub struct Limits {
    min: Capacity,
    max: Capacity,
}

#[derive(Deserialize)]
struct RawLimits {
    min: Capacity,
    max: Capacity,
}

impl TryFrom<RawLimits> for Limits {
    type Error = String;
    fn try_from(raw: RawLimits) -> Result<Limits, String> {
        Limits::new(raw.min, raw.max)
            .ok_or_else(|| format!("min {} is above max {}", raw.min, raw.max))
    }
}

impl Limits {
    /// `None` if `min > max`.
    pub fn new(min: Capacity, max: Capacity) -> Option<Limits> {
        (min <= max).then_some(Limits { min, max })
    }
    /// The smallest capacity allowed.
    pub fn min(self) -> Capacity {
        self.min
    }
    /// The largest capacity allowed.
    pub fn max(self) -> Capacity {
        self.max
    }
}

/// How several opinions become one wish.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// The largest want.
    Max,
    /// More than half of the metrics with a rule must agree on the direction.
    Majority,
    /// A weighted mean of scores.
    Weighted(WeightedConstants),
}

/// The constants of `combine = "weighted"`; their defaults are in [`crate::defaults`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightedConstants {
    /// Mean score above which the group grows.
    pub out_above: f64,
    /// Mean score below minus which the group shrinks.
    pub in_below: f64,
    /// Growth adds `1 + floor(out_step x score)`.
    pub out_step: f64,
    /// Shrinking removes `1 + floor(in_step x |score|)`.
    pub in_step: f64,
}

impl Default for WeightedConstants {
    fn default() -> WeightedConstants {
        WeightedConstants {
            out_above: 0.3,
            in_below: 0.3,
            out_step: 5.0,
            in_step: 3.0,
        }
    }
}

/// One metric, with or without a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The label of the block: how formulas, guards and reasons name it.
    pub name: Name,
    /// Where its values come from.
    pub source: MetricSource,
    /// How samples within a period are put together.
    pub statistic: Statistic,
    /// The length of one sample.
    #[serde(rename = "period_s", with = "seconds")]
    pub period: Duration,
    /// How late the source publishes.
    #[serde(rename = "delay_s", with = "seconds")]
    pub delay: Duration,
    /// What absent data means.
    pub on_missing: OnMissing,
    /// With `on_missing = "last"`, how old the newest sample may be.
    #[serde(rename = "max_age_s", with = "seconds")]
    pub max_age: Duration,
    /// Whether it describes an instance or the whole group.
    pub scope: Scope,
    /// Its say under `combine = "weighted"`.
    pub weight: f64,
    /// The half-width of its score under `combine = "weighted"`, in the metric's unit; 0: the target's tolerance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// A new instance's sample is not counted before this age (readiness-gated metrics); `None`: `warmup`.
    #[serde(
        rename = "initialization_s",
        default,
        skip_serializing_if = "Option::is_none",
        with = "seconds::option"
    )]
    pub initialization: Option<Duration>,
    /// How it moves the capacity; `None`: it is only observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// How long a step must be breached.
    pub breach: Breach,
    /// How many more than the current capacity its rule may want in one decision; `None`: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_add: Option<u32>,
    /// How many fewer than the current capacity its rule may want in one decision; `None`: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_remove: Option<u32>,
}

/// Where the values of a metric come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricSource {
    /// A provider's metric.
    Query(MetricQuery),
    /// Computed from others at each decision.
    Formula(Formula),
}

/// What is asked of a provider for a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricQuery {
    /// Who is asked; `None`: the group's own provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderAddress>,
    /// The known name (`cpu`, `requests`, …) or the backend's own.
    pub name: String,
    /// The backend's own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The backend's own dimensions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dimensions: BTreeMap<String, String>,
    /// A query in the source's own language (PromQL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// How samples are put together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "CloudWatch's statistics")]
pub enum Statistic {
    Average,
    Sum,
    Minimum,
    Maximum,
    /// 0 to 100, from `p50` … `p99.9`.
    Percentile(f64),
    /// The sum per second.
    Rate,
}

/// What absent data means.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// It is no data: with `max` no scale-in.
    Hold,
    /// The newest sample, up to `max_age`.
    Last,
    /// Adds once, then holds.
    ScaleOut,
    /// This value.
    Value(f64),
}

/// Whether a metric describes one instance or the whole group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// A mean over instances: it falls as the group grows.
    #[default]
    Instance,
    /// A total: want = ceil(total / target), also from 0.
    Group,
    /// One value that all instances share, no mean and no total (a latency, the age of the oldest message):
    /// want = ceil(ready x value / target), and from 0 ceil(value / target).
    Shared,
}

/// How a metric moves the capacity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Target tracking.
    Track(Track),
    /// Step scaling. Steps of a direction do not overlap; sorted from the threshold outward.
    Steps(Vec<Step>),
    /// `want = metric.x`: the metric's value is the wish, rounded up.
    Want,
}

/// Target tracking.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// What the metric is held at; above 0 and finite.
    pub target: f64,
    /// Deviations up to this ratio above the target are ignored.
    pub tolerance_out: Share,
    /// Deviations up to this ratio below the target are ignored.
    pub tolerance_in: Share,
}

/// One step: from its bound to its end or to the next step; or a band.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Where it applies.
    pub when: StepBound,
    /// What it does.
    pub adjustment: Adjustment,
    /// A smaller change by a percentage becomes this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_adjustment: Option<u32>,
}

/// Where a step applies. `above` and `below` include their own number, and exclude the end; see `Band`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepBound {
    /// The value is at or above `from`, and below `to` where given.
    Above {
        /// Included.
        from: f64,
        /// Excluded; `None` is infinite.
        to: Option<f64>,
    },
    /// The value is at or below `from`, and above `to` where given.
    Below {
        /// Included.
        from: f64,
        /// Excluded; `None` is minus infinite.
        to: Option<f64>,
    },
    /// The value is at or above `from` and below `to`, where given; a breach counts the samples in between.
    Band {
        /// Included; `None` is minus infinite.
        from: Option<f64>,
        /// Excluded; `None` is infinite.
        to: Option<f64>,
    },
}

impl StepBound {
    /// Whether a value is in it.
    pub fn contains(&self, value: f64) -> bool {
        match *self {
            StepBound::Above { from, to } => value >= from && to.is_none_or(|to| value < to),
            StepBound::Below { from, to } => value <= from && to.is_none_or(|to| value > to),
            StepBound::Band { from, to } => {
                from.is_none_or(|from| value >= from) && to.is_none_or(|to| value < to)
            }
        }
    }
}

/// What a step does to the capacity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// So many instances more.
    Add(u32),
    /// So many instances fewer.
    Remove(u32),
    /// A share more.
    AddShare(Share),
    /// A share fewer.
    RemoveShare(Share),
    /// Exactly so many.
    Set(u32),
}

/// How long a threshold must be breached before a step acts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breach {
    /// At the newest sample.
    Now,
    /// In every sample of this long.
    For(#[serde(with = "seconds")] Duration),
    /// In `breaching` of the last `periods` periods.
    Of {
        /// M of `"M of N"`.
        breaching: u32,
        /// N of `"M of N"`.
        periods: u32,
    },
}

/// The rules of one direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScaleRules {
    /// `false`: this direction never moves by metrics.
    pub enabled: bool,
    /// After an accepted change of this direction, further ones are held.
    #[serde(rename = "cooldown_s", with = "seconds")]
    pub cooldown: Duration,
    /// The look-back over past recommendations.
    #[serde(rename = "stabilization_s", with = "seconds")]
    pub stabilization: Duration,
    /// Of several rates, which binds.
    pub select: Select,
    /// Empty: no limit on the rate of change.
    pub rates: Vec<Rate>,
    /// Which instances end first; only read on scale-in.
    pub order: VictimOrder,
    /// `order` stands in the files, so that the provider's own attribute is managed.
    pub order_is_set: bool,
    /// How long an ending instance may finish its work; only read on scale-in.
    #[serde(
        rename = "drain_s",
        default,
        skip_serializing_if = "Option::is_none",
        with = "seconds::option"
    )]
    pub drain: Option<Duration>,
}

/// Of several rates, which binds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// The one that allows the largest change.
    #[default]
    Max,
    /// The one that allows the smallest change.
    Min,
    /// No change in this direction at all.
    Disabled,
}

/// A limit on the rate of change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// At most so much.
    pub amount: RateAmount,
    /// Within so long.
    #[serde(rename = "per_s", with = "seconds")]
    pub per: Duration,
}

/// How much a rate allows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateAmount {
    /// In units.
    Count(u32),
    /// Of the capacity at the start of the period.
    Share(Share),
}

/// Which instances end first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VictimOrder {
    /// Launched last.
    Newest,
    /// Launched first.
    Oldest,
    /// The backend's own choice.
    #[default]
    Default,
}

/// A circuit breaker for scaling itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// The label of the block.
    pub name: Name,
    /// While this holds, the guard is tripped. No data is not tripped.
    pub when: Formula,
    /// How long it must hold first.
    pub breach: Breach,
    /// What it does.
    pub effect: GuardEffect,
    /// How long it must not hold before the guard lets go.
    #[serde(rename = "release_s", with = "seconds")]
    pub release: Duration,
}

/// What a tripped guard does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardEffect {
    /// Moves in these directions become "hold".
    Block(Blocks),
    /// No growth past this capacity; removes nothing.
    Cap(Capacity),
}

/// The directions that are blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocks {
    /// No shrinking.
    ScaleIn,
    /// No growing.
    ScaleOut,
    /// Neither.
    All,
}

impl Blocks {
    /// Whether a move in this direction is blocked. Holding never is.
    pub fn covers(self, direction: super::units::Direction) -> bool {
        use super::units::Direction;
        match (self, direction) {
            (_, Direction::Hold) => false,
            (Blocks::All, _) => true,
            (Blocks::ScaleIn, Direction::In) | (Blocks::ScaleOut, Direction::Out) => true,
            (Blocks::ScaleIn, Direction::Out) | (Blocks::ScaleOut, Direction::In) => false,
        }
    }
}

/// Predicted demand as a floor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Which metric is the demand.
    pub metric: Name,
    /// capacity = demand / per_instance.
    pub per_instance: f64,
    /// `auto`, or a model's name.
    pub model: String,
    /// Of the predicted distribution; 0 to 1.
    pub quantile: f64,
    /// How far ahead the capacity must be there.
    #[serde(rename = "lead_s", with = "seconds")]
    pub lead: Duration,
    /// How much history is learned from.
    #[serde(rename = "history_s", with = "seconds")]
    pub history: Duration,
    /// Whether it acts.
    pub mode: ForecastMode,
}

/// Whether a forecast acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForecastMode {
    /// It is a floor.
    #[default]
    Scale,
    /// It only records what it would have done.
    Observe,
}

/// On-demand and spot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mix {
    /// These first, on demand; in units.
    pub on_demand_base: u32,
    /// The share of what is above the base that is spot.
    pub spot: Share,
    /// In order of preference. Either all weigh 1 or every one has a weight.
    pub types: Vec<InstanceType>,
    /// How spot capacity is chosen; the provider's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation: Option<String>,
    /// Replace spot instances that are about to be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalance: Option<bool>,
    /// On demand for a while when spot fails to launch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
}

/// How many instances there are while the provider replaces some, as shares of desired.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Never fewer healthy ones.
    pub min_healthy: Share,
    /// Never more; at least all of desired.
    pub max_healthy: Share,
}

/// One instance type of a mix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceType {
    /// The provider's name of it.
    pub name: String,
    /// The units that it counts as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
}

/// Spot launches failed `after` times: on demand for `duration`, then back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// Failed launches in a row.
    pub after: u32,
    /// How long on demand.
    #[serde(rename = "duration_s", with = "seconds")]
    pub duration: Duration,
}

/// What one instance is, for cost and simulation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceModel {
    /// From launch to serving.
    #[serde(
        rename = "boot_s",
        default,
        skip_serializing_if = "Option::is_none",
        with = "seconds::option"
    )]
    pub boot: Option<Duration>,
    /// Load that it carries at 100 % utilization, in the unit of `load`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<f64>,
    /// The metric that is the load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Name>,
    /// On demand. `None`: the provider's prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_usd_per_hour: Option<f64>,
    /// Spot. `None`: the provider's prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot_price_usd_per_hour: Option<f64>,
}

/// Money per month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Per calendar month, UTC.
    pub monthly_usd: f64,
    /// Percentages at which an event is recorded, rising.
    pub alert: Vec<f64>,
    /// What happens at 100 %.
    pub on_exceed: OnExceed,
}

/// What happens when the budget is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExceed {
    /// An event says so.
    #[default]
    Warn,
    /// Growth by metrics is blocked.
    BlockScaleOut,
}

/// When users feel it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slo {
    /// Utilization above which users feel it, in percent.
    pub utilization: f64,
    /// Percent of minutes.
    pub objective: f64,
}

impl Group {
    /// The group's metric of this name.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.policy
            .metrics
            .iter()
            .find(|metric| &*metric.name == name)
    }

    /// Times in which moves are blocked, that reach past `now`.
    pub fn freezes_after(&self, now: Timestamp) -> impl Iterator<Item = &Freeze> {
        self.policy
            .freezes
            .iter()
            .filter(move |freeze| freeze.end > now)
    }
}
