//! Serves the MKYS provider to Terraform or OpenTofu, which start it.

use std::process::ExitCode;

use mkys_plugin::Server;
use mkys_provider::{BackplaneLink, Blade, Mkys, Platform, Render, Route};

fn main() -> ExitCode {
    let platform = Platform::default();
    Server::builder(Mkys::new(platform.clone()))
        .resource(Blade::new(platform.clone()))
        .resource(BackplaneLink::new(platform.clone()))
        .resource(Route::new(platform))
        .function(Render)
        .run()
}
