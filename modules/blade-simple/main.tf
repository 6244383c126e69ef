# The commonest blade: one network, a web server that is watched, and a server with the data.
resource "mkys_blade" "this" {
  name        = var.name
  description = var.description

  project = var.group == null ? null : {
    group = var.group
    users = var.users
    quota = {
      instances = var.quota.instances
      cores     = var.quota.cores
      ram       = var.quota.ram
      gigabytes = var.quota.gigabytes
    }
  }

  networks = { front = { cidr = var.cidr } }

  servers = merge(
    {
      web = {
        image     = var.image
        flavor    = var.flavor
        networks  = ["front"]
        user_data = var.web.user_data
        probes    = ["node"]
        ready     = { http = var.web.health, within = var.web.within }
      }
    },
    var.data == null ? {} : {
      data = {
        image     = var.image
        flavor    = var.flavor
        networks  = ["front"]
        user_data = var.data.user_data
        volumes   = { data = { size = var.data.size, mount = var.data.mount } }
      }
    },
  )

  services = {
    for name, service in var.services : name => {
      server    = "web"
      port      = service.port
      audiences = service.audiences
    }
  }
}
