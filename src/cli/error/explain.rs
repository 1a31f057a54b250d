//! What each error of the library means to a person: summary, why, what to do.
//!
//! The mapping is exhaustive: a new variant anywhere does not compile until somebody has thought about it here.

use std::path::Path;

use tideform_policies::diagnostic::Severity;
use tideform_policies::model::ProviderAddress;
use tideform_provider::ProviderError;
use tideform_remote::RemoteError;
use tideform_state::StateError;

use super::{CliError, lower_sentence, plural, sentence};
use crate::apply::ApplyError;
use crate::backend::BackendError;
use crate::cli::exit;
use crate::plan::PlanError;
use crate::plan::saved::{SaveError, SavedPlanError};
use crate::reconcile::ReconcileError;
use crate::registry::RegistryError;
use crate::simulate::ScenarioError;

/// An error as it is shown.
#[derive(Debug, Default)]
pub(super) struct Explained {
    /// Short, and free of the user's names.
    pub(super) summary: String,
    /// What is wrong, and why if not obvious; a line each.
    pub(super) why: Vec<String>,
    /// What to do.
    pub(super) hint: Option<String>,
    /// See [`exit`].
    pub(super) code: u8,
}

impl Explained {
    fn new(summary: impl Into<String>) -> Explained {
        Explained {
            summary: summary.into(),
            code: exit::FAILURE,
            ..Explained::default()
        }
    }

    fn why(mut self, line: impl Into<String>) -> Explained {
        self.why.push(line.into());
        self
    }

    fn hint(mut self, text: impl Into<String>) -> Explained {
        self.hint = Some(text.into());
        self
    }
}

/// A group that nobody knows, whichever command was asked.
fn no_such_group(text: &str, nearest: Option<&str>) -> Explained {
    let explained = Explained::new("Unknown group").why(format!("No group matches `{text}`."));
    match nearest {
        Some(nearest) => explained.hint(format!("did you mean `{nearest}`?")),
        None => explained.hint("`tideform validate --resolved` lists the groups of the files, `tideform state list` those of the state."),
    }
}

