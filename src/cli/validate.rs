//! `tideform validate`.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Map, Value as Json, json};
use tideform_policies::codes;
use tideform_policies::diagnostic::Severity;
use tideform_policies::model::{Configuration, GroupAddress, Origin};
use tideform_policies::render;

use super::args::{VariableArgs, nearest};
use super::context::Context;
use super::error::{CliError, Problems, plural};
use super::output::{BOLD, DIM, GREEN, paint};
use super::{CliResult, exit};
use crate::defaults;
use crate::plan::{GroupPattern, flat_values};

/// Check the files and report every problem in them.
///
/// Reads all files of the directory and reports every problem in them: errors and warnings, each with its place, why,
/// and how to mend it. Reads nothing but the files.
#[derive(Args, Debug)]
pub(super) struct ValidateArgs {
    /// Print the groups with all their layers merged, and where each value comes from
    #[arg(long, num_args = 0..=1, value_name = "GROUP", default_missing_value = "*")]
    resolved: Option<String>,

    /// Print every default with its source; with --resolved, the values of the groups that nobody set
    #[arg(long)]
    show_defaults: bool,

    #[command(flatten)]
    variables: VariableArgs,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl ValidateArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let (configuration, diagnostics) = cx.read(&self.variables, matches)?;
        let shows_language = self.show_defaults && self.resolved.is_none();
        // The defaults are there before the first file is.
        if shows_language && diagnostics.iter().any(|d| d.code == codes::NO_FILES) {
            if self.json {
                let mut document = json!({ "format_version": 1 });
                add_defaults(&mut document, &configuration);
                cx.output.json(&document);
            } else {
                print_defaults(cx, &configuration);
            }
            return Ok(exit::WELL);
        }
        let failed = diagnostics.has_errors();
        if self.json {
            let mut document = json!({
                "format_version": 1,
                "valid": !failed,
                "groups": configuration.groups.len(),
                "diagnostics": render::json(&diagnostics, &configuration.sources),
            });
            if let (Some(pattern), Some(object)) = (&self.resolved, document.as_object_mut()) {
                let resolved: Map<String, Json> = self
                    .chosen(&configuration, pattern)?
                    .into_iter()
                    .map(|address| {
                        (
                            address.to_string(),
                            self.group_as_json(&configuration, address),
                        )
                    })
                    .collect();
                object.insert("resolved".to_owned(), Json::Object(resolved));
            }
            if shows_language {
                add_defaults(&mut document, &configuration);
            }
            cx.output.json(&document);
            return Ok(if failed { exit::FAILURE } else { exit::WELL });
        }
        if failed {
            let sources = configuration.sources;
            return Err(CliError::Problems(Box::new(Problems {
                diagnostics,
                sources,
            })));
        }
        cx.output.print_error(&render::terminal(
            &diagnostics,
            &configuration.sources,
            cx.diagnostic_style(),
        ));
        if let Some(pattern) = &self.resolved {
            for address in self.chosen(&configuration, pattern)? {
                self.print_group(cx, &configuration, address);
            }
            return Ok(exit::WELL);
        }
        if shows_language {
            print_defaults(cx, &configuration);
            return Ok(exit::WELL);
        }
        let warnings = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Warning)
            .count();
        cx.output.line(format!(
            "{} {}, {}, {}.",
            paint(GREEN.bold(), "The configuration is valid:"),
            plural(configuration.groups.len(), "group"),
            plural(configuration.tests.len(), "test"),
            plural(warnings, "warning"),
        ));
        Ok(exit::WELL)
    }

    fn chosen<'a>(
        &self,
        configuration: &'a Configuration,
        pattern: &str,
    ) -> Result<Vec<&'a GroupAddress>, CliError> {
        let wanted = GroupPattern::new(pattern);
        let chosen: Vec<&GroupAddress> = configuration
            .groups
            .keys()
            .filter(|address| wanted.matches(address))
            .collect();
        if chosen.is_empty() && pattern != "*" {
            return Err(CliError::NoSuchGroup {
                text: pattern.to_owned(),
                nearest: nearest(
                    pattern,
                    configuration.groups.keys().map(GroupAddress::short),
                ),
            });
        }
        Ok(chosen)
    }

    /// The values of a group as the files would write them, by path, with where each was written.
    fn values(
        &self,
        configuration: &Configuration,
        address: &GroupAddress,
    ) -> Vec<(String, Json, Option<Origin>)> {
        let Some(group) = configuration.groups.get(address) else {
            return Vec::new();
        };
        let origins = configuration.origins(address);
        flat_values(group)
            .into_iter()
            .map(|(path, value)| {
                let origin = origin_of(&origins, &path);
                let origin = origin.filter(|origin| &*origin.layer != "default");
                (path, value, origin.cloned())
            })
            .filter(|(_, _, origin)| self.show_defaults || origin.is_some())
            .collect()
    }

    fn group_as_json(&self, configuration: &Configuration, address: &GroupAddress) -> Json {
        let values: Map<String, Json> = self
            .values(configuration, address)
            .into_iter()
            .map(|(path, value, origin)| {
                let span = origin.as_ref().and_then(|origin| origin.span);
                let place = span.and_then(|span| configuration.sources.place(span));
                let entry = json!({
                    "value": value,
                    "layer": origin.as_ref().map_or("default", |origin| &origin.layer),
                    "file": place.as_ref().map(|(file, _, _)| file.to_string()),
                    "line": place.as_ref().map(|(_, line, _)| line),
                });
                (path, entry)
            })
            .collect();
        json!({ "values": values, "group": configuration.groups.get(address) })
    }

    fn print_group(&self, cx: &Context, configuration: &Configuration, address: &GroupAddress) {
        cx.output.line(paint(BOLD, address));
        let rows: Vec<(String, String, String)> = self
            .values(configuration, address)
            .into_iter()
            .map(|(path, value, origin)| {
                let span = origin.as_ref().and_then(|origin| origin.span);
                let layer = origin
                    .as_ref()
                    .map_or("default", |origin| &origin.layer)
                    .to_owned();
                let place = match span.and_then(|span| configuration.sources.place(span)) {
                    Some((file, line, _)) => format!("{layer}, {file}:{line}"),
                    None => layer,
                };
                (path, value.to_string(), place)
            })
            .collect();
        let width = |column: fn(&(String, String, String)) -> usize| {
            rows.iter().map(column).max().unwrap_or(0).min(60)
        };
        let (first, second) = (
            width(|(path, _, _)| path.chars().count()),
            width(|(_, text, _)| text.chars().count()),
        );
        for (path, text, place) in &rows {
            let comment = paint(DIM, format!("# {place}"));
            cx.output
                .line(format!("  {path:first$}  {text:second$}  {comment}"));
        }
        cx.output.line("");
    }
}

