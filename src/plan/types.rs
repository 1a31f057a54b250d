//! A plan as data: what changes, why, and what `apply` carries out. Views and the saved file are made from it.

use std::fmt;
use std::sync::Arc;

use super::cases::PlannedCase;
use super::gates::Verdict;
use crate::backtest::Backtest;
use crate::engine::Nearest;
use crate::engine::explain::Line;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tideform_policies::diagnostic::Diagnostics;
use tideform_policies::model::{
    Direction, Group, GroupAddress, ProviderAddress, ProviderConfiguration, Resource,
};
use tideform_policies::source::SourceMap;
use tideform_provider::{
    ControlKind, ControlSpec, GroupChange, GroupSpec, Identity, LiveAttributes, Owner,
};

/// Which plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything that the files ask for.
    #[default]
    Apply,
    /// Take away all that tideform owns.
    Destroy,
    /// Only show what was changed outside tideform; carries out nothing.
    RefreshOnly,
}

/// What happens to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing.
    NoOp,
    /// Its resource is created (`launch`).
    Create,
    /// An existing resource comes under management.
    Adopt,
    /// An existing resource comes under management, and nothing that scales it changes.
    Record,
    /// Attributes or the policy change.
    Update,
    /// Its resource becomes another one.
    Replace,
    /// Memory and history take a new address, and nothing else changes.
    Move,
    /// It is no longer managed: the owner tag goes, resource and capacity stay.
    Release,
    /// The state forgets it, and nothing is touched (`removed`).
    Forget,
    /// Its resource, created by tideform, is deleted with its instances.
    Destroy,
}

impl Action {
    /// The sign in front of a group.
    pub fn sign(self) -> &'static str {
        match self {
            Action::NoOp => " ",
            Action::Create => "+",
            Action::Adopt | Action::Record => "<=",
            Action::Update | Action::Move => "~",
            Action::Replace => "-/+",
            Action::Release | Action::Forget | Action::Destroy => "-",
        }
    }
}

/// What happens to one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeAction {
    /// It was not there.
    Add,
    /// It takes another value.
    Change,
    /// It goes.
    Remove,
    /// It goes and another comes.
    Replace,
    /// It exists, and becomes ours.
    Adopt,
}

impl ChangeAction {
    /// `+`, `~`, `-`, `-/+`, `<=`.
    pub fn sign(self) -> &'static str {
        match self {
            ChangeAction::Add => "+",
            ChangeAction::Change => "~",
            ChangeAction::Remove => "-",
            ChangeAction::Replace => "-/+",
            ChangeAction::Adopt => "<=",
        }
    }
}

/// Where a change is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// To the provider.
    Cloud,
    /// To the state: what the loop runs.
    Policy,
}

/// A place in the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Relative to the directory.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One value that changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedChange {
    /// In the words of the files: `limits.max`, `metric.cpu.track.target`.
    pub path: String,
    /// What happens to it.
    pub action: ChangeAction,
    /// As the files would write it: durations `"5m"`, shares `"70%"`; null where there is none.
    pub before: Json,
    /// The same for the value to be.
    pub after: Json,
    /// Where it is written.
    pub target: Target,
    /// Where the files say so; `None` for a default, or for what left the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Place>,
    /// Why, where it is not that the files say so: `changed outside tideform`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl PlannedChange {
    /// Why a policy of the cloud's own goes that `apply` leaves in place.
    pub(crate) const AT_FIRST_RUN: &str =
        "the loop takes it away at its first run that has data to decide from";

    /// Whether the loop carries it out, and not apply.
    pub fn is_the_loops(&self) -> bool {
        self.action == ChangeAction::Remove && self.reason.as_deref() == Some(Self::AT_FIRST_RUN)
    }
}

/// What `apply` does about a value that was changed outside tideform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftOutcome {
    /// Apply puts back what the files say.
    Undone,
    /// The files now say the same as the cloud, or nothing: it stays.
    Kept,
}

/// A value that was changed outside tideform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// In the words of the files.
    pub path: String,
    /// What was last applied.
    pub applied: Json,
    /// What is live.
    pub live: Json,
    /// What happens about it.
    pub outcome: DriftOutcome,
}

/// A control of the cloud's own that tideform leaves alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unmanaged {
    /// Its name there.
    pub name: String,
    /// What kind.
    pub kind: ControlKind,
    /// It acts.
    pub enabled: bool,
    /// For people.
    pub summary: String,
}

/// One reason of the next decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable, machine-readable.
    pub kind: String,
    /// What it is about, for people: a metric, a rule.
    #[serde(default)]
    pub subject: String,
    /// One line for people, without the subject.
    pub text: String,
    /// Without it the answer would be another one, or a surprise: the text and Markdown views show only these.
    #[serde(default = "yes")]
    pub is_decisive: bool,
}

