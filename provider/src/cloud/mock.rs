//! A cloud for unit tests, for what a real one can't be made to show: it signs anybody in, and answers what a test mounts.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{Cloud, Credentials, Environment};

/// A server that is Keystone below `/v3`, Heat below `/heat`, Neutron below `/network` and Nova below `/compute`, and a client that will sign in there as user `u`.
pub(crate) async fn cloud() -> (MockServer, Cloud) {
    let server = MockServer::start().await;
    let url = format!("{}/v3", server.uri());
    let at = |kind: &str, path: &str| {
        let endpoint = json!({ "interface": "public", "url": format!("{}/{path}", server.uri()) });
        json!({ "type": kind, "endpoints": [endpoint] })
    };
    let catalog = [
        at("identity", "v3"),
        at("orchestration", "heat"),
        at("network", "network"),
        at("compute", "compute"),
    ];
    let signed_in = move |request: &Request| {
        let asked: Value = request.body_json().unwrap();
        let project = asked.pointer("/auth/scope/project/id").cloned();
        let project = project.unwrap_or(json!("own"));
        let token = json!({ "token": {
            "expires_at": "2999-01-01T00:00:00Z", "user": { "id": "u" }, "project": { "id": project },
            "catalog": catalog,
        } });
        ResponseTemplate::new(201)
            .insert_header("x-subject-token", "secret")
            .set_body_json(token)
    };
    let mock = Mock::given(path("/v3/auth/tokens")).respond_with(signed_in);
    mock.mount(&server).await;
    let variables = [
        ("OS_AUTH_URL", url.as_str()),
        ("OS_USERNAME", "admin"),
        ("OS_PASSWORD", "x"),
        ("OS_PROJECT_NAME", "admin"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = Environment {
        variables: BTreeMap::from(variables),
        directory: "/".into(),
    };
    let credentials = Credentials::read(None, &environment).unwrap();
    (server, Cloud::new(credentials).unwrap())
}

/// What was asked after the sign-in.
pub(crate) async fn asked(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let requests = requests.iter().skip(1);
    requests
        .map(|request| format!("{} {}", request.method, request.url.path()))
        .collect()
}
