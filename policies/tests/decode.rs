//! The decoder as a whole: the example of the design, layers, and where values come from.

use std::time::Duration;

use tideform_policies::diagnostic::{Diagnostics, Severity};
use tideform_policies::layers;
use tideform_policies::load::{LoadInput, VariableArgument};
use tideform_policies::model::{
    Adjustment, Breach, Capacity, Combine, Configuration, Expected, Group, GroupAddress,
    GuardEffect, MetricSource, OnMissing, RateAmount, ReasonPattern, Rule, Scope, Share, Statistic,
    StepBound, VictimOrder, Window,
};

fn decode(text: &str) -> (Configuration, Diagnostics) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("shop.hcl"), text).expect("a file");
    tideform_policies::read(&LoadInput {
        directory: folder.path().to_owned(),
        ..LoadInput::default()
    })
}

/// The group `web` of a configuration without errors.
fn web(text: &str) -> Group {
    let (configuration, diagnostics) = decode(text);
    let errors: Vec<_> = diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    configuration.groups[&GroupAddress::new("web")].clone()
}

const DESIGN: &str = r#"
tideform {
  required_version = ">= 0.1"
  workspace        = "shop-prod"
  backend "local" {}
}
provider "mock" {}
provider "aws" "us" { region = "us-east-1" }
provider "prometheus" { url = "http://127.0.0.1:9090" }
policy "web" {
  warmup  = "3m"
  every   = "1m"
  combine = "max"
  metric "cpu" {
    source     = "provider"
    statistic  = "average"
    period     = "1m"
    on_missing = "hold"
    track {
      target    = 60
      tolerance = "10%"
    }
  }
  metric "queue" {
    source = provider.prometheus
    query  = "sum(rabbitmq_queue_messages{queue=\"jobs\"})"
    breach = "2m"
    step {
      above = 1000
      add   = "50%"
    }
    step {
      above = 100
      add   = 2
    }
    step {
      below  = 10
      remove = 1
    }
  }
  metric "backlog" {
    value = metric.queue
    scope = "group"
    track { target = 25 }
  }
  metric "requests" {}
  metric "error_rate" {
    namespace  = "AWS/ApplicationELB"
    name       = "HTTPCode_Target_5XX_Count"
    dimensions = { LoadBalancer = "app/shop" }
  }
  scale_out {
    cooldown      = "2m"
    stabilization = "0s"
    select        = "max"
    rate {
      add = "100%"
      per = "1m"
    }
  }
  scale_in {
    cooldown      = "10m"
    stabilization = "5m"
    order         = "newest"
    drain         = "2m"
    enabled       = true
    rate {
      remove = "50%"
      per    = "5m"
    }
  }
  schedule "office" {
    cron     = "0 8 * * MON-FRI"
    timezone = "Europe/Berlin"
    duration = "10h"
    except   = ["2026-12-25"]
    min      = 6
  }
  schedule "black-friday" {
    start    = "2026-11-27T06:00:00"
    end      = "2026-11-28T02:00:00"
    timezone = "America/New_York"
    min      = 30
  }
  surge "campaign" {
    min      = 20
    lead     = "30m"
    duration = "2h"
  }
  forecast {
    metric       = "requests"
    per_instance = 120
    model        = "auto"
    quantile     = 0.9
    lead         = "10m"
    history      = "28d"
    mode         = "scale"
  }
  guard "errors" {
    when    = metric.error_rate > 10
    breach  = "1m"
    blocks  = "scale_in"
    release = "5m"
  }
  freeze "release-week" {
    start  = "2026-12-01T00:00:00Z"
    end    = "2026-12-05T00:00:00Z"
    blocks = "scale_in"
    reason = "launch"
  }
}
group "web" {
  provider   = provider.aws.us
  use        = [policy.web]
  controller = "tideform"
  resource "asg" { name = "web-prod" }
  limits {
    min = 2
    max = 40
  }
  mix {
    on_demand_base = 2
    spot           = "70%"
    types          = ["m6i.large", "m5.large"]
    allocation     = "price-capacity-optimized"
    rebalance      = true
    fallback {
      after    = 3
      duration = "30m"
    }
  }
  instance {
    boot                    = "90s"
    throughput              = 120
    load                    = "requests"
    price_usd_per_hour      = 0.096
    spot_price_usd_per_hour = 0.037
  }
  budget {
    monthly_usd = 4000
    alert       = [50, 80, 100]
    on_exceed   = "warn"
  }
  slo {
    utilization = 85
    objective   = 99.9
  }
}
test "a spike scales out and a dip does not scale in" {
  group = group.web
  given { desired = 4 }
  at "0m" {
    metrics = { cpu = 95, queue = 50 }
    expect { desired = 7 }
  }
  at "1m" {
    metrics = { cpu = 20, queue = 50 }
    expect {
      desired = 7
      reasons = ["warming"]
    }
  }
}
"#;

