//! The page of the documentation says of every row set aside what tideform answers and why, and of no other.
//!
//! `TIDEFORM_BLESS=1 cargo test --test conformance docs::` writes the lists into the page.

use std::fmt::Write as _;
use std::path::Path;

use libtest_mimic::{Failed, Trial};

use super::support::{Because, File};
use super::{aws, hpa_apart, hpa_behavior, hpa_replicas, nomad, nomad_aws_apart};

/// The peers: the mark in the page, and the files.
const PEERS: &[(&str, &[&File])] = &[
    ("hpa", &[&hpa_replicas::FILE, &hpa_behavior::FILE]),
    ("nomad", &[&nomad::FILE]),
    ("aws", &[&aws::FILE]),
];

pub(crate) fn trials() -> Vec<Trial> {
    PEERS
        .iter()
        .map(|(mark, files)| {
            Trial::test(format!("docs::{mark}_differences_are_on_the_page"), || {
                check(mark, files)
            })
        })
        .collect()
}

fn check(mark: &str, files: &[&File]) -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/decisions.md");
    let page = std::fs::read_to_string(&path)?;
    let (begin, end) = (
        format!("<!-- differences: {mark} -->\n"),
        "<!-- end of differences -->".to_owned(),
    );
    let start = page
        .find(&begin)
        .ok_or_else(|| format!("docs/decisions.md has no `{}`", begin.trim()))?
        + begin.len();
    let length = page[start..]
        .find(&end)
        .ok_or_else(|| format!("docs/decisions.md has no `{end}` after `{}`", begin.trim()))?;
    let list = list(mark, files);
    if page[start..start + length] == list {
        return Ok(());
    }
    if std::env::var_os("TIDEFORM_BLESS").is_some() {
        let mended = format!("{}{list}{}", &page[..start], &page[start + length..]);
        std::fs::write(&path, mended)?;
        return Ok(());
    }
    Err(format!(
        "docs/decisions.md says\n{}\nthe tests say\n{list}",
        &page[start..start + length]
    )
    .into())
}

/// A bullet for each reason, with its rows; then those of the cases of our own.
fn list(mark: &str, files: &[&File]) -> String {
    let mut reasons: Vec<&'static Because> = Vec::new();
    for file in files {
        for aside in file.set_aside {
            if !reasons
                .iter()
                .any(|known| std::ptr::eq(*known, aside.because))
            {
                reasons.push(aside.because);
            }
        }
    }
    let mut text = String::new();
    for because in reasons {
        let _ = write!(text, "- **{}.** {}", because.what, because.why);
        let rows: Vec<String> = files
            .iter()
            .flat_map(|file| file.set_aside.iter().map(move |aside| (file, aside)))
            .filter(|(_, aside)| std::ptr::eq(aside.because, because))
            .map(|(file, aside)| match aside.ours {
                Some(ours) => format!("`{}` ({}: {ours})", aside.row, file.name),
                None => format!("`{}` ({}: no counterpart)", aside.row, file.name),
            })
            .collect();
        let _ = writeln!(text, "\n  Cases: {}.", rows.join(", "));
    }
    let hpa = hpa_apart::LIST
        .iter()
        .filter(|_| mark == "hpa")
        .map(|apart| apart.because);
    let others = nomad_aws_apart::LIST
        .iter()
        .filter(|apart| apart.peer == mark)
        .map(|apart| apart.because);
    let mut last: Option<&'static Because> = None;
    for because in hpa.chain(others) {
        if last.is_none_or(|last| !std::ptr::eq(last, because)) {
            let _ = writeln!(text, "- **{}.** {}", because.what, because.why);
        }
        last = Some(because);
    }
    text
}
