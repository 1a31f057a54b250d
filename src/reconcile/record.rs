//! Writes what the loop has to record, each kind in one transaction. It decides nothing.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use tideform_policies::model::{
    Direction, Group, GroupAddress, InstanceState, Lifecycle, Name, ProviderAddress,
};
use tideform_provider::Prices;
use tideform_state::{
    CapacitySample, DecisionRecord, IntentId, JsonText, Lease, MetricSample, NewEvent,
    NewIntent as StateIntent, Settlement, State, StateError, TickRecord as StateTick, Transaction,
};

use super::group::{GroupWrite, count_ready};
use super::load::Compiled;
use super::protocol::{NewIntent, TickRecord};
use crate::cost::PriceBook;
use crate::engine::Decision;
use crate::observe::Observed;

/// What the recorder knows beside what it is given.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    /// Prices by provider and instance type; `None`: the provider knows none.
    pub(super) prices: HashMap<(ProviderAddress, String), Option<Prices>>,
    /// The region of each provider.
    pub(super) regions: HashMap<ProviderAddress, String>,
    /// The newest sample of each metric that was recorded by us.
    newest: HashMap<GroupAddress, BTreeMap<Name, Timestamp>>,
}

impl Recorder {
    /// Records intents with what goes with them, before any of their calls.
    pub(super) fn intents(
        &mut self,
        state: &mut State,
        lease: &Lease,
        intents: &[NewIntent],
        compiled: &Compiled,
        actor: &str,
    ) -> Result<Vec<IntentId>, StateError> {
        let mut batch = Batch::default();
        for intent in intents {
            self.prepare(
                &mut batch,
                &intent.group,
                &intent.write,
                intent.at,
                false,
                compiled,
            )?;
        }
        let mut new = Vec::with_capacity(intents.len());
        for intent in intents {
            new.push(StateIntent {
                group: Some(intent.group.clone()),
                apply: None,
                kind: intent.planned.act.kind(),
                actor: actor.to_owned(),
                from: Some(intent.planned.change.before.get()),
                to: Some(intent.planned.change.after.get()),
                at: intent.at,
                not_after: intent.not_after,
                reasons: serde_json::to_value(&*intent.reasons).unwrap_or(serde_json::Value::Null),
            });
        }
        state.write(|tx| {
            tx.ensure_lease(lease)?;
            for intent in intents {
                write_group(tx, &intent.group, &intent.write, intent.at, actor)?;
            }
            batch.write(tx)?;
            tx.record_intents(&new)
        })
    }

    /// Records what became of calls.
    pub(super) fn outcomes(
        &mut self,
        state: &mut State,
        lease: &Lease,
        writes: &[(GroupAddress, GroupWrite)],
        at: Timestamp,
        actor: &str,
    ) -> Result<(), StateError> {
        let mut batch = Batch::default();
        for (group, write) in writes {
            batch.memory(group, write)?;
        }
        state.write(|tx| {
            tx.ensure_lease(lease)?;
            for (group, write) in writes {
                write_group(tx, group, write, at, actor)?;
            }
            batch.write_memories(tx, at)
        })
    }

    /// Records a tick, and the overrides that ran out by then.
    ///
    /// `lease` is `None` only in shadow mode, which changes nothing that the real loop reads.
    pub(super) fn tick(
        &mut self,
        state: &mut State,
        lease: Option<&Lease>,
        tick: &TickRecord,
        compiled: &Compiled,
        actor: &str,
    ) -> Result<(), StateError> {
        let mut batch = Batch::default();
        for (group, write) in &tick.groups {
            self.prepare(&mut batch, group, write, tick.at, tick.is_shadow, compiled)?;
        }
        state.write_soon(|tx| {
            if let Some(lease) = lease {
                tx.ensure_lease(lease)?;
            }
            if !tick.is_shadow {
                tx.expire_overrides(tick.at, actor)?;
            }
            for (group, write) in &tick.groups {
                write_group(tx, group, write, tick.at, actor)?;
            }
            batch.write(tx)
        })
    }

