//! Requests reach a service as they were looked up: host, path, and the edge's own headers on the visitor.

use mkys_edge_client::{Audience, Decision};
use serde_json::json;

use crate::edge::{Edge, HOST, Stage};
use crate::script::{Script, exchange, get, status, values};
use crate::service::Service;

/// Whether a request is for a websocket or a plain one: both go the same way, by other code.
const KINDS: [&str; 2] = ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"];

/// An edge with a service at the path `/public` of a host, and nothing else there.
async fn public() -> (Edge, Script) {
    let edge = Edge::start(json!({}), None).await;
    let service = Script::fine().await;
    let route = edge.route_to(HOST, "/public", service.address).await;
    edge.decide(&route, Audience::Users, Decision::Approve)
        .await;
    (edge, service)
}

#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_paths_are_refused() {
    let (edge, service) = public().await;
    for kind in KINDS {
        for path in [
            "/secret/../public",
            "/secret/x/../../public/y",
            "/secret/%2e%2e/public",
            "/secret/%2E./public",
            "/secret%2F..%2Fpublic",
            "//secret/../public",
            "/public/../secret",
            "/public/..",
            "/public/..%2fsecret",
            "/public%2f..%2fsecret",
            "/public/%2e%2e%2fsecret",
            "/public/..%5csecret",
            "/public/..\\secret",
            "/public/..;/secret",
            "/public/..;x=1/secret",
            "/public/%2e%2e%3bx/secret",
            "/public/%252e%252e/secret",
            "/public/%25252e%25252e%25252fsecret",
            "/public/./x",
        ] {
            let answer = get(edge.users, path, kind).await;
            assert_eq!(status(&answer), 400, "{path} {kind} {answer}");
        }
        // not the route's own prefix, letter by letter
        for path in [
            "/secret",
            "/%70ublic",
            "//public",
            "/public%2Fx",
            "/publicx",
            "/public;x",
        ] {
            let answer = get(edge.users, path, kind).await;
            assert_eq!(status(&answer), 404, "{path} {kind} {answer}");
        }
        assert_eq!(service.heads(), [""; 0], "{kind}");
    }
    for path in [
        "/public",
        "/public/a%2Fb",
        "/public//x",
        "/public/...",
        "/public/x.y/.hidden?a=../b",
    ] {
        let answer = get(edge.users, path, "").await;
        assert_eq!(status(&answer), 200, "{path} {answer}");
        let heads = service.heads();
        let expected = format!("GET {path} HTTP/1.1\r\n");
        assert!(heads.last().unwrap().starts_with(&expected), "{heads:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_validated_and_normalised() {
    let (edge, service) = public().await;
    for kind in KINDS {
        let ask = async |target: &str, host: &str| {
            let request =
                format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{kind}\r\n");
            status(&exchange(edge.users, &request).await)
        };
        for host in [
            "x:80@evil.com",
            "x:abc",
            "x:99999",
            "x:1:2",
            "x:0",
            "x:-1",
            "x: 80",
        ] {
            let host = host.replacen('x', HOST, 1);
            assert_eq!(ask("/public", &host).await, 400, "{host} {kind}");
            let portal = host.replacen(HOST, "portal.mkys.test", 1);
            assert_eq!(ask("/", &portal).await, 400, "{portal} {kind}");
        }
        let upper = HOST.to_uppercase();
        for (host, handed_on) in [
            (HOST.to_owned(), HOST.to_owned()),
            (format!("{HOST}:8080"), format!("{HOST}:8080")),
            (format!("{HOST}."), HOST.to_owned()),
            (format!("{HOST}.:80"), format!("{HOST}:80")),
            (format!("{HOST}:"), HOST.to_owned()),
            (upper, HOST.to_owned()),
        ] {
            assert_eq!(ask("/public", &host).await, 200, "{host} {kind}");
            let head = service.heads().pop().unwrap();
            assert_eq!(values(&head, "Host"), [&handed_on], "{kind}");
            assert_eq!(values(&head, "X-Forwarded-Host"), [&handed_on], "{kind}");
        }
        // of a whole URL and a host the URL counts, and it is no service's business (RFC 9112, 3.2.2)
        let url = format!("http://{HOST}/public/x");
        assert_eq!(ask(&url, "other.test").await, 200, "{kind}");
        let head = service.heads().pop().unwrap();
        assert!(head.starts_with("GET /public/x HTTP/1.1\r\n"), "{head}");
        assert_eq!(values(&head, "Host"), [HOST]);
        assert_eq!(ask("http://other.test/public", HOST).await, 404, "{kind}");
    }
    let answer = exchange(
        edge.users,
        "GET / HTTP/1.1\r\nHost: portal.mkys.test.\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(status(&answer.await), 200);
}

const SPOOFED: &str = "Forwarded: for=1.2.3.4;proto=https;host=evil\r\nX-Forwarded-For: 203.0.113.7\r\n\
     X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /x\r\n\
     X-Forwarded-Ssl: on\r\nX-Forwarded-User: root\r\nX-Forwarded-Scheme: https\r\nX-Forwarded-Server: evil\r\n\
     X-Real-IP: 203.0.113.7\r\nX_Real_IP: 203.0.113.7\r\nX_Forwarded_For: 203.0.113.7\r\nX.Forwarded.Proto: https\r\n\
     X-Mkys-Audience: devops\r\nX_Mkys_Audience: devops\r\nTrue-Client-IP: 203.0.113.7\r\nX-Original-URL: /admin\r\n\
     X-Rewrite-URL: /admin\r\nProxy: http://evil\r\nFront-End-Https: on\r\nRemote-User: root\r\nTransfer_Encoding: chunked\r\n\
     Content_Length: 5\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn spoofed_headers_are_removed() {
    let (edge, service) = public().await;
    for kind in KINDS {
        let own = "api_key: 1\r\nx.dot: 2\r\nX-Ok: 3\r\nAuthorization: Bearer x\r\n";
        let fields = format!("{SPOOFED}{own}{kind}");
        let answer = get(edge.users, "/public", &fields).await;
        assert_eq!(status(&answer), 200, "{answer}");
        let head = service.heads().pop().unwrap();
        let lower = head.to_lowercase();
        for word in [
            "203.0.113.7",
            "1.2.3.4",
            "evil",
            "root",
            "devops",
            "/admin",
            "https",
        ] {
            assert!(!lower.contains(word), "{word}: {head}");
        }
        for name in [
            "transfer_encoding",
            "content_length",
            "x-forwarded-port",
            "front-end-https",
        ] {
            assert!(!lower.contains(name), "{name}: {head}");
        }
        for (name, value) in [
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Real-IP", "127.0.0.1"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", HOST),
            ("api_key", "1"),
            ("x.dot", "2"),
            ("X-Ok", "3"),
            ("Authorization", "Bearer x"),
        ] {
            assert_eq!(values(&head, name), [value], "{name}: {head}");
        }
    }
    // what a hop may take off does not make a service lose the edge's words
    let named = "Connection: upgrade, X-Real-IP, close\r\nUpgrade: websocket\r\n";
    let request = format!("GET /public HTTP/1.1\r\nHost: {HOST}\r\n{named}\r\n");
    exchange(edge.users, &request).await;
    let head = service.heads().pop().unwrap();
    assert_eq!(values(&head, "Connection"), ["Upgrade"], "{head}");
    // a body behind a handshake would be taken for frames
    for framing in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
        let fields = format!("{}{framing}", KINDS[1]);
        assert_eq!(status(&get(edge.users, "/public", &fields).await), 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trusted_proxy_headers_are_believed() {
    let settings = json!({ "trusted_proxies": ["127.0.0.1/32"] });
    let edge = Edge::with(settings, json!({}), None).await;
    let service = Script::fine().await;
    let route = edge.route_to(HOST, "/public", service.address).await;
    edge.decide(&route, Audience::Users, Decision::Approve)
        .await;
    for kind in KINDS {
        let said = "X-Forwarded-For: 203.0.113.7, 198.51.100.9\r\nX-Forwarded-Proto: https\r\nForwarded: for=1.2.3.4\r\n";
        let answer = get(edge.users, "/public", &format!("{said}{kind}")).await;
        assert_eq!(status(&answer), 200, "{answer}");
        let head = service.heads().pop().unwrap();
        for (name, value) in [
            ("X-Forwarded-For", "198.51.100.9"),
            ("X-Real-IP", "198.51.100.9"),
            ("X-Forwarded-Proto", "https"),
        ] {
            assert_eq!(values(&head, name), [value], "{name}: {head}");
        }
        assert!(values(&head, "Forwarded").is_empty(), "{head}");
        // junk is not a scheme
        let junk = format!("X-Forwarded-Proto: javascript\r\n{kind}");
        get(edge.users, "/public", &junk).await;
        let head = service.heads().pop().unwrap();
        assert_eq!(values(&head, "X-Forwarded-Proto"), ["http"], "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accel_headers_have_no_effect() {
    let stage = Stage::new(&Audience::ALL).await;
    for redirect in ["@portal", "/admin", "/play"] {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nX-Accel-Redirect: {redirect}\r\nX-Accel-Limit-Rate: 1\r\nContent-Length: 3\r\n\
             Connection: close\r\n\r\nown"
        );
        let service = Script::says(answer).await;
        stage.lead("evil", service.address).await;
        for kind in KINDS {
            let answer = get(stage.edge.devops, "/play/evil", kind).await;
            assert!(
                status(&answer) == 200 && answer.ends_with("own"),
                "{answer}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_to_own_address_are_rewritten() {
    let stage = Stage::new(&[Audience::Users]).await;
    let there = Service::start("there").await;
    let location = format!("http://{}/play/x", there.address);
    let service = Script::start(move |mut stream| {
        let location = location.clone();
        async move {
            use tokio::io::AsyncWriteExt as _;
            let own = stream.local_addr().unwrap();
            let answer = format!(
                "HTTP/1.1 302 Found\r\nLocation: http://{own}/play/moved/on\r\nX-Other: {location}\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    stage.lead("moved", service.address).await;
    let answer = get(stage.edge.users, "/play/moved", "").await;
    let expected = format!("http://{HOST}/play/moved/on");
    assert_eq!(values(&answer, "Location"), [&expected], "{answer}");
}
