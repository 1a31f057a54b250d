//! Views of a plan: text for a terminal, Markdown for a pull request, JSON for programs. None is parsed back, and
//! none prints: they compute text.

mod backtest;
mod blocks;
mod json;
mod markdown;
mod text;
mod words;

pub use json::{FORMAT_VERSION, json};
pub use markdown::markdown;
pub use text::text;

#[cfg(test)]
mod tests;