/// Says what an error means.
pub(super) fn explain(error: &CliError) -> Explained {
    match error {
        CliError::Usage(text) => Explained::new("Wrong usage").why(text.trim()),
        CliError::LaterVersion(name) => Explained::new("Command not in this version")
            .why(format!("`tideform {name}` comes with a later version."))
            .hint("`tideform --help` lists the commands of this one."),
        CliError::NoDirectory(path) => Explained::new("Directory not found")
            .why(format!("There is no directory `{}`.", path.display()))
            .hint("name the configuration's directory with `-C DIR`."),
        CliError::BadWorkspace(name) => Explained::new("Workspace name not usable")
            .why(format!("`{name}` becomes part of file names and tags."))
            .hint("use at most 90 letters, digits, `-`, `_` and `.`, not beginning with a dot."),
        CliError::NoSuchGroup { text, nearest } => no_such_group(text, nearest.as_deref()),
        CliError::NoSuchTest {
            filter,
            nearest,
            tests,
        } => {
            let explained = Explained::new("No test to run").why(format!(
                "`{filter}` matches no name or group of the {}.",
                plural(*tests, "test")
            ));
            match nearest {
                Some(nearest) => explained.hint(format!("did you mean `{nearest}`?")),
                None => explained.hint("`tideform test --list` prints their names."),
            }
        }
        CliError::Problems(problems) => {
            let count = |severity| {
                problems
                    .diagnostics
                    .iter()
                    .filter(|diagnostic| diagnostic.severity == severity)
                    .count()
            };
            let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
            let counted = format!(
                "{} and {}. Nothing was changed.",
                plural(errors, "error"),
                plural(warnings, "warning")
            );
            Explained::new("The files have errors").why(counted)
        }
        CliError::OwnedElsewhere { groups } => {
            Explained::new("Another state owns what the files name")
                .why(format!("{} of {groups}. Nothing was changed.", plural(*groups, "group")))
                .hint("another directory may use this workspace's name too: then give this one a name of its own, `tideform { workspace = \"...\" }`. Was this workspace's state lost? Restore its backup, or name it with `--state FILE`. `--take-over` begins with a new state: cooldowns, history, and what was created by the old one are forgotten.")
        }
        CliError::Expression(_) => Explained::new("No value").why("The expression has no value."),
        CliError::File { verb, path, source } => Explained::new(format!("File cannot be {verb}"))
            .why(format!("`{}` cannot be {verb}: {source}.", path.display())),
        CliError::Trace { path, error } => Explained::new("Not a trace")
            .why(format!("`{}`, {error}.", path.display()))
            .hint("a trace is a CSV file `timestamp,value` with steps of one length, such as 2026-01-31T08:00:00Z,12.5"),
        CliError::NoSuchBlock { text, nearest } => {
            let explained = Explained::new("Unknown block").why(format!("The language has no block `{text}`."));
            match nearest {
                Some(nearest) => explained.hint(format!("did you mean `{nearest}`?")),
                None => explained.hint("`tideform schema` lists them all."),
            }
        }
        CliError::NotEmpty { directory, found } => Explained::new("Directory not empty")
            .why(format!("`{}` has `{found}` in it. Nothing was written.", directory.display()))
            .hint("name another directory with `-C DIR`; it is made where it is missing."),
        CliError::NoSuchCode(code) => Explained::new("Unknown code")
            .why(format!("No diagnostic has the code `{code}`."))
            .hint("`tideform schema codes` lists them all."),
        CliError::NothingApplied(directory) => Explained::new("No state here")
            .why(format!("Nothing was ever applied in `{}`.", directory.display()))
            .hint("run `tideform apply` first, or name the configuration's directory with `-C DIR`."),
        CliError::BadPointer(path) => Explained::new("Pointer to the state not readable")
            .why(format!("`{}` was written by another version, or by hand.", path.display()))
            .hint("remove the file and run `tideform init`: it is written anew."),
        CliError::Backend(error) => {
            let explained = Explained::new("Backend not usable").why(sentence(error));
            match error {
                BackendError::NotInThisBuild { .. } => {
                    explained.hint("build it with its default features, or use `backend \"local\" {}`.")
                }
                BackendError::Settings { .. } => explained.hint("mend the `backend` block in the files."),
                BackendError::Open { .. } => explained.hint(
                    "the `backend` block takes `profile`, `region` and `assume_role`; without them the AWS SDK's own search decides.",
                ),
            }
        }
        CliError::BackendChanged { old, new } => Explained::new("Backend changed")
            .why(format!(
                "The state of this workspace was at {old}, and the files now say {new}. Nothing was changed."
            ))
            .hint("`tideform init --migrate-state` moves it there; `tideform init --reconfigure` goes on with the new place and leaves the old state where it is."),
        CliError::NoSharedState(object) => Explained::new("No state here")
            .why(format!("There is no object {object}: nothing was ever applied, or it was deleted."))
            .hint("where nothing was ever applied, `tideform apply` makes one. One that was deleted comes back with the bucket's versioning, or with `tideform state push BACKUP`."),
        CliError::Remote(error) => explain_remote(error),
        CliError::State(error) => explain_state(error),
        CliError::Registry(error) => explain_registry(error),
        CliError::Plan(error) => explain_plan(error),
        CliError::Save(error) => explain_save(error),
        CliError::SavedPlan { path, error } => explain_saved_plan(path, error),
        CliError::GroupsFailed { what, failed, others } => {
            const SHOWN: usize = 10;
            let mut explained = Explained::new(format!(
                "{} could not be {what}",
                plural(failed.len(), "group")
            ));
            // What stands in the way of many is said once.
            let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
            for (group, why) in failed {
                match reasons.iter_mut().find(|(known, _)| *known == why.as_str()) {
                    Some((_, groups)) => groups.push(group),
                    None => reasons.push((why, vec![group])),
                }
            }
            for (why, groups) in reasons.iter().take(SHOWN) {
                let mut names = groups.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
                if groups.len() > SHOWN {
                    names.push_str(&format!(" and {} more", groups.len() - SHOWN));
                }
                explained = explained.why(format!("{names}: {why}"));
            }
            if reasons.len() > SHOWN {
                let more: usize = reasons.iter().skip(SHOWN).map(|(_, groups)| groups.len()).sum();
                explained = explained.why(format!("and {more} more"));
            }
            explained.hint(if *others {
                "the others went on; run it again when the cause is mended."
            } else {
                "run it again when the cause is mended."
            })
        }
        CliError::Nothing { summary, why, hint } => {
            Explained::new(*summary).why(why.clone()).hint(hint.clone())
        }
        CliError::Apply(error) => explain_apply(error),
        CliError::Interrupted { left } => Explained::new("Interrupted")
            .why(format!("{} not begun; what was begun came to its end.", plural(*left, "group")))
            .hint("`tideform plan` shows what is left."),
        CliError::Mock(error) => Explained::new("Refused by the simulated cloud").why(sentence(error)),
        CliError::Reconcile(error) => explain_reconcile(error),
        CliError::Follow(error) => {
            Explained::new("The followed directory cannot be applied").why(sentence(error.as_ref()))
        }
        CliError::Listen { address, source } => Explained::new("Cannot listen")
            .why(format!("{address}: {source}."))
            .hint("name an address of this machine and a free port."),
        CliError::History { group, error } => Explained::new("No recorded load")
            .why(format!("Group {group:?}: {error}."))
            .hint("the loop records what it reads; replay a file with `--trace FILE`."),
        CliError::Scenario(error @ ScenarioError::NoThroughput) => {
            Explained::new("Group not ready to be simulated")
                .why(sentence(error))
                .hint("set `instance { throughput }`, the load per second that one carries at 100 % utilization, or `--throughput`.")
        }
        CliError::Scenario(error @ ScenarioError::Number(_)) => {
            Explained::new("Group not ready to be simulated").why(sentence(error))
        }
        CliError::Optimum(error) => {
            Explained::new("Optimum not computed").why(sentence(error))
        }
        CliError::Observation(error) => Explained::new("Observation not usable")
            .why(sentence(error))
            .hint("`tideform schema observation` describes what is read."),
        CliError::Runtime(fault) => {
            Explained::new("No threads to run on").why(sentence(fault))
        }
        CliError::Output(fault) => Explained::new("Cannot write the output").why(sentence(fault)),
        CliError::Input(fault) => Explained::new("Cannot read the answer").why(sentence(fault)),
        CliError::NotApproved => Explained::new("Not approved")
            .why("The answer was not `yes`. Nothing was changed."),
        CliError::CannotAsk => Explained::new("Approval needed")
            .why("There is no terminal to ask at whether this is to be done. Nothing was changed.")
            .hint("pass `--auto-approve` to go ahead without a question."),
    }
}

