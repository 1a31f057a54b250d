//! Hands in the world: what somebody could do in the cloud outside tideform, for `tideform mock …` and for tests.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tideform_policies::model::{InstanceState, Limits, VictimOrder};
use tideform_provider::{Control, LiveGroup, LiveMix, ProviderError};

use crate::settings::{ClockKind, MockSettings};
use crate::store::Store;
use crate::world::cost::CostTotals;
use crate::world::fault::ScriptedFault;
use crate::world::group::{NewGroup, WorldGroup};
use crate::world::{Moment, Refusal, World, position};

/// A process of a group that can be suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// Launching instances.
    Launch,
    /// Ending instances on scale-in.
    Terminate,
}

/// What the whole world looks like.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorldView {
    /// Its own id.
    pub id: String,
    /// How its time passes.
    pub clock: ClockKind,
    /// What time it is.
    pub now: Timestamp,
    /// When it began.
    pub start: Timestamp,
    /// The length of a step in seconds.
    pub step_s: f64,
    /// All randomness comes from here.
    pub seed: u64,
    /// By name.
    pub groups: Vec<GroupView>,
    /// Faults that wait for the next calls.
    pub script: Vec<ScriptedFault>,
    /// What everything has cost, deleted groups too.
    pub cost: CostTotals,
}

/// What a group looks like, with what a provider would not show.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupView {
    /// As it really is, whatever reads show.
    #[serde(flatten)]
    pub live: LiveGroup,
    /// The last step that was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_step: Option<StepView>,
    /// What it has cost.
    pub cost: CostTotals,
}

/// One step of a group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StepView {
    /// When it ended.
    pub at: Timestamp,
    /// Arrivals per second.
    pub load: f64,
    /// Serving capacity in units.
    pub serving: u32,
    /// Not cut at 100; absent where nothing serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilization_percent: Option<f64>,
    /// Dropped per second.
    pub unserved: f64,
    /// Jobs that wait; absent where there is no queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<f64>,
}

/// Hands in a world.
#[derive(Clone, Debug)]
pub struct Admin {
    store: Arc<Store>,
}

type Done<T = ()> = Result<T, ProviderError>;

impl Admin {
    /// Hands in this world.
    pub fn new(store: Arc<Store>) -> Admin {
        Admin { store }
    }

    /// Hands in a world that exists.
    ///
    /// # Errors
    /// As [`Store::open_existing`].
    pub fn open(path: &Path) -> Done<Admin> {
        Ok(Admin::new(Arc::new(Store::open_existing(path)?)))
    }

