# One policy, several services, an environment a run:
#
#   tideform plan --var-file production.vars.hcl
#   tideform plan --var-file staging.vars.hcl

tideform {
  required_version = ">= 0.1"
  workspace        = "platform-${var.env}"
}

provider "mock" {
  clock = "stepped"
  start = "2018-04-25T00:00:00Z"

  dynamic "load" {
    for_each = var.services
    labels   = ["${var.env}-${load.key}"]
    content {
      trace = "traffic/mongo-app.csv"
      per   = "second"
      scale = load.value.share
      align = "start"
    }
  }
}

policy "service" {
  warmup = "2m"

  metric "cpu" {
    track { target = local.production ? 55 : 75 }
  }

  scale_in {
    cooldown      = "10m"
    stabilization = local.production ? "15m" : "5m"
  }
}

group "service" {
  for_each = var.services

  provider = provider.mock
  use      = [policy.service]
  resource "asg" { name = "${var.env}-${each.key}" }

  # cpu stops at 100 %; what an instance is asked for does not, so a jump is answered in one step.
  metric "requests_per_instance" {
    track { target = each.value.throughput * (local.production ? 0.55 : 0.75) }
  }

  launch {
    boot       = "60s"
    throughput = each.value.throughput
  }

  limits {
    min = local.production ? max(2, each.value.min) : 1
    max = each.value.max
  }

  instance {
    boot               = "60s"
    throughput         = each.value.throughput
    load               = "requests"
    price_usd_per_hour = 0.085
  }

  # Nobody works at night in staging.
  dynamic "schedule" {
    for_each = local.production ? [] : ["night"]
    labels   = [schedule.value]
    content {
      cron     = "0 20 * * *"
      timezone = "Europe/Berlin"
      duration = "10h"
      max      = 1
    }
  }
}

# One test for every service of the environment.
test "load scales out, within the limits, and a lull waits" {
  group  = [for name in keys(var.services) : group.service[name]]
  always = [self.desired >= self.min, self.desired <= self.max]
  given {
    desired  = 2
    time     = "2018-04-25T10:00:00"
    timezone = "Europe/Berlin"
  }

  at "0m" {
    metrics = { cpu = 95 }
    expect {
      direction = "out"
      at_least  = 3
    }
  }
  at "2m" {
    until   = "6m"
    metrics = { cpu = 20 }
    expect {
      at_least = 3
      reasons  = ["stabilized"]
    }
  }
}

test "at night staging keeps one instance, production its floor" {
  group = group.service["api"]
  given {
    desired  = 4
    time     = "2018-04-25T23:00:00"
    timezone = "Europe/Berlin"
  }

  at "0m" {
    metrics = { cpu = local.production ? 55 : 75 }
    expect { desired = local.production ? 4 : 1 }
  }
}
