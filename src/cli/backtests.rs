//! The backtests of a plan: which loads are replayed, and the gates on what comes of them.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use tideform_policies::model::{Group, GroupAddress};

use super::args::nearest;
use super::context::Context;
use super::error::{CliError, plural};
use super::plan::Planned;
use super::records::{HistoryFrom, Sources, Wanted, is_weighted};
use super::trace::TraceArgs;
use crate::backtest::{self, Case, NoBacktest};
use crate::history::{HISTORY, Load, Unit, teller};
use crate::observe::before;
use crate::plan::gates::{self, Gate};
use crate::plan::{PlannedCase, with_live};
use crate::simulate::Given;

/// What `plan` and `apply` replay, and what must not come of it.
#[derive(Args, Clone, Debug)]
pub(super) struct BacktestArgs {
    /// Replay this load in the backtests instead of what was recorded: CSV `timestamp,value`; may be repeated
    #[arg(long, value_name = "[GROUP=]FILE", conflicts_with_all = ["destroy", "refresh_only"])]
    trace: Vec<String>,

    #[command(flatten)]
    reading: TraceArgs,

    /// Whose records the backtests replay: the state's, the provider's own metrics, or the state's where they are of a
    /// day or more
    #[arg(long, value_name = "FROM", value_enum, conflicts_with_all = ["destroy", "refresh_only"])]
    history: Option<HistoryFrom>,

    /// Exit with 3 if this holds for a group whose scaling changes: `cost > +10%`; may be repeated
    #[arg(long, value_name = "GATE", conflicts_with_all = ["destroy", "refresh_only"])]
    fail_if: Vec<Gate>,
}

impl BacktestArgs {
    /// Whether somebody asked for backtests in any way.
    pub(super) fn are_asked_for(&self) -> bool {
        !self.trace.is_empty() || self.history.is_some() || !self.fail_if.is_empty()
    }

    /// Replays the loads that were given or recorded through what is live and what is planned, and judges the gates.
    ///
    /// # Errors
    /// Wrong traces, or a state that cannot be read. What a provider cannot tell is said at its groups.
    pub(super) fn add(&self, cx: &Context, planned: &mut Planned) -> Result<(), CliError> {
        self.play(cx, planned)?;
        planned.plan.verdicts = gates::judge(&planned.plan, &self.fail_if);
        Ok(())
    }

    fn play(&self, cx: &Context, planned: &mut Planned) -> Result<(), CliError> {
        let traces = self.traces(planned)?;
        let from = self.history.unwrap_or_default();
        // Of a group that is new nothing is recorded, and nobody wonders.
        let has_history = |case: &Case| {
            case.was.is_some()
                || traces.contains_key(&case.address)
                || (case.is_there && from != HistoryFrom::State)
        };
        let cases = planned.plan.cases.iter().filter(|of| has_history(&of.case));
        let cases: Vec<PlannedCase> = cases.cloned().collect();
        if cases.is_empty() {
            return Ok(());
        }
        let cases = cx.block_on(with_live(cases, &planned.providers))?;
        let now = planned.plan.made_at;
        let sources = Sources {
            cx,
            state: planned.state.as_ref(),
            from,
            now,
        };
        let spinner = cx.output.spinner("Replaying recorded load");
        let mut played = backtest::play_all(cases.len(), |send| {
            let mut open = Vec::new();
            for case in &cases {
                if let Some(load) = traces.get(&case.address) {
                    send(case, Ok(load.clone()));
                    continue;
                }
                let unit = match Unit::of(&case.planned, &Given::default()) {
                    Ok(unit) => unit,
                    Err(error) => {
                        send(case, Err(error.into()));
                        continue;
                    }
                };
                let mix = case.planned.policy.mix.as_ref();
                let wanted = Wanted {
                    address: &case.recorded_as,
                    group: meaning(case),
                    unit,
                    is_weighted: is_weighted(mix.or(case.live_mix.as_ref())),
                    from: before(now, HISTORY),
                    to: now,
                };
                let load = sources.of_state(&wanted)?;
                if case.is_there && sources.asks_provider(&load) {
                    open.push((case, wanted, load));
                } else {
                    send(case, load.map_err(NoBacktest::History));
                }
            }
            sources.of_providers(&planned.providers, open, |case, load| {
                send(case, load.map_err(NoBacktest::History));
            })
        })?;
        spinner.finish_and_clear();
        for group in &mut planned.plan.groups {
            group.backtest = played.remove(&group.address);
        }
        Ok(())
    }

    /// The traces of the command line, by group.
    fn traces(&self, planned: &Planned) -> Result<BTreeMap<GroupAddress, Load>, CliError> {
        let groups = &planned.configuration.groups;
        let cases = &planned.plan.cases;
        let mut traces = BTreeMap::new();
        for text in &self.trace {
            let named = text
                .split_once('=')
                .and_then(|(group, file)| Some((GroupAddress::parse(group)?, file)));
            let (group, file) = match (named, cases.as_slice()) {
                (Some((group, file)), _) => {
                    if !groups.contains_key(&group) {
                        let known = groups.keys().map(GroupAddress::short);
                        return Err(CliError::NoSuchGroup {
                            text: group.short(),
                            nearest: nearest(&group.short(), known),
                        });
                    }
                    (group, file)
                }
                (None, [of]) => (of.case.address.clone(), text.as_str()),
                // Nothing changes, so that nothing is replayed.
                (None, []) => continue,
                (None, [first, ..]) => {
                    return Err(CliError::Usage(format!(
                        "{} change: say whose load it is, as in `--trace {}={text}`",
                        plural(cases.len(), "group"),
                        first.case.address.short()
                    )));
                }
            };
            let trace = self.reading.read(Path::new(file))?;
            traces.insert(group, Load::given(trace, file));
        }
        Ok(traces)
    }
}

/// The group that says what the metrics of a case mean: as it was when they were recorded, where that tells a load.
fn meaning(case: &Case) -> &Group {
    let was = case.was.as_ref().filter(|was| teller(was).is_some());
    was.unwrap_or(&case.planned)
}
