//! A change of settings as a change of the user's own files. It reads and writes none: the caller hands in what they say, and
//! says what other texts would mean.

use std::collections::BTreeMap;
use std::ops::Range;

use tideform_policies::diagnostic::{Diagnostics, Severity};
use tideform_policies::edit::{self, Step as Block};
use tideform_policies::model::{Configuration, GroupAddress, Origin, Policy};
use tideform_policies::source::{SourceMap, Span};

use super::settings::Known;

/// A setting and its new value, as the files write it.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted<'a> {
    /// Which.
    pub setting: &'a Known,
    /// `60`, `"5m"`.
    pub after: String,
}

/// Where and how one setting is changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Edit {
    /// `metric.cpu.track.target`.
    pub path: String,
    /// What the files say, as it is written; `None`: nothing, it is a default.
    pub before: Option<String>,
    /// What they say then.
    pub after: String,
    /// `policy.web, shop.hcl:34:22`; `default`.
    pub place: String,
    /// What is done there.
    pub way: Way,
}

/// How a setting is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The value takes the place of the old one.
    Replaced,
    /// The value takes the place of an expression, which is gone then.
    ReplacedExpression,
    /// The group says it from now on; the policy that it comes from stays, since others use it or it computes it.
    Overridden,
    /// It was a default; the group says it from now on.
    Added,
}

/// A change of files.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The edits, in the order of the settings.
    pub edits: Vec<Edit>,
    /// The files that change, by name: their texts before and after.
    pub files: BTreeMap<String, (String, String)>,
    /// Other groups that change with it.
    pub also: Vec<GroupAddress>,
}

/// Why a change cannot be made to the files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// The block of the group was not found, or its file cannot be parsed after the change.
    #[error("the block of {0} cannot be edited")]
    NoPlace(GroupAddress),
    /// The changed files are refused.
    #[error("the changed files would be refused: {0}")]
    Refused(String),
    /// The changed files say something else of the group.
    #[error(
        "the changed files would not say what was meant: a value is generated, or written in two places"
    )]
    OtherMeaning,
}

/// What files mean: the directory's, with these texts in the place of some.
pub type Read<'a> = dyn Fn(&BTreeMap<String, String>) -> (Configuration, Diagnostics) + 'a;

/// The text of a place.
pub(super) fn text_of(sources: &SourceMap, span: Span) -> Option<&str> {
    let text = &sources.get(span.source)?.text;
    text.get(span.start as usize..span.end as usize)
}

/// Whether an expression is a number or a text without anything to evaluate.
pub(super) fn is_literal(text: &str) -> bool {
    let is_text = text.len() >= 2
        && text.starts_with('"')
        && text.ends_with('"')
        && !text.contains("${")
        && !text.contains("%{");
    is_text || text.parse::<f64>().is_ok()
}

