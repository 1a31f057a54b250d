//! The whole of it on files in memory: what is searched, that threads change nothing, and that what is proposed means what
//! was found.

use std::collections::BTreeMap;
use std::time::Duration;

use tideform_policies::decode;
use tideform_policies::diagnostic::Diagnostics;
use tideform_policies::format::format;
use tideform_policies::load::load_text;
use tideform_policies::model::{Configuration, Group, GroupAddress};

use super::propose::{Proposal, ProposeError, Wanted, Way, propose};
use super::settings::{Range, Setting, Unit, known};
use super::*;
use crate::simulate::Given;

const FILE: &str = r#"# two shops
provider "mock" {}

variable "spare" {
  type    = number
  default = 600
}

policy "shop" {
  # the one number that everybody asks about
  metric "cpu" {
    track { target = 35 } # low
  }
  scale_in {
    cooldown      = "20m"
    stabilization = "${var.spare}s"
  }
}

group "web" {
  provider = provider.mock
  use      = [policy.shop]
  resource "asg" { name = "web" }
  metric "requests" {
    step {
      above = 300
      add   = 1
    }
    step {
      above = 100
      add   = 0
    }
  }
  limits {
    min = 2
    max = 30
  }
  schedule "noon" {
    cron     = "0 12 * * *"
    duration = "1h"
    min      = 4
  }
  mix { spot = "50%" }
  instance {
    boot               = "60s"
    throughput         = 10
    price_usd_per_hour = 0.1
  }
  slo { utilization = 80 }
}

group "api" {
  provider = provider.mock
  use      = [policy.shop]
  resource "asg" { name = "api" }
  limits {
    min = 2
    max = 30
  }
}
"#;

fn read(text: &str) -> (Configuration, Diagnostics) {
    let loaded = load_text("shops.hcl", text);
    decode::configuration(
        loaded.tree,
        loaded.sources,
        loaded.digest,
        loaded.diagnostics,
    )
}

fn files() -> Configuration {
    let (files, problems) = read(FILE);
    assert!(!problems.has_errors(), "{problems:?}");
    files
}

fn address(name: &str) -> GroupAddress {
    GroupAddress::parse(name).unwrap()
}

fn group<'f>(files: &'f Configuration, name: &str) -> &'f Group {
    &files.groups[&address(name)]
}

/// All settings of a group, with the range that each has by itself.
fn all(files: &Configuration, name: &str) -> Vec<settings::Known> {
    let rules = Rules::new(group(files, name));
    known(
        &rules,
        &files.origins(&address(name)),
        &files.sources,
        false,
    )
}

fn setting(files: &Configuration, path: &str, from: f64, to: f64) -> Setting {
    let known = all(files, "web")
        .into_iter()
        .find(|known| known.path == path);
    let range = Range {
        from,
        to,
        step: None,
    };
    Setting::new(known.unwrap_or_else(|| panic!("no {path}")), range).unwrap()
}

#[test]
fn what_the_files_set_is_searched_and_the_rest_only_where_it_is_asked_for() {
    let files = files();
    let all = all(&files, "web");
    let offered = |path: &str| {
        let known = all.iter().find(|known| known.path == path);
        known.unwrap_or_else(|| panic!("no {path}")).range
    };
    for (path, is_offered) in [
        ("metric.cpu.track.target", true),
        ("metric.requests.step[0].above", true),
        ("metric.requests.step[1].above", true),
        // A default.
        ("scale_out.cooldown", false),
        ("scale_in.cooldown", true),
        // Computed, but in a policy: the group can override it.
        ("scale_in.stabilization", true),
        ("limits.min", true),
        ("schedule.noon.min", true),
        // No spot instance is taken back.
        ("mix.spot", false),
    ] {
        assert_eq!(offered(path).is_some(), is_offered, "{path}");
    }
    assert_eq!(
        offered("limits.min").unwrap().from,
        2.0,
        "a floor is not lowered"
    );
    let target = setting(&files, "metric.cpu.track.target", 30.5, 32.0);
    assert_eq!(
        target.points.last(),
        Some(&35.0),
        "the value of now is among them"
    );
    assert_eq!(target.value(target.now()), 35.0);
}

#[test]
fn values_that_contradict_each_other_are_no_candidates() {
    let files = files();
    let low = setting(&files, "metric.requests.step[1].above", 50.0, 500.0);
    let noon = setting(&files, "schedule.noon.min", 0.0, 60.0);
    let policy = &group(&files, "web").policy;
    for (setting, value, is_right) in [
        (&low, 250.0, true),
        (&low, 300.0, false),
        (&low, 400.0, false),
        (&noon, 30.0, true),
        (&noon, 31.0, false),
    ] {
        let mut policy = policy.clone();
        let ok = settings::apply([(setting, value)], &mut policy);
        assert_eq!(ok, is_right, "{} = {value}", setting.known.path);
    }
}

