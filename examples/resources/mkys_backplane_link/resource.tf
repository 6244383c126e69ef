resource "mkys_blade" "devops" {
  name     = "devops"
  networks = { core = { cidr = "10.99.0.0/24" } }
}

resource "mkys_blade" "pnr" {
  name     = "pnr"
  networks = { front = { cidr = "10.30.1.0/24" } }
  servers = {
    web = { image = "debian-12", flavor = "small", networks = ["front"], probes = ["node"] }
  }
}

resource "mkys_backplane_link" "pnr" {
  blade     = mkys_blade.pnr
  backplane = mkys_blade.devops
  network   = "core" # that the monitoring is on
}