/// Makes the change, and reads it back: the group must have exactly the policy that is expected.
///
/// # Errors
/// [`ProposeError`]: nothing can be proposed.
pub fn propose(
    files: &Configuration,
    address: &GroupAddress,
    wanted: &[Wanted<'_>],
    expected: &Policy,
    read: &Read<'_>,
) -> Result<Proposal, ProposeError> {
    let origins = files.origins(address);
    let no_place = || ProposeError::NoPlace(address.clone());
    let mut edits = Vec::new();
    let mut splices: BTreeMap<String, Vec<(Range<usize>, String)>> = BTreeMap::new();
    let mut added: Vec<&Wanted<'_>> = Vec::new();
    for one in wanted {
        let path = &one.setting.path;
        let origin = origins.get(path);
        let written = origin.and_then(|origin| Some((origin, origin.span?)));
        let before = written.and_then(|(_, span)| text_of(&files.sources, span));
        let way = match (written, before) {
            (Some((origin, span)), Some(text)) => way(files, address, path, origin, span, text),
            _ => Way::Added,
        };
        match (way, written) {
            (Way::Replaced | Way::ReplacedExpression, Some((_, span))) => {
                let source = files.sources.get(span.source).ok_or_else(no_place)?;
                let range = span.start as usize..span.end as usize;
                let of_file = splices.entry(source.name.to_string()).or_default();
                of_file.push((range, one.after.clone()));
            }
            _ => added.push(one),
        }
        let layer = origin.map_or("default", |origin| &origin.layer);
        let place = written.and_then(|(_, span)| files.sources.place(span));
        edits.push(Edit {
            path: path.clone(),
            before: before.map(str::to_owned),
            after: one.after.clone(),
            place: match place {
                Some((file, line, column)) => format!("{layer}, {file}:{line}:{column}"),
                None => layer.to_owned(),
            },
            way,
        });
    }
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (_, source) in files.sources.iter() {
        if let Some(of_file) = splices.get(&*source.name) {
            let text = edit::splice(&source.text, of_file).ok_or_else(no_place)?;
            texts.insert(source.name.to_string(), text);
        }
    }
    for one in added {
        add(files, address, one, &mut texts).ok_or_else(no_place)?;
    }
    let mut changed = BTreeMap::new();
    for (_, source) in files.sources.iter() {
        if let Some(text) = texts.remove(&*source.name) {
            let after = edit::canonical(&source.text, &text).ok_or_else(no_place)?;
            changed.insert(source.name.to_string(), (source.text.to_string(), after));
        }
    }
    let after: BTreeMap<String, String> = changed
        .iter()
        .map(|(name, (_, after))| (name.clone(), after.clone()))
        .collect();
    let also = read_back(files, address, expected, read(&after))?;
    Ok(Proposal {
        edits,
        files: changed,
        also,
    })
}

/// How a value that stands in the files is changed.
fn way(
    files: &Configuration,
    address: &GroupAddress,
    path: &str,
    origin: &Origin,
    span: Span,
    text: &str,
) -> Way {
    let is_own = !origin.layer.starts_with("policy.");
    // A list of unlabelled blocks is replaced as a whole by a stronger layer: one of them cannot be overridden.
    let is_listed = path.contains('[');
    let is_used_by = |other: &GroupAddress| {
        let of_other = files.origins(other).remove(path);
        other != address
            && other.name != address.name
            && of_other.and_then(|o| o.span) == Some(span)
    };
    match is_literal(text) {
        true if is_own || is_listed => Way::Replaced,
        true if files.groups.keys().any(is_used_by) => Way::Overridden,
        true => Way::Replaced,
        false if is_own || is_listed => Way::ReplacedExpression,
        false => Way::Overridden,
    }
}

/// Adds a setting to the group's block, in the file that has it.
fn add(
    files: &Configuration,
    address: &GroupAddress,
    wanted: &Wanted<'_>,
    texts: &mut BTreeMap<String, String>,
) -> Option<()> {
    let mut path = vec![Block::named("group", &address.name)];
    path.extend(wanted.setting.blocks.iter().cloned());
    files.sources.iter().find_map(|(_, source)| {
        if !source.name.ends_with(".hcl") {
            return None;
        }
        let text = texts.get(&*source.name).map_or(&*source.text, |text| text);
        let after = edit::insert(text, &path, wanted.setting.attribute, &wanted.after)?;
        texts.insert(source.name.to_string(), after);
        Some(())
    })
}

/// Checks what the changed files mean; gives the other groups that change.
fn read_back(
    before: &Configuration,
    address: &GroupAddress,
    expected: &Policy,
    (after, problems): (Configuration, Diagnostics),
) -> Result<Vec<GroupAddress>, ProposeError> {
    if problems.has_errors() {
        let error = problems
            .iter()
            .find(|problem| problem.severity == Severity::Error);
        let text = error.map_or(String::new(), |problem| {
            format!("{} ({})", problem.summary, problem.code.0)
        });
        return Err(ProposeError::Refused(text));
    }
    let group = after.groups.get(address);
    if group.is_none_or(|group| !is_same(&group.policy, expected)) {
        return Err(ProposeError::OtherMeaning);
    }
    let others = before.groups.iter().filter(|(other, _)| *other != address);
    Ok(others
        .filter(|(other, group)| after.groups.get(*other) != Some(*group))
        .map(|(other, _)| other.clone())
        .collect())
}

/// Whether two policies decide alike: the order of metrics is that of the files, and a value that is added may move one.
fn is_same(one: &Policy, other: &Policy) -> bool {
    if one == other {
        return true;
    }
    let sorted = |policy: &Policy| {
        let mut policy = policy.clone();
        policy.metrics.sort_by(|a, b| a.name.cmp(&b.name));
        policy
    };
    sorted(one) == sorted(other)
}
