output "blade" {
  description = "The blade, for mkys_route and mkys_backplane_link."
  value       = mkys_blade.this
  sensitive   = true
}

output "endpoints" {
  description = "Where the edge reaches each service."
  value       = mkys_blade.this.endpoints
}

output "server_ids" {
  description = "Id of each server."
  value       = mkys_blade.this.server_ids
}
