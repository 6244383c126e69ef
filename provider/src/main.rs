//! Terraform/OpenTofu provider for MKYS: blades, routes and backplane links.

fn main() {}
