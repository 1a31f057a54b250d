//! The groups of a plan, a few at a time: intents, calls side by side, outcomes.

use super::*;

pub(super) struct Run<'a> {
    pub(super) state: &'a mut State,
    pub(super) providers: &'a Providers,
    pub(super) lease: &'a mut HeldLease,
    pub(super) options: ApplyOptions<'a>,
    pub(super) apply: ApplyId,
    pub(super) lineage: String,
    /// What is applied when it begins: a leftover may have moved a group already.
    pub(super) applied: BTreeSet<GroupAddress>,
    pub(super) report: ApplyReport,
}

impl Run<'_> {
    pub(super) async fn all(
        &mut self,
        plan: &Plan,
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<(), StateError> {
        // Groups that leave go first: what they let go of, others may take.
        let unread: BTreeSet<GroupAddress> = self
            .report
            .failed
            .iter()
            .map(|failed| failed.address.clone())
            .collect();
        let (leaving, staying): (Vec<&GroupPlan>, Vec<&GroupPlan>) = plan
            .groups
            .iter()
            .filter(|group| group.has_work() && !unread.contains(&group.address))
            .partition(|group| matches!(group.record, Record::Forget));
        progress(Progress::Started {
            groups: leaving.len() + staying.len(),
        });
        // Those with an heir go last: were they forgotten and the heir failed, nobody would know who created the
        // resource.
        let (inherited, leaving): (Vec<&GroupPlan>, Vec<&GroupPlan>) =
            leaving.into_iter().partition(|group| group.heir.is_some());
        self.phases([leaving, staying], progress).await?;
        let inherited = self.with_heirs(inherited, progress);
        self.phases([inherited], progress).await?;
        self.finish(plan)
    }

    /// Those of the groups whose heir is recorded; the others stay in the state, and are reported.
    fn with_heirs<'p>(
        &mut self,
        groups: Vec<&'p GroupPlan>,
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Vec<&'p GroupPlan> {
        let failed: BTreeSet<GroupAddress> = self
            .report
            .failed
            .iter()
            .map(|failed| failed.address.clone())
            .collect();
        let left: BTreeSet<GroupAddress> = self.report.left.iter().cloned().collect();
        let mut ready = Vec::new();
        for group in groups {
            match &group.heir {
                Some(heir) if failed.contains(heir) => {
                    let message = format!("it stays until {heir} has taken its resource over");
                    progress(Progress::Failed {
                        address: &group.address,
                        message: &message,
                    });
                    self.report.failed.push(FailedChange {
                        address: group.address.clone(),
                        message,
                    });
                }
                Some(heir) if left.contains(heir) => self.report.left.push(group.address.clone()),
                _ => ready.push(group),
            }
        }
        ready
    }

    /// Phases after each other; in each first what needs no calls.
    async fn phases<const N: usize>(
        &mut self,
        phases: [Vec<&GroupPlan>; N],
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<(), StateError> {
        for phase in phases {
            let (with_calls, without): (Vec<&GroupPlan>, Vec<&GroupPlan>) =
                phase.into_iter().partition(|group| !group.steps.is_empty());
            for (groups, at_once) in [(without, RECORDS_AT_ONCE), (with_calls, GROUPS_AT_ONCE)] {
                for chunk in groups.chunks(at_once) {
                    let is_stopped = self
                        .options
                        .stop
                        .is_some_and(|stop| stop.load(Ordering::Relaxed));
                    if is_stopped {
                        let left = chunk.iter().map(|group| group.address.clone());
                        self.report.left.extend(left);
                        continue;
                    }
                    self.chunk(chunk, progress).await?;
                }
            }
        }
        Ok(())
    }

    /// A few groups: intents, calls, outcomes.
    async fn chunk(
        &mut self,
        groups: &[&GroupPlan],
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<(), StateError> {
        self.lease.keep(self.state)?;
        let clock = self.providers.clock().clone();
        let at = clock.now();
        let not_after = self.lease.call_deadline();
        let intents: Vec<NewIntent> = groups
            .iter()
            .map(|group| self.intent(group, at, not_after))
            .collect::<Result<_, _>>()?;
        let has_calls = groups.iter().any(|group| !group.steps.is_empty());
        if !has_calls {
            let ids = self.state.write(|tx| {
                let ids = tx.record_intents(&intents)?;
                for (group, id) in groups.iter().zip(&ids) {
                    settle(tx, *id, Outcome::Done, group, at)?;
                    let found = group.fingerprint.clone().unwrap_or_default();
                    record(
                        tx,
                        self.apply,
                        group,
                        &found,
                        &Json::Null,
                        at,
                        self.options.actor,
                    )?;
                }
                Ok(ids)
            })?;
            debug_assert_eq!(ids.len(), groups.len());
            for group in groups {
                self.done(group, progress);
            }
            return Ok(());
        }
        // Read afresh right before the calls: what has moved since the plan is not touched.
        let keys = wanted(groups.iter().copied());
        let seen = step::read(&keys, self.providers).await;
        let ids = self.state.write(|tx| tx.record_intents(&intents))?;
        // Whoever comes after us must find them, whatever becomes of this machine.
        self.state.publish().await?;
        for group in groups {
            progress(Progress::Begun {
                address: &group.address,
                action: group.action,
            });
        }
        let deadline = self.lease.deadline();
        let calls = groups
            .iter()
            .map(|group| step::perform(group, &seen, self.providers, &self.lineage, deadline));
        let outcomes = join_all(calls).await;
        let after = step::read(&keys, self.providers).await;
        let now = clock.now();
        let mut settled: Vec<(&GroupPlan, IntentId, step::Performed)> = Vec::new();
        for ((group, id), performed) in groups.iter().zip(ids).zip(outcomes) {
            let performed = step::resolve(group, performed, &after, &self.lineage);
            settled.push((group, id, performed));
        }
        let (apply, actor) = (self.apply, self.options.actor);
        self.state.write(|tx| {
            for (group, id, performed) in &settled {
                match performed {
                    step::Performed::Done => {
                        settle(tx, *id, Outcome::Done, group, now)?;
                        let live = after
                            .get(&(group.provider.clone(), group.resource.clone()))
                            .and_then(|live| live.as_ref().ok()?.as_ref());
                        let found = live.map(|live| {
                            let applied = match &group.record {
                                Record::Write { group, .. } => Some(&**group),
                                Record::Keep | Record::Forget => None,
                            };
                            fingerprint(live, applied)
                        });
                        let attributes = live
                            .and_then(|live| serde_json::to_value(&live.attributes).ok())
                            .unwrap_or_default();
                        let found = found.unwrap_or_default();
                        record(tx, apply, group, &found, &attributes, now, actor)?;
                    }
                    // Left open: the next run looks again, when the call can no longer be under way.
                    step::Performed::Unknown { .. } => {}
                    step::Performed::Failed { message } | step::Performed::NotBegun { message } => {
                        let outcome = Outcome::Failed {
                            message: message.clone(),
                        };
                        settle(tx, *id, outcome, group, now)?;
                    }
                }
            }
            Ok(())
        })?;
        for (group, _, performed) in settled {
            match performed {
                step::Performed::Done => self.done(group, progress),
                step::Performed::Unknown { message }
                | step::Performed::Failed { message }
                | step::Performed::NotBegun { message } => {
                    progress(Progress::Failed {
                        address: &group.address,
                        message: &message,
                    });
                    self.report.failed.push(FailedChange {
                        address: group.address.clone(),
                        message,
                    });
                }
            }
        }
        Ok(())
    }

    fn done(&mut self, group: &GroupPlan, progress: &mut (dyn FnMut(Progress<'_>) + Send)) {
        progress(Progress::Done {
            address: &group.address,
            action: group.action,
        });
        self.report.done.push(AppliedChange {
            address: group.address.clone(),
            action: group.action,
            changes: group
                .changes
                .iter()
                .filter(|change| !change.is_the_loops())
                .count(),
        });
    }

    fn intent(
        &self,
        group: &GroupPlan,
        at: Timestamp,
        not_after: Timestamp,
    ) -> Result<NewIntent, StateError> {
        let mut steps = group.steps.clone();
        for step in &mut steps {
            step::fill_lineage(step, &self.lineage);
        }
        let from = moved_from(group, &self.applied);
        let intention = Intention {
            address: group.address.clone(),
            moved_from: from.cloned(),
            steps,
            record: group.record.clone(),
            text: describe(group),
        };
        // Under the address that the state knows until it is done.
        let address = from.unwrap_or(&group.address);
        Ok(NewIntent {
            group: Some(address.clone()),
            apply: Some(self.apply),
            kind: IntentKind::ApplyChange {
                change: serde_json::to_value(&intention).map_err(|error| {
                    StateError::Unrecordable {
                        what: "an intent".to_owned(),
                        why: error.to_string(),
                    }
                })?,
            },
            actor: self.options.actor.to_owned(),
            from: None,
            to: None,
            at,
            not_after,
            reasons: Json::Null,
        })
    }

    fn finish(&mut self, plan: &Plan) -> Result<(), StateError> {
        let now = self.providers.clock().now();
        let outcome = if self.report.is_complete() {
            ApplyOutcome::Done
        } else {
            ApplyOutcome::Failed {
                message: self.report.summary_line(),
            }
        };
        // Providers that left the files stay as long as a group in the state needs them.
        let needed: BTreeSet<ProviderAddress> = self
            .state
            .applied_groups()?
            .into_values()
            .flat_map(|applied| providers_of(&applied.group))
            .collect();
        let recorded = self.state.applied_providers()?;
        let kept: Vec<ProviderConfiguration> = recorded
            .iter()
            .filter(|provider| {
                needed.contains(&provider.address)
                    || plan.providers.iter().any(|p| p.address == provider.address)
            })
            .cloned()
            .collect();
        let apply = self.apply;
        self.state.write(|tx| {
            if kept.len() != recorded.len() {
                tx.record_applied_providers(apply, &kept)?;
            }
            tx.finish_apply(apply, &outcome, now)
        })
    }
}

/// The provider that runs a group, and those that its metrics come from.
pub(super) fn providers_of(group: &tideform_policies::model::Group) -> Vec<ProviderAddress> {
    use tideform_policies::model::MetricSource;
    let mut all = vec![group.provider.clone()];
    for metric in &group.policy.metrics {
        if let MetricSource::Query(query) = &metric.source {
            all.extend(query.provider.clone());
        }
    }
    all
}
