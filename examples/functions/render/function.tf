# What a definition becomes, without a cloud
output "template" {
  value = provider::mkys::render({
    name     = "pnr"
    networks = { front = { cidr = "10.30.1.0/24" } }
    servers  = { web = { image = "debian-12", flavor = "small", networks = ["front"] } }
    services = { site = { server = "web", port = 80, audiences = ["users"] } }
  })
}
