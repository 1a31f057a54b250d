# A queue worker that costs nothing while nobody buys: it scales by the depth of its queue, in
# steps, and to zero.

tideform {
  required_version = ">= 0.1"
  workspace        = "worker"
}

provider "mock" {
  clock = "stepped"
  start = "2018-03-15T00:00:00Z"

  # Purchases per hour; each makes 150 jobs: invoices, mails, stock, fraud checks.
  load "invoice-worker" {
    kind  = "queue"
    trace = "traffic/purchases.csv"
    per   = "step"
    scale = 150
    align = "start"
  }
}

group "worker" {
  provider = provider.mock
  resource "asg" { name = "invoice-worker" }
  warmup = "1m"

  launch {
    boot       = "60s"
    throughput = 0.5
  }

  limits {
    min = 0
    max = 12
  }

  # A total, not a mean: it has a say at zero instances, too.
  metric "queue_depth" {
    scope      = "group"
    on_missing = "last"

    step {
      above = 1
      add   = 1
    }
    step {
      above = 200
      add   = 2
    }
    step {
      above = 1000
      add   = "50%"
    }
    step {
      below  = 0
      remove = 1
    }
    breach = "2m"
  }

  scale_out {
    cooldown = "3m"
  }
  scale_in {
    cooldown      = "10m"
    stabilization = "0s"
    drain         = "2m"
  }

  instance {
    boot               = "60s"
    throughput         = 0.5
    load               = "queue_depth"
    price_usd_per_hour = 0.0416
  }
}

test "the first job wakes the worker, an empty queue sends it home" {
  group = group.worker
  given { desired = 0 }

  at "0m" {
    metrics = { queue_depth = 3 }
    expect { desired = 0 }
  }
  at "1m" {
    metrics = { queue_depth = 5 }
    expect { desired = 0 }
  }
  at "2m" {
    metrics = { queue_depth = 8 }
    expect {
      desired   = 1
      direction = "out"
    }
  }
}
