//! The plan for a terminal. Styles are escape sequences; the caller's stream strips them where they are not wanted.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};

use super::blocks::{self, Line};
use super::{backtest, words};
use crate::backtest::{Backtest, Played};
use crate::engine::explain;
use crate::plan::types::{ChangeAction, GroupPlan, Mode, Plan, PlannedChange};
use crate::wrap::wrapped;

const ADD: Style = AnsiColor::Green.on_default();
const CHANGE: Style = AnsiColor::Yellow.on_default();
const REMOVE: Style = AnsiColor::Red.on_default();
const ADOPT: Style = AnsiColor::Cyan.on_default();
const QUIET: Style = Style::new().dimmed();
const HEAD: Style = Style::new().bold();

/// The whole plan; the last line is the summary. Groups without changes are not in it.
///
/// - `wrap`: the width at which lines break; `None`: nowhere.
pub fn text(plan: &Plan, wrap: Option<usize>) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_plan(&mut out, plan, wrap);
    out
}

/// A line, broken where it is longer than `wrap`; it goes on under the beginning of `text`.
fn put(out: &mut String, head: &str, text: &str, wrap: Option<usize>) -> std::fmt::Result {
    wrapped(head, text, wrap)
        .iter()
        .try_for_each(|line| writeln!(out, "{line}"))
}

fn write_plan(out: &mut String, plan: &Plan, wrap: Option<usize>) -> std::fmt::Result {
    let drifted: Vec<&GroupPlan> = plan
        .groups
        .iter()
        .filter(|group| !group.drift.is_empty())
        .collect();
    if !drifted.is_empty() {
        writeln!(out, "{HEAD}Changed outside tideform{HEAD:#}\n")?;
        for group in drifted {
            writeln!(out, "  {}", group.address)?;
            let paths = group.drift.iter().map(|drift| drift.path.as_str());
            let width = column(paths, wrap);
            let mut last = None;
            for drift in &group.drift {
                let (control, path) = shown_path(&drift.path);
                if let Some(name) = control.filter(|_| control != last) {
                    writeln!(out, "      {name}")?;
                }
                last = control;
                let head = format!("      {path:width$}   ");
                put(out, &head, &words::drift(drift), wrap)?;
            }
        }
        writeln!(out)?;
    }
    let changed: Vec<&GroupPlan> = plan
        .groups
        .iter()
        .filter(|group| group.has_work() || group.failure.is_some())
        .collect();
    if !plan.provider_changes.is_empty() {
        writeln!(
            out,
            "{CHANGE}  ~{CHANGE:#} {HEAD}providers{HEAD:#}   change"
        )?;
        let mut last = None;
        for change in &plan.provider_changes {
            let (provider, _) = shown_path(&change.path);
            if let Some(name) = provider.filter(|_| provider != last) {
                write_control(out, name, change)?;
            }
            last = provider;
            write_change(out, change, 0, wrap)?;
        }
        writeln!(out)?;
    }
    for group in changed {
        write_group(out, plan, group, wrap)?;
        writeln!(out)?;
    }
    // What is left alone is told of groups that do not change too, while these are few.
    let quiet: Vec<&GroupPlan> = plan
        .groups
        .iter()
        .filter(|group| !group.has_work() && !group.unmanaged.is_empty())
        .collect();
    if !quiet.is_empty() && quiet.len() <= 20 {
        writeln!(out, "{HEAD}Not managed{HEAD:#}\n")?;
        for group in quiet {
            writeln!(out, "  {}", group.address)?;
            write_unmanaged(out, group, wrap)?;
        }
        writeln!(out)?;
    }
    for note in &plan.notes {
        put(out, "", note, wrap)?;
    }
    if let Some(lost) = words::lost(plan) {
        put(out, "", &format!("{REMOVE}{lost}{REMOVE:#}"), wrap)?;
    }
    if plan.is_partial {
        writeln!(out, "Only the groups that --group names were planned.")?;
    }
    if plan.mode == Mode::RefreshOnly {
        let n = plan.groups.iter().filter(|g| !g.drift.is_empty()).count();
        let unread = plan.left_out_line().map(|line| format!(" {line}"));
        let line = format!(
            "{HEAD}Refresh only: {n} of {} groups changed outside tideform.{}{HEAD:#}",
            plan.groups.len(),
            unread.unwrap_or_default()
        );
        return put(out, "", &line, wrap);
    }
    if plan.has_changes()
        && let Some(total) = words::total_cost(plan)
        && total.abs() >= 0.005
    {
        writeln!(out, "Cost: {total:+.2} USD a month at the capacity of now.")?;
    }
    if let Some(records) = plan.records_line() {
        put(out, "", &records, wrap)?;
    }
    for verdict in plan.verdicts.iter().filter(|verdict| verdict.stops()) {
        let line = format!("{REMOVE}{}{REMOVE:#}", verdict.sentence());
        put(out, "", &line, wrap)?;
    }
    let summary = format!("{HEAD}{}{HEAD:#}", plan.summary_line());
    put(out, "", &summary, wrap)
}

