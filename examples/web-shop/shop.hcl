# A web shop in front of an API: follows cpu and requests, is ready for office hours and for the
# Christmas sale, and runs what is above its base on spot.

tideform {
  required_version = ">= 0.1"
  workspace        = "shop"
  backend "local" {}
}

# The embedded cloud. Its time only passes when tideform (or `tideform mock advance`) moves it, and
# the load on the group "shop-web" is recorded traffic of an e-commerce API.
provider "mock" {
  clock = "stepped"
  start = "2017-12-18T08:00:00Z"

  load "shop-web" {
    trace = "traffic/ecommerce-api.csv"
    per   = "second"
    align = "exact"
  }
}

variable "peak" {
  type        = number
  default     = 40
  description = "most instances that the shop may run"

  validation {
    condition     = var.peak <= 200
    error_message = "Ask the platform team before running more than 200 instances."
  }
}

policy "web" {
  warmup = "3m"
  every  = "1m"

  metric "cpu" {
    track { target = 60 }
  }

  # 12 requests a second fill one instance; 7 keep it comfortable.
  metric "requests_per_instance" {
    track {
      target    = 7
      tolerance = "15%"
    }
  }

  metric "error_rate" {}

  scale_out {
    cooldown = "2m"
    rate {
      add = "100%"
      per = "5m"
    }
  }

  scale_in {
    cooldown      = "10m"
    stabilization = "10m"
    order         = "newest"
    drain         = "1m"
    rate {
      remove = "25%"
      per    = "10m"
    }
  }

  # More than 5 % errors: something is broken. Taking capacity away will not mend it.
  guard "errors" {
    when    = metric.error_rate > 5
    breach  = "2m"
    blocks  = "scale_in"
    release = "10m"
  }
}

group "web" {
  provider = provider.mock
  use      = [policy.web]
  resource "asg" { name = "shop-web" }

  # Without `launch`, tideform only manages the scaling of a group that was made elsewhere.
  launch {
    boot       = "90s"
    throughput = 12
  }

  limits {
    min = 3
    max = var.peak
  }

  mix {
    on_demand_base = 3
    spot           = "70%"
    types          = ["m6i.large", "m5.large"]
    fallback {
      after    = 3
      duration = "30m"
    }
  }

  instance {
    boot                    = "90s"
    throughput              = 12
    load                    = "requests"
    price_usd_per_hour      = 0.096
    spot_price_usd_per_hour = 0.037
  }

  schedule "office" {
    cron     = "0 8 * * MON-FRI"
    timezone = "America/Los_Angeles"
    duration = "10h"
    except   = ["2017-12-25"]
    min      = 6
  }

  # The sale opens on Christmas Day at noon. The capacity is there half an hour before.
  schedule "christmas-sale" {
    start    = "2017-12-25T11:30:00"
    end      = "2017-12-26T20:00:00"
    timezone = "America/Los_Angeles"
    min      = 24
  }

  surge "campaign" {
    min      = 20
    lead     = "30m"
    duration = "2h"
  }

  budget {
    monthly_usd = 800
    alert       = [50, 80, 100]
  }

  slo {
    utilization = 85
    objective   = 99.9
  }

  metric "requests" {}
}

test "a spike scales out, and the dip after it does not scale in" {
  group = group.web
  given { desired = 6 }

  at "0m" {
    metrics = { cpu = 90, requests_per_instance = 10.5 }
    expect { desired = 9 }
  }
  at "1m" {
    metrics = { cpu = 30, requests_per_instance = 3 }
    expect {
      desired = 9
      reasons = ["warming"]
    }
  }
}

test "the sale's floor stands before the first customer comes" {
  group = group.web
  given {
    desired = 6
    time    = "2017-12-25T19:30:00Z"
  }

  at "0m" {
    metrics = { cpu = 40, requests_per_instance = 5 }
    expect { desired = 24 }
  }
}

test "errors keep the capacity until they have been gone for a while" {
  group = group.web
  given {
    desired = 12
    time    = "2017-12-19T03:00:00Z"
  }

  at "0m" {
    until   = "30m"
    metrics = { cpu = 15, requests_per_instance = 1, error_rate = 40 }
    expect {
      desired = 12
      reasons = ["guarded.errors"]
    }
  }
  at "31m" {
    until   = "39m"
    metrics = { cpu = 15, requests_per_instance = 1, error_rate = 0.1 }
    expect {
      desired = 12
      reasons = ["guard_tripped.errors"]
    }
  }
  at "40m" {
    until   = "50m"
    metrics = { cpu = 15, requests_per_instance = 1, error_rate = 0.1 }
    expect {
      at_most = 11
      without = ["guarded"]
    }
  }
}

test "a campaign's floor holds as long as the campaign" {
  group = group.web
  never = self.desired > 20
  given { desired = 6 }

  at "0m" {
    metrics = { cpu = 50, requests_per_instance = 6 }
    surge "campaign" {}
    expect {
      desired   = 20
      reasons   = ["raised_to_floor.campaign"]
      on_demand = 9
      spot      = 11
    }
  }
  at "119m" {
    metrics = { cpu = 10, requests_per_instance = 1 }
    expect { desired = 20 }
  }
  at "2h" {
    until   = "3h"
    metrics = { cpu = 10, requests_per_instance = 1 }
    expect { at_most = 12 }
  }
}
