//! Gates: how they are written, and what they say of numbers.

use super::*;
use crate::backtest::{Backtest, Case, play};
use crate::history::Load;
use crate::plan::fixtures::plain;
use tideform_policies::model::{Capacity, InstanceModel, Limits};

fn gate(text: &str) -> Gate {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn bounds_are_about_the_change_where_they_have_a_sign() {
    for (text, bound) in [
        ("cost > 500", Bound::Planned(500.0)),
        ("cost>+50", Bound::Change(50.0)),
        ("cost >= +10%", Bound::ChangePercent(10.0)),
        ("hours < -5 %", Bound::ChangePercent(-5.0)),
        ("slo < 99.9", Bound::Planned(99.9)),
        ("slo < 99.9%", Bound::Planned(99.9)),
        ("slo < -0.1%", Bound::Change(-0.1)),
        ("short > +5m", Bound::Change(5.0)),
        ("short > 1h30m", Bound::Planned(90.0)),
        ("short > 12", Bound::Planned(12.0)),
        ("actions > 20", Bound::Planned(20.0)),
        ("flapping > +0", Bound::Change(0.0)),
        ("regret <= 1.5", Bound::Planned(1.5)),
    ] {
        assert_eq!(gate(text).bound, bound, "{text}");
    }
}

#[test]
fn what_is_no_gate_says_what_would_be_one() {
    for (text, part) in [
        ("cost", "no operator"),
        (
            "price > 5",
            "`cost`, `hours`, `slo`, `short`, `actions`, `flapping`, `regret`",
        ),
        ("cost = 5", "none of the operators `>`, `>=`, `<`, `<=`"),
        ("cost => 5", "none of the operators"),
        ("cost > much", "`much` is no number"),
        ("cost > 10%", "`+10%` is the change from now"),
        ("cost > inf", "no number"),
        ("cost > +-5", "no number"),
        ("cost > 5m", "`5m` is a time"),
        ("slo < ", "no number"),
    ] {
        let error = text.parse::<Gate>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

/// A plan's group whose backtest says 146 USD now and 292 planned; see the backtest's own tests.
fn played() -> GroupPlan {
    let fixed = |n: u32| {
        let mut group = plain("web");
        group.policy.limits = Limits::new(Capacity(n), Capacity(n));
        group.policy.instance = Some(InstanceModel {
            throughput: Some(100.0),
            ..InstanceModel::default()
        });
        group
    };
    let price = crate::simulate::Prices {
        on_demand: 0.1,
        spot: 0.1,
    };
    let case = Case {
        address: GroupAddress::new("web"),
        recorded_as: GroupAddress::new("web"),
        was: Some(fixed(2)),
        now: Some(fixed(2)),
        now_desired: None,
        planned: fixed(4),
        is_there: true,
        live_limits: None,
        live_mix: None,
        prices_now: Some(price),
        prices_planned: Some(price),
        notes: Vec::new(),
    };
    let trace = crate::simulate::trace::Trace::new(
        jiff::Timestamp::UNIX_EPOCH,
        std::time::Duration::from_secs(60),
        vec![150.0; 120],
    );
    let load = Load::given(trace.unwrap(), "a test");
    GroupPlan {
        backtest: Some(Backtest::from(play(&case, &load))),
        ..empty()
    }
}

fn empty() -> GroupPlan {
    let group = plain("web");
    let plan = serde_json::json!({
        "address": group.address,
        "provider": group.provider,
        "resource": group.resource,
        "action": "update",
        "changes": [], "drift": [], "unmanaged": [], "calendar": [], "steps": [], "record": "keep",
    });
    serde_json::from_value(plan).unwrap()
}

#[test]
fn a_gate_stops_where_it_holds_and_says_the_numbers() {
    let group = played();
    for (text, outcome, said) in [
        (
            "cost > +10%",
            Outcome::Stopped,
            "146.00 -> 292.00 USD a month (+100.0 %)",
        ),
        (
            "cost > +100%",
            Outcome::Passed,
            "146.00 -> 292.00 USD a month (+100.0 %)",
        ),
        (
            "cost >= +100%",
            Outcome::Stopped,
            "146.00 -> 292.00 USD a month (+100.0 %)",
        ),
        (
            "cost > +150",
            Outcome::Passed,
            "146.00 -> 292.00 USD a month (+146.00)",
        ),
        ("cost > 290", Outcome::Stopped, "292.00 USD a month planned"),
        (
            "slo < 99.9",
            Outcome::Passed,
            "100.000 % of minutes within the SLO planned",
        ),
        (
            "short > +5m",
            Outcome::Passed,
            "0.00 -> 0.00 short minutes (+0.00)",
        ),
        (
            "short > +5%",
            Outcome::Passed,
            "0.00 -> 0.00 short minutes (+0.0 %)",
        ),
        (
            "actions > +5%",
            Outcome::Stopped,
            "0.00 -> 12.00 actions a day",
        ),
        (
            "regret > 1.5",
            Outcome::Stopped,
            "2.000 times the optimum planned",
        ),
    ] {
        let verdict = gate(text).judge(&group);
        assert_eq!((verdict.outcome, &*verdict.text), (outcome, said), "{text}");
    }
}

#[test]
fn what_cannot_be_judged_stops_the_plan_and_cost_falls_back_on_the_plan() {
    let missing = GroupPlan {
        backtest: Some(Backtest::Missing {
            why_not: "no".to_owned(),
        }),
        cost: Some(CostChange {
            before_usd_per_month: Some(100.0),
            after_usd_per_month: Some(120.0),
            ..CostChange::default()
        }),
        ..empty()
    };
    let verdict = gate("slo < 50").judge(&missing);
    assert_eq!(verdict.outcome, Outcome::NotJudged);
    assert!(verdict.stops());
    assert_eq!(
        verdict.sentence(),
        "`slo < 50` cannot be judged for group.web: it has no backtest: no."
    );
    let verdict = gate("cost > +10%").judge(&missing);
    assert_eq!(
        verdict.sentence(),
        "`cost > +10%` holds for group.web: 100.00 -> 120.00 USD a month (+20.0 %)."
    );
    assert_eq!(gate("cost > +20%").judge(&missing).outcome, Outcome::Passed);
    let unpriced = GroupPlan {
        cost: None,
        ..missing
    };
    assert_eq!(
        gate("cost > 1").judge(&unpriced).outcome,
        Outcome::NotJudged
    );
}
