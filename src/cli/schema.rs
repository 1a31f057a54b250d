//! `tideform schema`.

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};
use tideform_policies::schema::{self, AttributeSchema, BlockSchema, Labels};

use super::context::Context;
use super::output::{BOLD, CYAN, DIM, paint};
use super::{CliResult, exit};

/// Print the language's reference or a JSON schema.
///
/// Prints the reference of the language, or the JSON schema of something that tideform prints or reads.
#[derive(Args, Debug)]
pub(super) struct SchemaArgs {
    /// Of what
    #[arg(value_enum, default_value = "language")]
    what: What,

    /// Only this block of the language: `metric`, `scale_in`
    #[arg(long, value_name = "KIND")]
    block: Option<String>,

    /// Print the language or the codes as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The blocks and attributes of the files
    Language,
    /// The codes of the diagnostics
    Codes,
    /// What `plan --json` prints, as a JSON schema
    Plan,
    /// What `decide --json` prints, as a JSON schema
    Decision,
    /// What `decide --observe` reads, as a JSON schema
    Observation,
    /// A line of `events --json`, as a JSON schema
    Event,
}

impl SchemaArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        match self.what {
            What::Language if self.json => cx.output.json(&schema::as_json()),
            What::Language => self.print_language(cx)?,
            What::Codes => self.print_codes(cx),
            What::Plan => print_schema(cx, include_str!("schemas/plan.json")),
            What::Decision => print_schema(cx, include_str!("schemas/decision.json")),
            What::Observation => print_schema(cx, include_str!("schemas/observation.json")),
            What::Event => print_schema(cx, include_str!("schemas/event.json")),
        }
        Ok(exit::WELL)
    }

    fn print_codes(&self, cx: &Context) {
        let codes = tideform_policies::codes::all();
        if self.json {
            let codes: Vec<Json> = codes
                .map(|entry| {
                    json!({
                        "code": entry.code.0,
                        "title": entry.title,
                        "explanation": entry.explanation,
                        "example": entry.example,
                    })
                })
                .collect();
            cx.output
                .json(&json!({ "format_version": 1, "codes": codes }));
            return;
        }
        for entry in codes {
            cx.output
                .line(format!("{}  {}", paint(CYAN, entry.code.0), entry.title));
        }
    }

    fn print_language(&self, cx: &Context) -> Result<(), super::error::CliError> {
        let blocks = schema::blocks();
        let wanted: Vec<_> = blocks
            .iter()
            .filter(|(path, block)| {
                self.block
                    .as_deref()
                    .is_none_or(|kind| path == kind || block.kind == kind)
            })
            .collect();
        if let (true, Some(kind)) = (wanted.is_empty(), &self.block) {
            let known = blocks.iter().map(|(_, block)| block.kind);
            return Err(super::error::CliError::NoSuchBlock {
                text: kind.clone(),
                nearest: schema::nearest(kind, known).map(str::to_owned),
            });
        }
        for (path, block) in wanted {
            print_block(cx, path, block);
        }
        Ok(())
    }
}

fn print_schema(cx: &Context, text: &str) {
    cx.output.print(text);
}

fn print_block(cx: &Context, path: &str, block: &BlockSchema) {
    let labels = match block.labels {
        Labels::None => String::new(),
        Labels::Name(a) | Labels::Text(a) | Labels::Variant(a) => format!(" \"{a}\""),
        Labels::VariantAndName(a, b) => format!(" \"{a}\" [\"{b}\"]"),
    };
    cx.output
        .line(format!("{}{}", paint(BOLD, path), paint(DIM, labels)));
    cx.output.line(format!("  {}", block.doc));
    if let Some(missing) = block.inert {
        cx.output
            .line(format!("  Does nothing in this version: {missing}."));
    }
    let width = block
        .attributes
        .iter()
        .map(|attribute| attribute.name.len())
        .max()
        .unwrap_or(0);
    for attribute in block.attributes {
        cx.output.line(format!(
            "    {:width$}  {}  {}",
            attribute.name,
            paint(CYAN, describe(attribute)),
            attribute.doc
        ));
    }
    let inner: Vec<&str> = block.blocks.iter().map(|block| block.kind).collect();
    if !inner.is_empty() {
        cx.output.line(format!("    blocks: {}", inner.join(", ")));
    }
    cx.output.line("");
}

/// `duration, default "1m"`, `number, required`.
fn describe(attribute: &AttributeSchema) -> String {
    let mut text = schema::kind_name(attribute.kind).to_owned();
    if attribute.required {
        text.push_str(", required");
    }
    if let Some(default) = attribute.default {
        text.push_str(", default ");
        text.push_str(default.text);
    }
    text
}
