//! `group` blocks: their layers merged, their own attributes, and the checks of one group.

use std::collections::HashMap;

use super::context::Context;
use super::policy::policy;
use super::read;
use super::settings::{Providers, only_one};
use super::{required, validate};
use crate::checks::{self, Subject};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::layers::{Merged, is_incomplete, layers_of, merge, plain, used_policies};
use crate::model::{Adopt, Controller, Group, Launch, Resource};
use crate::schema;
use crate::source::Span;
use crate::tree::{AttributeValue, Block, GroupBlock};
use crate::value::Value;

/// What a group may refer to.
pub(crate) struct Surroundings<'t> {
    pub policies: HashMap<&'t str, &'t Block>,
    pub providers: Providers,
}

/// A group with the places that other checks need.
pub(crate) struct Decoded {
    pub group: Group,
    /// Where its resource is named.
    pub resource: Span,
}

/// The merged block of a group. `None` where it is disabled.
pub(crate) fn merged<'t>(
    block: &'t GroupBlock,
    policies: &HashMap<&str, &'t Block>,
) -> Option<Merged<'t>> {
    let schema = schema::top("group")?;
    let layers = layers_of(&block.block, &block.address.to_string(), policies);
    merge(&layers, schema).filter(|merged| !merged.is_disabled())
}

/// Validates, merges, decodes and checks a group. `None` where it is disabled, or not enough of it is left; a group
/// whose layers are incomplete is checked only as far as it is written itself.
pub(crate) fn group(
    block: &GroupBlock,
    around: &Surroundings<'_>,
    cx: &mut Context,
) -> Option<Decoded> {
    let schema = schema::top("group")?;
    validate::block(&block.block, schema, cx);
    for name in used_policies(&block.block) {
        if !around.policies.contains_key(name) {
            let span = block.block.attributes.get("use").map(|a| a.span);
            let known = around.policies.keys().copied();
            let diagnostic = Diagnostic::error(codes::UNKNOWN_ADDRESS, "Unknown reference").at(
                span.unwrap_or(block.block.span),
                format!("there is no policy.{name}"),
            );
            cx.push(match schema::nearest(name, known) {
                Some(near) => diagnostic.help(format!("did you mean policy.{near}?")),
                None => diagnostic,
            });
        }
    }
    let body = merged(block, &around.policies)?;
    let incomplete = is_incomplete(&block.block, &around.policies);
    let mut sound = !incomplete && required::block(&body, schema, cx);
    only_one(&body, "resource", cx);
    let provider = body.provider("provider", cx);
    if let Some(address) = &provider {
        sound &= check_provider(address, body.span_of("provider"), true, around, cx);
    }
    for metric in body.blocks_of("metric") {
        if let Some(address) = metric.provider("source", cx) {
            sound &= check_provider(&address, metric.span_of("source"), false, around, cx);
        }
    }
    if incomplete {
        return None;
    }
    let policy = policy(&body, cx);
    let resource = body.block("resource");
    if let (Some(address), Some(label)) = (&provider, resource.and_then(|r| r.labels.first())) {
        let kinds = schema::resource_kinds(&address.kind);
        if !kinds.is_empty() && !kinds.contains(&label.value.as_str()) {
            sound = false;
            cx.push(validate::unknown_kind(
                label.span,
                &label.value,
                kinds.iter().copied(),
            ));
        }
    }
    let controller = match body.word("controller", &["tideform", "native"], cx) {
        Some("native") => Controller::Native,
        _ => Controller::Tideform,
    };
    checks::group(
        &Subject::new(&policy, &body, sound)
            .of(provider.as_ref(), resource.and_then(Merged::label))
            .native(controller == Controller::Native),
        cx,
    );
    let resource = resource?;
    Some(Decoded {
        resource: resource.span,
        group: Group {
            address: block.address.clone(),
            provider: provider?,
            resource: Resource {
                kind: resource.label()?.into(),
                name: resource.name("name", cx)?,
            },
            controller,
            adopt: match body.known("adopt", cx).map(plain) {
                Some(Value::Bool(true)) => Adopt::All,
                Some(Value::Bool(false)) | None => Adopt::None,
                Some(value) => Adopt::Named(read::texts(value).unwrap_or_default()),
            },
            coexist: body.boolean("coexist", cx).unwrap_or(false),
            launch: body.block("launch").map(|launch| Launch {
                attributes: launch
                    .attributes
                    .iter()
                    .filter(|entry| entry.name != "enabled")
                    .filter_map(|entry| match &entry.attribute.value {
                        AttributeValue::Known(value) => {
                            Some((entry.name.to_owned(), value.to_json_revealed()))
                        }
                        _ => None,
                    })
                    .collect(),
            }),
            policy,
        },
    })
}

/// Whether a provider that is named can be used there.
fn check_provider(
    address: &crate::model::ProviderAddress,
    span: Span,
    scales: bool,
    around: &Surroundings<'_>,
    cx: &mut Context,
) -> bool {
    let providers = &around.providers;
    if let Some(place) = providers.disabled.get(address) {
        cx.push(
            Diagnostic::error(codes::DISABLED, "Reference to a disabled block")
                .at(span, format!("{address} is disabled"))
                .at(*place, "has `enabled = false`"),
        );
        return false;
    }
    if !providers.known.contains(address) {
        let known: Vec<String> = providers.known.iter().map(ToString::to_string).collect();
        let diagnostic = Diagnostic::error(codes::UNKNOWN_ADDRESS, "Unknown reference")
            .at(span, format!("there is no {address}"));
        let near = schema::nearest(&address.to_string(), known.iter().map(String::as_str))
            .map(str::to_owned);
        cx.push(match near {
            Some(near) => diagnostic.help(format!("did you mean {near}?")),
            None => diagnostic.help(format!("add provider \"{}\" {{}}", address.kind)),
        });
        return false;
    }
    if scales && &*address.kind == "prometheus" {
        cx.push(
            Diagnostic::error(codes::METRICS_ONLY, "Provider that scales nothing")
                .at(span, "is a source of metrics only")
                .help("name it as the `source` of metrics; the group's provider is the cloud that runs it"),
        );
        return false;
    }
    true
}

/// The names of a group's metrics.
pub(crate) fn metric_names<'a>(body: &'a Merged<'_>) -> impl Iterator<Item = &'a str> {
    body.blocks_of("metric").filter_map(Merged::label)
}
