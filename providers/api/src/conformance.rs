//! What every provider must do, as one run against a live one: `mock` in its tests, `aws` against a local API.
//!
//! It creates a group, changes everything about it, scales it, and deletes it. It never panics: the first broken rule
//! is the answer, and then the group may be left behind. It needs an account without faults.

use std::time::Duration;

use tideform_policies::model::{Instance, InstanceState, Limits, MetricQuery, Resource, Statistic};

use crate::{
    AttributeChange, Clock, GroupChange, GroupFilter, GroupRequest, GroupSpec, LiveAttributes,
    LiveGroup, MetricRequest, PriceRequest, Provider, ProviderError, SystemClock,
};

/// A rule that a provider broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {found}")]
pub struct Broken {
    /// The rule, as a sentence without a period.
    pub rule: &'static str,
    /// What was found instead.
    pub found: String,
}

type Outcome<T = ()> = Result<T, Broken>;

/// What is run.
#[derive(Clone, Debug)]
pub struct Conformance {
    /// A group that does not exist there yet, with `min >= 1`, `min < desired < max`.
    pub spec: GroupSpec,
    /// Changes that the provider must be able to make, each tried by itself.
    pub changes: Vec<AttributeChange>,
    /// A metric that it knows.
    pub metric: String,
    /// An instance type that it knows.
    pub instance_type: String,
    /// How long it is waited, each time, for instances to come into service; up to sixty times.
    pub pause: Duration,
}

fn holds(rule: &'static str, truth: bool, found: impl FnOnce() -> String) -> Outcome {
    if truth {
        Ok(())
    } else {
        Err(Broken {
            rule,
            found: found(),
        })
    }
}

fn done<T>(rule: &'static str, answer: Result<T, ProviderError>) -> Outcome<T> {
    answer.map_err(|error| Broken {
        rule,
        found: error.to_string(),
    })
}

fn refused(rule: &'static str, answer: Result<(), ProviderError>) -> Outcome {
    match answer {
        Err(ProviderError::Refused { .. }) => Ok(()),
        Err(error) => Err(Broken {
            rule,
            found: error.to_string(),
        }),
        Ok(()) => Err(Broken {
            rule,
            found: "it was done".to_owned(),
        }),
    }
}

fn not_found(rule: &'static str, answer: Result<(), ProviderError>) -> Outcome {
    match answer {
        Err(ProviderError::NotFound { .. }) => Ok(()),
        Err(error) => Err(Broken {
            rule,
            found: error.to_string(),
        }),
        Ok(()) => Err(Broken {
            rule,
            found: "it was done".to_owned(),
        }),
    }
}