fn explain_state(error: &StateError) -> Explained {
    let told = |summary: &str| Explained::new(summary).why(sentence(error));
    match error {
        StateError::NotFound { .. } => {
            told("No state").hint(
                "where nothing was ever applied, `tideform apply` makes one. A state that was lost is restored from a backup (`tideform state backup` makes them): the cloud may still hold what it scaled.",
            )
        }
        StateError::AlreadyExists { .. } => told("File exists").hint("name a file that does not exist."),
        StateError::NotAState { .. } => {
            told("Not a state").hint("check the path; what is there was not touched.")
        }
        StateError::Newer { .. } => told("State of a newer version")
            .hint("use the version of tideform that wrote it, or a newer one."),
        StateError::Corrupt { .. } => told("State damaged")
            .hint("restore a backup (`tideform state backup` makes them); `tideform state check` says more."),
        StateError::Busy => told("State busy").hint("try again in a moment."),
        StateError::ReadOnly => told("State not writable")
            .hint("check the file's mode and owner, and that the disk is not mounted for reading only."),
        StateError::WrongWorkspace { recorded, .. } => told("State of another workspace")
            .hint(format!("pass `--workspace {recorded}`, or use another state file.")),
        StateError::AccountMoved { .. } => told("Another account")
            .why("Running there what was applied elsewhere would change the wrong groups. Nothing was changed.")
            .hint("use the credentials of the first account, or another workspace for the new one."),
        StateError::UnknownGroup { .. } => {
            told("Unknown group").hint("`tideform state list` lists the groups of the state.")
        }
        StateError::GroupExists { .. } => {
            told("Group exists").hint("move or remove that one first.")
        }
        StateError::LeaseHeld { .. } => Explained {
            code: exit::LEASE_HELD,
            ..told("Another process works with this state")
                .why("Nothing was changed.")
                .hint("a daemon gives it back between its runs, and `--lock-timeout 1m` waits for that. Only where that process is gone: `tideform state unlock`.")
        },
        StateError::LeaseLost { .. } => Explained {
            code: exit::LEASE_HELD,
            ..told("Lease lost")
                .why("This process stalled for too long, and another one went on in its place.")
                .hint("see `tideform events`, then run it again.")
        },
        StateError::UnknownRecord { .. } | StateError::AlreadyEnded { .. } => {
            told("Not there any more").hint("`tideform overrides` and `tideform events` show what is.")
        }
        StateError::Unrecordable { .. } => told("Cannot be recorded"),
        StateError::Unreadable { .. } => told("State not readable by this version")
            .hint("use the version of tideform that wrote it, or a newer one."),
        StateError::Remote { source } => match source.downcast_ref::<RemoteError>() {
            Some(error) => explain_remote(error),
            None => told("Shared state not usable"),
        },
        StateError::Replaced => told("Another state took its place")
            .why("Nothing was changed.")
            .hint("somebody has put another state there: find out who, and run it again."),
        StateError::NotPublished { kept, .. } => {
            let explained = told("Shared state not updated").why(
                "Nothing in it was overwritten. What was changed in the cloud was announced there before, so the next run finds it and records what became of it.",
            );
            match kept {
                Some(path) => explained.hint(format!(
                    "what this run recorded is in {}. While nobody else has worked with the shared state, `tideform state push {}` brings it there; later there is nothing to do.",
                    path.display(),
                    path.display()
                )),
                None => explained.hint("run it again when the store can be reached."),
            }
        }
        StateError::Io { .. } => told("State not usable")
            .hint("check that the directory exists, and that you may write there."),
        StateError::Sql { .. } => told("State not usable")
            .hint("check that the disk is not full; `tideform state check` says more."),
    }
}