#[test]
fn the_example_of_the_design_decodes_as_it_reads() {
    let group = web(DESIGN);
    let policy = &group.policy;
    assert_eq!(group.provider.to_string(), "provider.aws.us");
    assert_eq!(policy.warmup, Duration::from_secs(180));
    assert_eq!(policy.combine, Combine::Max);
    let names: Vec<&str> = policy.metrics.iter().map(|m| &*m.name).collect();
    assert_eq!(names, ["cpu", "queue", "backlog", "requests", "error_rate"]);
    let cpu = group.metric("cpu").expect("cpu");
    let Some(Rule::Track(track)) = cpu.rule else {
        panic!("cpu is not tracked");
    };
    assert_eq!((track.target, track.tolerance_in), (60.0, Share(0.1)));
    assert_eq!(cpu.statistic, Statistic::Average);
    let queue = group.metric("queue").expect("queue");
    assert_eq!(queue.breach, Breach::For(Duration::from_secs(120)));
    let Some(Rule::Steps(steps)) = &queue.rule else {
        panic!("queue has no steps");
    };
    // Sorted from the threshold outward, each up to the next.
    assert_eq!(
        steps
            .iter()
            .map(|s| (s.when, s.adjustment))
            .collect::<Vec<_>>(),
        [
            (
                StepBound::Above {
                    from: 100.0,
                    to: Some(1000.0)
                },
                Adjustment::Add(2)
            ),
            (
                StepBound::Above {
                    from: 1000.0,
                    to: None
                },
                Adjustment::AddShare(Share(0.5))
            ),
            (
                StepBound::Below {
                    from: 10.0,
                    to: None
                },
                Adjustment::Remove(1)
            ),
        ]
    );
    let backlog = group.metric("backlog").expect("backlog");
    assert_eq!(backlog.scope, Scope::Group);
    assert!(matches!(backlog.source, MetricSource::Formula(_)));
    let MetricSource::Query(query) = &group.metric("error_rate").expect("errors").source else {
        panic!("error_rate is a query");
    };
    assert_eq!(query.name, "HTTPCode_Target_5XX_Count");
    assert_eq!(query.dimensions["LoadBalancer"], "app/shop");
    assert_eq!(
        policy.scale_out.rates[0].amount,
        RateAmount::Share(Share(1.0))
    );
    assert_eq!(policy.scale_in.order, VictimOrder::Newest);
    assert_eq!(policy.scale_in.drain, Some(Duration::from_secs(120)));
    let Window::Once { start, .. } = &policy.schedules[1].when else {
        panic!("black friday is once");
    };
    assert_eq!(start.to_string(), "2026-11-27T11:00:00Z");
    assert_eq!(policy.surges[0].min, Capacity(20));
    assert_eq!(policy.forecast.as_ref().map(|f| f.quantile), Some(0.9));
    assert_eq!(policy.guards[0].when.text, "metric.error_rate > 10");
    assert_eq!(policy.freezes[0].reason.as_deref(), Some("launch"));
    assert_eq!(policy.limits.map(|l| l.max()), Some(Capacity(40)));
    let mix = policy.mix.as_ref().expect("mix");
    assert_eq!((mix.on_demand_base, mix.spot), (2, Share(0.7)));
    assert_eq!(mix.types.len(), 2);
    assert_eq!(policy.budget.as_ref().map(|b| b.alert.len()), Some(3));
    assert_eq!(policy.slo.utilization, 85.0);
}