impl Conformance {
    /// Runs everything against a provider.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub async fn run(&self, provider: &dyn Provider) -> Outcome {
        self.absent(provider).await?;
        self.create(provider).await?;
        self.batches(provider).await?;
        self.update(provider).await?;
        self.scale(provider).await?;
        self.instances(provider).await?;
        self.found(provider).await?;
        self.imported(provider).await?;
        self.ownership(provider).await?;
        self.sources(provider).await?;
        self.delete(provider).await
    }

    fn nowhere(&self) -> Resource {
        Resource {
            kind: self.spec.resource.kind.clone(),
            name: format!("{}-nowhere", self.spec.resource.name).into(),
        }
    }

    async fn try_read(&self, provider: &dyn Provider) -> Outcome<Option<LiveGroup>> {
        let rule = "a read answers each resource once";
        let mut answers = provider
            .read_groups(&[GroupRequest::whole(self.spec.resource.clone())])
            .await;
        holds(rule, answers.len() == 1, || {
            format!("{} answers for one resource", answers.len())
        })?;
        match answers.pop() {
            Some(answer) => done("a group can be read", answer),
            None => Ok(None),
        }
    }

    async fn read(&self, provider: &dyn Provider) -> Outcome<LiveGroup> {
        self.try_read(provider).await?.ok_or_else(|| Broken {
            rule: "a group that was created can be read",
            found: "it is not there".to_owned(),
        })
    }

    async fn change(
        &self,
        provider: &dyn Provider,
        resource: Resource,
        changes: Vec<AttributeChange>,
    ) -> Result<(), ProviderError> {
        let change = GroupChange { resource, changes };
        provider.update_group(&change).await
    }

    async fn absent(&self, provider: &dyn Provider) -> Outcome {
        let found = self.try_read(provider).await?;
        holds(
            "a group that does not exist is read as none",
            found.is_none(),
            || "it is there".to_owned(),
        )?;
        let nowhere = self.nowhere();
        not_found(
            "desired of a group that does not exist is not found",
            provider.set_desired(&nowhere, self.spec.desired).await,
        )?;
        not_found(
            "a change to a group that does not exist is not found",
            self.change(
                provider,
                nowhere.clone(),
                vec![AttributeChange::Limits(self.spec.limits)],
            )
            .await,
        )?;
        not_found(
            "a deletion of a group that does not exist is not found",
            provider.delete_group(&nowhere).await,
        )
    }

    async fn create(&self, provider: &dyn Provider) -> Outcome {
        done(
            "a group can be created",
            provider.create_group(&self.spec).await,
        )?;
        let live = self.read(provider).await?;
        let rule = "a new group is as it was asked for";
        holds(rule, live.resource == self.spec.resource, || {
            format!("resource {:?}", live.resource)
        })?;
        holds(rule, live.desired == self.spec.desired, || {
            format!("desired {}", live.desired)
        })?;
        holds(rule, live.attributes.limits == self.spec.limits, || {
            format!("limits {:?}", live.attributes.limits)
        })?;
        holds(rule, live.owner.as_ref() == Some(&self.spec.owner), || {
            format!("owner {:?}", live.owner)
        })?;
        for change in &self.spec.changes {
            holds(rule, shows(&live, change), || {
                format!("{change:?} is not in {:?}", live.attributes)
            })?;
        }
        refused(
            "a group that exists is not created again",
            provider.create_group(&self.spec).await,
        )
    }

    async fn batches(&self, provider: &dyn Provider) -> Outcome {
        let rule = "answers come in the order of the requests";
        let nowhere = self.nowhere();
        let asked = [nowhere.clone(), self.spec.resource.clone(), nowhere].map(GroupRequest::whole);
        let answers = provider.read_groups(&asked).await;
        let there: Vec<bool> = answers
            .iter()
            .map(|answer| matches!(answer, Ok(Some(_))))
            .collect();
        holds(rule, there == [false, true, false], || format!("{there:?}"))?;
        let none = provider.read_groups(&[]).await;
        holds("no question has no answer", none.is_empty(), || {
            format!("{} answers", none.len())
        })
    }

    async fn update(&self, provider: &dyn Provider) -> Outcome {
        for change in &self.changes {
            let before = self.read(provider).await?;
            done(
                "every attribute can be changed",
                self.change(provider, self.spec.resource.clone(), vec![change.clone()])
                    .await,
            )?;
            let after = self.read(provider).await?;
            holds("a change can be read", shows(&after, change), || {
                format!("{change:?} is not in {:?}", after.attributes)
            })?;
            let (others_before, others_after) = (
                without(&before.attributes, change),
                without(&after.attributes, change),
            );
            holds(
                "a change leaves the other attributes alone",
                others_before == others_after,
                || format!("{change:?}: {others_before:?} became {others_after:?}"),
            )?;
        }
        self.limits(provider).await
    }

    async fn limits(&self, provider: &dyn Provider) -> Outcome {
        let rule = "desired is brought between new limits, and no further";
        let desired = self.read(provider).await?.desired;
        let (min, max) = (self.spec.limits.min(), self.spec.limits.max());
        let low = desired.saturating_sub(1).max(min.get());
        for (limits, expected) in [
            (Limits::new(min, low.into()), low),
            (Limits::new(min, max), low),
            (Limits::new(max, max), max.get()),
            (Limits::new(min, max), max.get()),
        ] {
            let Some(limits) = limits else { continue };
            let change = vec![AttributeChange::Limits(limits)];
            let answer = self.change(provider, self.spec.resource.clone(), change);
            done("limits can be changed", answer.await)?;
            let live = self.read(provider).await?;
            holds(rule, live.desired == expected, || {
                format!("desired {} within {limits:?}", live.desired)
            })?;
        }
        Ok(())
    }

    async fn scale(&self, provider: &dyn Provider) -> Outcome {
        let resource = &self.spec.resource;
        let (min, max) = (self.spec.limits.min().get(), self.spec.limits.max().get());
        for desired in [max, min, min, self.spec.desired] {
            done(
                "desired can be set anywhere within the limits, also again",
                provider.set_desired(resource, desired).await,
            )?;
            let live = self.read(provider).await?;
            holds(
                "desired that was set can be read",
                live.desired == desired,
                || format!("set {desired}, read {}", live.desired),
            )?;
        }
        let outside = [Some(max + 1), min.checked_sub(1)];
        for desired in outside.into_iter().flatten() {
            refused(
                "desired outside the limits is refused",
                provider.set_desired(resource, desired).await,
            )?;
            let live = self.read(provider).await?;
            holds(
                "what is refused changes nothing",
                live.desired == self.spec.desired,
                || format!("desired {}", live.desired),
            )?;
        }
        Ok(())
    }

    /// Waits until as much is in service as is desired.
    async fn settled(&self, provider: &dyn Provider) -> Outcome<LiveGroup> {
        let clock = provider.clock();
        let mut live = self.read(provider).await?;
        for _ in 0..60 {
            let serving: u32 = serving(&live).map(|instance| instance.weight).sum();
            if serving >= live.desired
                && live
                    .instances
                    .iter()
                    .all(|i| i.state != InstanceState::Pending)
            {
                return Ok(live);
            }
            match &clock {
                Some(clock) => clock.wait(self.pause).await,
                None => SystemClock.wait(self.pause).await,
            }
            live = self.read(provider).await?;
        }
        Err(Broken {
            rule: "what is desired comes into service",
            found: format!("after a long wait only {:?}", live.instances),
        })
    }

    async fn instances(&self, provider: &dyn Provider) -> Outcome {
        let resource = &self.spec.resource;
        not_found(
            "an instance that does not exist is not found",
            provider
                .terminate_instance(resource, &"i-00000000000000000".into())
                .await,
        )?;
        let live = self.settled(provider).await?;
        let Some(victim) = serving(&live).find(|i| !i.protected).cloned() else {
            return Ok(());
        };
        done(
            "one instance can be ended",
            provider.terminate_instance(resource, &victim.id).await,
        )?;
        let after = self.read(provider).await?;
        holds(
            "ending an instance lowers desired by its weight",
            after.desired + victim.weight == live.desired,
            || format!("{} became {}", live.desired, after.desired),
        )?;
        let still = serving(&after).any(|instance| instance.id == victim.id);
        holds("an ended instance is no longer in service", !still, || {
            victim.id.to_string()
        })?;
        done(
            "desired can be set again after an instance was ended",
            provider.set_desired(resource, self.spec.desired).await,
        )?;
        self.settled(provider).await.map(|_| ())
    }

    async fn ownership(&self, provider: &dyn Provider) -> Outcome {
        let owner = &self.spec.owner;
        let listed = |rule| async move {
            let list = done(rule, provider.owned_groups(&owner.workspace).await)?;
            Ok(list
                .into_iter()
                .any(|(resource, by)| resource == self.spec.resource && by == *owner))
        };
        let rule = "an owned group is listed with its owner";
        holds(rule, listed(rule).await?, || "it is not listed".to_owned())?;
        let rule = "groups of another workspace are not listed";
        let other = format!("{}-other", owner.workspace);
        let list = done(rule, provider.owned_groups(&other).await)?;
        holds(rule, list.is_empty(), || format!("{list:?}"))?;
        let own = |owner| {
            self.change(
                provider,
                self.spec.resource.clone(),
                vec![AttributeChange::Owner(owner)],
            )
        };
        done("the owner tag can be taken away", own(None).await)?;
        let rule = "a group without the owner tag is not listed";
        holds(rule, !listed(rule).await?, || "it is listed".to_owned())?;
        done("the owner tag can be set", own(Some(owner.clone())).await)?;
        let rule = "the owner tag that was set is read";
        holds(rule, listed(rule).await?, || "it is not listed".to_owned())
    }

    async fn found(&self, provider: &dyn Provider) -> Outcome {
        let name = &*self.spec.resource.name;
        let half: String = name.chars().take(name.chars().count() / 2).collect();
        let by_name = |pattern: String| vec![GroupFilter::Name(pattern)];
        let of_workspace = |workspace: &str| GroupFilter::Tag {
            key: "tideform:workspace".to_owned(),
            value: Some(workspace.to_owned()),
        };
        let workspace = &self.spec.owner.workspace;
        for (rule, filters, expected) in [
            ("without a filter every group is found", Vec::new(), true),
            (
                "a group is found by its name",
                by_name(name.to_owned()),
                true,
            ),
            (
                "a group is found by a pattern of its name",
                by_name(format!("{half}*")),
                true,
            ),
            (
                "a group of another name is not found",
                by_name(format!("{name}-nowhere")),
                false,
            ),
            (
                "a group is found by a tag",
                vec![of_workspace(workspace)],
                true,
            ),
            (
                "a group is not found by another value of the tag",
                vec![of_workspace(&format!("{workspace}-other"))],
                false,
            ),
            (
                "all filters must hold",
                vec![
                    GroupFilter::Name(format!("{half}*")),
                    of_workspace(&format!("{workspace}-other")),
                ],
                false,
            ),
        ] {
            let found = done(rule, provider.find_groups(&filters).await)?;
            let is_there = found.contains(&self.spec.resource);
            holds(rule, is_there == expected, || format!("{found:?}"))?;
            let sorted = found.windows(2).all(|pair| pair[0].name < pair[1].name);
            holds("groups are found once, by name", sorted, || {
                format!("{found:?}")
            })?;
        }
        Ok(())
    }

    async fn imported(&self, provider: &dyn Provider) -> Outcome {
        let live = self.read(provider).await?;
        let rule = "a group can be imported";
        let imported = done(rule, provider.import_controls(&live).await)?;
        let mut named: Vec<&str> = imported
            .parts
            .iter()
            .flat_map(|part| &part.controls)
            .chain(imported.left.iter().map(|left| &left.name))
            .map(String::as_str)
            .collect();
        let mut there: Vec<&str> = live.controls.iter().map(|c| c.name.as_str()).collect();
        named.sort_unstable();
        there.sort_unstable();
        holds(
            "each control is either said or left, once",
            named == there,
            || format!("{named:?} of {there:?}"),
        )
    }

    async fn sources(&self, provider: &dyn Provider) -> Outcome {
        let rule = "we are the same one all the time";
        let first = done(rule, provider.identity().await)?;
        let second = done(rule, provider.identity().await)?;
        holds(rule, first == second, || {
            format!("{first:?} and {second:?}")
        })?;

        let now = provider
            .clock()
            .map_or_else(|| SystemClock.now(), |clock| clock.now());
        let request = |resource: Resource| MetricRequest {
            resource: Some(resource),
            query: MetricQuery {
                provider: None,
                name: self.metric.clone(),
                namespace: None,
                dimensions: Default::default(),
                query: None,
            },
            statistic: Statistic::Average,
            period: Duration::from_secs(60),
            from: now - Duration::from_secs(3_600),
            to: now,
            per_instance: true,
        };
        let asked = [request(self.nowhere()), request(self.spec.resource.clone())];
        let mut answers = provider.read_metrics(&asked).await.into_iter();
        let rule = "a metric of a group that does not exist is no data";
        let answer = answers.next().ok_or_else(|| Broken {
            rule: "each metric is answered once",
            found: "no answer".to_owned(),
        })?;
        let empty = done(rule, answer)?;
        holds(rule, empty.samples.is_empty(), || {
            format!("{:?}", empty.samples)
        })?;
        if let Some(answer) = answers.next() {
            let response = done("a metric can be read", answer)?;
            let rising = response.samples.windows(2).all(|pair| match pair {
                [a, b] => a.at < b.at,
                _ => true,
            });
            let inside = response.samples.iter().all(|s| {
                s.at <= now && s.at > now - Duration::from_secs(3_600) && s.value.is_finite()
            });
            holds(
                "samples are finite, rising, and of the time that was asked for",
                rising && inside,
                || format!("{:?}", response.samples),
            )?;
        }
        let prices = provider
            .prices(
                &[self.instance_type.as_str(), "no.such-type"].map(|name| PriceRequest {
                    instance_type: name.to_owned(),
                    spot: true,
                }),
            )
            .await;
        holds("each price is answered once", prices.len() == 2, || {
            format!("{} answers for two types", prices.len())
        })
    }

    async fn delete(&self, provider: &dyn Provider) -> Outcome {
        let resource = &self.spec.resource;
        done(
            "a group can be deleted with its instances",
            provider.delete_group(resource).await,
        )?;
        let found = self.try_read(provider).await?;
        holds("a deleted group is gone", found.is_none(), || {
            "it is still there".to_owned()
        })?;
        not_found(
            "a group that is gone is not deleted again",
            provider.delete_group(resource).await,
        )?;
        done(
            "a deleted group can be created again",
            provider.create_group(&self.spec).await,
        )?;
        done(
            "a group can be deleted with its instances",
            provider.delete_group(resource).await,
        )
    }
}

