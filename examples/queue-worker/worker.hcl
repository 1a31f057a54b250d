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

  # What arrives keeps at least one worker up; where nothing arrives, none is wanted. A total, not a
  # mean: it has a say at zero instances, too.
  metric "requests" {
    scope = "group"
    track { target = 0.4 }
  }

  # What waits: a backlog that lasts two minutes brings more workers, a large one brings many.
  metric "queue_depth" {
    scope      = "group"
    on_missing = "last"
    breach     = "2m"

    step {
      above = 60
      add   = 1
    }
    step {
      above = 300
      add   = 2
    }
    step {
      above = 1000
      add   = "50%"
    }
  }

  scale_out {
    cooldown = "3m"
  }
  scale_in {
    cooldown      = "10m"
    stabilization = "15m"
    drain         = "2m"
  }

  instance {
    boot               = "60s"
    throughput         = 0.5
    load               = "requests"
    price_usd_per_hour = 0.0416
  }
}

test "the first job wakes the worker" {
  group = group.worker
  given { desired = 0 }

  at "0m" {
    metrics = { requests = 0, queue_depth = 0 }
    expect { desired = 0 }
  }
  at "1m" {
    metrics = { requests = 0.05, queue_depth = 3 }
    expect {
      desired   = 1
      direction = "out"
    }
  }
}

test "a backlog counts in the second minute in a row" {
  group = group.worker
  given { desired = 1 }

  at "0m" {
    metrics = { requests = 0.3, queue_depth = 400 }
    expect { desired = 1 }
  }
  at "1m" {
    metrics = { requests = 0.3, queue_depth = 420 }
    expect {
      desired = 3
      reasons = ["step"]
    }
  }
}

test "an empty queue ends the last worker, and not too soon" {
  group  = group.worker
  always = self.desired <= 3
  given { desired = 3 }

  at "0m" {
    metrics = { requests = 0.9, queue_depth = 0 }
    expect { desired = 3 }
  }
  at "1m" {
    until   = "14m"
    metrics = { requests = 0, queue_depth = 0 }
    expect {
      desired = 3
      reasons = ["stabilized"]
    }
  }
  at "15m" {
    until   = "16m"
    metrics = { requests = 0, queue_depth = 0 }
    expect { desired = 0 }
  }
}

test "a queue that cannot be read ends no worker" {
  group = group.worker
  given { desired = 5 }

  at "0m" {
    until   = "1h"
    metrics = { requests = null, queue_depth = null }
    expect {
      desired = 5
      reasons = ["no_data.requests"]
    }
  }
}