#[test]
fn the_example_warns_only_of_what_does_nothing_yet() {
    let (configuration, diagnostics) = decode(DESIGN);
    let codes: Vec<_> = diagnostics.iter().map(|d| d.code.0).collect();
    assert_eq!(codes, ["P0525"; 2], "{diagnostics:#?}");
    assert_eq!(
        configuration.settings.workspace.as_deref(),
        Some("shop-prod")
    );
    assert_eq!(configuration.settings.backend.kind, "local");
    assert_eq!(configuration.providers.len(), 3);
    assert_eq!(configuration.providers[1].settings["region"], "us-east-1");
    let test = &configuration.tests[0];
    assert_eq!(test.steps[1].at, Duration::from_secs(60));
    let expected: Vec<_> = test.steps[1].expectations.iter().map(|e| &e.what).collect();
    assert_eq!(
        expected,
        [
            &Expected::Desired(Capacity(7)),
            &Expected::Reason(ReasonPattern {
                kind: "warming",
                subject: None
            }),
        ]
    );
}

#[test]
fn a_resolved_group_survives_json() {
    let group = web(DESIGN);
    let text = serde_json::to_string(&group).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Group>(&text).expect("a group"),
        group
    );
}

#[test]
fn what_is_not_written_has_its_default() {
    let group = web(r#"
        provider "mock" {}
        group "web" {
          provider = provider.mock
          resource "asg" { name = "web" }
          metric "requests" {
            track { target = 60 }
          }
        }
    "#);
    let policy = &group.policy;
    assert_eq!(policy.every, Duration::from_secs(60));
    assert_eq!(policy.warmup, Duration::ZERO);
    assert!(!policy.warmup_is_set);
    assert_eq!(policy.scale_out.stabilization, Duration::ZERO);
    assert_eq!(policy.scale_in.stabilization, Duration::from_secs(300));
    assert_eq!(policy.scale_in.cooldown, Duration::ZERO);
    assert_eq!(policy.slo.utilization, 100.0);
    assert_eq!(policy.slo.objective, 99.9);
    assert!(policy.limits.is_none() && policy.mix.is_none() && policy.budget.is_none());
    let metric = &policy.metrics[0];
    assert_eq!(metric.on_missing, OnMissing::Hold);
    assert_eq!(metric.max_age, Duration::from_secs(900));
    assert_eq!(metric.breach, Breach::Now);
    let Some(Rule::Track(track)) = metric.rule else {
        panic!("not tracked");
    };
    assert_eq!(track.tolerance_out, Share(0.1));
}

const LAYERED: &str = r#"
provider "mock" {}
policy "weak" {
  warmup = "1m"
  every  = "2m"
  metric "queue" {
    period = "5m"
    track {
      target    = 50
      tolerance = "5%"
    }
  }
  metric "gone" {}
  scale_in {
    cooldown = "9m"
    rate {
      remove = 1
      per    = "1m"
    }
    rate {
      remove = 5
      per    = "10m"
    }
  }
  guard "g" {
    when = metric.queue > 5
    cap  = 3
  }
}
policy "strong" {
  warmup = "4m"
  metric "queue" {
    track { target = 70 }
  }
}
group "web" {
  provider = provider.mock
  use      = [policy.weak, policy.strong]
  every    = null
  resource "asg" { name = "web" }
  metric "gone" { enabled = false }
  scale_in {
    rate {
      remove = 2
      per    = "3m"
    }
  }
  guard "g" { blocks = "all" }
}
"#;

#[test]
fn layers_merge_attribute_by_attribute_and_the_group_is_the_strongest() {
    let group = web(LAYERED);
    let policy = &group.policy;
    assert_eq!(policy.warmup, Duration::from_secs(240), "the later policy");
    assert_eq!(
        policy.every,
        Duration::from_secs(60),
        "null restores the default"
    );
    assert_eq!(policy.metrics.len(), 1, "a disabled block is gone");
    let Some(Rule::Track(track)) = policy.metrics[0].rule else {
        panic!("not tracked");
    };
    assert_eq!(track.target, 70.0);
    assert_eq!(track.tolerance_in, Share(0.05), "attribute by attribute");
    assert_eq!(policy.metrics[0].period, Duration::from_secs(300));
    assert_eq!(policy.scale_in.cooldown, Duration::from_secs(540));
    assert_eq!(
        policy.scale_in.rates.len(),
        1,
        "a list is replaced as a whole"
    );
    assert!(matches!(policy.guards[0].effect, GuardEffect::Block(_)));
}

#[test]
fn a_rule_in_a_stronger_layer_drops_an_inherited_other() {
    let text = |rule: &str| {
        format!(
            r#"
            provider "mock" {{}}
            policy "p" {{
              metric "queue" {{
                track {{ target = 50 }}
              }}
            }}
            group "web" {{
              provider = provider.mock
              use      = [policy.p]
              resource "asg" {{ name = "web" }}
              metric "queue" {{
                {rule}
              }}
            }}"#
        )
    };
    let steps = web(&text("step {\nabove = 5\nadd = 1\n}"));
    assert!(matches!(steps.policy.metrics[0].rule, Some(Rule::Steps(_))));
    let want = web(&text("want = true"));
    assert!(matches!(want.policy.metrics[0].rule, Some(Rule::Want)));
    let kept = web(&text("period = \"2m\""));
    assert!(matches!(kept.policy.metrics[0].rule, Some(Rule::Track(_))));
    let off = web(&text("track { enabled = false }"));
    assert!(off.policy.metrics[0].rule.is_none());
}

#[test]
fn every_value_knows_the_layer_that_wrote_it() {
    let (configuration, _) = decode(LAYERED);
    let address = GroupAddress::new("web");
    let origins = configuration.origins(&address);
    for (path, layer) in [
        ("warmup", "policy.strong"),
        ("every", "default"),
        ("metric.queue.track.target", "policy.strong"),
        ("metric.queue.track.tolerance", "policy.weak"),
        ("metric.queue.period", "policy.weak"),
        ("metric.queue", "policy.strong"),
        ("scale_in.rate[0].remove", "group.web"),
        ("scale_in.cooldown", "policy.weak"),
        ("scale_in.stabilization", "default"),
        ("scale_out.cooldown", "default"),
        ("guard.g.blocks", "group.web"),
        ("resource.asg.name", "group.web"),
    ] {
        assert_eq!(
            origins.get(path).map(|origin| &*origin.layer),
            Some(layer),
            "{path}"
        );
    }
    for path in ["guard.g.cap", "scale_in.rate[1].remove", "metric.gone"] {
        assert!(!origins.contains_key(path), "{path}");
    }
    let lines = layers::render(&configuration, &address);
    let target = lines
        .iter()
        .find(|line| line.path == "metric.queue.track.target")
        .expect("a line");
    assert_eq!(target.value, "70");
    assert_eq!(target.origin, "policy.strong, shop.hcl:33:22");
    let every = lines
        .iter()
        .find(|line| line.path == "every")
        .expect("a line");
    assert_eq!(every.value, "\"1m\"");
    assert!(every.origin.starts_with("default ("), "{}", every.origin);
}

#[test]
fn a_group_with_errors_does_not_stop_the_checks_of_the_others() {
    let (configuration, diagnostics) = decode(
        r#"
        provider "mock" {}
        group "a" {
          provider = provider.mock
          resource "asg" { name = "a" }
          limits {
            min = 9
            max = 1
          }
        }
        group "b" {
          provider = provider.mock
          resource "asg" { name = "b" }
          warmup = 5
        }
        group "c" {
          provider = provider.mock
          resource "asg" { name = "c" }
        }
        "#,
    );
    let codes: Vec<_> = diagnostics.iter().map(|d| d.code.0).collect();
    assert_eq!(codes, ["P0401", "P0103"]);
    assert!(configuration.groups.contains_key(&GroupAddress::new("c")));
}

#[test]
fn a_problem_of_a_policy_is_said_once_however_many_groups_use_it() {
    let mut text = String::from(
        "provider \"mock\" {}\npolicy \"p\" {\n  limits {\n    min = 9\n    max = 1\n  }\n  metric \"x\" {\n    track {}\n  }\n}\n",
    );
    for i in 0..200 {
        text.push_str(&format!(
            "group \"g{i}\" {{\n  provider = provider.mock\n  use = [policy.p]\n  resource \"asg\" {{ name = \"g{i}\" }}\n}}\n"
        ));
    }
    let (_, diagnostics) = decode(&text);
    let codes: Vec<_> = diagnostics.iter().map(|d| d.code.0).collect();
    assert_eq!(codes, ["P0105", "P0401"]);
}

#[test]
fn the_examples_have_no_errors_and_only_a_warning_on_capped_growth() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(&examples).expect("the examples") {
        let directory = entry.expect("an entry").path();
        let files: Vec<_> = std::fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|file| file.path())
            .filter(|path| path.extension().is_some_and(|e| e == "hcl"))
            .collect();
        if files.is_empty() {
            continue;
        }
        // Without variables, and with each file of variables.
        let mut runs = vec![Vec::new()];
        for file in files {
            if file.to_string_lossy().ends_with(".vars.hcl") {
                runs.push(vec![VariableArgument::File(file)]);
            }
        }
        for arguments in runs {
            let (configuration, diagnostics) = tideform_policies::read(&LoadInput {
                directory: directory.clone(),
                arguments,
                ..LoadInput::default()
            });
            let list: Vec<_> = diagnostics
                .iter()
                .filter(|d| d.severity == Severity::Error || d.code.0 != "P0524")
                .collect();
            assert!(list.is_empty(), "{}: {list:#?}", directory.display());
            assert!(!configuration.groups.is_empty(), "{}", directory.display());
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen} runs of examples");
}

