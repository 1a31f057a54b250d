//! The plan as Markdown, for a comment on a pull request.

use std::fmt::Write;

use super::{backtest, words};
use crate::backtest::Backtest;
use crate::plan::types::{Action, GroupPlan, Mode, Plan, PlannedChange};

/// Comments on the usual platforms end at 65,536 characters; what would go beyond is counted instead.
const LONGEST: usize = 60_000;

/// Errors of groups that stand above the table; the others are only in it.
const ERRORS: usize = 20;

/// The whole plan: the summary first, then a table of the groups, then a folded part for each.
pub fn markdown(plan: &Plan) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_plan(&mut out, plan);
    out
}

fn write_plan(out: &mut String, plan: &Plan) -> std::fmt::Result {
    writeln!(out, "### tideform plan: `{}`\n", code(&plan.workspace))?;
    if plan.mode == Mode::RefreshOnly {
        writeln!(out, "**Refresh only.** Nothing would be changed.\n")?;
        if let Some(unread) = plan.left_out_line() {
            writeln!(out, "> **Warning:** {}\n", escape(&unread))?;
        }
    } else {
        writeln!(out, "**{}**\n", plan.summary_line())?;
        if let Some(records) = plan.records_line() {
            writeln!(out, "{}\n", escape(&records))?;
        }
    }
    if let Some(total) = words::total_cost(plan)
        && plan.has_changes()
        && total.abs() >= 0.005
    {
        writeln!(
            out,
            "Cost: **{total:+.2} USD** a month at the capacity of now.\n"
        )?;
    }
    if let Some(lost) = words::lost(plan) {
        writeln!(out, "> **Warning:** {}\n", escape(&lost))?;
    }
    for group in plan.groups.iter().filter(|g| g.action == Action::Destroy) {
        writeln!(
            out,
            "> **Warning:** {} {}\n",
            escape(&group.address.to_string()),
            escape(&words::action(group))
        )?;
    }
    let errors = plan.groups.iter().filter_map(|group| {
        let failure = group.failure.as_ref()?;
        Some((&group.address, group.failure_code.as_ref()?, failure))
    });
    for (address, code, failure) in errors.take(ERRORS) {
        writeln!(
            out,
            "> **Error {code}:** {}: {}\n",
            escape(&address.to_string()),
            escape(failure)
        )?;
    }
    for verdict in plan.verdicts.iter().filter(|verdict| verdict.stops()) {
        writeln!(out, "> **Stopped:** {}\n", escape(&verdict.sentence()))?;
    }
    for note in &plan.notes {
        writeln!(out, "{}\n", escape(note))?;
    }
    write_drift(out, plan)?;
    if !plan.provider_changes.is_empty() {
        writeln!(
            out,
            "#### Providers\n\n| | Value | Before | After | Why |\n|---|---|---|---|---|"
        )?;
        for change in &plan.provider_changes {
            write_change(out, change)?;
        }
        writeln!(out)?;
    }
    let shown: Vec<&GroupPlan> = plan
        .groups
        .iter()
        .filter(|group| group.has_work() || group.failure.is_some())
        .collect();
    if shown.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "| | Group | What happens | USD a month at the capacity of now |\n|---|---|---|---|"
    )?;
    for (i, group) in shown.iter().enumerate() {
        if out.len() > LONGEST / 2 {
            writeln!(out, "| | | and {} more groups | |", shown.len() - i)?;
            break;
        }
        let cost = group.cost.as_ref().and_then(|cost| cost.difference());
        writeln!(
            out,
            "| `{}` | `{}` | {} | {} |",
            words::sign(group),
            code(&group.address.to_string()),
            cell(&words::action(group)),
            cost.map_or_else(String::new, |usd| format!("{usd:+.2}")),
        )?;
    }
    writeln!(out)?;
    write_backtests(out, plan, &shown)?;
    for (i, group) in shown.iter().enumerate() {
        let mut part = String::new();
        write_group(&mut part, group)?;
        if out.len() + part.len() > LONGEST {
            let left = shown.len() - i;
            return writeln!(out, "_{left} more groups change; see the plan's output._");
        }
        out.push_str(&part);
    }
    Ok(())
}

