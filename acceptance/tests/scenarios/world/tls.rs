//! TLS before a service that speaks none, with a certificate of an authority that no system knows: how universities have it inside.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use mkys_acceptance::platform::authority::Authority;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// The front; it ends with the story.
pub(crate) struct Front {
    address: SocketAddr,
    authority: String,
    runtime: Option<Runtime>,
}

impl Front {
    /// A front on loopback of the service at `host:port`.
    pub(crate) fn before(service: &str) -> Self {
        let (authority, acceptor) = certified();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let service = service.to_owned();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                // whoever does not like the certificate goes away, which is the story's own matter
                tokio::spawn(relay(acceptor.clone(), client, service.clone()));
            }
        });
        Self {
            address,
            authority,
            runtime: Some(runtime),
        }
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The authority's certificate, PEM.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn relay(acceptor: TlsAcceptor, client: TcpStream, service: String) -> std::io::Result<()> {
    let mut client = acceptor.accept(client).await?;
    let mut service = TcpStream::connect(service).await?;
    tokio::io::copy_bidirectional(&mut client, &mut service).await?;
    Ok(())
}

/// An authority's certificate, and what presents one of its for 127.0.0.1.
fn certified() -> (String, TlsAcceptor) {
    let authority = Authority::new("a university").unwrap();
    let here = Ipv4Addr::LOCALHOST.to_string();
    let (own, key) = authority.certify(&[&here]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key)
        .unwrap();
    (
        authority.pem().to_owned(),
        TlsAcceptor::from(Arc::new(config)),
    )
}