/// In how many groups the default of each setting is in force.
fn in_force(configuration: &Configuration) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for address in configuration.groups.keys() {
        for setting in configuration.defaults_in_force(address) {
            *counts.entry(setting).or_default() += 1;
        }
    }
    counts
}

fn add_defaults(document: &mut Json, configuration: &Configuration) {
    let counts = in_force(configuration);
    let language: Vec<Json> = defaults::of_language()
        .into_iter()
        .map(|row| {
            json!({
                "setting": row.setting,
                "default": row.default,
                "source": row.source,
                "groups_in_force": counts.get(&row.setting).copied().unwrap_or(0),
            })
        })
        .collect();
    document["defaults"] = Json::Array(language);
    document["fixed"] = json!(defaults::fixed());
}

fn print_defaults(cx: &Context, configuration: &Configuration) {
    let counts = in_force(configuration);
    let groups = configuration.groups.len();
    let rows: Vec<[String; 4]> = defaults::of_language()
        .into_iter()
        .map(|row| {
            let in_force = match counts.get(&row.setting) {
                Some(n) if *n == groups => "in all groups".to_owned(),
                Some(n) => format!("in {n} of {groups}"),
                None => String::new(),
            };
            [
                row.setting,
                row.default.to_owned(),
                in_force,
                row.source.to_owned(),
            ]
        })
        .collect();
    table(cx, ["setting", "default", "in force", "source"], &rows);
    cx.output.line("");
    let rows: Vec<[String; 4]> = defaults::fixed()
        .into_iter()
        .map(|row| {
            [
                row.name.to_owned(),
                row.value,
                String::new(),
                row.source.to_owned(),
            ]
        })
        .collect();
    table(
        cx,
        ["what no file can change", "value", "", "source"],
        &rows,
    );
}

/// Columns as wide as their widest cell; a column that is empty throughout is left out.
fn table(cx: &Context, head: [&str; 4], rows: &[[String; 4]]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        match cells.max() {
            None | Some(0) => 0,
            Some(widest) => widest.max(head[column].chars().count()),
        }
    };
    let widths = [width(0), width(1), width(2)];
    let line = |cells: [&str; 4]| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths).filter(|(_, width)| *width > 0) {
            line.push_str(&format!("{cell:width$}   "));
        }
        line.push_str(cells[3]);
        line
    };
    cx.output.line(paint(BOLD, line(head)));
    for [first, second, third, last] in rows {
        cx.output.line(line([first, second, third, last]));
    }
}

/// Where the value at a path comes from.
fn origin_of<'a>(origins: &'a BTreeMap<String, Origin>, path: &str) -> Option<&'a Origin> {
    if let Some(origin) = origins.get(path) {
        return Some(origin);
    }
    // The kind of a resource is its block's label, which the paths of the files hold: `resource.asg.name`.
    if let Some(attribute) = path.strip_prefix("resource.") {
        return origins.iter().find_map(|(written, origin)| {
            let inside = written.strip_prefix("resource.")?;
            let is_meant = match inside.split_once('.') {
                None => attribute == "kind",
                Some((_, name)) => name == attribute,
            };
            is_meant.then_some(origin)
        });
    }
    // A block says nothing of `enabled` by being there: nobody wrote it.
    if path.ends_with(".enabled") {
        return None;
    }
    nearest_origin(origins, path)
}

/// The origin of the block around a value that has none of its own: of a rate's share, of a list's item.
fn nearest_origin<'a>(origins: &'a BTreeMap<String, Origin>, path: &str) -> Option<&'a Origin> {
    let mut path = path;
    while let Some(end) = path.rfind(['.', '[']) {
        path = &path[..end];
        if let Some(origin) = origins.get(path) {
            return Some(origin);
        }
    }
    None
}