#[test]
fn moves_that_follow_each_other_lead_to_the_group_that_is_there_now() {
    let groups = |rest: &str| {
        format!(
            "provider \"mock\" {{}}\n\
             group \"c\" {{\n  provider = provider.mock\n  resource \"asg\" {{ name = \"c\" }}\n}}\n\
             group \"svc\" {{\n  for_each = toset([\"x\", \"y\"])\n  provider = provider.mock\n  \
             resource \"asg\" {{ name = each.key }}\n}}\n{rest}"
        )
    };
    let moved = |from: &str, to: &str| {
        format!("moved {{\n  from = group.{from}\n  to   = group.{to}\n}}\n")
    };
    let read = |moves: &[(&str, &str)]| {
        let blocks: String = moves.iter().map(|(from, to)| moved(from, to)).collect();
        let (configuration, diagnostics) = decode(&groups(&blocks));
        let errors = diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .count();
        let list: Vec<String> = configuration
            .moved
            .iter()
            .map(|moved| format!("{} -> {}", moved.from, moved.to))
            .collect();
        (list, errors)
    };
    for (moves, expected) in [
        (
            &[("a", "b"), ("b", "c")][..],
            &["group.b -> group.c", "group.a -> group.c"][..],
        ),
        (
            &[("old", "older"), ("older", "svc")],
            &[
                "group.older[\"x\"] -> group.svc[\"x\"]",
                "group.older[\"y\"] -> group.svc[\"y\"]",
                "group.old[\"x\"] -> group.svc[\"x\"]",
                "group.old[\"y\"] -> group.svc[\"y\"]",
            ],
        ),
    ] {
        let (list, errors) = read(moves);
        assert_eq!(
            (list.as_slice(), errors),
            (
                &*expected.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(),
                0
            )
        );
    }
    // A circle leads nowhere, and two groups cannot become one.
    assert_eq!(read(&[("a", "b"), ("b", "a")]).1, 2);
    assert_eq!(read(&[("a", "c"), ("b", "c")]).1, 1);
}

