//! `tideform mock`: hands in the simulated cloud, for tutorials and tests.

use std::time::Duration;

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use tideform_mock::MockSettings;
use tideform_mock::admin::{Admin, Process};
use tideform_mock::world::fault::{Call, FaultKind, ScriptedFault};
use tideform_mock::world::group::NewGroup;
use tideform_policies::model::{Limits, ProviderConfiguration, VictimOrder};
use tideform_provider::{Control, ControlKind, ProviderError};
use tideform_state::OpenMode;

use super::args::{VariableArgs, nearest, parse_duration, parse_positive_duration};
use super::context::Context;
use super::error::CliError;
use super::output::{BOLD, DIM, Table, paint};
use super::view;
use super::{CliResult, exit};

/// Lay hands on the simulated cloud of provider "mock".
///
/// Lays hands on the simulated cloud of provider "mock", as somebody outside tideform would: shows it, moves its clock,
/// changes groups, protects and breaks instances, makes calls fail.
#[derive(Args, Debug)]
pub(super) struct MockArgs {
    /// The provider block, where there are several: `mock.other`
    #[arg(long, value_name = "ADDR", global = true)]
    provider: Option<String>,

    #[command(subcommand)]
    command: MockCommand,
}

#[derive(Subcommand, Debug)]
enum MockCommand {
    /// Show the groups and instances of the world
    Show {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Move a stepped clock ahead
    Advance {
        /// How far
        #[arg(value_name = "DURATION", value_parser = parse_positive_duration)]
        duration: Duration,
    },
    /// Create a group that nobody owns
    Create {
        /// The resource's name
        #[arg(value_name = "NAME")]
        name: String,
        /// Smallest capacity
        #[arg(long, value_name = "N")]
        min: u32,
        /// Largest capacity
        #[arg(long, value_name = "N")]
        max: u32,
        /// Desired capacity; default: the smallest
        #[arg(long, value_name = "N")]
        desired: Option<u32>,
    },
    /// Delete a group with its instances
    Delete {
        /// The resource's name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Change a group by hand
    Set {
        /// The resource's name
        #[arg(value_name = "NAME")]
        name: String,
        /// Smallest capacity
        #[arg(long, value_name = "N")]
        min: Option<u32>,
        /// Largest capacity
        #[arg(long, value_name = "N")]
        max: Option<u32>,
        /// Desired capacity
        #[arg(long, value_name = "N")]
        desired: Option<u32>,
        /// Which instances end first
        #[arg(long, value_enum)]
        order: Option<Order>,
    },
    /// Add a scaling policy that somebody else made; it does nothing, but plans see it
    AddControl {
        /// The resource's name
        #[arg(value_name = "NAME")]
        name: String,
        /// The policy's name
        #[arg(value_name = "CONTROL")]
        control: String,
        /// It is a scheduled action instead of a policy that follows a metric
        #[arg(long)]
        schedule: bool,
    },
    /// Take such a policy away
    RemoveControl {
        /// The resource's name
        #[arg(value_name = "NAME")]
        name: String,
        /// The policy's name
        #[arg(value_name = "CONTROL")]
        control: String,
    },
    /// Protect an instance from scale-in, or no longer
    Protect {
        /// The instance's id
        #[arg(value_name = "INSTANCE")]
        instance: String,
        /// Whether it is protected
        #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
        on: bool,
    },
    /// Break an instance: it stops serving, and the health check replaces it
    Break {
        /// The instance's id
        #[arg(value_name = "INSTANCE")]
        instance: String,
    },
    /// End an instance at once; another one is launched
    Terminate {
        /// The instance's id
        #[arg(value_name = "INSTANCE")]
        instance: String,
    },
    /// Give an instance notice that it will be taken back
    Interrupt {
        /// The instance's id
        #[arg(value_name = "INSTANCE")]
        instance: String,
        /// How long before
        #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
        notice: Duration,
    },
    /// Suspend a process of a group, or resume it
    Suspend {
        /// The resource's name
        #[arg(value_name = "NAME")]
        name: String,
        /// Launching or ending instances
        #[arg(value_enum, value_name = "PROCESS")]
        process: SuspendedProcess,
        /// Whether it is suspended
        #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
        on: bool,
    },
    /// Make the next calls fail
    Fault {
        /// How
        #[arg(value_enum, value_name = "KIND")]
        kind: CallFault,
        /// Only this call of the provider: `set_desired`, `read_groups`, ...
        #[arg(long, value_name = "CALL", value_parser = parse_call)]
        call: Option<Call>,
        /// Only calls about this group, by the resource's name
        #[arg(long, value_name = "NAME")]
        group: Option<String>,
        /// Let so many through first
        #[arg(long, value_name = "N", default_value_t = 0)]
        skip: u32,
        /// So many fail
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        times: u32,
    },
    /// Take all faults of `mock fault` away
    ClearFaults,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    Newest,
    Oldest,
    Default,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SuspendedProcess {
    Launch,
    Terminate,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CallFault {
    /// Refused for its rate; nothing is done
    Throttle,
    /// The provider is not there; nothing is done
    Unavailable,
    /// Not allowed; nothing is done
    Denied,
    /// No answer, and nothing was done
    TimeoutBefore,
    /// No answer, though it was done
    TimeoutAfter,
}

fn parse_call(text: &str) -> Result<Call, String> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|_| {
        "one of identity, read_groups, find_groups, owned_groups, read_metrics, create_group, update_group, delete_group, \
         set_desired, terminate_instance, prices"
            .to_owned()
    })
}

impl MockArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.need_directory()?;
        let settings =
            MockSettings::from_attributes(&self.block(cx)?.settings).map_err(CliError::Mock)?;
        let admin = Admin::open_or_make(&settings, cx.directory()).map_err(CliError::Mock)?;
        let done = self
            .command
            .run(cx, &admin)
            .map_err(|error| explained(error, &admin))?;
        if let Some(line) = done {
            cx.output.line(line);
        }
        Ok(exit::WELL)
    }

