resource "mkys_blade" "pnr" {
  name     = "pnr"
  networks = { front = { cidr = "10.30.1.0/24" } }
  servers  = { web = { image = "debian-12", flavor = "small", networks = ["front"] } }
  services = { site = { server = "web", port = 80, audiences = ["users", "devops"] } }
}

resource "mkys_route" "pnr" {
  blade   = mkys_blade.pnr
  service = "site"
  host    = "pnr.example.org"

  access = {
    users  = { justification = "The networks' public site" }
    devops = { justification = "The team looks at it before the public does" }
  }
}

# Closed to users for the time of a revision, still open to those who run it:
# access = {
#   users  = { enabled = false }
#   devops = { justification = "The team looks at it before the public does" }
# }