fn proposal(files: &Configuration, changes: &[(&str, f64)]) -> Result<Proposal, ProposeError> {
    let settings: Vec<Setting> = changes
        .iter()
        .map(|(path, value)| setting(files, path, *value, *value))
        .collect();
    let mut expected = group(files, "web").policy.clone();
    let values = changes.iter().map(|(_, value)| *value);
    assert!(settings::apply(settings.iter().zip(values), &mut expected));
    let wanted: Vec<Wanted<'_>> = settings
        .iter()
        .zip(changes)
        .map(|(setting, (_, value))| Wanted {
            setting: &setting.known,
            after: setting.known.unit.written(*value),
        })
        .collect();
    let read = |texts: &BTreeMap<String, String>| {
        read(texts.get("shops.hcl").map_or(FILE, String::as_str))
    };
    propose(files, &address("web"), &wanted, &expected, &read)
}

#[test]
fn what_is_proposed_reads_back_as_what_was_found_and_fmt_leaves_it_alone() {
    let files = files();
    assert_eq!(format(FILE).unwrap(), FILE, "the file is canonical before");
    let changes = [
        ("metric.cpu.track.target", 62.5),
        ("metric.requests.step[0].above", 280.0),
        ("metric.requests.step[1].above", 120.0),
        ("scale_out.cooldown", 90.0),
        ("scale_in.cooldown", 420.0),
        ("scale_in.stabilization", 300.0),
        ("limits.min", 3.0),
        ("schedule.noon.min", 6.0),
        ("mix.spot", 70.0),
    ];
    let proposal = proposal(&files, &changes).unwrap();
    let (_, after) = &proposal.files["shops.hcl"];
    assert_eq!(&format(after).unwrap(), after);
    for part in [
        "# two shops\n",
        "    track { target = 35 } # low\n",
        "stabilization = \"${var.spare}s\"",
        "      above = 280\n",
        "  mix { spot = \"70%\" }\n",
        "    min      = 6\n",
        "      target = 62.5\n",
        "  scale_out {\n    cooldown = \"1m30s\"\n  }\n",
        "    cooldown      = \"7m\"\n",
        "    stabilization = \"5m\"\n",
    ] {
        assert!(after.contains(part), "no {part:?} in\n{after}");
    }
    let way = |path: &str| {
        proposal
            .edits
            .iter()
            .find(|edit| edit.path == path)
            .unwrap()
            .way
    };
    assert_eq!(
        way("metric.cpu.track.target"),
        Way::Overridden,
        "the policy is shared"
    );
    assert_eq!(
        way("scale_in.stabilization"),
        Way::Overridden,
        "it is computed"
    );
    assert_eq!(way("scale_out.cooldown"), Way::Added);
    assert_eq!(way("limits.min"), Way::Replaced);
    assert_eq!(proposal.edits[0].place, "policy.shop, shops.hcl:12:22");
    assert_eq!(proposal.also, [], "the other group stays as it is");
}

#[test]
fn what_cannot_be_said_in_the_files_is_not_proposed() {
    // The end of the lower step stands in the file, too: moving the bound alone would mean something else.
    let text = FILE.replace(
        "      above = 100\n",
        "      above = 100\n      to    = 300\n",
    );
    let (files, problems) = read(&text);
    assert!(!problems.has_errors(), "{problems:?}");
    let setting = setting(&files, "metric.requests.step[0].above", 310.0, 310.0);
    let wanted = [Wanted {
        setting: &setting.known,
        after: "310".to_owned(),
    }];
    let mut expected = group(&files, "web").policy.clone();
    assert!(settings::apply([(&setting, 310.0)], &mut expected));
    let reread = |texts: &BTreeMap<String, String>| read(&texts["shops.hcl"]);
    let proposed = propose(&files, &address("web"), &wanted, &expected, &reread);
    assert_eq!(proposed, Err(ProposeError::OtherMeaning));
}

/// Three days of quarters of an hour, with a day's wave.
fn trace() -> Trace {
    let load = |n: u32| {
        let hour = f64::from(n % 96) / 4.0;
        60.0 - 40.0 * (hour / 24.0 * std::f64::consts::TAU).cos()
    };
    Trace::new(
        "2026-01-05T00:00:00Z".parse().unwrap(),
        Duration::from_secs(900),
        (0..288).map(load).collect(),
    )
    .unwrap()
}

