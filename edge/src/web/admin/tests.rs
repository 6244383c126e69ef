//! Tests of the administrators' pages, over HTTP.

use std::net::SocketAddr;

use mkys_edge_client::RouteSpec;
use reqwest::redirect::Policy;

use super::*;

/// The pages with one administrator, who is signed in, and a route that waits.
struct Pages {
    _folder: tempfile::TempDir,
    app: App,
    address: SocketAddr,
    http: reqwest::Client,
    cookie: String,
}

const ROUTE: Uuid = Uuid::from_u128(1);

impl Pages {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = App::beside(folder.path()).await;
        let actor = Actor {
            name: "carol".into(),
            person: "carol".into(),
            role: Role::Administrator,
            blades: Vec::new(),
            networks: Vec::new(),
        };
        let now = jiff::Timestamp::UNIX_EPOCH;
        app.store
            .add_token(&actor, "mkys_carol", "", now)
            .await
            .unwrap();
        app.store.insert(&route(), now).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, app.clone().pages()).into_future());
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .build()
            .unwrap();
        let cookie = app.sessions.open("mkys_carol", Instant::now()).unwrap();
        Self {
            _folder: folder,
            app,
            address,
            http,
            cookie,
        }
    }

    async fn get(&self, path: &str, audience: &str) -> String {
        let asked = self.http.get(format!("http://{}{path}", self.address));
        let asked = asked.header("x-mkys-audience", audience);
        let asked = asked.header("cookie", format!("mkys_session={}", self.cookie));
        asked.send().await.unwrap().text().await.unwrap()
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
        let plain =
            |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
        let fields = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", plain(value)));
        let sent = self.http.post(format!("http://{}{path}", self.address));
        let sent = sent
            .header("x-mkys-audience", "devops")
            .header("cookie", format!("mkys_session={}", self.cookie))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(fields.collect::<Vec<_>>().join("&"));
        let answer = sent.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn state(&self) -> AccessState {
        let route = self.app.store.route(ROUTE).await.unwrap().unwrap();
        route.decisions[&Audience::Users].state
    }
}

fn route() -> Route {
    let wish = Wish {
        enabled: true,
        justification: "a private reason".into(),
        description: "Automata for everybody".into(),
    };
    Route {
        id: ROUTE,
        spec: RouteSpec {
            blade: "games".into(),
            service: "site".into(),
            port: 80,
            host: "games.example.org".into(),
            path: "/".into(),
            targets: [(Audience::Users, "198.51.100.20:80".parse().unwrap())].into(),
            access: [(Audience::Users, wish)].into(),
        },
        requester: "pipeline".into(),
        people: vec!["dave".into()],
        decisions: [(Audience::Users, policy::undecided(AccessState::Pending))].into(),
    }
}

/// The value of the first hidden field of a name.
fn hidden(page: &str, name: &str) -> String {
    let marker = format!("name=\"{name}\" value=\"");
    let rest = page.split(&marker).nth(1).unwrap();
    rest.split('"').next().unwrap().replace("&#34;", "\"")
}

/// All that the form of a page sends.
fn form(page: &str, decision: &str) -> Vec<(&'static str, String)> {
    let names = ["form_token", "id", "audience", "content", "revision"];
    let names = names
        .into_iter()
        .filter(|name| page.contains(&format!("name=\"{name}\"")));
    let fields = names.map(|name| (name, hidden(page, name)));
    fields.chain([("decision", decision.to_owned())]).collect()
}

