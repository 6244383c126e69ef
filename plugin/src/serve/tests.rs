//! The server in process, by a real client over TLS.