#[test]
fn the_same_seed_gives_the_same_answer_in_any_number_of_threads() {
    let files = files();
    let trace = trace();
    let given = Given::default();
    let scenario = Scenario::new(group(&files, "web"), &trace, &given).unwrap();
    let settings = [
        setting(&files, "metric.cpu.track.target", 30.0, 80.0),
        setting(&files, "scale_in.cooldown", 0.0, 1_200.0),
        setting(&files, "limits.min", 2.0, 12.0),
    ];
    let split = split(&trace).unwrap();
    let tuning = |seed, jobs| Tuning {
        budget: 24,
        seed,
        jobs,
        penalty: 10.0,
    };
    let one = tune(&scenario, &split, &settings, &tuning(3, 1), &|| {});
    let two = tune(&scenario, &split, &settings, &tuning(3, 2), &|| {});
    assert_eq!(one, two);
    assert_eq!(one.candidates, 24);
    assert_eq!(one.verdict, Verdict::Better, "a target of 35 is wasteful");
    assert!(one.best.held_out.objective_usd < one.now.held_out.objective_usd);
    let tuned = tuned_policy(&one, &settings, &group(&files, "web").policy);
    assert_ne!(tuned, group(&files, "web").policy);
    let is_best = |candidate: &Candidate| candidate.came == one.best;
    assert_eq!(one.front.iter().filter(|one| is_best(one)).count(), 1);
    for pair in one.front.windows(2) {
        let (a, b) = (pair[0].came.train, pair[1].came.train);
        assert!(a.cost_usd < b.cost_usd && a.missing_unit_hours > b.missing_unit_hours);
    }
}

#[test]
fn the_recommended_candidate_is_in_the_front_in_the_place_of_what_is_hardly_better() {
    let tried = |place: u32, cost: f64, missing: f64| search::Tried {
        point: vec![place],
        score: Some(Score {
            cost,
            missing,
            attainment: 100.0,
        }),
    };
    let front = |best: Option<(f64, f64)>| -> Vec<u32> {
        let mut points: Vec<_> = (0..21)
            .map(|n| tried(n, 100.0 + f64::from(n), 20.0 - f64::from(n)))
            .collect();
        points.extend(best.map(|(cost, missing)| tried(99, cost, missing)));
        let found = Found {
            tried: points,
            is_whole: false,
        };
        shown(&found, &[99], 1.0)
            .iter()
            .map(|point| point[0])
            .collect()
    };
    let without = [0, 2, 4, 6, 8, 11, 13, 15, 17, 20];
    for (name, best, expected) in [
        ("none", None, without),
        // It is better than the sixth in both ways.
        (
            "better",
            Some((105.9, 14.0)),
            [0, 2, 4, 99, 8, 11, 13, 15, 17, 20],
        ),
        // It is a little worse than the sixth, and keeps more as it is.
        (
            "simpler",
            Some((106.1, 14.0)),
            [0, 2, 4, 99, 8, 11, 13, 15, 17, 20],
        ),
    ] {
        assert_eq!(front(best), expected, "{name}");
    }
}

#[test]
fn what_is_not_confirmed_names_what_speaks_against_it() {
    let came = |objective_usd, slo_attainment_percent| Came {
        cost_usd: 1.0,
        missing_unit_hours: 0.0,
        slo_attainment_percent,
        moves_per_day: 0.0,
        objective_usd,
    };
    let files = files();
    let trace = trace();
    let scenario = Scenario::new(group(&files, "web"), &trace, &Given::default()).unwrap();
    let tuning = Tuning {
        budget: 1,
        seed: 1,
        jobs: 1,
        penalty: 10.0,
    };
    let mut tuned = tune(&scenario, &split(&trace).unwrap(), &[], &tuning, &|| {});
    tuned.verdict = Verdict::NotConfirmed;
    tuned.now.held_out = came(119.93, 100.0);
    for (best, part) in [
        (
            came(109.21, 99.688),
            "misses the SLO: 99.688 % of minutes within it, where slo.objective is 99.9 % and the policy as it is keeps 100.000 %",
        ),
        (
            came(120.0, 100.0),
            "does not beat the policy as it is (120.00 against 119.93 USD",
        ),
    ] {
        tuned.best.held_out = best;
        let said = render::verdict(&tuned);
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn units_are_written_as_the_files_write_them() {
    for (unit, value, text) in [
        (Unit::Number, 62.5, "62.5"),
        (Unit::Number, 60.0, "60"),
        (Unit::Seconds, 90.0, "\"1m30s\""),
        (Unit::Seconds, 0.0, "\"0s\""),
        (Unit::Count, 4.0, "4"),
        (Unit::Percent, 70.0, "\"70%\""),
    ] {
        assert_eq!(unit.written(value), text);
    }
}