    /// Hands in the world of these settings, which is made if it does not exist.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_or_make(settings: &MockSettings, directory: &Path) -> Done<Admin> {
        Ok(Admin::new(Arc::new(Store::open(settings, directory)?)))
    }

    /// The world's file.
    pub fn path(&self) -> &Path {
        self.store.path()
    }

    /// What time it is in the world.
    ///
    /// # Errors
    /// Only if the world cannot be read.
    pub fn now(&self) -> Done<Timestamp> {
        self.store.read(|world| world.now().timestamp())
    }

    /// Everything there is.
    ///
    /// # Errors
    /// Only if the world cannot be read.
    pub fn show(&self) -> Done<WorldView> {
        self.store.read(|world| {
            let names: Vec<_> = world.groups().map(|group| group.name.clone()).collect();
            let groups: Vec<GroupView> = names
                .iter()
                .filter_map(|name| view_group(world, name))
                .collect();
            let mut cost = CostTotals::default();
            for retired in world.retired.values() {
                cost.add_totals(retired);
            }
            for group in &groups {
                cost.add_totals(&group.cost);
            }
            WorldView {
                id: self.store.id().to_owned(),
                clock: self.store.clock(),
                now: world.now().timestamp(),
                start: world.rules.start.timestamp(),
                step_s: world.rules.step_seconds(),
                seed: world.rules.seed,
                groups,
                script: world.script.clone(),
                cost,
            }
        })
    }

    /// One group, if it exists.
    ///
    /// # Errors
    /// Only if the world cannot be read.
    pub fn show_group(&self, name: &str) -> Done<Option<GroupView>> {
        self.store.read(|world| view_group(world, name))
    }

    /// Moves a stepped world ahead; answers with the new time.
    ///
    /// # Errors
    /// `Refused`: its clock is the real one.
    pub fn advance(&self, duration: Duration) -> Done<Timestamp> {
        self.store.step(duration).map(Moment::timestamp)
    }

    /// Sets the limits; desired follows into them.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn set_limits(&self, group: &str, limits: Limits) -> Done {
        self.edit("limits", group, |group, _| {
            group.limits = limits;
            group.desired = group.desired.clamp(limits.min().get(), limits.max().get());
            Ok(())
        })
    }

    /// Sets desired.
    ///
    /// # Errors
    /// `NotFound`; `Refused` outside the limits.
    pub fn set_desired(&self, group: &str, desired: u32) -> Done {
        self.change("desired", |world| world.set_desired(group, desired))
    }

    /// Sets the mix; `None`: all on demand.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn set_mix(&self, group: &str, mix: Option<LiveMix>) -> Done {
        self.edit("mix", group, |group, _| {
            group.mix = mix;
            group.forget_retry();
            Ok(())
        })
    }

    /// Sets which instances end first; `None`: not set.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn set_order(&self, group: &str, order: Option<VictimOrder>) -> Done {
        self.edit("order", group, |group, _| {
            group.order = order;
            Ok(())
        })
    }

    /// Adds a control, or replaces the one of that name. It stands there and does nothing.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn put_control(&self, group: &str, control: Control) -> Done {
        self.edit("control", group, |group, _| {
            group.controls.retain(|other| other.name != control.name);
            group.controls.push(control);
            Ok(())
        })
    }

    /// Takes a control away.
    ///
    /// # Errors
    /// `NotFound`: the group or the control.
    pub fn remove_control(&self, group: &str, name: &str) -> Done {
        self.edit("control", group, |group, _| {
            let before = group.controls.len();
            group.controls.retain(|control| control.name != name);
            if group.controls.len() == before {
                return Err(Refusal::NotFound {
                    kind: "control",
                    name: name.to_owned(),
                });
            }
            Ok(())
        })
    }

    /// Protects an instance from scale-in, or no longer.
    ///
    /// # Errors
    /// `NotFound`: the group or the instance.
    pub fn protect(&self, group: &str, instance: &str, protected: bool) -> Done {
        self.edit("protect", group, |group, _| {
            let index = position(group, instance)?;
            if let Some(found) = group.instances.get_mut(index) {
                found.protected = protected;
            }
            Ok(())
        })
    }

    /// Breaks an instance: it stops serving, and the health check replaces it two minutes later.
    ///
    /// # Errors
    /// `NotFound`: the group or the instance.
    pub fn mark_unhealthy(&self, group: &str, instance: &str) -> Done {
        self.edit("unhealthy", group, |group, now| {
            let index = position(group, instance)?;
            group.sicken(index, now);
            Ok(())
        })
    }

    /// Ends an instance at once, protected or not; desired stays, so that another is launched.
    ///
    /// # Errors
    /// `NotFound`: the group or the instance.
    pub fn terminate(&self, group: &str, instance: &str) -> Done {
        self.edit("terminate", group, |group, now| {
            let index = position(group, instance)?;
            group.end(index, now);
            Ok(())
        })
    }

    /// Gives an instance notice that it will be taken back.
    ///
    /// # Errors
    /// `NotFound`: the group or the instance.
    pub fn interrupt(&self, group: &str, instance: &str, notice: Duration) -> Done {
        self.edit("interrupt", group, |group, now| {
            let index = position(group, instance)?;
            if let Some(found) = group.instances.get_mut(index)
                && found.state != InstanceState::Draining
            {
                found.noticed = true;
                found.taken_at = Some(now.after(notice));
            }
            Ok(())
        })
    }

    /// Suspends a process of a group, or resumes it.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn suspend(&self, group: &str, process: Process, suspended: bool) -> Done {
        self.edit("suspend", group, |group, _| {
            match process {
                Process::Launch => group.launch_suspended = suspended,
                Process::Terminate => group.terminate_suspended = suspended,
            }
            Ok(())
        })
    }

    /// Creates a group that nobody owns.
    ///
    /// # Errors
    /// `Refused`: the name is taken, or desired is outside the limits.
    pub fn create_group(&self, new: NewGroup) -> Done {
        self.change("create", |world| world.create_unowned(new))
    }

    /// Deletes a group with its instances.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn delete_group(&self, name: &str) -> Done {
        self.change("delete", |world| world.delete(name))
    }

    /// Changes a group in any other way: its owner tag, its warm-up.
    ///
    /// # Errors
    /// `NotFound`, or what `change` says.
    pub fn edit(
        &self,
        request: &'static str,
        group: &str,
        change: impl FnOnce(&mut WorldGroup, Moment) -> Result<(), Refusal>,
    ) -> Done {
        self.change(request, |world| world.edit(group, change))
    }

    /// Changes anything, in one write.
    ///
    /// # Errors
    /// What `change` says; what it did before is kept.
    pub fn batch(&self, change: impl FnOnce(&mut World) -> Result<(), Refusal>) -> Done {
        self.change("batch", change)
    }

    /// Adds a fault for the next calls that it fits.
    ///
    /// # Errors
    /// `Refused`: the kind does not strike calls.
    pub fn add_fault(&self, fault: ScriptedFault) -> Done {
        self.change("fault", |world| {
            if !fault.kind.strikes_calls() || fault.times == 0 {
                return Err(Refusal::Refused(
                    "only faults of calls can be scripted, for one call or more; others go into the provider block"
                        .to_owned(),
                ));
            }
            world.script.push(fault);
            Ok(())
        })
    }

    /// Takes all scripted faults away.
    ///
    /// # Errors
    /// Only if the world cannot be written.
    pub fn clear_faults(&self) -> Done {
        self.change("fault", |world| {
            world.script.clear();
            Ok(())
        })
    }

    fn change<T>(
        &self,
        request: &'static str,
        change: impl FnOnce(&mut World) -> Result<T, Refusal>,
    ) -> Done<T> {
        self.store.write(change)?.map_err(|refusal| match refusal {
            Refusal::NotFound { kind, name } => ProviderError::NotFound {
                kind: kind.to_owned(),
                name,
            },
            Refusal::Refused(message) => ProviderError::Refused { request, message },
        })
    }
}

fn view_group(world: &mut World, name: &str) -> Option<GroupView> {
    let published = world.rules.steps_ended(world.now());
    let last = world.outcomes(name, published - 1, published);
    let group = world.group(name)?;
    Some(GroupView {
        live: group.view(world.now()),
        last_step: last.first().map(|outcome| StepView {
            at: world.rules.step_end(outcome.step).timestamp(),
            load: outcome.load,
            serving: outcome.units,
            utilization_percent: outcome.utilization_percent,
            unserved: outcome.unserved,
            backlog: outcome.backlog,
        }),
        cost: group.cost_at(world.now()),
    })
}