/// The helps of the first problem with this code, for lines in a group.
fn help(inside: &str, code: &str) -> String {
    let text = format!(
        "provider \"mock\" {{}}\ngroup \"web\" {{\n  provider = provider.mock\n  resource \"asg\" {{ name = \"web\" }}\n{inside}\n}}\n"
    );
    let (_, diagnostics) = decode(&text);
    let found = diagnostics.iter().find(|d| d.code.0 == code);
    let found = found.unwrap_or_else(|| panic!("no {code} for {inside}: {diagnostics:#?}"));
    found.help.as_deref().unwrap_or_default().to_owned()
}

#[test]
fn a_help_never_changes_the_meaning_of_a_value() {
    let metric = |inside: &str| format!("metric \"cpu\" {{\n{inside}\n}}");
    let track = |inside: &str| metric(&format!("track {{\ntarget = 60\n{inside}\n}}"));
    let step = |inside: &str| metric(&format!("step {{\nabove = 1\n{inside}\n}}"));
    let whole = "only a whole number is possible here; shares are for `add` and `remove`, in steps and rates";
    for (inside, code, wanted) in [
        (
            metric("track { target = 60 }\nmax_add = \"50%\""),
            "P0103",
            whole,
        ),
        (step("set = \"30%\""), "P0103", whole),
        (step("set = \"30\""), "P0103", "write 30 without quotes"),
        (step("set = \"3.5\""), "P0103", ""),
        (
            track("tolerance_out = 0.1"),
            "P0103",
            "a share is written in percent: \"10%\" for 0.1",
        ),
        (
            track("tolerance_out = 0.07"),
            "P0103",
            "a share is written in percent: \"7%\" for 0.07",
        ),
        (track("tolerance_out = 10"), "P0103", "write \"10%\""),
        (
            step("add = 0.5"),
            "P0108",
            "a share is written in percent: \"50%\" for 0.5",
        ),
        (step("add = 1.5"), "P0108", ""),
    ] {
        assert_eq!(help(&inside, code), wanted, "{inside}");
    }
}