/// Not folded: it is what a review asks first.
fn write_backtests(out: &mut String, plan: &Plan, groups: &[&GroupPlan]) -> std::fmt::Result {
    let tested = groups
        .iter()
        .filter_map(|group| Some((*group, group.backtest.as_ref()?)));
    let tested: Vec<_> = tested.collect();
    if tested.is_empty() {
        return Ok(());
    }
    writeln!(out, "#### On the recorded load\n")?;
    let (mut lines, mut has_head) = (Vec::new(), false);
    for (i, (group, found)) in tested.iter().enumerate() {
        if out.len() > LONGEST * 2 / 3 {
            lines.push(format!("and {} more groups", tested.len() - i));
            break;
        }
        let name = format!("`{}`", code(&group.address.to_string()));
        match found {
            Backtest::Missing { why_not } => {
                lines.push(format!("{name}: no backtest: {}", escape(why_not)));
                continue;
            }
            Backtest::Played(played) if backtest::is_one_line(plan, group, played) => {
                let load = escape(&backtest::load(&played.load));
                lines.push(format!("{name}: no difference; {load}"));
                continue;
            }
            Backtest::Played(played) => {
                let load = escape(&backtest::load(&played.load));
                let notes: Vec<String> = played.notes.iter().map(|note| escape(note)).collect();
                lines.push([vec![format!("{name}: {load}")], notes].concat().join("; "));
            }
        }
        if !has_head {
            has_head = true;
            writeln!(out, "| Group | | {} |", backtest::HEAD.join(" | "))?;
            writeln!(out, "|---|---|{}", "--:|".repeat(backtest::HEAD.len()))?;
        }
        for (whose, cells) in found.played().into_iter().flat_map(backtest::rows) {
            writeln!(out, "| {name} | {whose} | {} |", cells.join(" | "))?;
        }
    }
    if has_head {
        writeln!(out)?;
    }
    for line in lines {
        writeln!(out, "- {line}")?;
    }
    writeln!(out)
}

fn write_drift(out: &mut String, plan: &Plan) -> std::fmt::Result {
    if !plan.has_drift() {
        return Ok(());
    }
    writeln!(out, "#### Changed outside tideform\n")?;
    writeln!(out, "| Group | Value | What |\n|---|---|---|")?;
    for group in &plan.groups {
        for drift in &group.drift {
            if out.len() > LONGEST / 4 {
                return writeln!(out, "| | | and more |\n");
            }
            writeln!(
                out,
                "| `{}` | `{}` | {} |",
                code(&group.address.to_string()),
                code(&drift.path),
                cell(&words::drift(drift))
            )?;
        }
    }
    writeln!(out)
}

fn write_group(out: &mut String, group: &GroupPlan) -> std::fmt::Result {
    if group.failure.is_some() && group.changes.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<details><summary><code>{}</code> {}</summary>\n",
        html(&group.address.to_string()),
        html(&words::action(group))
    )?;
    if !group.changes.is_empty() {
        writeln!(
            out,
            "| | Value | Before | After | Why |\n|---|---|---|---|---|"
        )?;
        for change in &group.changes {
            write_change(out, change)?;
        }
        writeln!(out)?;
    }
    for control in &group.unmanaged {
        writeln!(
            out,
            "- `#` `{}`: {}; not managed, left alone",
            code(&control.name),
            escape(&control.summary)
        )?;
    }
    if let Some(decision) = &group.decision {
        writeln!(
            out,
            "\n**Next decision:** {}\n",
            escape(&words::decision(decision))
        )?;
        for line in words::reasons(decision) {
            writeln!(out, "- {}: {}", escape(&line.subject), escape(&line.text))?;
        }
        if !decision.otherwise.is_empty() {
            writeln!(out, "\n**For another answer**\n")?;
            for line in &decision.otherwise {
                writeln!(out, "- {}: {}", escape(&line.subject), escape(&line.text))?;
            }
        }
    }
    if !group.calendar.is_empty() {
        writeln!(out, "\n**The coming week**\n")?;
        for line in words::calendar(&group.calendar) {
            writeln!(out, "- {}", escape(&line))?;
        }
    }
    if let Some(cost) = group.cost.as_ref().and_then(words::cost) {
        writeln!(out, "\n**Cost:** {}", escape(&cost))?;
    }
    writeln!(out, "\n</details>\n")
}

