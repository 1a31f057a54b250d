//! The transcripts in `README.md` and `docs/tutorial.md` are real: every `console` block is run, in order, with the
//! built binary in a fresh directory, and what it prints is compared with what the page says.
//!
//! `TIDEFORM_BLESS=1 cargo test --test tutorial` writes what was printed back into the pages. In an expected line
//! `[..]` stands for anything, and a line `...` for any lines; blessing keeps an expected output that matches. Colors
//! are off. A block whose fence says `console skip` is shown only, because it needs a cloud, a builder, or a minute.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_tutorial_prints_what_it_says() {
    check_page("docs/tutorial.md");
}

#[test]
fn the_readme_prints_what_it_says() {
    check_page("README.md");
}

/// One command of a page and the output that the page claims.
struct Exchange {
    command: String,
    expected: Vec<String>,
    /// The range of `expected` in the page's lines.
    lines: std::ops::Range<usize>,
}

fn check_page(page: &str) {
    let path = Path::new(ROOT).join(page);
    let text = fs::read_to_string(&path).expect("the page is there");
    let lines: Vec<&str> = text.lines().collect();
    let exchanges = exchanges(&lines);
    assert!(!exchanges.is_empty(), "{page} has no console blocks");

    let home = tempfile::tempdir().expect("a temporary directory");
    let mut directory = home.path().to_owned();
    let bless = std::env::var_os("TIDEFORM_BLESS").is_some();
    let mut blessed: Vec<String> = Vec::new();
    let mut copied = 0;
    let mut failures = String::new();
    for exchange in &exchanges {
        let printed = run(&exchange.command, &mut directory, home.path());
        let agrees = matches(&exchange.expected, &printed);
        if !agrees {
            failures.push_str(&format!(
                "\n{page}:{}: $ {}\n--- the page says\n{}\n--- it prints\n{}\n",
                exchange.lines.start,
                exchange.command,
                exchange.expected.join("\n"),
                printed.join("\n"),
            ));
        }
        blessed.extend(
            lines[copied..exchange.lines.start]
                .iter()
                .map(|line| (*line).to_owned()),
        );
        blessed.extend(if agrees {
            exchange.expected.clone()
        } else {
            printed
        });
        copied = exchange.lines.end;
    }
    if bless {
        blessed.extend(lines[copied..].iter().map(|line| (*line).to_owned()));
        fs::write(&path, blessed.join("\n") + "\n").expect("the page can be written");
    } else {
        assert!(
            failures.is_empty(),
            "{failures}\nTIDEFORM_BLESS=1 writes what is printed into the page"
        );
    }
}

fn exchanges(lines: &[&str]) -> Vec<Exchange> {
    let mut found = Vec::new();
    let mut inside = false;
    let mut current: Option<Exchange> = None;
    for (number, line) in lines.iter().enumerate() {
        if line.starts_with("```") {
            found.extend(current.take());
            inside = !inside && line.trim_end() == "```console";
        } else if inside {
            if let Some(command) = line.strip_prefix("$ ") {
                found.extend(current.take());
                current = Some(Exchange {
                    command: command.to_owned(),
                    expected: Vec::new(),
                    lines: number + 1..number + 1,
                });
            } else if let Some(exchange) = &mut current {
                exchange.expected.push((*line).to_owned());
                exchange.lines.end = number + 1;
            }
        }
    }
    found
}

/// Runs one command line in the shell; `cd DIR` moves the following ones.
fn run(command: &str, directory: &mut PathBuf, home: &Path) -> Vec<String> {
    if let Some(target) = command.strip_prefix("cd ") {
        *directory = directory.join(target.trim());
        assert!(directory.is_dir(), "`{command}`: no such directory");
        return Vec::new();
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_tideform"));
    let binaries = binary.parent().expect("the binary is in a directory");
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("exec 2>&1\n{command}"))
        .current_dir(&*directory)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", binaries.display()))
        .env("HOME", home)
        .env("TIDEFORM_ACTOR", "you")
        .env("COLUMNS", "110")
        .stdin(Stdio::null())
        .output()
        .expect("the shell runs");
    let text = String::from_utf8(output.stdout).expect("output is UTF-8");
    let text = text.replace(&directory.display().to_string(), ".");
    let mut printed: Vec<String> = text
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    let code = output
        .status
        .code()
        .unwrap_or_else(|| panic!("`{command}` was ended by a signal"));
    if code != 0 {
        printed.push(format!("(exit {code})"));
    }
    printed
}

/// Whether the printed lines are what is expected, with `[..]` and `...` standing for anything.
fn matches(expected: &[String], printed: &[String]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=printed.len()).any(|skipped| matches(rest, &printed[skipped..]))
        }
        Some((first, rest)) => printed
            .split_first()
            .is_some_and(|(line, others)| line_matches(first, line) && matches(rest, others)),
    }
}

fn line_matches(expected: &str, printed: &str) -> bool {
    let mut parts = expected.trim_end().split("[..]");
    let Some(mut rest) = parts.next().and_then(|head| printed.strip_prefix(head)) else {
        return false;
    };
    let tail: Vec<&str> = parts.collect();
    let Some((last, middle)) = tail.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.len() >= last.len() && rest.ends_with(last)
}