/// A path as it is shown: that of a control's or provider's setting under its name, and set in.
fn shown_path(path: &str) -> (Option<&str>, String) {
    match path.rsplit_once(": ") {
        Some((name, setting)) => (Some(name), format!("  {setting}")),
        None => (None, path.to_owned()),
    }
}

/// The name of a control or provider above its settings that change, with the place where the files say so.
fn write_control(out: &mut String, name: &str, change: &PlannedChange) -> std::fmt::Result {
    write!(out, "    {CHANGE}{:<3}{CHANGE:#} {name}", "~")?;
    match &change.source {
        Some(place) => writeln!(out, "   {QUIET}({place}){QUIET:#}"),
        None => writeln!(out),
    }
}

/// The width of a column of paths: of the longest, as far as that leaves room for what stands beside.
fn column<'a>(paths: impl Iterator<Item = &'a str>, wrap: Option<usize>) -> usize {
    const WIDEST: usize = 48;
    let most = wrap.map_or(WIDEST, |wrap| WIDEST.min(wrap / 3));
    let widths = paths.map(|path| shown_path(path).1.chars().count());
    // One that is too long for the column does not make the others' wider.
    widths.filter(|width| *width <= most).max().unwrap_or(0)
}

fn style(action: ChangeAction) -> Style {
    match action {
        ChangeAction::Add => ADD,
        ChangeAction::Change => CHANGE,
        ChangeAction::Remove | ChangeAction::Replace => REMOVE,
        ChangeAction::Adopt => ADOPT,
    }
}

fn group_style(group: &GroupPlan) -> Style {
    match group.action.sign() {
        "+" => ADD,
        "<=" => ADOPT,
        "~" => CHANGE,
        _ => REMOVE,
    }
}

fn write_group(
    out: &mut String,
    plan: &Plan,
    group: &GroupPlan,
    wrap: Option<usize>,
) -> std::fmt::Result {
    let sign_style = group_style(group);
    let head = format!(
        "{sign_style}{:>3}{sign_style:#} {HEAD}{}{HEAD:#}   ",
        words::sign(group),
        group.address,
    );
    put(out, &head, &words::action(group), wrap)?;
    let lines = blocks::lines(group);
    let width = column(lines.iter().map(Line::path), wrap);
    let mut last = None;
    for line in &lines {
        let (control, _) = shown_path(line.path());
        let is_next = control.is_some() && control != last;
        last = control;
        match line {
            Line::Value(change) => {
                if let Some(name) = control.filter(|_| is_next) {
                    write_control(out, name, change)?;
                }
                write_change(out, change, width, wrap)?;
            }
            Line::Block { path, items, place } => {
                write_block(out, path, items, place.as_deref(), width, wrap)?;
            }
        }
    }
    write_unmanaged(out, group, wrap)?;
    if let Some(decision) = &group.decision {
        let line = words::decision(decision);
        put(out, "    next decision: ", &line, wrap)?;
        let reasons = words::reasons(decision);
        let subjects = explain::subject_width(reasons.iter().chain(&decision.otherwise));
        for line in explain::layout(&reasons, 8, subjects, wrap) {
            writeln!(out, "{QUIET}{line}{QUIET:#}")?;
        }
        if !decision.otherwise.is_empty() {
            writeln!(out, "      for another answer:")?;
            for line in explain::layout(&decision.otherwise, 8, subjects, wrap) {
                writeln!(out, "{QUIET}{line}{QUIET:#}")?;
            }
        }
    }
    if !group.calendar.is_empty() {
        writeln!(out, "    the coming week:")?;
        for line in words::calendar(&group.calendar) {
            put(out, "        ", &line, wrap)?;
        }
    }
    if let Some(cost) = group.cost.as_ref().and_then(words::cost) {
        put(out, "    cost: ", &cost, wrap)?;
    }
    match &group.backtest {
        Some(found) => {
            let is_one_line = |played: &Played| backtest::is_one_line(plan, group, played);
            write_backtest(out, found, is_one_line, wrap)
        }
        None => Ok(()),
    }
}

fn write_backtest(
    out: &mut String,
    found: &Backtest,
    is_one_line: impl Fn(&Played) -> bool,
    wrap: Option<usize>,
) -> std::fmt::Result {
    let said = |text: &str| explain::Line {
        subject: String::new(),
        text: text.to_owned(),
    };
    let played = match found {
        Backtest::Missing { why_not } => {
            let lines = explain::layout(&[said(&format!("no backtest: {why_not}"))], 1, 0, wrap);
            return lines.iter().try_for_each(|line| writeln!(out, "{line}"));
        }
        Backtest::Played(played) => played,
    };
    let load = backtest::load(&played.load);
    if is_one_line(played) {
        writeln!(out, "    backtest: no difference on the recorded load")?;
        return writeln!(out, "        {QUIET}{load}{QUIET:#}");
    }
    writeln!(out, "    backtest: {load}")?;
    for line in backtest::table(&backtest::rows(played)) {
        writeln!(out, "      {line}")?;
    }
    for note in &played.notes {
        for line in explain::layout(&[said(note)], 3, 0, wrap) {
            writeln!(out, "{QUIET}{line}{QUIET:#}")?;
        }
    }
    Ok(())
}

