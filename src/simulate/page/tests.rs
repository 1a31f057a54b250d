//! What a page promises: the record is the run, nothing is lost, texts stay texts, the same bytes.

use std::time::Duration;

use proptest::prelude::*;
use tideform_policies::load::LoadInput;
use tideform_policies::model::Group;

use super::*;
use crate::simulate::{Given, Prices, play, play_beside_optimum};

const FILES: &str = r#"
provider "mock" {}
group "web" {
  provider = provider.mock
  resource "asg" { name = "web" }
  metric "cpu" {
    track { target = 60 }
  }
  limits {
    min = 2
    max = 20
  }
  instance {
    boot       = "90s"
    throughput = 10
  }
  schedule "office" {
    cron     = "0 8 * * *"
    timezone = "UTC"
    duration = "4h"
    min      = 4
  }
  freeze "launch" {
    start  = "2026-01-05T20:00:00Z"
    end    = "2026-01-05T22:00:00Z"
    blocks = "scale_in"
    reason = "launch"
  }
  slo { utilization = 80 }
}
"#;

fn group() -> Group {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("web.hcl"), FILES).expect("a file");
    let (configuration, diagnostics) = tideform_policies::read(&LoadInput {
        directory: directory.path().to_owned(),
        environment: Vec::new(),
        arguments: Vec::new(),
    });
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    let mut groups = configuration.groups.into_values();
    groups.next().expect("a group")
}

/// A day of minutes: low, a plateau, one burst.
fn trace() -> Trace {
    let load = |minute: i32| match minute {
        700..712 => 130.0,
        480..1_000 => 60.0 + f64::from(minute % 7),
        _ => 15.0,
    };
    let start = "2026-01-05T00:00:00Z".parse().expect("a time");
    let values = (0..1_440).map(load).collect();
    Trace::new(start, Duration::from_secs(60), values).expect("a trace")
}

struct Made {
    scenario: Scenario,
    trace: Trace,
    report: Report,
    record: Record,
}

fn made(group: &Group) -> Made {
    let trace = trace();
    let given = Given {
        prices: Some(Prices {
            on_demand: 0.1,
            spot: 0.03,
        }),
        ..Given::default()
    };
    let scenario = Scenario::new(group, &trace, &given).expect("a scenario");
    let recorder = Recorder::new(1_440 * 60_000);
    let (report, recorder, paths) =
        play_beside_optimum(&scenario, &trace, recorder).expect("an optimum");
    let record = recorder.finish(shown_path(&paths), 1);
    Made {
        scenario,
        trace,
        report,
        record,
    }
}

fn page(made: &Made, origin: &Origin, most_bytes: usize) -> String {
    let page = Page {
        report: &made.report,
        record: &made.record,
        scenario: &made.scenario,
        trace: &made.trace,
        comparison: None,
        origin,
    };
    render_within(&page, most_bytes)
}

