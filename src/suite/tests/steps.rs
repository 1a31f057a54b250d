//! What a step is given, and how time goes from one to the next.

use super::*;

#[test]
fn the_designs_example_passes() {
    let report = suite(
        r#"
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
"#,
    );
    assert!(report.is_success(), "{}", render::text(&report));
}

#[test]
fn steps_share_instances_samples_and_memory() {
    let report = suite(
        r#"
test "a dip waits for stabilization and the cooldown" {
  group = group.web
  given { desired = 4 }
  at "0m" {
    metrics = { cpu = 95, queue = 50 }
    expect { desired = 7 }
  }
  at "3m" {
    metrics = { cpu = 20, queue = 50 }
    expect {
      desired   = 7
      direction = "hold"
      reasons   = ["stabilized"]
    }
  }
  at "9m" {
    metrics = { cpu = 20, queue = 50 }
    expect {
      desired = 7
      reasons = ["in_cooldown"]
    }
  }
  at "10m" {
    metrics = { cpu = 20, queue = 50 }
    expect {
      desired   = 3
      direction = "in"
    }
  }
}

test "a metric that a step does not name is left out" {
  group = group.web
  given { desired = 4 }
  at "0m" {
    metrics = { queue = 100 }
    expect { desired = 6 }
  }
  at "9m" {
    metrics = { cpu = null, queue = 50 }
    expect {
      desired = 6
      reasons = ["no_data", "abstained"]
    }
  }
}

test "instances have samples of their own" {
  group = group.web
  given { desired = 3 }
  at "0m" {
    metrics = { cpu = [90, 90, null] }
    expect { desired = 3 }
  }
  at "1m" {
    metrics = { cpu = [90, 90, 90] }
    expect { desired = 5 }
  }
}

test "formulas hold at every step" {
  group  = group.web
  always = [self.desired <= self.max, metric.double < 300, self.min == 2 || metric.cpu > 0]
  never  = [self.desired > 5]
  given { desired = 4 }
  at "0m" { metrics = { queue = 99 } }
}
"#,
    );
    assert!(report.is_success(), "{}", render::text(&report));
    assert_eq!(report.passed(), 4);
}

#[test]
fn what_people_ask_for_lasts_as_long_as_they_say() {
    let report = suite(
        r#"
test "overrides" {
  group = group.web
  given { desired = 4 }
  at "0m" {
    metrics = { cpu = 60 }
    pin {
      desired  = 9
      duration = "5m"
    }
    expect {
      desired = 9
      reasons = ["pinned"]
    }
  }
  at "5m" {
    metrics = { cpu = 90 }
    pause { duration = "2m" }
    expect {
      desired = 9
      reasons = ["paused"]
      without = ["pinned"]
      wants   = { cpu = 14, queue = null }
    }
  }
  at "7m" {
    metrics = { cpu = 60 }
    surge "campaign" {}
    expect {
      desired = 12
      reasons = ["raised_to_floor.campaign"]
      without = ["raised_to_floor.office", "paused"]
    }
  }
  at "37m" {
    metrics = { cpu = 20 }
    expect { at_most = 11 }
  }
}
"#,
    );
    assert!(report.is_success(), "{}", render::text(&report));
}

#[test]
fn a_step_is_decided_again_until_its_end() {
    let report = suite(
        r#"
test "the queue drains over ten minutes" {
  group = group.web
  given { desired = 4 }
  at "0m" {
    until   = "10m"
    metrics = { cpu = 20 }
    expect {
      at_least = 2
      at_most  = 3
    }
  }
  at "11m" { metrics = { cpu = 60 } }
}

test "growth stays below twenty" {
  group = group.web
  never = self.desired > 20
  given { desired = 4 }
  at "0m" {
    until   = "1h"
    metrics = { cpu = 90 }
    expect { desired = 40 }
  }
}
"#,
    );
    let [drain, growth] = &report.tests[..] else {
        panic!("two tests");
    };
    assert!(drain.is_success(), "{}", render::text(&report));
    assert_eq!(drain.steps[0].at, "10m");
    // The first decision that broke the rule, and the last one.
    let broken: Vec<&str> = growth.steps.iter().map(|step| step.at.as_str()).collect();
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert_eq!(broken[1], "1h");
    let first = growth.steps[0].failures[0].what.to_string();
    assert_eq!(
        first,
        "`self.desired > 20` must never hold, and does: self.desired is 21"
    );
}

#[test]
fn steps_may_name_their_time_and_follow_the_clock_of_a_zone() {
    // The clocks go forward in the night to the 29th: 08:00 is 07:00Z before, 06:00Z after.
    let report = suite(
        r#"
test "the office opens at eight, in winter and in summer" {
  group = group.web
  given { timezone = "Europe/Berlin" }
  at "2026-03-28T08:00:00" {
    metrics = { cpu = 60 }
    expect {
      desired = 6
      reasons = ["raised_to_floor.office"]
    }
  }
  at "2026-03-29T07:59:59" {
    metrics = { cpu = 20 }
    expect {
      desired = 2
      without = ["raised_to_floor"]
    }
  }
  at "2026-03-29T08:00:00" {
    metrics = { cpu = 20 }
    expect { desired = 6 }
  }
  at "2d" {
    metrics = { cpu = 20 }
    expect { desired = 2 }
  }
}
"#,
    );
    assert!(report.is_success(), "{}", render::text(&report));
    let times: Vec<String> = report.tests[0]
        .steps
        .iter()
        .map(|step| step.time.to_string())
        .collect();
    assert_eq!(
        times,
        [
            "2026-03-28T07:00:00Z",
            "2026-03-29T05:59:59Z",
            "2026-03-29T06:00:00Z",
            "2026-03-30T07:00:00Z"
        ]
    );
}

#[test]
fn a_test_of_several_groups_runs_for_each() {
    let report = suite(
        r#"
test "load scales out to the limit" {
  group = [group.shop["a"], group.shop["b"]]
  given { desired = 9 }
  at "0m" {
    metrics = { cpu = 100 }
    expect { desired = 10 }
  }
}
"#,
    );
    let titles: Vec<(String, bool)> = report
        .tests
        .iter()
        .map(|test| (test.title(), test.is_success()))
        .collect();
    assert_eq!(
        titles,
        [
            (
                "load scales out to the limit (group.shop[\"a\"])".to_owned(),
                true
            ),
            (
                "load scales out to the limit (group.shop[\"b\"])".to_owned(),
                false
            ),
        ]
    );
}

#[test]
fn money_and_failed_launches_are_given() {
    let report = suite(
        r#"
test "the budget is spent" {
  group = group.shop["b"]
  given { desired = 4 }
  at "0m" {
    metrics   = { cpu = 100 }
    spent_usd = 101
    expect {
      desired = 4
      reasons = ["over_budget"]
    }
  }
}

test "spot does not launch" {
  group = group.shop["b"]
  given { desired = 6 }
  at "0m" {
    metrics              = { cpu = 50 }
    failed_spot_launches = 1
    expect {
      spot    = 2
      without = ["fallback"]
    }
  }
  at "1m" {
    metrics              = { cpu = 50 }
    failed_spot_launches = 1
    expect {
      spot      = 0
      on_demand = 6
      reasons   = ["fallback"]
    }
  }
}
"#,
    );
    assert!(report.is_success(), "{}", render::text(&report));
}