fn write_unmanaged(out: &mut String, group: &GroupPlan, wrap: Option<usize>) -> std::fmt::Result {
    for control in &group.unmanaged {
        let state = if control.enabled { "" } else { ", disabled" };
        let head = format!("    {QUIET}#   {}   ", control.name);
        let text = format!(
            "{}{state}; not managed, left alone{QUIET:#}",
            control.summary
        );
        put(out, &head, &text, wrap)?;
    }
    Ok(())
}

/// A new block: as many of its items on a line as a reader takes in.
fn write_block(
    out: &mut String,
    path: &str,
    items: &[String],
    place: Option<&str>,
    width: usize,
    wrap: Option<usize>,
) -> std::fmt::Result {
    const LONGEST: usize = 80;
    let longest = wrap.map_or(LONGEST, |wrap| {
        wrap.saturating_sub(width + 11).clamp(24, LONGEST)
    });
    write!(out, "    {ADD}{:<3}{ADD:#} {path:width$}   ", "+")?;
    let mut length = 0;
    let indent = width + 11;
    for (i, item) in items.iter().enumerate() {
        // An item is broken only where it alone is too long.
        let parts = wrapped("", item, wrap.map(|_| longest - 2));
        for (n, part) in parts.iter().enumerate() {
            let added = part.chars().count() + 2;
            let is_on_its_own = n > 0 || length + added > longest;
            if i + n == 0 {
                length = added;
            } else if is_on_its_own {
                let comma = if n == 0 { "," } else { "" };
                write!(out, "{comma}\n{:indent$}", "")?;
                length = added;
            } else {
                write!(out, ", ")?;
                length += added;
            }
            write!(out, "{part}")?;
        }
    }
    match place {
        Some(place) if wrap.is_some() && length + place.chars().count() + 5 > longest => {
            writeln!(out, "\n{:indent$}{QUIET}({place}){QUIET:#}", "")
        }
        Some(place) => writeln!(out, "   {QUIET}({place}){QUIET:#}"),
        None => writeln!(out),
    }
}

fn write_change(
    out: &mut String,
    change: &PlannedChange,
    width: usize,
    wrap: Option<usize>,
) -> std::fmt::Result {
    let style = style(change.action);
    let sign = change.action.sign();
    let (control, path) = shown_path(&change.path);
    let is_long = words::lines(&change.before).is_some() || words::lines(&change.after).is_some();
    // Of a control's setting it stands behind the control's name.
    let place = change.source.as_ref().filter(|_| control.is_none());
    let place = place.map(ToString::to_string);
    let said: Vec<String> = change.reason.iter().cloned().chain(place).collect();
    let said = match said.is_empty() {
        true => String::new(),
        false => format!("   {QUIET}({}){QUIET:#}", said.join(", ")),
    };
    if is_long {
        put(
            out,
            &format!("    {style}{sign:<3}{style:#} {path}"),
            &said,
            wrap,
        )?;
    } else {
        let value = match change.action {
            ChangeAction::Add => words::value(&change.after),
            ChangeAction::Remove => words::value(&change.before),
            ChangeAction::Change | ChangeAction::Replace | ChangeAction::Adopt => format!(
                "{} -> {}",
                words::value(&change.before),
                words::value(&change.after)
            ),
        };
        let head = format!("    {style}{sign:<3}{style:#} {path:width$}   ");
        put(out, &head, &format!("{value}{said}"), wrap)?;
    }
    if is_long {
        write_lines(out, change)?;
    }
    Ok(())
}

/// Text of several lines, as a difference with a line of context.
fn write_lines(out: &mut String, change: &PlannedChange) -> std::fmt::Result {
    let before = change.before.as_str().unwrap_or_default();
    let after = change.after.as_str().unwrap_or_default();
    let diff = TextDiff::from_lines(before, after);
    for group in diff.grouped_ops(1) {
        for line in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (sign, style) = match line.tag() {
                ChangeTag::Delete => ("-", REMOVE),
                ChangeTag::Insert => ("+", ADD),
                ChangeTag::Equal => (" ", Style::new()),
            };
            let text = line.to_string_lossy();
            let text = text.trim_end_matches('\n');
            writeln!(out, "            {style}{sign} {text}{style:#}")?;
        }
    }
    Ok(())
}
