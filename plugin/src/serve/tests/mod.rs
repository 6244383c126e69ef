//! The server in process, spoken to by a real client over TLS, as the CLI does.

mod admission;
mod client;
mod provider;
mod saving;