fn yes() -> bool {
    true
}

/// What the loop would decide now, under the planned policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextDecision {
    /// Desired now; in units.
    pub current: u32,
    /// Desired then.
    pub desired: u32,
    /// Which way.
    pub direction: Direction,
    /// What that costs more for an hour; `None`: nothing changes, or a price is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd_per_hour: Option<f64>,
    /// In the order of the rules.
    pub reasons: Vec<Reason>,
    /// What would have to differ for another answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Nearest>,
    /// The same in words.
    #[serde(default)]
    pub otherwise: Vec<Line>,
}

/// What an entry of the calendar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarKind {
    /// A `schedule` block.
    Schedule,
    /// A surge that was started.
    Surge,
    /// A `freeze` block.
    Freeze,
}

/// A window of the coming week.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalendarEntry {
    /// Of what.
    pub kind: CalendarKind,
    /// The block's label.
    pub name: String,
    /// Included; may lie in the past.
    pub start: Timestamp,
    /// Excluded; may lie beyond the week.
    pub end: Timestamp,
    /// The zone that it is written in; `UTC` where none is.
    pub timezone: String,
    /// `start` in that zone: `Mon 2026-11-23 08:00`.
    pub local_start: String,
    /// `end` in that zone.
    pub local_end: String,
    /// The floor while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// The ceiling while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// For people: what a freeze blocks and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a month costs, before and after, in US dollars. A bound, not a bill: between the floor and the ceiling.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CostChange {
    /// At the capacity of now and the mix that is live; `None`: the prices are not known.
    pub before_usd_per_month: Option<f64>,
    /// At the capacity of now, brought into the planned limits, and the planned mix.
    pub after_usd_per_month: Option<f64>,
    /// At the planned floor for the whole month.
    pub least_usd_per_month: Option<f64>,
    /// At the planned ceiling for the whole month.
    pub most_usd_per_month: Option<f64>,
    /// Reading the metrics, part of `after`.
    pub metric_reads_usd_per_month: f64,
}

impl CostChange {
    /// After less before, where both are known.
    pub fn difference(&self) -> Option<f64> {
        Some(self.after_usd_per_month? - self.before_usd_per_month?)
    }
}

/// One call to a provider, with everything that it needs. Apply re-decides nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Create the resource.
    Create {
        /// Where.
        provider: ProviderAddress,
        /// What. The owner's `state` is filled in by apply where the state did not exist yet.
        spec: GroupSpec,
    },
    /// Change attributes.
    Update {
        /// Where.
        provider: ProviderAddress,
        /// What.
        change: GroupChange,
    },
    /// Delete a resource that tideform created.
    Delete {
        /// Where.
        provider: ProviderAddress,
        /// What.
        resource: Resource,
    },
}

impl Step {
    /// Where it is carried out.
    pub fn provider(&self) -> &ProviderAddress {
        match self {
            Step::Create { provider, .. }
            | Step::Update { provider, .. }
            | Step::Delete { provider, .. } => provider,
        }
    }

    /// What it touches.
    pub fn resource(&self) -> &Resource {
        match self {
            Step::Create { spec, .. } => &spec.resource,
            Step::Update { change, .. } => &change.resource,
            Step::Delete { resource, .. } => resource,
        }
    }
}

/// What apply writes to the state about a group, once its steps are done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// Nothing.
    #[default]
    Keep,
    /// This is what the loop runs from now on.
    Write {
        /// The resolved group.
        group: Arc<Group>,
        /// Tideform created the resource, now or earlier, and so may destroy it.
        created: bool,
        /// The cloud's own controls as they are from then on, dated ones aside; `None`: it scales nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        controls: Option<Vec<ControlSpec>>,
    },
    /// The group is gone from the state.
    Forget,
}

/// What apply is about to do to one group: recorded before the first call, so that a run after a crash can settle it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intention {
    /// Which group.
    pub address: GroupAddress,
    /// Its address in the state until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<GroupAddress>,
    /// The calls, in order.
    pub steps: Vec<Step>,
    /// What is written to the state once they are done.
    pub record: Record,
    /// For people: what changes.
    pub text: String,
}

/// The resource that a group leaves for another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OldResource {
    /// Where.
    pub provider: ProviderAddress,
    /// What.
    pub resource: Resource,
    /// `None`: it does not exist any more.
    pub fingerprint: Option<String>,
}