    /// Puts together what a group's write adds to the batch. JSON is written here, outside the transaction.
    fn prepare(
        &mut self,
        batch: &mut Batch,
        group: &GroupAddress,
        write: &GroupWrite,
        at: Timestamp,
        is_shadow: bool,
        compiled: &Compiled,
    ) -> Result<(), StateError> {
        if let Some(decision) = &write.decision {
            batch.tick.decisions.push(DecisionRecord {
                group: group.clone(),
                at,
                decision: JsonText::of(&**decision)?,
                signature: signature(decision),
                changed: decision.direction != Direction::Hold,
                shadow: is_shadow,
                memory: None,
            });
        }
        batch.memory(group, write)?;
        let Some(observed) = &write.observed else {
            return Ok(());
        };
        if let Some(policy) = compiled.group(group) {
            batch
                .tick
                .capacity
                .push(self.capacity(policy, observed, at));
        }
        let newest = self.newest.entry(group.clone()).or_default();
        for (metric, samples) in &observed.samples {
            let known = newest.get(metric).copied().unwrap_or(Timestamp::MIN);
            let news = samples
                .iter()
                .filter(|sample| sample.at > known && sample.value.is_finite());
            batch.tick.metrics.extend(news.map(|sample| MetricSample {
                group: group.clone(),
                metric: metric.clone(),
                at: sample.at,
                value: sample.value,
            }));
            if let Some(last) = samples.last() {
                newest.insert(metric.clone(), last.at.max(known));
            }
        }
        Ok(())
    }

    fn capacity(&self, group: &Group, observed: &Observed, at: Timestamp) -> CapacitySample {
        let instances = &observed.live.instances;
        let (ready, _) = count_ready(instances, group.policy.warmup, at);
        let mut sample = CapacitySample {
            group: group.address.clone(),
            at,
            desired: observed.live.desired,
            ready,
            on_demand: 0,
            spot: 0,
            units: 0,
            on_demand_usd_per_hour: None,
            spot_usd_per_hour: None,
        };
        let mut provider = BTreeMap::new();
        for instance in instances
            .iter()
            .filter(|instance| instance.state != InstanceState::Ended)
        {
            sample.units = sample.units.saturating_add(instance.weight);
            match instance.lifecycle {
                Lifecycle::OnDemand => sample.on_demand += 1,
                Lifecycle::Spot => sample.spot += 1,
            }
            if let Some(kind) = &instance.instance_type
                && !provider.contains_key(&**kind)
                && let Some(Some(prices)) =
                    self.prices.get(&(group.provider.clone(), kind.to_string()))
            {
                provider.insert(kind.to_string(), *prices);
            }
        }
        let region = self.regions.get(&group.provider).map(String::as_str);
        let book = PriceBook::new(group.policy.instance.as_ref(), provider, region);
        let prices = book.running(&group.policy, instances);
        sample.on_demand_usd_per_hour = prices.on_demand.map(|price| price.usd_per_hour);
        sample.spot_usd_per_hour = prices.spot.map(|price| price.usd_per_hour);
        sample
    }
}

/// What one transaction writes beside events.
#[derive(Default)]
struct Batch {
    tick: StateTick,
    memories: Vec<(GroupAddress, JsonText)>,
    progress: Vec<(GroupAddress, JsonText)>,
}

impl Batch {
    fn memory(&mut self, group: &GroupAddress, write: &GroupWrite) -> Result<(), StateError> {
        if let Some(memory) = &write.memory {
            self.memories.push((group.clone(), JsonText::of(memory)?));
        }
        if let Some(progress) = &write.progress {
            self.progress.push((group.clone(), JsonText::of(progress)?));
        }
        Ok(())
    }

    fn write(&self, tx: &mut Transaction<'_>) -> Result<(), StateError> {
        tx.record_tick(&self.tick)?;
        let at = self
            .tick
            .decisions
            .first()
            .map_or(Timestamp::MIN, |decision| decision.at);
        self.write_memories(tx, at)
    }

    fn write_memories(&self, tx: &mut Transaction<'_>, at: Timestamp) -> Result<(), StateError> {
        for (group, memory) in &self.memories {
            tx.save_memory(group, at, memory)?;
        }
        for (group, progress) in &self.progress {
            tx.save_progress(group, progress)?;
        }
        Ok(())
    }
}

/// The events and the settled intents of one group.
fn write_group(
    tx: &mut Transaction<'_>,
    group: &GroupAddress,
    write: &GroupWrite,
    at: Timestamp,
    actor: &str,
) -> Result<(), StateError> {
    for closed in &write.closed {
        let settlement = Settlement {
            outcome: closed.outcome.clone(),
            at,
            text: closed.text.clone(),
        };
        match tx.settle_intent(closed.id, &settlement) {
            // It has its event already: the group was forgotten meanwhile.
            Ok(_) | Err(StateError::AlreadyEnded { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    for note in &write.notes {
        tx.append_event(&NewEvent {
            group: Some(group.clone()),
            text: note.text.clone(),
            ..NewEvent::new(at, note.kind.clone(), actor)
        })?;
    }
    Ok(())
}

/// The stable kinds of the reasons, in their order.
fn signature(decision: &Decision) -> String {
    let kinds: Vec<&str> = decision
        .reasons
        .iter()
        .map(|reason| reason.kind())
        .collect();
    kinds.join(" ")
}
