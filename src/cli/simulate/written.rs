//! Where a report is written: into a new file or over an earlier page, and never over anything else.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::super::error::CliError;

/// How each page begins.
const BEGINS: &[u8] = b"<!doctype html>";

/// What holds policies, traces and states.
const NEVER: [&str; 3] = ["hcl", "csv", "db"];

/// Refuses a file that a report must not replace: the trace, a policy, a state, or anything that is no page.
pub(super) fn check(file: &Path, trace: Option<&Path>) -> Result<(), CliError> {
    let refused = |why: &str| {
        Err(CliError::Usage(format!(
            "`--report {}` would be written over {why}; name a new file, as `report.html`",
            file.display()
        )))
    };
    let is_same = |other: &Path| {
        other == file
            || matches!((other.canonicalize(), file.canonicalize()), (Ok(a), Ok(b)) if a == b)
    };
    if trace.is_some_and(is_same) {
        return refused("the trace");
    }
    let ending = file.extension().and_then(|ending| ending.to_str());
    let ending = ending.map(str::to_ascii_lowercase).unwrap_or_default();
    if NEVER.contains(&&*ending) {
        return Err(CliError::Usage(format!(
            "`--report {}` ends as a policy, a trace or a state does (`.{ending}`); name a page, as `report.html`",
            file.display()
        )));
    }
    match begins(file) {
        // An empty file has nothing to lose. Of a folder writing says what is wrong.
        Ok(None) => Ok(()),
        Ok(Some(begin)) if begin.is_empty() || begin.eq_ignore_ascii_case(BEGINS) => Ok(()),
        Ok(Some(_)) => refused("a file that is no page"),
        Err(source) => Err(CliError::File {
            verb: "read",
            path: file.to_owned(),
            source,
        }),
    }
}

/// The first bytes of a file, as many as each page begins with; `None`: there is no regular file.
fn begins(file: &Path) -> std::io::Result<Option<Vec<u8>>> {
    if !file.is_file() {
        return Ok(None);
    }
    let mut begin = Vec::new();
    let length = u64::try_from(BEGINS.len()).unwrap_or(u64::MAX);
    std::fs::File::open(file)?
        .take(length)
        .read_to_end(&mut begin)?;
    Ok(Some(begin))
}

/// Writes beside and renames: whoever opens the file sees the old one or the whole new one.
pub(super) fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    if path.is_dir() {
        return Err(std::io::Error::from(std::io::ErrorKind::IsADirectory));
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let done = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    if done.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    done
}
