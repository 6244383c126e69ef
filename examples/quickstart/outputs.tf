output "endpoints" {
  description = "Where the edge reaches the blade's services."
  value       = module.games.endpoints
}

output "server_ids" {
  description = "Id of each server."
  value       = module.games.server_ids
}

output "devops_network_id" {
  description = "The Devops blade's network, for the monitoring."
  value       = mkys_blade.devops.network_ids["core"]
}

output "devops_project_id" {
  description = "The Devops blade's project."
  value       = mkys_blade.devops.project_id
}

output "routes" {
  description = "Routes with what was decided about them."
  value = {
    for name, route in { site = mkys_route.site, admin = mkys_route.admin, preview = mkys_route.preview } :
    name => { id = route.id, host = route.host, decisions = { for audience, one in route.decisions : audience => one.state } }
  }
}

output "edition" {
  description = "What the site says of itself."
  value       = var.edition
}
