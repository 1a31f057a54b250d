//! `tideform fmt`.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use similar::{ChangeTag, TextDiff};
use tideform_policies::format::format;
use tideform_policies::load::read_text;
use tideform_policies::source::SourceMap;

use super::context::Context;
use super::error::{self, CliError, Problems};
use super::output::{BOLD, GREEN, RED, paint};
use super::{CliResult, exit};

/// Rewrite the files in the canonical format.
///
/// Rewrites files in the canonical format. Comments stay; a file that cannot be parsed is left alone and reported.
/// The names of changed files are printed, one a line.
#[derive(Args, Debug)]
pub(super) struct FmtArgs {
    /// Files or directories, or `-` for standard input to standard output; default: the directory
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Change nothing; exit with 3 if a file is not in the canonical format
    #[arg(long)]
    check: bool,

    /// Print what changes
    #[arg(long)]
    diff: bool,
}

impl FmtArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.need_directory()?;
        if self.paths.iter().any(|path| path.as_os_str() == "-") {
            if self.paths.len() > 1 {
                return Err(CliError::Usage(
                    "`-` stands alone: standard input and files do not go together".to_owned(),
                ));
            }
            return self.standard_input(cx);
        }
        let mut code = exit::WELL;
        let mut to_lay_out = false;
        for path in self.files(cx)? {
            let name = path.display().to_string();
            let name = name.strip_prefix("./").unwrap_or(&name);
            match self.file(cx, name, &path) {
                Ok(false) => {}
                Ok(true) if self.check => {
                    to_lay_out = true;
                    if code == exit::WELL {
                        code = exit::FOUND;
                    }
                }
                Ok(true) => {}
                // One broken file does not keep the others from being formatted.
                Err(failed) => {
                    error::report(&failed, &cx.output, false);
                    code = exit::FAILURE;
                }
            }
        }
        if to_lay_out {
            cx.output.note(
                "These files are not in the canonical format: run `tideform fmt` to lay them out.",
            );
        }
        Ok(code)
    }

    fn files(&self, cx: &Context) -> Result<Vec<PathBuf>, CliError> {
        let mut files = Vec::new();
        let roots = if self.paths.is_empty() {
            vec![cx.directory().to_owned()]
        } else {
            self.paths.clone()
        };
        for root in roots {
            let failed = |source| CliError::File {
                verb: "read",
                path: root.clone(),
                source,
            };
            if !std::fs::metadata(&root).map_err(failed)?.is_dir() {
                files.push(root.clone());
                continue;
            }
            let mut inside: Vec<PathBuf> = std::fs::read_dir(&root)
                .map_err(failed)?
                .flatten()
                .filter(|entry| {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    name.ends_with(".hcl") && !name.starts_with('.')
                })
                .map(|entry| entry.path())
                .filter(|path| path.is_file())
                .collect();
            inside.sort();
            files.extend(inside);
        }
        Ok(files)
    }

    /// Formats one file; says whether that changes it.
    fn file(&self, cx: &Context, name: &str, path: &Path) -> Result<bool, CliError> {
        let text = read_text(name, path).map_err(|(diagnostics, sources)| {
            CliError::Problems(Box::new(Problems {
                diagnostics,
                sources,
            }))
        })?;
        let formatted = formatted(name, &text)?;
        // `read_text` leaves a byte order mark out; the bytes decide.
        let is_same = std::fs::read(path).is_ok_and(|bytes| bytes == formatted.as_bytes());
        if is_same {
            return Ok(false);
        }
        if self.diff {
            cx.output.print(&diff(name, &text, &formatted));
        } else {
            cx.output.line(name);
        }
        if !self.check {
            replace(path, &formatted).map_err(|source| CliError::File {
                verb: "written",
                path: path.to_owned(),
                source,
            })?;
        }
        Ok(true)
    }

    fn standard_input(&self, cx: &Context) -> CliResult {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map_err(CliError::Input)?;
        let formatted = formatted("standard input", &text)?;
        if self.diff {
            cx.output.print(&diff("standard input", &text, &formatted));
        } else if !self.check {
            cx.output.print(&formatted);
        }
        Ok(if self.check && formatted != text {
            exit::FOUND
        } else {
            exit::WELL
        })
    }
}

fn formatted(name: &str, text: &str) -> Result<String, CliError> {
    format(text).map_err(|diagnostics| {
        let mut sources = SourceMap::default();
        sources.add(name, text);
        CliError::Problems(Box::new(Problems {
            diagnostics,
            sources,
        }))
    })
}

/// Writes beside and renames, so that nobody ever sees half a file. A link stays a link, and the mode stays.
pub(super) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = std::fs::canonicalize(path)?;
    let mode = std::fs::metadata(&path)?.permissions();
    let mut beside = path.clone().into_os_string();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let done = std::fs::write(&beside, text)
        .and_then(|()| std::fs::set_permissions(&beside, mode))
        .and_then(|()| std::fs::rename(&beside, &path));
    if done.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    done
}

/// A unified diff with three lines of context.
pub(super) fn diff(name: &str, old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut out = String::new();
    out.push_str(&paint(BOLD, format!("--- {name}\n+++ {name}\n")));
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        out.push_str(&format!("{}\n", hunk.header()));
        for change in hunk.iter_changes() {
            let line = change.value().strip_suffix('\n').unwrap_or(change.value());
            match change.tag() {
                ChangeTag::Delete => out.push_str(&paint(RED, format!("-{line}"))),
                ChangeTag::Insert => out.push_str(&paint(GREEN, format!("+{line}"))),
                ChangeTag::Equal => out.push_str(&format!(" {line}")),
            }
            out.push('\n');
        }
    }
    out
}
