# A blade with a web site, the Devops blade, the link between them, and who may come.
terraform {
  required_version = ">= 1.8.0"
  required_providers {
    mkys = {
      source  = "mkys/mkys"
      version = ">= 0.1.0"
    }
  }
}

provider "mkys" {
  cloud        = var.cloud
  probe_source = var.probe_source
  edge = {
    url          = var.edge_url # its token comes from MKYS_EDGE_TOKEN
    users_cidrs  = var.edge_users_cidrs
    devops_cidrs = var.edge_devops_cidrs
  }
}

# -- a blade: the games platform -------------------------------------------------------------------
module "games" {
  source = "../../modules/blade-simple"

  name        = "${var.prefix}games"
  description = "Serious games for students"
  group       = "${var.prefix}games-admin"
  users       = ["alice"]
  quota       = { instances = 6, cores = 8, ram = 4096, gigabytes = 10 }
  cidr        = "10.20.1.0/24"
  image       = var.image
  flavor      = var.flavor

  web = {
    health = ":80/health"
    within = var.ready_within
    user_data = templatefile("${path.module}/web.sh.tftpl", {
      edition = var.edition
      healthy = var.healthy
    })
  }
  data = { size = 1 }

  services = {
    site  = { port = 80, audiences = ["users"] }
    admin = { port = 8443, audiences = ["devops"] }
  }
}

# -- the Devops blade, into which all others are plugged ---------------------------------------------
resource "mkys_blade" "devops" {
  name        = "${var.prefix}devops"
  description = "The backplane: monitoring, registry, delivery"
  project = {
    group = "${var.prefix}devops-admin"
    users = ["bob"]
  }
  networks = { core = { cidr = "10.99.0.0/24" } }
}

resource "mkys_backplane_link" "games" {
  count = var.linked ? 1 : 0

  blade     = module.games.blade
  backplane = mkys_blade.devops
  network   = "core"
}

# -- who may come ------------------------------------------------------------------------------------
resource "mkys_route" "site" {
  blade   = module.games.blade
  service = "site"
  host    = "${var.prefix}games.mkys.test"
  access  = { users = { justification = "Students play the games of the course" } }
}

resource "mkys_route" "admin" {
  blade   = module.games.blade
  service = "admin"
  host    = "${var.prefix}games-admin.mkys.test"
  access  = { devops = { justification = "The games' team updates and watches its blade" } }
}

# nobody approves this one, so it gives nothing
resource "mkys_route" "preview" {
  blade   = module.games.blade
  service = "site"
  host    = "${var.prefix}preview.mkys.test"
  access  = { users = { justification = "A look at what comes next" } }
}
