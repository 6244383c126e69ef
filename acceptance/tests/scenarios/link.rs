//! A backplane link takes back exactly what it made, and joins nothing that overlaps.

use serde_json::{Value, json};

use crate::bad_input::refuses;
use crate::world::cloud::text;
use crate::world::stage::flat;
use crate::world::{Api, Cloud, Stage};

/// A blade of one network.
fn blade(label: &str, name: &str, cidr: &str) -> String {
    format!(
        "resource \"mkys_blade\" \"{label}\" {{
           name     = \"{name}\"
           project  = {{ group = \"{name}-admin\" }}
           networks = {{ core = {{ cidr = \"{cidr}\" }} }}
         }}\n"
    )
}

const LINK: &str = "
resource \"mkys_backplane_link\" \"this\" {
  blade     = mkys_blade.blade
  backplane = mkys_blade.backplane
  network   = \"core\"
  ports     = [9100, 9200]
}
";

/// All that a link might touch in a project: interfaces and routes of its routers, rules, ports.
fn network(cloud: &Cloud, project: &str) -> Value {
    let list = |kind: &str, key: &str| {
        cloud.list(Api::Network, &format!("/{kind}?project_id={project}"), key)
    };
    let mut ports: Vec<_> = list("ports", "ports")
        .iter()
        .map(|port| json!([port["id"], port["device_owner"], port["fixed_ips"]]).to_string())
        .collect();
    // by group: a rule belongs to the project of whoever made it, as the administrator who links
    let groups = list("security-groups", "security_groups");
    let rules = groups.iter().flat_map(|group| {
        let path = format!(
            "/security-group-rules?security_group_id={}",
            text(&group["id"])
        );
        cloud.list(Api::Network, &path, "security_group_rules")
    });
    let mut rules: Vec<_> = rules
        .map(|rule| {
            json!([rule["id"], rule["port_range_min"], rule["remote_ip_prefix"]]).to_string()
        })
        .collect();
    let mut routes: Vec<_> = list("routers", "routers")
        .iter()
        .map(|router| json!([router["id"], router["routes"]]).to_string())
        .collect();
    for list in [&mut ports, &mut rules, &mut routes] {
        list.sort();
    }
    json!({ "ports": ports, "rules": rules, "routes": routes })
}

#[test]
fn a_link_takes_back_what_it_made() {
    let mut stage = Stage::new("link", 0);
    let [one, two, three] = ["a", "b", "c"].map(|name| stage.project(name));
    let blades =
        |other: &str| blade("blade", &one, "10.64.1.0/24") + &blade("backplane", &two, other);
    stage.write(&format!("{}{LINK}", blades("10.64.0.0/16")));
    let ended = stage.run(&["plan", "-no-color"]);
    let said = flat(&ended.said);
    assert_eq!(ended.code, 1, "{said}");
    for word in ["overlap", "10.64.1.0/24", "10.64.0.0/16"] {
        assert!(said.contains(word), "{word:?}: {said}");
    }
    assert_eq!(stage.cloud.projects(&one), [""; 0]);

    stage.write(&blades("10.65.1.0/24"));
    stage.apply();
    let project = |label: &str| text(&stage.state(&format!("mkys_blade.{label}"))["project_id"]);
    let projects = [project("blade"), project("backplane")];
    let all = || projects.each_ref().map(|id| network(&stage.cloud, id));
    let before = all();

    let both = format!("{}{LINK}", blades("10.65.1.0/24"));
    stage.write(&both);
    // somebody's own route for the blade's addresses
    let path = format!("/routers?project_id={}", projects[1]);
    let router = text(&stage.cloud.list(Api::Network, &path, "routers")[0]["id"]);
    let route = json!({ "destination": "10.64.0.0/16", "nexthop": "10.65.1.77" });
    let change = |action: &str| {
        let body = json!({ "router": { "routes": [route] } });
        let path = format!("/routers/{router}/{action}_extraroutes");
        stage.cloud.put(Api::Network, &path, Some(&body));
    };
    change("add");
    let words = ["10.64.1.0/24", "sends 10.64.0.0/16 to 10.65.1.77"];
    refuses(&stage, "a range that leads elsewhere", &words);
    change("remove");
    let third = blade("third", &three, "10.64.1.128/25")
        + &LINK
            .replace("\"this\"", "\"third\"")
            .replace("mkys_blade.blade", "mkys_blade.third");
    stage.write(&format!("{both}{third}"));
    let words = [&*three, &*one, "have the same addresses", "10.64.1.128/25"];
    refuses(&stage, "two blades of the same addresses", &words);
    assert_eq!(all(), before);

    stage.write(&both);
    stage.apply();
    stage.settled();
    let linked = all();
    assert_ne!(linked[0]["ports"], before[0]["ports"]);
    assert_ne!(linked[0]["rules"], before[0]["rules"]);
    assert_ne!(linked[1]["routes"], before[1]["routes"]);
    for port in ["9100", "9200"] {
        assert!(linked[0]["rules"].to_string().contains(port), "{linked:?}");
    }

    // somebody takes the port away: the next apply links the blade again, by another port
    let ids = |label: &str| {
        let path = format!("/routers?project_id={}", project(label));
        text(&stage.cloud.list(Api::Network, &path, "routers")[0]["id"])
    };
    let unplug = || {
        let port = text(&stage.state("mkys_backplane_link.this")["id"]);
        let path = format!("/routers/{}/remove_router_interface", ids("blade"));
        let body = json!({ "port_id": port });
        stage.cloud.put(Api::Network, &path, Some(&body));
    };
    unplug();
    let ended = stage.run(&["plan", "-no-color"]);
    assert!(flat(&ended.said).contains("is missing"), "{}", ended.said);
    stage.apply();
    let again = all();
    assert_ne!(again[0]["ports"], linked[0]["ports"]);
    assert_eq!(again[0]["rules"], linked[0]["rules"]);
    assert_eq!(again[1]["routes"], linked[1]["routes"]);
    stage.settled();
    let linked = again;

    let forgotten = ["state", "rm", "mkys_backplane_link.this"];
    assert_eq!(stage.run(&forgotten).code, 0);
    // neither end goes while they are joined: what knows nothing of the link does not take half of a blade away
    let ended = stage.run(&["destroy", "-no-color", "-auto-approve"]);
    let said = flat(&ended.said);
    assert_eq!(ended.code, 1, "{said}");
    for words in [
        format!("Blade {one} is not destroyed"),
        "its own link to the backplane".to_owned(),
        format!("Blade {two} is not destroyed"),
        format!("the backplane link of blade \"{one}\""),
        "destroy that link first".to_owned(),
        "Nothing was deleted".to_owned(),
    ] {
        assert!(said.contains(&words), "{words:?}: {said}");
    }
    assert_eq!(all(), linked);
    // one that an apply made which was killed before its state was written is taken over
    stage.apply();
    assert_eq!(all(), linked);
    stage.settled();

    stage.forget_state();
    let link = format!("{one}/{two}");
    for (address, id) in [
        ("mkys_blade.blade", &one),
        ("mkys_blade.backplane", &two),
        ("mkys_backplane_link.this", &link),
    ] {
        let ended = stage.run(&["import", "-no-color", address, id]);
        assert_eq!(ended.code, 0, "{}", ended.said);
    }
    stage.settled();

    // one whose port others took away still takes back the rest
    unplug();
    stage.write(&blades("10.65.1.0/24"));
    stage.apply();
    assert_eq!(all(), before);
    stage.settled();
    stage.destroy();
}
