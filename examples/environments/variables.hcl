variable "env" {
  type        = string
  default     = "staging"
  description = "the environment: staging or production"

  validation {
    condition     = contains(["staging", "production"], var.env)
    error_message = "The environment is staging or production."
  }
}

variable "services" {
  description = "the services: their limits, what one instance carries, and their share of the traffic"
  type = map(object({
    min        = optional(number, 1)
    max        = number
    throughput = number
    share      = optional(number, 1)
  }))
  default = {
    api    = { max = 6, throughput = 900, share = 0.2 }
    search = { max = 4, throughput = 500, share = 0.1 }
  }
}

locals {
  production = var.env == "production"
}
