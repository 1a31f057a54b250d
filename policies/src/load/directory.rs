//! Reading the files of a directory: which ones, and that they are text of a bearable size.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::syntax::span;
use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::{SourceId, SourceMap};

/// The largest file, in bytes.
const MAX_FILE: u64 = 8 << 20;
/// The largest directory, in bytes.
const MAX_TOTAL: u64 = 64 << 20;
/// The most files.
const MAX_FILES: usize = 4096;

/// The files of a directory, in the order of their names.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// `*.hcl`.
    pub(crate) configuration: Vec<SourceId>,
    /// `*.auto.vars.hcl`.
    pub(crate) values: Vec<SourceId>,
}

/// Reads a directory. What cannot be read is reported.
pub(crate) fn read_directory(
    directory: &Path,
    sources: &mut SourceMap,
    out: &mut Diagnostics,
) -> Directory {
    let mut found = Directory::default();
    let unreadable = |error: &std::io::Error| {
        Diagnostic::error(codes::DIRECTORY_UNREADABLE, "Directory cannot be read")
            .why(format!("{}: {error}", directory.display()))
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            out.push(unreadable(&error));
            return found;
        }
    };
    let mut names = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => {
                let name = entry.file_name();
                let text = name.to_string_lossy().into_owned();
                let is_plain_values =
                    text.ends_with(".vars.hcl") && !text.ends_with(".auto.vars.hcl");
                if text.ends_with(".hcl") && !text.starts_with('.') && !is_plain_values {
                    names.push((text, entry.path()));
                }
            }
            Err(error) => out.push(unreadable(&error)),
        }
    }
    names.sort();
    if names.len() > MAX_FILES {
        out.push(
            Diagnostic::error(codes::FILE_TOO_LARGE, "Too many files")
                .why(format!(
                    "{} holds {} files; at most {MAX_FILES} are read.",
                    directory.display(),
                    names.len()
                ))
                .help("put several blocks into one file, or generate them with for_each."),
        );
        return found;
    }
    let mut total = 0;
    for (name, path) in names {
        let Some(id) = read_file(&name, &path, sources, out) else {
            continue;
        };
        total += sources.get(id).map_or(0, |source| source.text.len() as u64);
        if total > MAX_TOTAL {
            out.push(
                Diagnostic::error(codes::FILE_TOO_LARGE, "Configuration too large")
                    .at(
                        span(id, 0, 0),
                        "with this file the directory is larger than 64 MiB",
                    )
                    .help("generate repeated blocks with for_each."),
            );
            return found;
        }
        if name.ends_with(".auto.vars.hcl") {
            found.values.push(id);
        } else {
            found.configuration.push(id);
        }
    }
    if found.configuration.is_empty() && !out.has_errors() {
        out.push(
            Diagnostic::error(codes::NO_FILES, "No configuration files")
                .why(format!("{} holds no *.hcl file.", directory.display()))
                .help(
                    "name another directory with -C, or begin with `tideform init --example web`.",
                ),
        );
    }
    found
}

/// Reads one file as text, without a byte order mark. What cannot be used is reported, and gives `None`.
pub(crate) fn read_file(
    name: &str,
    path: &Path,
    sources: &mut SourceMap,
    out: &mut Diagnostics,
) -> Option<SourceId> {
    let bytes = match read_bytes(path) {
        Ok(bytes) => bytes,
        Err(refused) => {
            let here = span(sources.add(name, ""), 0, 0);
            out.push(match refused {
                Refused::Unreadable(why) => {
                    Diagnostic::error(codes::FILE_UNREADABLE, "File cannot be read").at(here, why)
                }
                Refused::TooLarge => Diagnostic::error(codes::FILE_TOO_LARGE, "File too large")
                    .at(here, "larger than 8 MiB")
                    .help("split the file, or generate repeated blocks with for_each."),
            });
            return None;
        }
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let byte = bytes.get(at).copied().unwrap_or(0);
            let prefix = String::from_utf8_lossy(bytes.get(..at).unwrap_or(&[])).into_owned();
            let line = prefix.matches('\n').count() + 1;
            let id = sources.add(name, &prefix);
            out.push(
                Diagnostic::error(codes::NOT_UTF8, "File is not UTF-8")
                    .at(
                        span(id, at, at),
                        format!(
                            "byte {} of the file, in line {line}, is 0x{byte:02x}",
                            at + 1
                        ),
                    )
                    .help("save the file as UTF-8."),
            );
            return None;
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let id = sources.add(name, text);
    if let Some(at) = text.find('\0') {
        out.push(
            Diagnostic::error(codes::NUL_BYTE, "File holds a NUL byte")
                .at(span(id, at, at + 1), "here")
                .help("save the file as UTF-8 text; UTF-16 looks like this too."),
        );
        return None;
    }
    Some(id)
}

enum Refused {
    Unreadable(String),
    TooLarge,
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Refused> {
    let unreadable = |error: std::io::Error| {
        let is_link = path.symlink_metadata().is_ok_and(|m| m.is_symlink());
        let why = match error.kind() {
            std::io::ErrorKind::NotFound if is_link => {
                "a symbolic link to a file that is not there".to_owned()
            }
            _ if is_link => format!("a symbolic link that cannot be followed: {error}"),
            _ => error.to_string(),
        };
        Refused::Unreadable(why)
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Refused::Unreadable(
            "a directory, not a file; rename it".to_owned(),
        ));
    }
    // Opening a pipe would wait for ever.
    if !metadata.is_file() {
        return Err(Refused::Unreadable("not a regular file".to_owned()));
    }
    if metadata.len() > MAX_FILE {
        return Err(Refused::TooLarge);
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Refused::TooLarge);
    }
    Ok(bytes)
}