    /// The provider block: as last applied, else as the files have it.
    fn block(&self, cx: &Context) -> Result<ProviderConfiguration, CliError> {
        let mut known: Vec<ProviderConfiguration> = Vec::new();
        if let Ok((_, state)) = cx.last_state(None, OpenMode::ReadWrite) {
            known = state.applied_providers()?;
        }
        if known.is_empty() {
            known = cx.configuration(&VariableArgs::default(), None)?.providers;
        }
        known.retain(|block| &*block.address.kind == "mock");
        if let Some(wanted) = &self.provider {
            let wanted = wanted.strip_prefix("provider.").unwrap_or(wanted);
            known.retain(|block| block.address.to_string() == format!("provider.{wanted}"));
        }
        match known.len() {
            1 => Ok(known.remove(0)),
            0 => Err(CliError::Nothing {
                summary: "No simulated cloud",
                why: "There is no such `provider \"mock\"` block.".to_owned(),
                hint: "these commands only work on the simulated cloud.".to_owned(),
            }),
            _ => Err(CliError::Nothing {
                summary: "Several simulated clouds",
                why: format!(
                    "There are {}.",
                    known
                        .iter()
                        .map(|block| block.address.to_string())
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
                hint: "say which with `--provider`.".to_owned(),
            }),
        }
    }
}

/// A name that the world does not have, with those that it has.
fn explained(error: ProviderError, admin: &Admin) -> CliError {
    const SHOWN: usize = 10;
    let ProviderError::NotFound { kind, name } = &error else {
        return CliError::Mock(error);
    };
    if kind == "instance" {
        return CliError::Nothing {
            summary: "Unknown instance",
            why: format!("The simulated cloud has no instance `{name}`."),
            hint: "`tideform mock show` lists them.".to_owned(),
        };
    }
    if kind != "asg" {
        return CliError::Mock(error);
    }
    let groups: Vec<String> = admin
        .show()
        .map(|world| world.groups)
        .unwrap_or_default()
        .iter()
        .map(|group| group.live.resource.name.to_string())
        .collect();
    CliError::Nothing {
        summary: "Unknown group",
        why: format!("The simulated cloud has no group `{name}`."),
        hint: match nearest(name, groups.iter().cloned()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if groups.is_empty() => {
                "it has none yet: `tideform apply` and `tideform mock create` make them.".to_owned()
            }
            None if groups.len() <= SHOWN => format!("it has {}.", groups.join(", ")),
            None => "`tideform mock show` lists them.".to_owned(),
        },
    }
}

type Done = Result<Option<String>, ProviderError>;

impl MockCommand {
    fn run(self, cx: &Context, admin: &Admin) -> Done {
        match self {
            MockCommand::Show { json } => {
                show(cx, admin, json)?;
                Ok(None)
            }
            MockCommand::Advance { duration } => {
                let now = admin.advance(duration)?;
                Ok(Some(format!("It is {} in the world.", view::time(now))))
            }
            MockCommand::Create {
                name,
                min,
                max,
                desired,
            } => {
                let limits = limits(min, max)?;
                admin.create_group(NewGroup {
                    name: name.as_str().into(),
                    limits,
                    desired: desired.unwrap_or(min),
                    launch: std::collections::BTreeMap::default(),
                    model: tideform_mock::launch::InstanceModel::default(),
                    owner: None,
                })?;
                Ok(Some(format!("{name} was created.")))
            }
            MockCommand::Delete { name } => {
                admin.delete_group(&name)?;
                Ok(Some(format!("{name} was deleted.")))
            }
            MockCommand::Set {
                name,
                min,
                max,
                desired,
                order,
            } => set(admin, &name, min, max, desired, order),
            MockCommand::AddControl {
                name,
                control,
                schedule,
            } => {
                admin.put_control(
                    &name,
                    Control {
                        summary: "made by hand".to_owned(),
                        name: control.clone(),
                        kind: if schedule {
                            ControlKind::Schedule
                        } else {
                            ControlKind::Dynamic
                        },
                        enabled: true,
                        settings: Default::default(),
                        writes: Default::default(),
                        beyond: None,
                    },
                )?;
                Ok(Some(format!("{name} has {control}.")))
            }
            MockCommand::RemoveControl { name, control } => {
                admin.remove_control(&name, &control)?;
                Ok(Some(format!("{name} no longer has {control}.")))
            }
            MockCommand::Protect { instance, on } => {
                admin.protect(&group_of(admin, &instance)?, &instance, on)?;
                Ok(Some(format!(
                    "{instance} is {} protected.",
                    if on { "now" } else { "no longer" }
                )))
            }
            MockCommand::Break { instance } => {
                admin.mark_unhealthy(&group_of(admin, &instance)?, &instance)?;
                Ok(Some(format!("{instance} is broken.")))
            }
            MockCommand::Terminate { instance } => {
                admin.terminate(&group_of(admin, &instance)?, &instance)?;
                Ok(Some(format!("{instance} has ended.")))
            }
            MockCommand::Interrupt { instance, notice } => {
                admin.interrupt(&group_of(admin, &instance)?, &instance, notice)?;
                Ok(Some(format!("{instance} was given notice.")))
            }
            MockCommand::Suspend { name, process, on } => {
                let process = match process {
                    SuspendedProcess::Launch => Process::Launch,
                    SuspendedProcess::Terminate => Process::Terminate,
                };
                admin.suspend(&name, process, on)?;
                Ok(Some(format!(
                    "{name}: {process:?} is {} suspended.",
                    if on { "now" } else { "no longer" }
                )))
            }
            MockCommand::Fault {
                kind,
                call,
                group,
                skip,
                times,
            } => {
                let kind = match kind {
                    CallFault::Throttle => FaultKind::Throttle,
                    CallFault::Unavailable => FaultKind::Unavailable,
                    CallFault::Denied => FaultKind::Denied,
                    CallFault::TimeoutBefore => FaultKind::TimeoutBefore,
                    CallFault::TimeoutAfter => FaultKind::TimeoutAfter,
                };
                admin.add_fault(ScriptedFault {
                    kind,
                    call,
                    group,
                    skip,
                    times,
                })?;
                Ok(Some("The fault waits for its calls.".to_owned()))
            }
            MockCommand::ClearFaults => {
                admin.clear_faults()?;
                Ok(Some("No faults wait any more.".to_owned()))
            }
        }
    }
}

fn limits(min: u32, max: u32) -> Result<Limits, ProviderError> {
    Limits::new(min.into(), max.into()).ok_or_else(|| ProviderError::Refused {
        request: "set limits",
        message: format!("min {min} is above max {max}"),
    })
}

fn set(
    admin: &Admin,
    name: &str,
    min: Option<u32>,
    max: Option<u32>,
    desired: Option<u32>,
    order: Option<Order>,
) -> Done {
    if min.is_none() && max.is_none() && desired.is_none() && order.is_none() {
        return Err(ProviderError::Refused {
            request: "set",
            message: "say what: --min, --max, --desired, --order".to_owned(),
        });
    }
    let group = admin
        .show_group(name)?
        .ok_or_else(|| ProviderError::NotFound {
            kind: "asg".to_owned(),
            name: name.to_owned(),
        })?;
    if min.is_some() || max.is_some() {
        let old = group.live.attributes.limits;
        admin.set_limits(
            name,
            limits(
                min.unwrap_or(old.min().get()),
                max.unwrap_or(old.max().get()),
            )?,
        )?;
    }
    if let Some(desired) = desired {
        admin.set_desired(name, desired)?;
    }
    if let Some(order) = order {
        let order = match order {
            Order::Newest => VictimOrder::Newest,
            Order::Oldest => VictimOrder::Oldest,
            Order::Default => VictimOrder::Default,
        };
        admin.set_order(name, Some(order))?;
    }
    let now = admin
        .show_group(name)?
        .map_or(group.live, |group| group.live);
    Ok(Some(format!(
        "{name} has desired {}, min {}, max {}.",
        now.desired,
        now.attributes.limits.min(),
        now.attributes.limits.max()
    )))
}

fn group_of(admin: &Admin, instance: &str) -> Result<String, ProviderError> {
    admin
        .show()?
        .groups
        .into_iter()
        .find(|group| group.live.instances.iter().any(|i| &*i.id == instance))
        .map(|group| group.live.resource.name.to_string())
        .ok_or_else(|| ProviderError::NotFound {
            kind: "instance".to_owned(),
            name: instance.to_owned(),
        })
}

fn show(cx: &Context, admin: &Admin, as_json: bool) -> Result<(), ProviderError> {
    let world = admin.show()?;
    if as_json {
        cx.output.json(&world);
        return Ok(());
    }
    cx.output.line(paint(
        DIM,
        format!("# world {}, {}", world.id, view::time(world.now)),
    ));
    for group in &world.groups {
        let live = &group.live;
        cx.output.line(format!(
            "\n{}  desired {}, min {}, max {}",
            paint(BOLD, &live.resource.name),
            live.desired,
            live.attributes.limits.min(),
            live.attributes.limits.max()
        ));
        if let Some(step) = &group.last_step {
            let used = step
                .utilization_percent
                .map_or_else(|| "-".to_owned(), |used| format!("{used:.0} %"));
            cx.output.line(format!(
                "  load {:.1}/s, serving {}, used {used}, unserved {:.1}/s",
                step.load, step.serving, step.unserved
            ));
        }
        for control in &live.controls {
            cx.output
                .line(format!("  control {}: {}", control.name, control.summary));
        }
        if live.instances.is_empty() {
            continue;
        }
        let mut table = Table::new(&["  INSTANCE", "STATE", "LIFECYCLE", "LAUNCHED", "PROTECTED"]);
        for instance in &live.instances {
            let word = |value: serde_json::Result<serde_json::Value>| {
                value
                    .ok()
                    .and_then(|value| value.as_str().map(str::to_owned))
                    .unwrap_or_default()
            };
            table.row([
                format!("  {}", instance.id),
                word(serde_json::to_value(instance.state)),
                word(serde_json::to_value(instance.lifecycle)),
                instance
                    .launched_at
                    .map_or_else(|| "-".to_owned(), view::time),
                if instance.protected { "yes" } else { "no" }.to_owned(),
            ]);
        }
        cx.output.print(&table.render());
    }
    Ok(())
}