/// The plan of one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupPlan {
    /// Which.
    pub address: GroupAddress,
    /// Its address in the state, where a `moved` block changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<GroupAddress>,
    /// The group that takes its resource over: this one is forgotten once that one is recorded, and not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heir: Option<GroupAddress>,
    /// Who runs it.
    pub provider: ProviderAddress,
    /// What is scaled.
    pub resource: Resource,
    /// What happens.
    pub action: Action,
    /// What it needs of people, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What changes, cloud first, in the order of the paths.
    pub changes: Vec<PlannedChange>,
    /// What was changed outside tideform.
    pub drift: Vec<Drift>,
    /// What is there and left alone.
    pub unmanaged: Vec<Unmanaged>,
    /// What the loop would decide next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<NextDecision>,
    /// The coming week, by start.
    pub calendar: Vec<CalendarEntry>,
    /// The change in monthly cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostChange>,
    /// Of what is live and a plan can change; `None`: the resource does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// What was last applied, where there was something: the fingerprint leaves out what the loop moves by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Arc<Group>>,
    /// What was live, where there are steps: for saying what has moved since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveAttributes>,
    /// The resource that was last applied, where the files now name another: it has a fingerprint of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<OldResource>,
    /// What is live and what is planned on recorded load; only to be read: apply does not look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backtest: Option<Backtest>,
    /// What apply asks of the provider, in order.
    pub steps: Vec<Step>,
    /// What apply writes to the state.
    pub record: Record,
    /// The group could not be read, or has an error of its own, and nothing is planned for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Of the error of its own: `P0601`; `None`: it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
}

impl GroupPlan {
    /// Whether apply has anything to do here.
    pub fn has_work(&self) -> bool {
        self.action != Action::NoOp
    }

    /// Whether it could not be read.
    pub fn is_unread(&self) -> bool {
        self.failure.is_some() && self.failure_code.is_none()
    }

    /// Leaves it out: whatever was planned for it is not.
    pub(super) fn leave_out(&mut self, why: String, code: Option<&str>) {
        self.failure = Some(why);
        self.failure_code = code.map(str::to_owned);
        self.action = Action::NoOp;
        self.heir = None;
        self.note = None;
        self.changes.clear();
        self.drift.clear();
        self.calendar.clear();
        self.cost = None;
        self.steps.clear();
        self.record = Record::Keep;
    }

    /// Whether what scales the group changes: more than who owns it.
    pub fn has_changes(&self) -> bool {
        !matches!(self.action, Action::NoOp | Action::Record)
    }
}

/// Which state a plan was made on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateMark {
    /// The state's own id.
    pub lineage: String,
    /// How often something was applied to it.
    pub serial: u64,
}

/// A whole plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// When, by the run's clock.
    pub made_at: Timestamp,
    /// Which plan.
    pub mode: Mode,
    /// Whose.
    pub workspace: String,
    /// The configuration's digest, variables included.
    pub configuration_digest: String,
    /// The state it was made on; `None`: there was none.
    pub state: Option<StateMark>,
    /// Whether `--group` left groups out.
    pub is_partial: bool,
    /// By address.
    pub groups: Vec<GroupPlan>,
    /// The provider blocks, to be written to the state with the groups.
    pub providers: Vec<ProviderConfiguration>,
    /// Settings of providers that differ from those last applied; the loop reads by those.
    pub provider_changes: Vec<PlannedChange>,
    /// Who we are at each provider that was asked.
    pub identities: Vec<(ProviderAddress, Identity)>,
    /// Resources that carry this workspace's tag while the state knows no group: apply refuses.
    pub lost: Vec<(Resource, Owner)>,
    /// What the plan leaves out, and why; sentences.
    pub notes: Vec<String>,
    /// What a backtest of each group whose policy changes compares.
    #[serde(skip)]
    pub cases: Vec<PlannedCase>,
    /// What the gates of `--fail-if` said, where any were asked.
    #[serde(skip)]
    pub verdicts: Vec<Verdict>,
    /// Problems in the files, seen from the cloud. With an error apply refuses.
    #[serde(skip)]
    pub diagnostics: Diagnostics,
    /// Errors that are one group's own, as the cloud is now: that group is left out, and the others go on.
    #[serde(skip)]
    pub group_errors: Diagnostics,
    /// The files, for showing them.
    #[serde(skip)]
    pub sources: SourceMap,
}

/// What is only recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Groups that come under management as they are.
    pub groups: usize,
    /// Policies and scheduled actions of theirs that are adopted as they are.
    pub controls: usize,
}

/// How many groups come, change and go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Created or brought under management.
    pub add: usize,
    /// Changed, replaced or moved; the providers' settings together are one.
    pub change: usize,
    /// Released, forgotten or destroyed.
    pub remove: usize,
    /// Could not be read: nothing is planned for them.
    #[serde(default)]
    pub unread: usize,
    /// Have an error of their own, such as a resource that is gone: nothing is planned for them.
    #[serde(default)]
    pub with_errors: usize,
}

