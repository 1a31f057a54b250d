//! What an apply did, and what happens while it does.

use serde::Serialize;
use tideform_policies::model::GroupAddress;

use super::Leftover;
use crate::plan::Action;

/// What happens while a plan is carried out, for a progress bar.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress<'a> {
    /// So many groups have something to do.
    Started {
        /// Groups.
        groups: usize,
    },
    /// The calls of a group begin.
    Begun {
        /// Which.
        address: &'a GroupAddress,
        /// What happens to it.
        action: Action,
    },
    /// A group is done, and written to the state.
    Done {
        /// Which.
        address: &'a GroupAddress,
        /// What happened to it.
        action: Action,
    },
    /// A group failed.
    Failed {
        /// Which.
        address: &'a GroupAddress,
        /// Why.
        message: &'a str,
    },
}

/// A group that was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AppliedChange {
    /// Which.
    pub address: GroupAddress,
    /// What happened to it.
    pub action: Action,
    /// Of so many values.
    pub changes: usize,
}

/// A group that was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedChange {
    /// Which.
    pub address: GroupAddress,
    /// Why, and whether anything may have been changed.
    pub message: String,
}

/// What an apply did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ApplyReport {
    /// Done, in the order in which they were.
    pub done: Vec<AppliedChange>,
    /// Not done.
    pub failed: Vec<FailedChange>,
    /// Not begun, because the apply was stopped.
    pub left: Vec<GroupAddress>,
    /// Changes of an earlier apply that died, now settled.
    pub settled: Vec<Leftover>,
}

impl ApplyReport {
    /// Whether everything that the plan says is so now.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.left.is_empty()
    }

    /// `Apply complete: 2 added, 1 changed, 0 removed.`, or what is missing.
    pub fn summary_line(&self) -> String {
        let count = |actions: &[Action]| {
            self.done
                .iter()
                .filter(|done| actions.contains(&done.action))
                .count()
        };
        let added = count(&[Action::Create, Action::Adopt]);
        let changed = count(&[Action::Update, Action::Replace, Action::Move]);
        let removed = count(&[Action::Release, Action::Forget, Action::Destroy]);
        let mut what = format!("{added} added, {changed} changed, {removed} removed");
        let recorded = count(&[Action::Record]);
        if recorded > 0 {
            what.push_str(&format!(", {recorded} taken under management as they are"));
        }
        if self.is_complete() {
            format!("Apply complete: {what}.")
        } else {
            format!(
                "Apply incomplete: {what}; {} failed, {} not begun.",
                self.failed.len(),
                self.left.len()
            )
        }
    }
}