fn serving(live: &LiveGroup) -> impl Iterator<Item = &Instance> {
    live.instances
        .iter()
        .filter(|instance| instance.state == InstanceState::InService)
}

/// Whether a group shows a change.
fn shows(live: &LiveGroup, change: &AttributeChange) -> bool {
    let attributes = &live.attributes;
    match change {
        AttributeChange::Limits(limits) => attributes.limits == *limits,
        AttributeChange::Warmup(warmup) => attributes.warmup == Some(*warmup),
        AttributeChange::Order(order) => attributes.order == Some(*order),
        AttributeChange::Drain(drain) => attributes.drain == *drain,
        AttributeChange::Mix(mix) => attributes.mix.as_ref() == Some(mix),
        AttributeChange::Maintenance(wanted) => attributes.maintenance == Some(*wanted),
        AttributeChange::Pause(is_paused) => live.is_paused == *is_paused,
        AttributeChange::SwitchOn(names) => live
            .switched_off
            .iter()
            .all(|off| !names.contains(&off.name)),
        AttributeChange::Launch(launch) => launch
            .iter()
            .all(|(name, value)| attributes.launch.get(name) == Some(value)),
        AttributeChange::Owner(owner) => live.owner == *owner,
        AttributeChange::PutControl(spec) => live
            .controls
            .iter()
            .any(|control| control.name == spec.name && control.settings == spec.settings),
        AttributeChange::RemoveControl(name) => live.controls.iter().all(|c| c.name != *name),
    }
}

/// The attributes without the one that a change is about.
fn without(attributes: &LiveAttributes, change: &AttributeChange) -> LiveAttributes {
    let mut rest = attributes.clone();
    match change {
        AttributeChange::Limits(limits) => rest.limits = *limits,
        AttributeChange::Warmup(_) => rest.warmup = None,
        AttributeChange::Order(_) => rest.order = None,
        AttributeChange::Drain(_) => rest.drain = None,
        AttributeChange::Mix(_) => rest.mix = None,
        AttributeChange::Maintenance(_) => rest.maintenance = None,
        AttributeChange::Launch(launch) => {
            rest.launch.retain(|name, _| !launch.contains_key(name));
            rest.launch_also
                .retain(|name, _| !launch.contains_key(name));
        }
        AttributeChange::Owner(_)
        | AttributeChange::PutControl(_)
        | AttributeChange::RemoveControl(_)
        | AttributeChange::Pause(_)
        | AttributeChange::SwitchOn(_) => {}
    }
    rest
}
