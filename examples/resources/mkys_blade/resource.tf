resource "mkys_blade" "automathon" {
  name        = "automathon"
  description = "Serious games for students"

  # left out, the blade is built in the project of the provider's credential
  project = {
    group = "automathon-admin"
    users = ["alice", "bob"]
    quota = { instances = 6, cores = 12, ram = 24576, gigabytes = 100 }
  }

  networks = {
    front = { cidr = "10.20.1.0/24" }
    data  = { cidr = "10.20.2.0/24" }
  }

  servers = {
    web = {
      image     = "debian-12"
      flavor    = "medium"
      networks  = ["front", "data"]
      user_data = <<-EOT
        #!/bin/sh
        apt-get update && apt-get install -y nginx
        echo ok >/var/www/html/health
      EOT
      probes    = ["node"]
      ready     = { http = ":80/health", within = "5m" }
    }
    db = {
      image    = "debian-12"
      flavor   = "large"
      networks = ["data"]
      probes   = ["node"]
      volumes  = { data = { size = 20, mount = "/var/lib/mysql" } }
    }
  }

  services = {
    site  = { server = "web", port = 80, audiences = ["users"] }
    admin = { server = "web", port = 8443, audiences = ["devops"] }
  }

  timeouts = { create = "30m" }
}
