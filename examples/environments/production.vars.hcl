env = "production"
services = {
  api    = { min = 3, max = 40, throughput = 900 }
  search = { min = 2, max = 20, throughput = 500, share = 0.4 }
  images = { max = 12, throughput = 300, share = 0.15 }
}