fn explain_remote(error: &RemoteError) -> Explained {
    let told = |summary: &str| Explained::new(summary).why(sentence(error));
    match error {
        RemoteError::Denied { action, .. } => told("Access to the shared state denied").hint(format!(
            "check the credentials (`aws sts get-caller-identity`), and that they may {action} on the state's object, its `.lock` and its `.clock`; docs/state.md has the policy."
        )),
        RemoteError::NoBucket { .. } => {
            told("No such bucket").hint("make the bucket, with versioning, or mend `bucket` and `region` in the `backend` block.")
        }
        RemoteError::Unreachable { .. } => told("Shared state not reachable")
            .hint("check the network and `endpoint_url`, and run it again."),
        RemoteError::Held(_) => Explained {
            code: exit::LEASE_HELD,
            ..told("Another process works with this state").why("Nothing was changed.")
        },
        RemoteError::Moved { .. } => told("Shared state moved on")
            .hint("run it again: it begins with what is there now."),
        RemoteError::Gone { .. } => told("Shared state gone").hint(
            "find out who deleted it. The bucket's versioning brings it back, or `tideform state push BACKUP`.",
        ),
        RemoteError::LockLost { .. } => Explained {
            code: exit::LEASE_HELD,
            ..told("Lock lost").hint("see `tideform events`, then run it again.")
        },
        RemoteError::Damaged { .. } => told("Shared state damaged").hint(
            "it was not touched. The bucket's versioning has the version before, or `tideform state push --force BACKUP` puts a backup there.",
        ),
        RemoteError::Unconditional { .. } => told("Store not usable for a shared state")
            .hint("use a store that honors conditional uploads, as S3 does, or keep the state in a file."),
        RemoteError::File { .. } => told("File not usable")
            .hint("check that the directory exists, that you may write there, and that the disk is not full."),
        RemoteError::Interrupted => told("Interrupted").hint("run it again."),
    }
}

