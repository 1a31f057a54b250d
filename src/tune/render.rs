//! What a search came to, for people. Strings; the command prints them.

use super::propose::{Proposal, Way};
use super::{Both, Came, Candidate, Part, Tuned, Verdict};

/// The first line of all, with the group.
pub fn heading(tuned: &Tuned) -> String {
    let part = |part: &Part| {
        let time = "%Y-%m-%d %H:%MZ";
        format!(
            "{} to {}",
            part.start.strftime(time),
            part.end.strftime(time)
        )
    };
    let whole = if tuned.is_whole { "all " } else { "" };
    format!(
        "{}   {whole}{} candidates, seed {}\n  searched  {}\n  held out  {}\n",
        tuned.group,
        tuned.candidates,
        tuned.seed,
        part(&tuned.train),
        part(&tuned.held_out),
    )
}

/// What was searched, and now against the best in both parts.
pub fn tables(tuned: &Tuned) -> String {
    let mut text = String::new();
    let longest = |of: fn(&super::Searched) -> usize| tuned.settings.iter().map(of).max();
    let path = longest(|setting| setting.path.len()).unwrap_or(0).max(7);
    let now = longest(|setting| setting.now.len()).unwrap_or(0).max(3);
    let best = longest(|setting| setting.best.len()).unwrap_or(0).max(4);
    text += &format!(
        "  {:path$}  {:>now$}  {:>best$}  tried\n",
        "setting", "now", "best"
    );
    for setting in &tuned.settings {
        text += &format!(
            "  {:path$}  {:>now$}  {:>best$}  {} to {}\n",
            setting.path, setting.now, setting.best, setting.from, setting.to,
        );
    }
    text += &format!(
        "\n  {:<28}{:>12}{:>12}{:>13}{:>12}\n  {:<28}{:>12}{:>12}{:>13}{:>12}\n",
        "", "searched", "", "held out", "", "", "now", "best", "now", "best"
    );
    type Value = fn(&Came) -> f64;
    let rows: [(String, Value, usize); 5] = [
        ("cost, USD".to_owned(), |came| came.cost_usd, 2),
        (
            "missing, unit-hours".to_owned(),
            |came| came.missing_unit_hours,
            2,
        ),
        (
            "minutes within the SLO, %".to_owned(),
            |came| came.slo_attainment_percent,
            3,
        ),
        ("changes a day".to_owned(), |came| came.moves_per_day, 1),
        (
            format!("cost + {} x missing, USD", tuned.penalty),
            |came| came.objective_usd,
            2,
        ),
    ];
    for (name, value, digits) in rows {
        text += &format!("  {name:<28}");
        let both = |both: &Both| [value(&both.train), value(&both.held_out)];
        let ([now_train, now_held], [best_train, best_held]) =
            (both(&tuned.now), both(&tuned.best));
        text += &format!(
            "{now_train:>12.digits$}{best_train:>12.digits$}{now_held:>13.digits$}{best_held:>12.digits$}\n"
        );
    }
    text
}

/// The front: what less cost takes, and what less shortage costs.
pub fn front(tuned: &Tuned) -> String {
    let mut text =
        "  cost against shortage, of the candidates that none is better than in both\n".to_owned();
    text += &format!(
        "  {:>10}{:>10}   {:>10}{:>10}\n",
        "searched", "", "held out", ""
    );
    text += &format!(
        "  {:>10}{:>10}   {:>10}{:>10}\n",
        "USD", "missing", "USD", "missing"
    );
    let is_best = |candidate: &Candidate| {
        let mut settings = tuned.settings.iter();
        settings.all(|setting| candidate.settings.get(&setting.path) == Some(&setting.best))
    };
    for candidate in &tuned.front {
        let Both { train, held_out } = &candidate.came;
        let values: Vec<&str> = candidate.settings.values().map(String::as_str).collect();
        text += &format!(
            "  {:>10.2}{:>10.2}   {:>10.2}{:>10.2}   {}{}\n",
            train.cost_usd,
            train.missing_unit_hours,
            held_out.cost_usd,
            held_out.missing_unit_hours,
            values.join(" "),
            if is_best(candidate) { "   <- best" } else { "" },
        );
    }
    let paths = tuned.front.first().map(|first| &first.settings);
    let paths: Vec<&str> = paths
        .into_iter()
        .flat_map(|settings| settings.keys().map(String::as_str))
        .collect();
    text + &format!("  values: {}\n", paths.join(" "))
}

/// What is recommended, in a sentence.
pub fn verdict(tuned: &Tuned) -> String {
    let percent = |now: f64, best: f64| {
        if now > 0.0 {
            format!("{:+.1} %", 100.0 * (best - now) / now)
        } else {
            "from nothing".to_owned()
        }
    };
    let (now, best) = (&tuned.now.held_out, &tuned.best.held_out);
    match tuned.verdict {
        Verdict::Better => format!(
            "In the time that the search has not seen: cost {}, missing {:.2} to {:.2} unit-hours.\n",
            percent(now.cost_usd, best.cost_usd),
            now.missing_unit_hours,
            best.missing_unit_hours,
        ),
        Verdict::NothingBetter => {
            "Nothing is proposed: no candidate was worth a change of the policy as it is.\n"
                .to_owned()
        }
        Verdict::NotConfirmed if best.objective_usd < now.objective_usd => format!(
            "Nothing is proposed: in the time that the search has not seen, the best candidate misses the SLO: {:.3} % of minutes \
             within it, where slo.objective is {} % and the policy as it is keeps {:.3} %. Cost and shortage alone would speak for \
             it ({:.2} against {:.2} USD).\n",
            best.slo_attainment_percent,
            tuned.slo_objective_percent,
            now.slo_attainment_percent,
            best.objective_usd,
            now.objective_usd,
        ),
        Verdict::NotConfirmed => format!(
            "Nothing is proposed: in the time that the search has not seen, the best candidate does not beat the policy as it is \
             ({:.2} against {:.2} USD, {:.3} against {:.3} % of minutes within the SLO).\n",
            best.objective_usd,
            now.objective_usd,
            best.slo_attainment_percent,
            now.slo_attainment_percent,
        ),
    }
}

/// Where and how the files change.
pub fn edits(proposal: &Proposal) -> String {
    let mut text = String::new();
    for edit in &proposal.edits {
        let before = edit.before.as_deref().unwrap_or("default");
        let how = match edit.way {
            Way::Replaced => "",
            Way::ReplacedExpression => ": the value replaces the expression",
            Way::Overridden => ": stays there, the group overrides it",
            Way::Added => ": the group sets it",
        };
        text += &format!(
            "  {}  {before} -> {}  ({}{how})\n",
            edit.path, edit.after, edit.place
        );
    }
    if !proposal.also.is_empty() {
        let names: Vec<String> = proposal.also.iter().map(ToString::to_string).collect();
        text += &format!("  This also changes {}.\n", names.join(", "));
    }
    text
}

/// What a reader should know.
pub fn notes(tuned: &Tuned) -> String {
    tuned
        .notes
        .iter()
        .map(|note| format!("note: {note}\n"))
        .collect()
}
