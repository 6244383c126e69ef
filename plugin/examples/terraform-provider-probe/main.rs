//! A provider that has everything this crate can do, over files in a folder: what the conformance suite and the judge drive.

mod broken;
mod everything;
mod extras;
mod secret;
mod slow;
mod store;
mod upgraded;

use std::process::ExitCode;
use std::time::Duration;

use mkys_plugin::{
    Attr, Attribute, Context, Diagnostic, Diagnostics, Path, Provider, Schema, Server,
};
use serde::{Deserialize, Serialize};

use store::Store;

struct Probe {
    store: Store,
}

#[derive(Clone, Serialize, Deserialize)]
struct Config {
    folder: Attr<String>,
    suffix: Attr<String>,
}

impl Provider for Probe {
    type Config = Config;

    fn name(&self) -> &'static str {
        "probe"
    }

    fn schema(&self) -> Schema {
        Schema::new()
            .description("Keeps things in files of a folder.")
            .attribute(
                "folder",
                Attribute::string()
                    .required()
                    .description("Where the files are."),
            )
            .attribute(
                "suffix",
                Attribute::string().default(".json").validate_str(|suffix| {
                    if suffix.starts_with('.') {
                        Ok(())
                    } else {
                        Err("a suffix starts with a dot".into())
                    }
                }),
            )
    }

    async fn configure(&self, config: Config, cx: &Context) -> Result<(), Diagnostics> {
        let Some(folder) = config.folder.into_option() else {
            // While planning it may come from a resource that does not exist yet.
            return Ok(());
        };
        if !std::path::Path::new(&folder).is_dir() {
            let error = Diagnostic::error("There is no such folder", folder);
            return Err(error.at(Path::root("folder")).into());
        }
        if folder == "/" {
            cx.warn(Diagnostic::warning("That is a strange place", "").at(Path::root("folder")));
        }
        self.store.open(&folder, config.suffix.unwrap_or_default());
        Ok(())
    }
}

fn main() -> ExitCode {
    let store = Store::default();
    Server::builder(Probe {
        store: store.clone(),
    })
    .resource(everything::Everything(store.clone()))
    .resource(secret::Secret(store.clone()))
    .resource(upgraded::Upgraded(store.clone()))
    .resource(slow::Slow(store.clone()))
    .resource(slow::Stubborn(store.clone()))
    .resource(broken::Panics(store.clone()))
    .resource(broken::Halfway(store.clone()))
    .resource(broken::Forgetful)
    .data_source(extras::Lookup(store.clone()))
    .ephemeral_resource(extras::Token(store))
    .function(extras::Join)
    .function(extras::Describe)
    .function(extras::Faulty)
    .grace(Duration::from_secs(2))
    .run()
}