fn explain_registry(error: &RegistryError) -> Explained {
    let told = |summary: &str| Explained::new(summary).why(sentence(error));
    match error {
        RegistryError::UnknownKind { .. } => told("Unknown provider"),
        RegistryError::NotSupported { .. } => told("Provider not in this version")
            .hint("`tideform version` lists the providers of this one."),
        RegistryError::Open { source, .. } => {
            let explained = told("Provider cannot be opened");
            match provider_hint(source) {
                Some(hint) => explained.hint(hint),
                None => explained,
            }
        }
        RegistryError::MixedClocks { .. } => told("Clocks do not fit together"),
    }
}

fn explain_apply(error: &ApplyError) -> Explained {
    let told = |summary: &str| Explained::new(summary).why(sentence(error));
    match error {
        ApplyError::Stale(_) => Explained {
            code: exit::PLAN_STALE,
            ..told("Plan out of date")
                .why("Nothing was changed.")
                .hint("plan again, and review what is different.")
        },
        ApplyError::HasErrors => told("The plan has errors").why("Nothing was changed."),
        ApplyError::StateLost { .. } => told("Another state owns groups of this workspace")
            .why("Either another directory uses this workspace's name too, or this workspace's state was lost. Nothing was changed.")
            .hint("with another directory, give this one a name of its own: `tideform { workspace = \"...\" }`. A state that was lost: restore its backup, or point `--state` at it. Only where nobody uses the other state any more, `--take-over` makes this one the owner; history and memory begin anew."),
        ApplyError::UnknownProvider(_) => told("Provider not configured")
            .hint("plan again: the `provider` block is missing."),
        ApplyError::Provider { address, source } => {
            explain_provider(error, address, source).why("Nothing was changed.")
        }
        ApplyError::State(source) => explain_state(source),
        ApplyError::Stopped { source, report } => {
            let explained = explain_state(source);
            Explained {
                summary: "Apply stopped on its way".to_owned(),
                ..explained
                    .why(format!("{} done before that.", plural(report.done.len(), "group")))
                    .hint("run `tideform plan`: it settles what was open, and shows what is left.")
            }
        }
    }
}

fn explain_reconcile(error: &ReconcileError) -> Explained {
    let told = |summary: &str| Explained::new(summary).why(sentence(error));
    match error {
        ReconcileError::LeaseHeld { .. } => Explained {
            code: exit::LEASE_HELD,
            ..told("Another process works with this state")
                .why("Nothing was changed.")
                .hint("a daemon gives it back between its runs, and `--lock-timeout 1m` waits for that. Only where that process is gone: `tideform state unlock`.")
        },
        ReconcileError::NothingApplied => told("Nothing to run")
            .hint("run `tideform apply` first: the loop runs what was last applied."),
        ReconcileError::State(source) => explain_state(source),
        ReconcileError::Registry(source) => explain_registry(source),
        ReconcileError::Identity { provider, source } => explain_provider(error, provider, source),
        ReconcileError::Follow { .. } => told("The followed directory cannot be applied"),
    }
}

