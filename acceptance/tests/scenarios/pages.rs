//! The pages that people have: the portal of each audience, and the administrators', through the real NGINX.

use crate::world::Stage;
use crate::world::browser::{Browser, Page};
use crate::world::edge::{Beside, wish};
use crate::world::service::serve;

const HOST: &str = "games.mkys.test";

#[test]
fn people_sign_in_decide_and_find_what_was_decided() {
    let stage = Stage::new("pages", 0);
    let edge = Beside::start(&stage);
    let mut wished = wish(HOST, &serve("a game"));
    let quote = "<b>\"fun\" & games</b>";
    for audience in ["users", "devops"] {
        wished["access"][audience]["description"] = quote.into();
        wished["access"][audience]["justification"] = "for the administrators alone".into();
    }
    let mut other = wish(HOST, &serve("another service"));
    other["service"] = "other".into();
    let route = edge.ask_for(&other);
    let [users, devops] =
        ["users", "devops"].map(|audience| Browser::open(audience, edge.port, &stage.folder));

    // nobody approved it: it is on no portal, and users have no administrators' page at all
    for browser in [&users, &devops] {
        let portal = browser.get("/");
        assert_eq!(portal.status, 200);
        assert!(portal.text.contains("No service is open"), "{portal:?}");
        assert!(!portal.text.contains(HOST), "{portal:?}");
    }
    for path in ["/admin", "/nothing"] {
        let missing = users.get(path);
        assert_eq!(missing.status, 404, "{path}");
        assert!(missing.text.contains("no such page"), "{missing:?}");
    }
    let sign_in = ("token", &*edge.administrator);
    assert_eq!(users.post("/admin/sign-in", &[sign_in]).status, 404);

    // who is not signed in sees nothing of what was asked for, and a requester's token is no administrator's
    let page = devops.get("/admin");
    assert!(page.text.contains("Sign in") && !page.text.contains(HOST));
    for token in ["mkys_wrong", &edge.requester] {
        let refused = devops.post("/admin/sign-in", &[("token", token)]);
        assert_eq!(refused.status, 401);
        assert!(
            refused.text.contains("That is no administrator"),
            "{refused:?}"
        );
        assert!(!refused.text.contains(token), "a secret on a page");
    }

    assert_eq!(devops.post("/admin/sign-in", &[sign_in]).status, 303);
    let before = devops.get("/admin");
    // while somebody looks at the page, the route becomes another
    edge.change(&route, &wished);
    let page = devops.get("/admin");
    let waiting = page.section("waiting");
    let place = format!("<dd>{HOST}");
    assert_eq!(waiting.matches(&place).count(), 2, "{waiting}");
    let escaped = "&#60;b&#62;&#34;fun&#34; &#38; games&#60;/b&#62;";
    assert!(waiting.contains(escaped), "{waiting}");
    assert!(
        waiting.contains("for the administrators alone"),
        "{waiting}"
    );

    // another site's form does not know what the page's own form has
    let decide_on = |page: &Page, form_token: &str, decision: &str, audience: &str| {
        let fields = [
            ("form_token", form_token),
            ("id", &route),
            ("audience", audience),
            ("content", &page.hidden("content").replace("&#34;", "\"")),
            ("decision", decision),
            ("reason", "seen"),
        ];
        devops.post("/admin/decide", &fields)
    };
    let decision = |form_token: &str, decision: &str, audience: &str| {
        decide_on(&page, form_token, decision, audience)
    };
    assert_eq!(decision("guessed", "approve", "users").status, 403);
    assert_eq!(edge.visit(HOST).status, 404);

    // nobody saw what it is now on the page from before
    let form_token = page.hidden("form_token").to_owned();
    for word in ["approve", "refuse"] {
        let stale = decide_on(&before, &form_token, word, "users");
        assert_eq!(stale.status, 409, "{stale:?}");
        assert!(stale.text.contains("has changed since"), "{stale:?}");
    }
    assert_eq!(edge.visit(HOST).status, 404);
    assert_eq!(decision(&form_token, "approve", "users").status, 303);
    assert_eq!(decision(&form_token, "refuse", "devops").status, 303);
    assert_eq!(edge.visit(HOST).body, "a game");
    let page = devops.get("/admin");
    assert!(page.section("waiting").contains("Nothing waits"));
    assert!(page.section("approved").contains("ada · "), "{page:?}");
    assert!(page.section("others").contains("refused"), "{page:?}");
    let portal = users.get("/");
    let link = format!("href=\"http://{HOST}:{}/\"", edge.port);
    assert!(portal.text.contains(&link), "{portal:?}");
    assert!(portal.text.contains(escaped), "{portal:?}");
    assert!(
        !portal.text.contains("for the administrators alone"),
        "{portal:?}"
    );
    assert!(!devops.get("/").text.contains(HOST));

    // taken back, and nothing is decided of what is not there
    assert_eq!(decision(&form_token, "withdraw", "users").status, 303);
    assert_eq!(edge.visit(HOST).status, 404);
    assert!(!users.get("/").text.contains(HOST));
    edge.remove(&route);
    let gone = decision(&form_token, "approve", "users");
    assert_eq!(gone.status, 404);
    assert!(gone.text.contains("That was not decided"), "{gone:?}");

    // who signed out decides nothing, and neither does whose token was revoked after the sign-in
    let again = edge.ask_for(&wished);
    let decide = |form_token: &str| {
        let fields = [
            ("form_token", form_token),
            ("id", &again),
            ("audience", "users"),
            ("decision", "approve"),
        ];
        let refused = devops.post("/admin/decide", &fields);
        assert_eq!(refused.status, 401, "{refused:?}");
        assert_eq!(edge.visit(HOST).status, 404);
    };
    assert_eq!(
        devops
            .post("/admin/sign-out", &[("form_token", &*form_token)])
            .status,
        303
    );
    decide(&form_token);
    let eve = edge.token("eve", &["--role", "administrator"]);
    assert_eq!(
        devops.post("/admin/sign-in", &[("token", &eve)]).status,
        303
    );
    let form_token = devops.get("/admin").hidden("form_token").to_owned();
    edge.revoke("eve");
    decide(&form_token);
    let page = devops.get("/admin");
    assert!(page.text.contains("Sign in") && !page.text.contains(HOST));
}