impl Plan {
    /// How many groups come, change and go.
    pub fn summary(&self) -> Summary {
        let unread = self.groups.iter().filter(|group| group.is_unread()).count();
        let mut summary = Summary {
            unread,
            with_errors: self.failures().count() - unread,
            ..Summary::default()
        };
        summary.change += usize::from(!self.provider_changes.is_empty());
        for group in &self.groups {
            match group.action {
                Action::NoOp | Action::Record => {}
                Action::Create | Action::Adopt => summary.add += 1,
                Action::Update | Action::Replace | Action::Move => summary.change += 1,
                Action::Release | Action::Forget | Action::Destroy => summary.remove += 1,
            }
        }
        summary
    }

    /// Whether apply has anything to do.
    pub fn has_work(&self) -> bool {
        !self.provider_changes.is_empty() || self.groups.iter().any(GroupPlan::has_work)
    }

    /// Groups of which only is recorded that they are managed from now on, and the controls among that.
    pub fn records(&self) -> Records {
        let recorded = || {
            self.groups
                .iter()
                .filter(|group| group.action == Action::Record)
        };
        Records {
            groups: recorded().count(),
            controls: recorded()
                .flat_map(|group| &group.changes)
                .filter(|change| change.action == ChangeAction::Adopt && change.path != "owner")
                .count(),
        }
    }

    /// What apply does beside changes: `Apply would take ownership of 2 groups …`.
    pub fn records_line(&self) -> Option<String> {
        let Records { groups, controls } = self.records();
        let count = |n: usize, what: &str| match n {
            1 => format!("1 {what}"),
            n => format!("{n} {what}s"),
        };
        let what = match (groups, controls) {
            (0, _) => return None,
            (groups, 0) => count(groups, "group"),
            (groups, controls) => format!(
                "{} with {} of the cloud's own",
                count(groups, "group"),
                count(controls, "control")
            ),
        };
        Some(format!(
            "Apply would take ownership of {what}, and change nothing that scales."
        ))
    }

    /// Whether anything changes but who owns it.
    pub fn has_changes(&self) -> bool {
        !self.provider_changes.is_empty() || self.groups.iter().any(GroupPlan::has_changes)
    }

    /// Whether anything was changed outside tideform.
    pub fn has_drift(&self) -> bool {
        self.groups.iter().any(|group| !group.drift.is_empty())
    }

    /// Groups that are left out, with why: they could not be read, or have an error of their own.
    pub fn failures(&self) -> impl Iterator<Item = (&GroupAddress, &str)> {
        self.groups
            .iter()
            .filter_map(|group| Some((&group.address, group.failure.as_deref()?)))
    }

    /// What gates say that stops it.
    pub fn stopping(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|verdict| verdict.stops())
    }

    /// Problems in the files, and errors of single groups.
    pub fn all_diagnostics(&self) -> Diagnostics {
        let mut all = self.diagnostics.clone();
        for error in self.group_errors.iter() {
            all.push_of_group(error.clone());
        }
        all
    }

    /// The last line: `Plan: 2 to add, 1 to change, 0 to remove.` or `No changes.`, and what is not in the plan.
    pub fn summary_line(&self) -> String {
        let Summary {
            add,
            change,
            remove,
            unread,
            with_errors,
        } = self.summary();
        let left_out = unread + with_errors;
        let planned = if self.has_changes() {
            format!("Plan: {add} to add, {change} to change, {remove} to remove.")
        } else if left_out == 0 {
            "No changes.".to_owned()
        } else if left_out == self.groups.len() {
            "Nothing is planned.".to_owned()
        } else if with_errors == 0 {
            "No changes to the groups that could be read.".to_owned()
        } else {
            "No changes to the other groups.".to_owned()
        };
        match self.left_out_line() {
            Some(left_out) => format!("{planned} {left_out}"),
            None => planned,
        }
    }

    /// `1 of 3 groups could not be read, and is not in the plan.`; `None`: all are.
    pub fn left_out_line(&self) -> Option<String> {
        let all = self.groups.len();
        let groups = if all == 1 { "group" } else { "groups" };
        let Summary {
            unread,
            with_errors,
            ..
        } = self.summary();
        let said = |count: usize, what: &str| {
            let are = if count == 1 { "is" } else { "are" };
            (count > 0)
                .then(|| format!("{count} of {all} {groups} {what}, and {are} not in the plan."))
        };
        let errors = match with_errors {
            1 => "has an error of its own",
            _ => "have errors of their own",
        };
        let lines: Vec<String> = [said(unread, "could not be read"), said(with_errors, errors)]
            .into_iter()
            .flatten()
            .collect();
        (!lines.is_empty()).then(|| lines.join(" "))
    }
}
