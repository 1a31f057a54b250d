//! Instances of a test: they boot, warm up, and have names and samples of their own.

use super::*;

#[test]
fn a_scale_out_boots_and_then_warms_up() {
    let report = suite(
        r#"
test "boot and warm-up" {
  group = group.shop["b"]
  given { desired = 4 }
  at "0m" {
    metrics = { cpu = 75 }
    expect {
      desired   = 6
      ready     = 4
      on_demand = 4
      spot      = 2
    }
  }
  at "2m" {
    metrics = { cpu = 75 }
    expect {
      ready   = 4
      desired = 6
    }
  }
  at "2m29s" {
    metrics = { cpu = 50 }
    expect { ready = 4 }
  }
  at "2m30s" {
    metrics = { cpu = 50 }
    expect {
      ready   = 6
      desired = 6
    }
  }
}
"#,
    );
    assert!(report.is_success(), "{}", render::text(&report));
}

#[test]
fn instances_have_names_states_and_samples_of_their_own() {
    let report = suite(
        r#"
test "the broken and the oldest end, the protected stays" {
  group = group.shop["b"]
  given {
    instance "old" { age = "3h" }
    instance "kept" {
      age       = "9h"
      protected = true
    }
    instance "young" { age = "1h" }
    instance "broken" {
      age   = "1m"
      state = "unhealthy"
    }
    instance "gone" { state = "ended" }
  }
  at "0m" {
    metrics = { cpu = { old = 25, kept = 25, young = 25, broken = 25 } }
    expect {
      desired = 2
      victims = ["broken", "old"]
    }
  }
  at "5m" {
    metrics = { cpu = { kept = 50, young = 50 } }
    expect {
      desired   = 2
      direction = "hold"
    }
  }
}

test "samples of instances that are not there" {
  group = group.shop["b"]
  given {
    instance "one" {}
  }
  at "0m" { metrics = { cpu = { won = 50 } } }
  at "1m" {
    metrics = { cpu = [50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50] }
    expect { at_least = 1 }
  }
}
"#,
    );
    assert!(report.tests[0].is_success(), "{}", render::text(&report));
    assert_eq!(
        failures(&report),
        [
            "cpu has a value of instance won, which is not there; there are one",
            "cpu has 12 values, and there is 1 instance",
        ]
    );
}

#[test]
fn values_by_instance_are_for_all_instances_of_a_metric_that_has_them() {
    let report = suite(
        r#"
test "lists" {
  group = group.web
  given { desired = 3 }
  at "0m" {
    metrics = { cpu = [60, null] }
    expect { direction = "hold" }
  }
  at "1m" {
    metrics = { cpu = [60, null, 60], queue = [5, 5, 5] }
    expect { direction = "hold" }
  }
  at "2m" {
    metrics = { cpu = [60, null, 60], queue = 15 }
    expect { direction = "hold" }
  }
}
"#,
    );
    assert_eq!(
        failures(&report),
        [
            "cpu has 2 values, and there are 3 instances; write null for one without a sample",
            "queue has values by instance, and with scope = \"group\" it is a total of the group: write one number",
        ]
    );
}

#[test]
fn more_ready_than_the_group_begins_with_is_refused() {
    let report = suite(
        r#"
test "ready" {
  group = group.web
  given { ready = 3 }
  at "0m" {
    expect { at_least = 2 }
  }
}
"#,
    );
    assert_eq!(
        failures(&report),
        ["`given` has 3 ready, and the capacity that it begins with is 2: add `desired`"]
    );
}