#[test]
fn what_is_recorded_is_what_is_measured() {
    let made = made(&group());
    let (unwatched, ()) = play(&made.scenario, &made.trace, ()).expect("an optimum");
    assert_eq!(unwatched, made.report, "looking on changes nothing");
    let (m, record) = (&made.report.measures, &made.record);
    assert_eq!(record.columns.len() as u64, m.steps);
    assert_eq!(record.changes.len() as u64, m.moves.out + m.moves.r#in);
    let missing: f64 = record.shorts.iter().map(Short::missing_unit_hours).sum();
    assert!((missing - m.missing_unit_hours).abs() < 1e-9, "{missing}");
    let minutes: i64 = record.shorts.iter().map(Short::length_ms).sum::<i64>() / 60_000;
    assert_eq!(minutes as f64, m.short_minutes);
    assert!(minutes > 0, "the burst is short");
    for change in &record.changes {
        let said = change.why.iter().any(|line| line.subject == "cpu");
        assert!(said, "{change:?}");
    }
    let burst = record.shorts.last().expect("a short period");
    let decided = burst.decided.as_ref().expect("a decision");
    assert!(decided.at_ms > burst.from_ms && decided.at_ms <= burst.to_ms);
    let paid = record.columns.iter().map(|column| column.optimum.most);
    assert!(paid.max() >= Some(13), "the optimum serves the burst");
}

#[test]
fn of_a_native_group_the_clouds_own_policies_say_why() {
    let mut group = group();
    group.controller = tideform_policies::model::Controller::Native;
    let made = made(&group);
    let said: Vec<&str> = made
        .record
        .changes
        .iter()
        .flat_map(|change| &change.why)
        .map(|line| line.text.as_str())
        .collect();
    let of_metric = |said: &&str| {
        said.starts_with("in alarm: ") && said.contains(" against a target of 60 % wants ")
    };
    assert!(said.iter().any(of_metric), "{said:?}");
    assert!(said.contains(&"2 to 20"), "{said:?}");
}

#[test]
fn the_same_run_is_the_same_page_and_it_loads_nothing() {
    let origin = Origin {
        load: "traffic/day.csv".to_owned(),
        version: "0.0.0".to_owned(),
        ..Origin::default()
    };
    let text = page(&made(&group()), &origin, MOST_BYTES);
    assert_eq!(text, page(&made(&group()), &origin, MOST_BYTES));
    for loads in [
        " src=", "@import", "http://", "https://", "url(h", "fetch(", "style=\"",
    ] {
        // The name of SVG is no address.
        let text = text.replace("'http://www.w3.org/2000/svg'", "");
        assert!(!text.contains(loads), "{loads}");
    }
    assert!(!text.contains("{{"), "a place was not filled");
    for part in [
        "group.web",
        "schedule office: at least 4",
        "freeze launch: no scale in (launch)",
        "against a target of 60 %",
        "SLO attainment",
        "day.csv",
        "sha256 ",
    ] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn where_reasons_do_not_fit_the_page_says_so() {
    let made = made(&group());
    let origin = Origin::default();
    let whole = page(&made, &origin, MOST_BYTES);
    assert!(!whole.contains("To keep this page small"));
    let small = page(&made, &origin, whole.len() - 1);
    assert!(small.len() < whole.len() && small.contains("To keep this page small"));
    assert!(small.contains(&format!("of {} changes", made.record.changes.len())));
}

/// How often each character that HTML is made of stands in a page.
fn marks(page: &str) -> [usize; 4] {
    ['<', '>', '"', '\''].map(|mark| page.matches(mark).count())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_name_becomes_html(name in prop_oneof![
        any::<String>(),
        "[<>\"'&/= a-z]{1,20}",
        Just("</script><script>alert(1)</script>".to_owned()),
        Just("\" onmouseover=\"alert(1)".to_owned()),
        Just("{{data}}{{#compared}}".to_owned()),
    ]) {
        let with = |name: &str| {
            let mut group = group();
            for schedule in &mut group.policy.schedules {
                schedule.name = name.into();
            }
            for metric in &mut group.policy.metrics {
                // The world knows it by the name that the provider has for it.
                metric.name = name.into();
            }
            for freeze in &mut group.policy.freezes {
                freeze.reason = Some(name.to_owned());
            }
            let origin = Origin {
                files: vec![name.to_owned()],
                digest: name.to_owned(),
                settings: vec![Setting {
                    path: name.to_owned(),
                    value: name.to_owned(),
                    origin: name.to_owned(),
                }],
                load: name.to_owned(),
                version: name.to_owned(),
            };
            page(&made(&group), &origin, MOST_BYTES)
        };
        prop_assert_eq!(marks(&with(&name)), marks(&with("harmless")));
    }

    #[test]
    fn no_peak_and_no_shortage_is_lost_on_the_way_to_fewer_columns(
        loads in proptest::collection::vec((0_u32..50, 0_u32..50), 1..400),
        places in 1_usize..50,
    ) {
        let columns: Vec<Column> = loads
            .iter()
            .map(|(needed, ready)| Column {
                needed: Between::one(*needed),
                ready: Between::one(*ready),
                missing: needed.saturating_sub(*ready),
                short_of: *ready,
                ..Column::default()
            })
            .collect();
        let reduced = record::reduced(&columns, places);
        prop_assert_eq!(reduced.len(), places.min(columns.len()));
        let most = |columns: &[Column], of: fn(&Column) -> u32| columns.iter().map(of).max();
        let least = |columns: &[Column], of: fn(&Column) -> u32| columns.iter().map(of).min();
        prop_assert_eq!(most(&reduced, |c| c.needed.most), most(&columns, |c| c.needed.most));
        prop_assert_eq!(least(&reduced, |c| c.ready.least), least(&columns, |c| c.ready.least));
        prop_assert_eq!(most(&reduced, |c| c.missing), most(&columns, |c| c.missing));
        for column in reduced.iter().filter(|column| column.missing > 0) {
            let is_a_moment = columns
                .iter()
                .any(|c| c.short_of == column.short_of && c.missing == column.missing);
            prop_assert!(is_a_moment, "{:?}", column);
        }
    }
}
