# What somebody writes who knows a target and nothing else; see ../../traces.rs.

group "only_a_target" {
  provider = provider.mock
  resource "asg" { name = "only-a-target" }

  metric "cpu" {
    track {
      target = 60
    }
  }
  limits {
    min = 1
    max = 2000
  }
}
