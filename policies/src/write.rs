//! Text of the language from data: blocks with comments, in the canonical form.
//!
//! It knows no block's meaning. What it writes is read back as what was handed in, and `fmt` leaves it alone.

use std::fmt::Write as _;

use crate::diagnostic::Diagnostics;

/// A block, or what stands between blocks.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A line of its own for each line, after `# `.
    Comment(String),
    /// An empty line.
    Gap,
    /// `name = value`, with a comment behind it where there is one.
    Attribute {
        /// Its name.
        name: String,
        /// Its value.
        value: Written,
        /// On the same line; one line only.
        comment: Option<String>,
    },
    /// A block within.
    Block(Block),
}

/// `kind "label" { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// `group`, `metric`.
    pub kind: String,
    /// Without their quotes.
    pub labels: Vec<String>,
    /// What is in it, in order.
    pub items: Vec<Item>,
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// In quotes; `${` is no template.
    Text(String),
    /// As short as it can be.
    Number(f64),
    /// `true`, `false`.
    Bool(bool),
    /// In brackets.
    List(Vec<Written>),
    /// In braces, in order.
    Map(Vec<(String, Written)>),
    /// As it stands: an address, a formula.
    Expression(String),
}

impl From<&str> for Written {
    fn from(text: &str) -> Written {
        Written::Text(text.to_owned())
    }
}

impl From<String> for Written {
    fn from(text: String) -> Written {
        Written::Text(text)
    }
}

impl From<f64> for Written {
    fn from(number: f64) -> Written {
        Written::Number(number)
    }
}

impl From<u32> for Written {
    fn from(number: u32) -> Written {
        Written::Number(f64::from(number))
    }
}

impl From<bool> for Written {
    fn from(truth: bool) -> Written {
        Written::Bool(truth)
    }
}

impl Item {
    /// An attribute without a comment.
    pub fn attribute(name: &str, value: impl Into<Written>) -> Item {
        Item::Attribute {
            name: name.to_owned(),
            value: value.into(),
            comment: None,
        }
    }

    /// An attribute with a comment behind it.
    pub fn explained(name: &str, value: impl Into<Written>, comment: &str) -> Item {
        Item::Attribute {
            name: name.to_owned(),
            value: value.into(),
            comment: Some(comment.to_owned()),
        }
    }
}

impl Block {
    /// A block without labels.
    pub fn new(kind: &str, items: Vec<Item>) -> Block {
        Block {
            kind: kind.to_owned(),
            labels: Vec::new(),
            items,
        }
    }

    /// A block with one label.
    pub fn named(kind: &str, label: &str, items: Vec<Item>) -> Block {
        Block {
            labels: vec![label.to_owned()],
            ..Block::new(kind, items)
        }
    }
}

/// The text of a file, in the canonical form.
///
/// # Errors
/// A name or an expression among the items that is none: the file would have syntax errors.
pub fn text(items: &[Item]) -> Result<String, Diagnostics> {
    let mut out = String::new();
    write_items(&mut out, items);
    crate::format::format(&out)
}

fn write_items(out: &mut String, items: &[Item]) {
    for item in items {
        match item {
            Item::Gap => out.push('\n'),
            Item::Comment(comment) => {
                for line in comment.lines() {
                    out.push_str("# ");
                    out.push_str(&one_line(line));
                    out.push('\n');
                }
            }
            Item::Attribute {
                name,
                value,
                comment,
            } => {
                out.push_str(name);
                out.push_str(" = ");
                write_value(out, value);
                if let Some(comment) = comment {
                    out.push_str(" # ");
                    out.push_str(&one_line(comment));
                }
                out.push('\n');
            }
            Item::Block(block) => write_block(out, block),
        }
    }
}

/// A block of one plain attribute stands on one line.
fn write_block(out: &mut String, block: &Block) {
    out.push_str(&block.kind);
    for label in &block.labels {
        out.push(' ');
        write_text(out, label);
    }
    match block.items.as_slice() {
        [] => out.push_str(" {}\n"),
        [
            Item::Attribute {
                name,
                value: value @ (Written::Text(_) | Written::Number(_) | Written::Bool(_)),
                comment: None,
            },
        ] => {
            out.push_str(" { ");
            out.push_str(name);
            out.push_str(" = ");
            write_value(out, value);
            out.push_str(" }\n");
        }
        items => {
            out.push_str(" {\n");
            write_items(out, items);
            out.push_str("}\n");
        }
    }
}

fn write_value(out: &mut String, value: &Written) {
    match value {
        Written::Text(text) => write_text(out, text),
        Written::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Written::Bool(truth) => {
            let _ = write!(out, "{truth}");
        }
        Written::List(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push_str(", ");
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Written::Map(entries) => {
            out.push_str("{ ");
            for (n, (key, value)) in entries.iter().enumerate() {
                if n > 0 {
                    out.push_str(", ");
                }
                if is_name(key) {
                    out.push_str(key);
                } else {
                    write_text(out, key);
                }
                out.push_str(" = ");
                write_value(out, value);
            }
            out.push_str(" }");
        }
        Written::Expression(text) => out.push_str(text),
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !matches!(text, "for" | "if" | "in" | "null" | "true" | "false")
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if rest.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A comment ends with its line: what others named must not begin one of its own.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_in_the_canonical_form() {
        let items = [
            Item::Comment("Made by hand.\nNot at all.".to_owned()),
            Item::Gap,
            Item::Block(Block::named(
                "group",
                "web",
                vec![
                    Item::attribute("provider", Written::Expression("provider.aws".to_owned())),
                    Item::explained("controller", "native", "as it is"),
                    Item::Block(Block::named(
                        "resource",
                        "asg",
                        vec![Item::attribute("name", "web \"prod\" ${x} %{y} 100%")],
                    )),
                    Item::Gap,
                    Item::Block(Block::new(
                        "limits",
                        vec![Item::attribute("min", 1), Item::attribute("maximum", 10)],
                    )),
                    Item::attribute(
                        "dimensions",
                        Written::Map(vec![
                            ("QueueName".to_owned(), "jobs".into()),
                            (
                                "a b".to_owned(),
                                Written::List(vec![2.5.into(), true.into()]),
                            ),
                        ]),
                    ),
                    Item::Comment("two\rlines".to_owned()),
                ],
            )),
            Item::Block(Block::named("metric", "cpu", Vec::new())),
        ];
        let text = text(&items).unwrap();
        assert_eq!(
            text,
            r#"# Made by hand.
# Not at all.

group "web" {
  provider   = provider.aws
  controller = "native" # as it is
  resource "asg" { name = "web \"prod\" $${x} %%{y} 100%" }

  limits {
    min     = 1
    maximum = 10
  }
  dimensions = { QueueName = "jobs", "a b" = [2.5, true] }
  # two lines
}
metric "cpu" {}
"#
        );
        assert_eq!(crate::format::format(&text).unwrap(), text);
    }

    #[test]
    fn what_is_no_name_is_an_error_and_no_file() {
        assert!(text(&[Item::attribute("a b", 1)]).is_err());
    }
}
