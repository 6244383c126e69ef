//! The Terraform/OpenTofu plugin protocol (version 6) served with tonic: typed resources.
