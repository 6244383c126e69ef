//! How players get to a session: through an edge if one was named, else to the session's own address.

use anyhow::{Context as _, Result};
use mkys_edge_client::{EdgeClient, Settings};
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
    let mut settings = Settings::new(url, token.trim());
    if let Some(file) = edge_ca {
        let pem = std::fs::read(&file);
        settings.ca_pem = Some(pem.with_context(|| format!("read {}", file.display()))?);
    }
    let client = EdgeClient::new(&settings)?;
    let settings = EdgeSettings::builder().client(client).listener(listener);
    Ok(Some(EdgeDoor::connect(settings.build()).await?))
}
