//! `tideform validate`.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Map, Value as Json, json};
use tideform_policies::diagnostic::Severity;
use tideform_policies::model::{Configuration, GroupAddress, Origin};
use tideform_policies::render;

use super::args::{VariableArgs, nearest};
use super::context::Context;
use super::error::{CliError, Problems, plural};
use super::output::{BOLD, DIM, GREEN, paint};
use super::{CliResult, exit};
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

    /// With --resolved: also the values that nobody set
    #[arg(long, requires = "resolved")]
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
                let origin = origins
                    .get(&path)
                    .or_else(|| nearest_origin(&origins, &path));
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
