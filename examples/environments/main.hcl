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
