//! tideform: Terraform for autoscaling.