async fn decide(pages: &Pages, form: &[(&'static str, String)]) -> (StatusCode, String) {
    let fields: Vec<_> = form.iter().map(|(name, value)| (*name, &**value)).collect();
    pages.post("/admin/decide", &fields).await
}

#[tokio::test]
async fn enter_does_not_approve() {
    let pages = Pages::new().await;
    let page = pages.get("/admin", "devops").await;
    let form = page.split("class=\"decide\"").nth(1).unwrap();
    let form = form.split("</form>").next().unwrap();
    // Enter sends a form by its first button, and not at all in an area for text
    let first = form.split("<button").nth(1).unwrap();
    assert!(first.contains("value=\"refuse\""), "{form}");
    assert!(
        form.contains("<textarea") && !form.contains("<input id="),
        "{form}"
    );
}

#[tokio::test]
async fn stale_pages_decide_nothing() {
    let pages = Pages::new().await;
    let stale = pages.get("/admin", "devops").await;
    // another administrator refuses it meanwhile
    let other = pages.get("/admin", "devops").await;
    let (status, _) = decide(&pages, &form(&other, "refuse")).await;
    assert_eq!(
        (status, pages.state().await),
        (StatusCode::SERVICE_UNAVAILABLE, AccessState::Refused)
    );
    let (status, said) = decide(&pages, &form(&stale, "approve")).await;
    assert_eq!(
        (status, pages.state().await),
        (StatusCode::CONFLICT, AccessState::Refused)
    );
    assert!(said.contains("refused now, by"), "{said}");
    // who has seen that may
    let fresh = pages.get("/admin", "devops").await;
    decide(&pages, &form(&fresh, "approve")).await;
    assert_eq!(pages.state().await, AccessState::Approved);
    // and the form of before is not good for another time
    let fresh_again = pages.get("/admin", "devops").await;
    decide(&pages, &form(&fresh_again, "withdraw")).await;
    let (status, _) = decide(&pages, &form(&fresh, "approve")).await;
    assert_eq!(
        (status, pages.state().await),
        (StatusCode::CONFLICT, AccessState::Withdrawn)
    );
}

#[tokio::test]
async fn portal_shows_approved_text_only() {
    let pages = Pages::new().await;
    let page = pages.get("/admin", "devops").await;
    assert!(page.contains("a private reason") && page.contains("Automata for everybody"));
    decide(&pages, &form(&page, "approve")).await;
    let portal = pages.get("/", "users").await;
    assert!(portal.contains("Automata for everybody"), "{portal}");
    assert!(!portal.contains("a private reason"), "{portal}");
    // another text is another request
    let (actor, now) = (requester(), jiff::Timestamp::UNIX_EPOCH);
    let changed = pages
        .app
        .store
        .change(ROUTE, "pipeline", now, move |before| {
            let mut spec = before.spec.clone();
            spec.access
                .values_mut()
                .for_each(|wish| wish.description = "confirm your password".into());
            policy::change(&actor, before, spec, now)
        });
    changed.await.unwrap();
    let portal = pages.get("/", "users").await;
    assert!(!portal.contains("confirm your password") && !portal.contains("games.example.org"));
}

fn requester() -> Actor {
    Actor {
        name: "pipeline".into(),
        person: "dave".into(),
        role: Role::Requester,
        blades: vec!["games".into()],
        networks: Vec::new(),
    }
}

#[tokio::test]
async fn other_blades_on_a_host_are_named() {
    let pages = Pages::new().await;
    assert!(
        !pages
            .get("/admin", "devops")
            .await
            .contains("routes of other blades")
    );
    let mut other = route();
    other.id = Uuid::from_u128(2);
    (other.spec.blade, other.spec.path) = ("evil".into(), "/login".into());
    let now = jiff::Timestamp::UNIX_EPOCH;
    pages.app.store.insert(&other, now).await.unwrap();
    let page = pages.get("/admin", "devops").await;
    assert!(page.contains("routes of other blades: games"), "{page}");
}

#[tokio::test]
async fn broken_forms_get_a_page() {
    let pages = Pages::new().await;
    for path in ["/admin/decide", "/admin/sign-in"] {
        let (status, said) = pages.post(path, &[("id", "none")]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(
            said.contains("<!doctype html>") && !said.contains("deserialize"),
            "{said}"
        );
    }
}
