//! The documentation leaves nothing out: every command, flag, block, attribute and code is on its page.

use std::fs;
use std::path::Path;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text from a heading to the next one of the same or a higher level.
fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let level = heading.bytes().take_while(|b| *b == b'#').count();
    let start = page.find(&format!("\n{heading}\n"))? + 1;
    let rest = &page[start + heading.len()..];
    let mut end = rest.len();
    let mut in_code = false;
    let mut offset = 0;
    for line in rest.split_inclusive('\n') {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        let hashes = line.bytes().take_while(|b| *b == b'#').count();
        if !in_code && offset > 0 && hashes > 0 && hashes <= level {
            end = offset;
            break;
        }
        offset += line.len();
    }
    Some(&rest[..end])
}

fn missing_in_commands(command: &clap::Command, path: &str, page: &str, missing: &mut Vec<String>) {
    for inner in command.get_subcommands() {
        let name = inner.get_name();
        if name == "help" {
            continue;
        }
        let path = format!("{path} {name}");
        let heading = format!("`{}`", path.trim());
        let level = if path.split_whitespace().count() > 1 {
            "###"
        } else {
            "##"
        };
        let Some(text) = section(page, &format!("{level} {heading}")) else {
            missing.push(format!("{level} {heading}"));
            continue;
        };
        for argument in inner.get_arguments() {
            if argument.is_global_set() || argument.get_id() == "help" {
                continue;
            }
            let name = match argument.get_long() {
                Some(long) => format!("`--{long}"),
                None => match argument.get_value_names() {
                    Some([name, ..]) => format!("`{name}"),
                    _ => continue,
                },
            };
            let found = text
                .match_indices(&name)
                .any(|(at, _)| text[at + name.len()..].starts_with(['`', ' ', '=']));
            if !found {
                missing.push(format!("{heading}: {name}`"));
            }
            for value in argument.get_possible_values() {
                if matches!(
                    argument.get_action(),
                    clap::ArgAction::Set | clap::ArgAction::Append
                ) && !value.is_hide_set()
                    && !["true", "false"].contains(&value.get_name())
                    && !text.contains(&format!("`{}`", value.get_name()))
                {
                    missing.push(format!("{heading}: {name}`: value `{}`", value.get_name()));
                }
            }
        }
        missing_in_commands(inner, &path, page, missing);
    }
}

#[test]
fn every_command_and_flag_is_in_the_command_reference() {
    let page = page("commands.md");
    let mut missing = Vec::new();
    let command = tideform::cli::command();
    missing_in_commands(&command, "", &page, &mut missing);
    let global = section(&page, "## Everywhere").expect("the section of the global flags");
    for argument in command.get_arguments() {
        if let Some(long) = argument.get_long().filter(|_| argument.is_global_set())
            && !global.contains(&format!("--{long}"))
        {
            missing.push(format!("Everywhere: --{long}"));
        }
    }
    assert!(
        missing.is_empty(),
        "docs/commands.md lacks:\n{}",
        missing.join("\n")
    );
}

#[test]
fn the_command_reference_names_no_command_that_is_gone() {
    let page = page("commands.md");
    let command = tideform::cli::command();
    for line in page.lines() {
        let Some(path) = line
            .strip_prefix("## `")
            .or_else(|| line.strip_prefix("### `"))
            .and_then(|rest| rest.strip_suffix('`'))
        else {
            continue;
        };
        let found = path
            .split(' ')
            .try_fold(&command, |command, name| command.find_subcommand(name));
        assert!(
            found.is_some(),
            "docs/commands.md: there is no command `{path}`"
        );
    }
}

#[test]
fn every_exit_code_is_in_the_command_reference() {
    use tideform::cli::exit;
    let page = page("commands.md");
    let text = section(&page, "## Exit codes").expect("the section of the exit codes");
    for code in [
        exit::WELL,
        exit::FAILURE,
        exit::CHANGES,
        exit::FOUND,
        exit::LEASE_HELD,
        exit::PLAN_STALE,
    ] {
        assert!(text.contains(&format!("| {code} |")), "exit code {code}");
    }
}

#[test]
fn every_block_and_attribute_is_in_the_language_reference() {
    let page = page("language.md");
    let mut missing = Vec::new();
    for (path, block) in tideform_policies::schema::blocks() {
        let heading = format!("### `{path}`");
        let Some(text) = section(&page, &heading) else {
            missing.push(heading);
            continue;
        };
        for attribute in block.attributes {
            let start = format!("| `{}` |", attribute.name);
            let Some(row) = text.lines().find(|line| line.starts_with(&start)) else {
                missing.push(format!("{heading}: {}", attribute.name));
                continue;
            };
            // Name, type, default, meaning.
            if let Some(default) = attribute.default
                && row.split('|').nth(3).map(str::trim) != Some(&format!("`{}`", default.text))
            {
                let name = attribute.name;
                missing.push(format!("{heading}: {name}: the default {}", default.text));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "docs/language.md lacks:\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_code_is_in_the_language_reference() {
    let page = page("language.md");
    let missing: Vec<&str> = tideform_policies::codes::all()
        .map(|entry| entry.code.0)
        .filter(|code| !page.contains(&format!("| {code} |")))
        .collect();
    assert!(missing.is_empty(), "docs/language.md lacks {missing:?}");
}

#[test]
fn the_schema_of_a_decision_names_every_kind_of_reason() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../src/cli/schemas/decision.json")).unwrap();
    let known: Vec<&str> = schema["properties"]["reasons"]["items"]["properties"]["kind"]["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|kind| kind["const"].as_str())
        .collect();
    let kinds: Vec<&str> = tideform::engine::kinds()
        .iter()
        .map(|kind| kind.name)
        .collect();
    assert_eq!(known, kinds);
}

/// `TIDEFORM_BLESS=1 cargo test --test cli_docs` writes the tables anew.
#[test]
fn the_page_of_the_defaults_is_what_the_program_says() {
    const START: &str = "<!-- the tables: written by the test -->\n\n";
    let text = page("defaults.md");
    let (head, tables) = text.split_once(START).expect("the place of the tables");
    let said = tideform::defaults::markdown();
    if std::env::var_os("TIDEFORM_BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/defaults.md");
        fs::write(path, format!("{head}{START}{said}")).expect("the page is written");
        return;
    }
    let differs = said
        .lines()
        .find(|line| !tables.lines().any(|known| known == *line));
    assert!(
        tables == said,
        "docs/defaults.md is out of date; TIDEFORM_BLESS=1 writes it: {differs:?}"
    );
}

#[test]
fn every_command_of_the_ci_examples_parses() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci");
    let mut commands = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for line in text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
        {
            // `run: tideform ...`, `&& /usr/local/bin/tideform ...`, `ExecStart=/usr/local/bin/tideform ...`.
            let Some((_, rest)) = line
                .rsplit_once("bin/tideform ")
                .or_else(|| line.rsplit_once("tideform -C "))
            else {
                continue;
            };
            let is_short = !line.contains("bin/tideform ");
            let words = rest
                .split_whitespace()
                .take_while(|word| !matches!(*word, "#" | ">" | ">>" | "|" | "&&"));
            parse(&path, is_short.then_some("-C").into_iter().chain(words));
            commands += 1;
        }
    }
    assert!(commands >= 7, "only {commands} commands were found");
}

fn parse<'a>(path: &Path, arguments: impl Iterator<Item = &'a str>) {
    let words: Vec<&str> = std::iter::once("tideform").chain(arguments).collect();
    if let Err(error) = tideform::cli::command().try_get_matches_from(&words) {
        panic!("{}: {}: {error}", path.display(), words.join(" "));
    }
}
