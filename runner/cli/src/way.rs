//! How players get to a session: through an edge if one was named, else to the session's own address.

use anyhow::{Context as _, Result};
use mkys_edge_client::{EdgeClient, EdgeError, Settings};
use mkys_runner::{EdgeDoor, EdgeSettings};

use crate::arguments::WayArguments;

/// The variable that has the token of a delegation if no file was named. Words of a command line are everybody's to read.
const TOKEN: &str = "MKYS_EDGE_TOKEN";

/// The way through the edge that was named; `None` if none was.
pub(crate) async fn edge(arguments: WayArguments) -> Result<Option<EdgeDoor>> {
    let WayArguments {
        edge_url,
        edge_listener,
        edge_token_file,
        edge_ca,
    } = arguments;
    let (Some(url), Some(listener)) = (edge_url, edge_listener) else {
        return Ok(None);
    };
    let token = match edge_token_file {
        Some(file) => std::fs::read_to_string(&file)
            .with_context(|| format!("read the edge's token from {}", file.display()))?,
        None => std::env::var(TOKEN).with_context(|| {
            format!(
                "name a file with the delegation's token with --edge-token-file, or set {TOKEN}"
            )
        })?,
    };
    let ca_pem = match edge_ca {
        Some(file) => {
            let pem = std::fs::read(&file);
            Some(pem.with_context(|| format!("read {}", file.display()))?)
        }
        None => None,
    };
    let mut settings = Settings::new(url, token.trim());
    settings.ca_pem.clone_from(&ca_pem);
    let settings = EdgeSettings::builder()
        .client(EdgeClient::new(&settings).map_err(with_option)?)
        .listener(listener)
        .maybe_ca_pem(ca_pem)
        .build();
    let door = EdgeDoor::connect(settings).await;
    Ok(Some(door.map_err(with_option)?))
}

/// The error with what a person at a terminal sets.
fn with_option(error: EdgeError) -> anyhow::Error {
    let option = match &error {
        EdgeError::Settings {
            what: "listener", ..
        } => {
            "--edge-listener says where players come in: https://ADDRESS with TLS, http://ADDRESS without; --edge-ca names a file with the \
             authority of its certificate"
        }
        EdgeError::Settings { what: "ca", .. } => "--edge-ca names a file of certificates, as PEM",
        EdgeError::Token { .. } => {
            "the token is that of a delegation: `mkys-edge delegation create` prints it"
        }
        _ => return error.into(),
    };
    anyhow::anyhow!("{:#}; {option}", anyhow::Error::new(error))
}