fn write_change(out: &mut String, change: &PlannedChange) -> std::fmt::Result {
    let place = change
        .source
        .as_ref()
        .map(|place| format!("`{}`", code(&place.to_string())));
    let why: Vec<String> = change
        .reason
        .iter()
        .map(|reason| cell(reason))
        .chain(place)
        .collect();
    let value = |value: &serde_json::Value| {
        if value.is_null() {
            String::new()
        } else {
            format!("`{}`", code(&words::value(value)))
        }
    };
    writeln!(
        out,
        "| `{}` | `{}` | {} | {} | {} |",
        change.action.sign(),
        code(&change.path),
        value(&change.before),
        value(&change.after),
        why.join(", ")
    )
}

/// Text between backquotes inside a table.
fn code(text: &str) -> String {
    text.replace('`', "'")
        .replace('|', "\\|")
        .replace('\n', " ")
}

/// Text of a paragraph or a list.
fn escape(text: &str) -> String {
    escaped(text, false)
}

/// Text inside a table, where a bar ends the cell also between backquotes.
fn cell(text: &str) -> String {
    escaped(text, true)
}

/// Text that means itself. What it has between backquotes stays as it is: Markdown decodes nothing there. A backquote
/// without its other is a character.
fn escaped(text: &str, is_cell: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '`' {
            let after = rest.trim_start_matches('`');
            let (run, _) = rest.split_at(rest.len() - after.len());
            match closing(after, run.len()) {
                Some(end) => {
                    let (inside, after) = after.split_at(end);
                    let inside = inside.replace('\n', " ");
                    let inside = if is_cell {
                        inside.replace('|', "\\|")
                    } else {
                        inside
                    };
                    out.push_str(&format!("{run}{inside}{run}"));
                    rest = after.get(run.len()..).unwrap_or_default();
                }
                None => {
                    out.push_str(&run.replace('`', "\\`"));
                    rest = after;
                }
            }
            continue;
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '\\' | '*' | '[' | ']' | '|' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' => out.push(' '),
            // People and teams are not notified by what a cloud or a file says.
            '@' => out.push_str("@\u{200b}"),
            c => out.push(c),
        }
    }
    out
}

/// Where the next run of exactly so many backquotes begins.
fn closing(text: &str, count: usize) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let start = rest.find('`')?;
        let (_, rest) = rest.split_at(start);
        let length = rest.len() - rest.trim_start_matches('`').len();
        if length == count {
            return Some(from + start);
        }
        from += start + length;
    }
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('@', "@\u{200b}")
        .replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::{cell, escape};

    #[test]
    fn what_stands_between_backquotes_is_not_escaped_and_the_rest_is() {
        for (text, expected) in [
            (
                "`cost > +5%` holds: 1 -> 2.",
                "`cost > +5%` holds: 1 -&gt; 2.",
            ),
            ("`a * <b> & @c\n| d` @e", "`a * <b> & @c | d` @\u{200b}e"),
            ("``a ` < b`` <", "``a ` < b`` &lt;"),
            // Without its other it opens nothing, here or further on.
            ("it's ` < 5", "it's \\` &lt; 5"),
            ("``a` <b>", "\\`\\`a\\` &lt;b&gt;"),
            ("a \\` <b> `c>`", "a \\\\` <b> `c&gt;\\`"),
        ] {
            assert_eq!(escape(text), expected, "{text}");
        }
        assert_eq!(cell("`a | <b>` | c"), "`a \\| <b>` \\| c");
    }
}