#[test]
fn an_address_in_quotes_says_how_it_is_written() {
    for (address, wanted) in [
        ("group.web", "write group.web, without quotes"),
        ("web", "write group.web, without quotes"),
        (
            "group.svc[\\\"api\\\"]",
            "write group.svc[\"api\"], without quotes",
        ),
        ("the web group", ""),
    ] {
        let (_, diagnostics) = decode(&format!("removed {{ from = \"{address}\" }}\n"));
        let found = diagnostics.iter().find(|d| d.code.0 == "P0103");
        let found = found.unwrap_or_else(|| panic!("{address}: {diagnostics:#?}"));
        assert_eq!(
            found.help.as_deref().unwrap_or_default(),
            wanted,
            "{address}"
        );
    }
    let provider = "provider = \"provider.aws.us\"";
    assert_eq!(
        help(
            &format!(
                "metric \"cpu\" {{\n  {}\n}}",
                provider.replace("provider =", "source =")
            ),
            "P0103"
        ),
        "write provider.aws.us, without quotes"
    );
}

#[test]
fn a_target_of_0_and_a_setting_without_effect_say_what_to_write() {
    let zero = help("metric \"cpu\" {\n  track { target = 0 }\n}", "P0107");
    for part in [
        "`below = 0`",
        "`set = 0`",
        "`max = 0`",
        "`limits { min = 0 }`",
    ] {
        assert!(zero.contains(part), "{zero}");
    }
    for (inside, wanted) in [
        (
            "max_add = 2",
            "give the metric a `track`, a `step` or `want = true`, or take `max_add` out",
        ),
        (
            "weight = 2",
            "write `combine = \"weighted\"` in the group or its policy, or take `weight` out",
        ),
        (
            "max_age = \"5m\"",
            "write `on_missing = \"last\"`, or take `max_age` out",
        ),
        (
            "breach = \"2m\"",
            "give the metric a `step`, or take `breach` out",
        ),
    ] {
        assert_eq!(
            help(&format!("metric \"cpu\" {{\n{inside}\n}}"), "P0526"),
            wanted
        );
    }
}
