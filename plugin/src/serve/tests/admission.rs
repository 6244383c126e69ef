//! Who is let in, and what of the socket others see.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use tokio::net::UnixStream;

use super::client::{Identity, LIMIT, Served};
use super::provider::thing;
use crate::protocol::plugin::Empty;
use crate::protocol::plugin::grpc_controller_client::GrpcControllerClient;
use crate::protocol::tfplugin6::{DynamicValue, get_metadata, validate_resource_config};
use crate::value::Value;

#[tokio::test]
async fn only_the_clis_own_certificate_is_let_in() {
    let (cli, stranger) = (Identity::new(), Identity::new());
    let served = Served::to(&cli.certificate, Duration::ZERO).await;
    let table = [
        ("no certificate", served.without_certificate(), false),
        (
            "a stranger's",
            served.with(&stranger.certificate, &stranger.key),
            false,
        ),
        (
            "the CLI's without its key",
            served.with(&cli.certificate, &stranger.key),
            false,
        ),
        ("the CLI's", served.with(&cli.certificate, &cli.key), true),
    ];
    for (what, mut client, is_let_in) in table {
        let asked = client.get_metadata(get_metadata::Request {});
        let answer = tokio::time::timeout(LIMIT, asked).await.expect(what);
        assert_eq!(answer.is_ok(), is_let_in, "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn who_says_nothing_holds_up_nobody() {
    let cli = Identity::new();
    let served = Served::to(&cli.certificate, Duration::ZERO).await;
    let mut mute = Vec::new();
    for _ in 0..32 {
        mute.push(UnixStream::connect(&served.socket).await.unwrap());
    }
    let mut client = served.with(&cli.certificate, &cli.key);
    let answer = tokio::time::timeout(LIMIT, client.get_metadata(get_metadata::Request {})).await;
    let metadata = answer.unwrap().unwrap().into_inner();
    assert_eq!(metadata.resources[0].type_name, "test_thing");
    assert_eq!(mute.len(), 32);
}

#[tokio::test]
async fn a_message_may_be_large() {
    let cli = Identity::new();
    let served = Served::to(&cli.certificate, Duration::ZERO).await;
    let msgpack = thing(Value::Null, &"x".repeat(9 << 20), Value::Null);
    let request = validate_resource_config::Request {
        type_name: "test_thing".to_owned(),
        config: Some(DynamicValue {
            msgpack,
            json: Vec::new(),
        }),
        client_capabilities: None,
    };
    let mut client = served.with(&cli.certificate, &cli.key);
    let answer = client
        .validate_resource_config(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.diagnostics, []);
}

#[tokio::test]
async fn the_socket_is_private_and_goes_away_when_the_cli_ends_it() {
    let cli = Identity::new();
    let served = Served::to(&cli.certificate, Duration::ZERO).await;
    let folder = served.socket.parent().unwrap();
    assert_eq!(
        folder.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
    let mut controller = GrpcControllerClient::new(served.plain_channel(&cli));
    controller.shutdown(Empty {}).await.unwrap();
    tokio::time::timeout(LIMIT, served.serving)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(!served.socket.exists());
    assert_eq!(std::fs::read_dir(served.folder.path()).unwrap().count(), 0);
}
