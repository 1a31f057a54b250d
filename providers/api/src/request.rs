//! Which groups to read, and how much of each: what is not needed is not asked for.

use tideform_policies::model::{Group, Resource};

/// One group to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupRequest {
    /// Which.
    pub resource: Resource,
    /// What is wanted beside the group itself.
    pub needs: Needs,
}

/// What is wanted of a group beside its attributes, its instances and its owner. A provider that has it at hand gives
/// more; where something costs a call a group, it is only read where it is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Needs {
    /// Policies of the cloud's own: [`crate::LiveGroup::controls`].
    pub policies: bool,
    /// Scheduled actions of the cloud's own.
    pub schedules: bool,
    /// How long an ending instance may finish its work: [`crate::LiveAttributes::drain`].
    pub drain: bool,
    /// How long its load balancers let it: [`crate::LiveGroup::deregistration`].
    pub deregistration: bool,
    /// Launches that failed lately: [`crate::LiveGroup::failed_launches`].
    pub failed_launches: bool,
    /// All that stands in the way of a change, also what costs a call a group to see: [`crate::LiveGroup::blocked`].
    pub obstacles: bool,
}

impl Needs {
    /// Everything.
    pub const ALL: Needs = Needs {
        policies: true,
        schedules: true,
        drain: true,
        deregistration: true,
        failed_launches: true,
        obstacles: true,
    };

    /// What a plan of the group compares.
    pub fn to_plan(group: &Group) -> Needs {
        Needs {
            policies: true,
            schedules: true,
            drain: group.policy.scale_in.drain.is_some(),
            deregistration: group.policy.scale_in.drain.is_some(),
            // The next decision looks at them, and then reads the group by itself.
            failed_launches: false,
            obstacles: false,
        }
    }

    /// What an apply looks at: that nothing has moved since the plan, and that its changes are there.
    pub fn to_apply(group: &Group) -> Needs {
        Needs {
            deregistration: false,
            ..Needs::to_plan(group)
        }
    }

    /// What a run of the loop looks at.
    ///
    /// - `was_held`: something stood in the way of its last change. Else that shows with the next one.
    pub fn to_decide(group: &Group, was_held: bool) -> Needs {
        Needs {
            policies: true,
            schedules: false,
            drain: false,
            deregistration: false,
            failed_launches: has_fallback(group),
            obstacles: was_held,
        }
    }

    /// Whether what was read for this is enough for `other`.
    pub fn covers(self, other: Needs) -> bool {
        self.and(other) == self
    }

    /// What either needs.
    #[must_use]
    pub fn and(self, other: Needs) -> Needs {
        Needs {
            policies: self.policies || other.policies,
            schedules: self.schedules || other.schedules,
            drain: self.drain || other.drain,
            deregistration: self.deregistration || other.deregistration,
            failed_launches: self.failed_launches || other.failed_launches,
            obstacles: self.obstacles || other.obstacles,
        }
    }
}

fn has_fallback(group: &Group) -> bool {
    group
        .policy
        .mix
        .as_ref()
        .is_some_and(|mix| mix.fallback.is_some())
}

impl GroupRequest {
    /// A group with everything about it.
    pub fn whole(resource: Resource) -> GroupRequest {
        GroupRequest {
            resource,
            needs: Needs::ALL,
        }
    }
}
