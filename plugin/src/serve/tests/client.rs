//! A served provider, and clients with good and bad certificates.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P521_SHA512};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::super::{ServeError, companions::Ending, ends::End, handshake::Invitation, serve};
use super::provider;
use crate::protocol::tfplugin6::provider_client::ProviderClient;

/// Nothing here takes long; what hangs must fail.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// A certificate as Terraform makes it: self-signed, on P-521, and a CA.
pub(super) struct Identity {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: KeyPair,
}

impl Identity {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, key }
    }
}

/// A provider that is being served.
pub(super) struct Served {
    pub(super) socket: PathBuf,
    pub(super) certificate: CertificateDer<'static>,
    pub(super) serving: JoinHandle<Result<(), ServeError>>,
    pub(super) folder: tempfile::TempDir,
}

impl Served {
    /// Serves the test provider to whoever has this certificate.
    pub(super) async fn to(client: &CertificateDer<'static>, grace: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let invitation = Invitation {
            client: Some(client.clone()),
            socket_folder: folder.path().to_owned(),
        };
        let (said, line) = oneshot::channel();
        let say = move |line: &str| said.send(line.to_owned()).map_err(std::io::Error::other);
        let ending = Ending::new();
        let end = {
            let ending = ending.clone();
            async move {
                ending.begun().await;
                End::Asked
            }
        };
        let serving = tokio::spawn(serve(
            provider::catalogue(),
            grace,
            invitation,
            ending,
            end,
            say,
        ));
        let line = tokio::time::timeout(LIMIT, line).await.unwrap().unwrap();
        let fields: Vec<&str> = line.trim_end().split('|').collect();
        assert_eq!(
            (fields.len(), &fields[..3], fields[4]),
            (6, &["1", "6", "unix"][..], "grpc")
        );
        let certificate = STANDARD_NO_PAD.decode(fields[5]).unwrap().into();
        Self {
            socket: fields[3].into(),
            certificate,
            serving,
            folder,
        }
    }

    /// A channel with this configuration of TLS; connects when first used.
    fn channel(&self, config: ClientConfig) -> Channel {
        let (socket, connector) = (self.socket.clone(), TlsConnector::from(Arc::new(config)));
        let connect = service_fn(move |_: Uri| {
            let (socket, connector) = (socket.clone(), connector.clone());
            async move {
                let stream = UnixStream::connect(socket).await?;
                let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
                connector.connect(name, stream).await.map(TokioIo::new)
            }
        });
        Endpoint::from_static("http://localhost").connect_with_connector_lazy(connect)
    }

    fn roots(&self) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
    }

    fn client(&self, mut config: ClientConfig) -> ProviderClient<Channel> {
        config.alpn_protocols = vec![b"h2".to_vec()];
        ProviderClient::new(self.channel(config))
    }

    pub(super) fn without_certificate(&self) -> ProviderClient<Channel> {
        self.client(self.roots().with_no_client_auth())
    }

    /// With this certificate and this key, whether they belong together or not.
    pub(super) fn with(
        &self,
        certificate: &CertificateDer<'static>,
        key: &KeyPair,
    ) -> ProviderClient<Channel> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = aws_lc_rs::default_provider()
            .key_provider
            .load_private_key(key)
            .unwrap();
        let certified = Arc::new(CertifiedKey::new(vec![certificate.clone()], key));
        self.client(
            self.roots()
                .with_client_cert_resolver(Arc::new(Always(certified))),
        )
    }

    /// A channel for the services beside the provider's.
    pub(super) fn plain_channel(&self, identity: &Identity) -> Channel {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.serialize_der()));
        let chain = vec![identity.certificate.clone()];
        let mut config = self.roots().with_client_auth_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        self.channel(config)
    }
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
    fn has_certs(&self) -> bool {
        true
    }
}