fn explain_plan(error: &PlanError) -> Explained {
    let told = |summary: &str| Explained::new(summary).why(sentence(error));
    match error {
        PlanError::UnknownProvider(_) => told("Provider not configured").hint(
            "add its `provider` block; one that was applied must stay until its groups are gone.",
        ),
        PlanError::Provider { address, source } => explain_provider(error, address, source),
        PlanError::AccountMoved { .. } => told("Another account")
            .why("Planning there what was applied elsewhere would change the wrong groups.")
            .hint(
                "use the credentials of the first account, or another workspace for the new one.",
            ),
        PlanError::NoSuchGroup(unmatched) => {
            no_such_group(&unmatched.pattern, unmatched.nearest.as_deref())
        }
    }
}

fn explain_save(error: &SaveError) -> Explained {
    match error {
        SaveError::HasErrors => Explained::new("Plan not saved")
            .why("The plan has errors, and nothing with errors is carried out."),
        SaveError::Unwritable(_) => {
            Explained::new("This is a bug in tideform.").why(sentence(error))
        }
    }
}

fn explain_saved_plan(path: &Path, error: &SavedPlanError) -> Explained {
    let told = |summary: &str| {
        Explained::new(summary)
            .why(format!("`{}`: {}", path.display(), lower_sentence(error)))
            .why("Nothing was changed.")
    };
    match error {
        // Where the JSON broke off says nothing to somebody who named the wrong file.
        SavedPlanError::NotAPlan(_) => Explained::new("Not a plan file")
            .why(format!(
                "`{}` is not a saved plan of tideform, or it was cut short. Nothing was changed.",
                path.display()
            ))
            .hint("`tideform plan --out FILE` makes one."),
        SavedPlanError::Newer { .. } => told("Plan of a newer version")
            .hint("use the version of tideform that wrote it, or plan again."),
        SavedPlanError::Changed => told("Plan file changed")
            .hint("plan again: a plan is applied as it was reviewed, or not at all."),
    }
}

/// A provider that nothing can be asked of.
fn explain_provider(
    error: &(dyn std::error::Error + 'static),
    address: &ProviderAddress,
    source: &ProviderError,
) -> Explained {
    let explained = match source {
        // It was not asked at all.
        ProviderError::Configuration { message } => {
            Explained::new("Provider not usable").why(format!("{address}: {message}."))
        }
        ProviderError::Denied { .. } => Explained::new("Provider refuses these credentials")
            .why(format!("{address}: {source}.")),
        _ => Explained::new("Provider does not answer").why(sentence(error)),
    };
    match provider_hint(source) {
        Some(hint) => explained.hint(hint),
        None => explained,
    }
}

/// What to do about a provider's error.
fn provider_hint(error: &ProviderError) -> Option<&'static str> {
    match error {
        ProviderError::Throttled { .. } => Some("try again in a minute."),
        ProviderError::Unavailable { .. } => {
            Some("try again; if it goes on, look at the provider's own status.")
        }
        ProviderError::OutcomeUnknown { .. } => {
            Some("the change may have been made: `tideform plan` shows what is live now.")
        }
        ProviderError::NotFound { .. } => Some(
            "check the name in the `resource` block, account and region; or add `launch` to create it.",
        ),
        ProviderError::Refused { .. } => Some("mend what the provider says, and plan again."),
        ProviderError::Blocked { .. } => {
            Some("wait until it is over, or end it there; the next run tries again.")
        }
        ProviderError::Denied { .. } => Some("check the credentials and their permissions."),
        ProviderError::Conflict { .. } => {
            Some("somebody else changed it at the same time: plan again.")
        }
        ProviderError::Configuration { .. } => {
            Some("mend the `provider` block, or what it names on this machine.")
        }
    }
}
