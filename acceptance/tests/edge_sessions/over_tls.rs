//! A listener with a certificate: visitors reach sessions there as elsewhere, and their websockets end with them.

use std::net::SocketAddr;
use std::sync::Arc;

use mkys_acceptance::platform::authority::Authority;
use mkys_edge_client::Audience;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::edge::{Edge, HOST, Stage, path, spec, until};
use crate::script::{Script, get, status, values};
use crate::service::{Service, head};
use crate::visitor::{PATIENCE, Socket};

/// More than fits into one record of TLS, and than is copied at once.
const MUCH: usize = 300_000;

async fn connect(listener: SocketAddr, authority: &Authority) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(authority.pem().as_bytes());
    roots.add(authority.unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(listener).await.unwrap();
    let name = ServerName::try_from(HOST).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_carries_much_both_ways_and_ends_with_its_session() {
    let authority = Authority::new("a university").unwrap();
    let edge = Edge::start(json!({}), Some(&authority)).await;
    let stage = Stage::on(edge, &[Audience::Users]).await;
    let (edge, holder) = (&stage.edge, &stage.holder);
    let game = Service::start("a game").await;
    holder
        .put_session("g", &spec("g", &game, 60))
        .await
        .unwrap();

    let mut page = connect(edge.users, &authority).await;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n",
        path("g")
    );
    page.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, page.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("a game"),
        "{answer}"
    );

    let mut socket = connect(edge.users, &authority).await;
    let sent: Vec<u8> = (0..MUCH).map(|at| (at % 251) as u8).collect();
    // whoever does not wait for the answer loses nothing
    let first = [Socket::handshake(&path("g")).as_bytes(), &sent[..1000]].concat();
    socket.write_all(&first).await.unwrap();
    let answer = timeout(PATIENCE, head(&mut socket)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    let (mut reader, mut writer) = tokio::io::split(socket);
    let mut back = vec![0; MUCH];
    let both = async {
        tokio::try_join!(
            reader.read_exact(&mut back),
            writer.write_all(&sent[1000..])
        )
    };
    timeout(PATIENCE, both).await.expect("it stopped").unwrap();
    assert!(back == sent, "something else came back");
    let used = holder.session("g").await.unwrap();
    assert_eq!(used.connections, 1, "{used:?}");

    holder.delete_session("g").await.unwrap();
    let mut rest = Vec::new();
    // an end without TLS' own farewell is one as well
    let _ = timeout(PATIENCE, reader.read_to_end(&mut rest))
        .await
        .expect("it stays open");
    assert_eq!(rest, b"");
    until("the lobby", async || {
        let mut page = connect(edge.users, &authority).await;
        page.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = timeout(PATIENCE, page.read_to_string(&mut answer))
            .await
            .unwrap();
        answer.ends_with("the lobby").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_visitors_are_redirected() {
    let authority = Authority::new("a university").unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = free.local_addr().unwrap();
    drop(free);
    let mut edge = Edge::start(json!({}), Some(&authority)).await;
    edge.kill();
    edge.set("/users/redirects", json!([plain]));
    edge.serve().await;
    let answer = get(plain, "/a%2Fb?c=d", "").await;
    assert_eq!(status(&answer), 308, "{answer}");
    let expected = format!("https://{HOST}/a%2Fb?c=d");
    assert_eq!(values(&answer, "Location"), [&expected], "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hsts_setting_replaces_a_services_own() {
    const FIELD: &str = "Strict-Transport-Security";
    let authority = Authority::new("a university").unwrap();
    let edge = Edge::start(json!({}), Some(&authority)).await;
    let mut stage = Stage::on(edge, &Audience::ALL).await;
    let own =
        "HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 4\r\n\r\nfine";
    let service = Script::says(own).await;
    stage.lead("own", service.address).await;
    let users = stage.edge.users;
    let fields = async |place: &str| {
        let mut page = connect(users, &authority).await;
        let request = format!("GET {place} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        page.write_all(request.as_bytes()).await.unwrap();
        let answer = timeout(PATIENCE, head(&mut page)).await.unwrap().unwrap();
        let fields = values(&answer, FIELD).into_iter().map(str::to_owned);
        fields.collect::<Vec<_>>()
    };
    // off: it is the service's to say
    assert_eq!(fields("/play").await, [""; 0]);
    assert_eq!(fields(&path("own")).await, ["max-age=1"]);
    stage.edge.kill();
    stage.edge.set("/users/tls/hsts_s", json!(3_600));
    stage.edge.serve().await;
    for place in ["/play", &path("own"), "/nowhere"] {
        assert_eq!(fields(place).await, ["max-age=3600"], "{place}");
    }
    // a listener without TLS never says so
    let plain = get(stage.edge.devops, "/play", "").await;
    assert_eq!(values(&plain, FIELD), [""; 0], "{plain}");
}
