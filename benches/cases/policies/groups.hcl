# The groups whose decisions are measured; see ../mod.rs.

provider "mock" {}

# What most groups have: one tracked metric, cooldowns, stabilization and rates.
policy "usual" {
  warmup = "3m"

  metric "cpu" {
    track {
      target = 60
    }
  }
  limits {
    min = 2
    max = 40
  }
  scale_out {
    cooldown = "2m"
    rate {
      add = 4
      per = "1m"
    }
    rate {
      add = "100%"
      per = "1m"
    }
  }
  scale_in {
    cooldown      = "10m"
    stabilization = "5m"
    rate {
      remove = "10%"
      per    = "5m"
    }
  }
}

policy "metrics" {
  metric "memory" {
    track {
      target = 70
    }
  }
  metric "requests" {
    scope     = "group"
    statistic = "rate"
    track {
      target = 120
    }
  }
  metric "queue" {
    scope      = "group"
    breach     = "3m"
    on_missing = "scale_out"
    step {
      above = 100
      add   = 1
    }
    step {
      above = 1000
      add   = "20%"
    }
    step {
      below  = 10
      remove = 1
    }
  }
  metric "latency" {
    breach     = "3 of 5"
    on_missing = "last"
    step {
      above = 0.4
      add   = "10%"
    }
  }
}

policy "guards" {
  metric "errors" {}
  metric "strain" {
    scope = "group"
    value = max(metric.cpu, metric.errors * 5)
  }
  guard "errors" {
    when    = metric.errors > 10
    breach  = "2m"
    blocks  = "scale_in"
    release = "5m"
  }
  guard "strain" {
    when   = metric.strain > 95
    breach = "3 of 5"
    cap    = 30
  }
  schedule "office" {
    cron     = "0 8 * * MON-FRI"
    timezone = "Europe/Berlin"
    duration = "10h"
    min      = 6
  }
  schedule "night" {
    cron     = "0 22 * * *"
    timezone = "Europe/Berlin"
    duration = "7h"
    max      = 20
  }
}

group "one_track" {
  provider = provider.mock
  use      = [policy.usual]
  resource "asg" { name = "one_track" }
}

group "five_metrics" {
  provider = provider.mock
  use      = [policy.usual, policy.metrics]
  resource "asg" { name = "five_metrics" }
}

# 100 instances, each with a value of its own.
group "per_instance" {
  provider = provider.mock
  use      = [policy.usual]
  resource "asg" { name = "per_instance" }
  limits {
    min = 90
    max = 110
  }
}

group "schedules_guards" {
  provider = provider.mock
  use      = [policy.usual, policy.guards]
  resource "asg" { name = "schedules_guards" }
}

# Everything at once, with data missing now and then.
group "rich" {
  provider = provider.mock
  use      = [policy.usual, policy.metrics, policy.guards]
  combine  = "weighted"
  resource "asg" { name = "rich" }
}
