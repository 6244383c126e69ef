//! Bad input: one clear error that names the thing, at plan, and nothing made.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::cloud;
use crate::world::stage::{PROVIDER, flat};
use crate::world::{Cloud, Stage, each_cli};

/// A plan must fail with one error that has all these words. Gives what was said, on one line.
pub(crate) fn refuses(stage: &Stage, what: &str, words: &[&str]) -> String {
    refuses_all(stage, what, 1, words)
}

/// A plan must fail with so many errors that have all these words between them.
fn refuses_all(stage: &Stage, what: &str, errors: usize, words: &[&str]) -> String {
    let ended = stage.run(&["plan", "-no-color"]);
    let said = flat(&ended.said);
    assert_eq!(ended.code, 1, "{what}: {said}");
    assert_eq!(said.matches("Error: ").count(), errors, "{what}: {said}");
    for word in words {
        assert!(said.contains(word), "{what} does not say {word:?}: {said}");
    }
    said
}

/// A blade with these attributes beside its name.
fn blade(name: &str, attributes: &str) -> String {
    format!("resource \"mkys_blade\" \"this\" {{\n  name = \"{name}\"\n{attributes}\n}}\n")
}

/// A blade with a server; `{}` in the parts is replaced.
fn server(name: &str, image: &str, flavor: &str, more: &str) -> String {
    let attributes = format!(
        "project = {{ group = \"{name}-admin\" }}
         networks = {{ front = {{ cidr = \"10.1.0.0/24\" }} }}
         servers = {{ web = {{ image = \"{image}\", flavor = \"{flavor}\", networks = [\"front\"], {more} }} }}"
    );
    blade(name, &attributes)
}

#[test]
fn what_the_definition_itself_says_wrong_is_said_at_plan() {
    each_cli("typed", |stage| {
        let name = stage.project("a");
        let group = format!("project = {{ group = \"{name}-admin\" }}");
        let long = "#".repeat(50_000);
        let served = |port: &str| {
            let service =
                format!("site = {{ server = \"web\", port = {port}, audiences = [\"users\"] }}");
            server(&name, "i", "f", "").replacen(
                "servers =",
                &format!("services = {{ {service} }}\n servers ="),
                1,
            )
        };
        let cases = [
            (
                "a wrong CIDR",
                blade(&name, "networks = { front = { cidr = \"10.1.0.0/33\" } }"),
                &["10.1.0.0/33", "front"][..],
            ),
            (
                "overlapping networks",
                blade(
                    &name,
                    "networks = { a = { cidr = \"10.1.0.0/16\" }, b = { cidr = \"10.1.2.0/24\" } }",
                ),
                &["overlap", "10.1.2.0/24"],
            ),
            (
                "a service without its server",
                blade(
                    &name,
                    &format!(
                        "{group}\nservices = {{ site = {{ server = \"wbe\", port = 80, audiences = [\"users\"] }} }}"
                    ),
                ),
                &["\"wbe\"", "site"],
            ),
            (
                "a service's port that there is not",
                served("70000"),
                &["70000 is not a TCP port, 1 to 65535"],
            ),
            (
                "a service's port that is no whole number",
                served("80.5"),
                &["80.5", "whole number"],
            ),
            (
                "a readiness port that there is not",
                server(&name, "i", "f", "ready = { http = \":70000/health\" }"),
                &["\":70000/health\"", "from 1 to 65535"],
            ),
            (
                "a blade's name that Heat does not take",
                blade("web_1.a", &group),
                &["\"web_1.a\"", "Heat"],
            ),
            (
                "a server's name that Heat does not take",
                blade(
                    &name,
                    "networks = { a = { cidr = \"10.1.0.0/16\" } }
                     servers = { web_1 = { image = \"i\", flavor = \"f\", networks = [\"a\"] } }",
                ),
                &["\"web_1\""],
            ),
            (
                // from a resource's nested objects the CLI drops it, and says nothing
                "a misspelt attribute, by the function",
                format!(
                    "output \"heat\" {{ value = provider::mkys::render({{ name = \"{name}\", \
                     servers = {{ web = {{ image = \"i\", flavor = \"f\", networks = [], \
                     keypair = \"k\" }} }} }}) }}"
                ),
                &["servers[\"web\"]: unknown field `keypair`", "`key_pair`"],
            ),
            (
                "user data over Nova's limit",
                server(
                    &name,
                    "mkys-tiny",
                    "small",
                    &format!("user_data = \"{long}\""),
                ),
                &["49", "user_data"],
            ),
        ];
        for (what, text, words) in cases {
            stage.write(&text);
            refuses(stage, what, words);
        }
        assert_eq!(stage.cloud.projects(&name), [""; 0]);
    });
}

#[test]
fn what_the_cloud_does_not_have_is_said_at_plan_with_the_nearest_name() {
    each_cli("cloud", |stage| {
        let name = stage.project("a");
        let project = |more: &str| {
            blade(
                &name,
                &format!("project = {{ group = \"{name}-admin\", {more} }}"),
            )
        };
        let quota = server(&name, "mkys-tiny", "medium", "");
        let quota = quota.replace("-admin\" }", "-admin\", quota = { cores = 1 } }");
        let later = server(
            &name,
            "mkys-tinny",
            "small",
            "user_data = terraform_data.later.output",
        );
        let later =
            format!("resource \"terraform_data\" \"later\" {{\n input = \"x\"\n}}\n{later}");
        let cases = [
            (
                "an unknown image, beside user data that is not known yet",
                later,
                &["\"mkys-tinny\"", "Did you mean \"mkys-tiny\"?"][..],
            ),
            (
                "an unknown flavor",
                server(&name, "mkys-tiny", "smal", ""),
                &["\"smal\"", "Did you mean \"small\"?"],
            ),
            (
                "an unknown image",
                server(&name, "mkys-tinny", "small", ""),
                &["\"mkys-tinny\"", "Did you mean \"mkys-tiny\"?"],
            ),
            (
                "a network that hides visitors' addresses",
                server(&name, "mkys-tiny", "small", "").replace("10.1.0.0/24", "198.51.100.0/26"),
                &["\"front\"", "198.51.100.0/25", "external network \"users\""],
            ),
            ("a quota too small", quota, &["cores", "needs 2", "is 1"]),
            (
                "the role admin",
                project("role = \"admin\""),
                &["\"admin\"", "allow_admin_role"],
            ),
            (
                "the role admin, written otherwise",
                project("role = \"Admin\""),
                &["\"Admin\"", "allow_admin_role"],
            ),
            (
                "an unknown user",
                project("users = [\"alicia\"]"),
                &["\"alicia\"", "Did you mean \"alice\"?"],
            ),
        ];
        for (what, text, words) in cases {
            stage.write(&text);
            refuses(stage, what, words);
        }
        // whoever mends one thing must not meet the next only then
        let quota = "-admin\", users = [\"alicia\"], quota = { instances = 0 } }";
        stage.write(&server(&name, "mkys-tinny", "smal", "").replace("-admin\" }", quota));
        let words = [
            "Unknown user \"alicia\"",
            "Unknown image \"mkys-tinny\"",
            "Unknown flavor \"smal\"",
            "The quota cannot hold the blade: instances",
        ];
        refuses_all(stage, "several things at once", 4, &words);
        let external = format!("{PROVIDER}\nexternal_networks = {{ users = \"user\" }}");
        stage.write_with(&external, &project(""));
        refuses(
            stage,
            "an unknown external network",
            &["\"user\"", "Did you mean \"users\"?"],
        );
        assert_eq!(stage.cloud.projects(&name), [""; 0]);
    });
}

#[test]
fn a_name_that_is_taken_is_left_alone() {
    each_cli("taken", |stage| {
        let (theirs, whole) = (stage.project("theirs"), stage.project("whole"));
        let id = stage.cloud.make_project(&theirs, &[]);
        stage.cloud.make_project(&whole, &["mkys-blade"]);
        let text = |name: &str| blade(name, &format!("project = {{ group = \"{name}-admin\" }}"));
        stage.write(&text(&theirs));
        let words = [&*theirs, &id, "not a blade's", "left alone"];
        refuses(stage, "a project that is not ours", &words);
        stage.write(&text(&whole));
        refuses(
            stage,
            "a blade that exists",
            &[&whole, "exists", "Import it"],
        );
        let groups = stage.cloud.named("groups", &format!("{theirs}-admin"));
        assert_eq!(groups, [""; 0]);
    });
}

#[test]
fn a_cloud_that_is_not_as_the_settings_say_is_named() {
    each_cli("where", |stage| {
        let name = stage.project("a");
        stage.write(&blade(
            &name,
            &format!("project = {{ group = \"{name}-admin\" }}"),
        ));
        let source = "cloud \"lab\" of ";
        let file = "other.yaml (named by `cloud` in the provider's configuration)";
        let changed = |change: fn(&mut Value)| {
            let mut settings = cloud::settings();
            change(&mut settings);
            settings
        };
        let cases = [
            (
                "a closed port",
                changed(|lab| lab["auth"]["auth_url"] = "http://127.0.0.1:9/v3".into()),
                &[
                    "Keystone at http://127.0.0.1:9/v3 cannot be reached: connection refused",
                    "The address is `auth_url` of",
                    source,
                    file,
                ][..],
            ),
            (
                "an unknown host",
                changed(|lab| lab["auth"]["auth_url"] = "http://keystone.invalid:5000".into()),
                &["keystone.invalid:5000/v3 cannot be reached", source, file],
            ),
            (
                "another service's address",
                changed(|lab| lab["auth"]["auth_url"] = "http://127.0.0.1:9696".into()),
                &["No Keystone answers at http://127.0.0.1:9696/v3", file],
            ),
            (
                "a region without services",
                changed(|lab| lab["region_name"] = "Nowhere".into()),
                &["catalogue has no", "Nowhere", "RegionOne"],
            ),
            (
                "a wrong password",
                changed(|lab| lab["auth"]["password"] = "wrong".into()),
                &[
                    "Error: The cloud refuses the credentials",
                    "says to user \"admin\": The request you have made requires authentication.",
                    source,
                    file,
                    "Next: ",
                    "openstack --os-cloud lab token issue",
                ],
            ),
        ];
        for (what, settings, words) in cases {
            stage.clouds(&settings);
            let began = Instant::now();
            let said = refuses(stage, what, words);
            assert!(!said.contains("error sending request"), "{said}");
            let took = began.elapsed();
            assert!(took < Duration::from_secs(8), "{what}: {took:?}");
        }
        let variables = [
            ("OS_AUTH_URL", "http://127.0.0.1:5000/v3"),
            ("OS_USERNAME", "admin"),
            ("OS_PASSWORD", "wrong"),
            ("OS_PROJECT_NAME", "admin"),
        ];
        for (name, value) in variables {
            stage.set(name, value);
        }
        stage.write_with(
            "",
            &blade(&name, &format!("project = {{ group = \"{name}-admin\" }}")),
        );
        let words = [
            "The cloud refuses the credentials",
            "the environment (OS_*)",
        ];
        refuses(stage, "a wrong password in the environment", &words);
    });
}

#[test]
fn an_application_credential_makes_no_project_and_a_restricted_one_no_blade() {
    each_cli("app", |stage| {
        let (own, name) = (stage.project("own"), stage.project("a"));
        let id = stage.cloud.make_project(&own, &[]);
        let inside = stage.cloud.within(&id);
        let with = blade(&name, &format!("project = {{ group = \"{name}-admin\" }}"));
        let without = blade(&name, "");
        let cases = [
            (
                true,
                &with,
                &["application credential", "cannot make a project"][..],
            ),
            (false, &with, &["cannot make a project", "restricted"]),
            (false, &without, &["restricted", "--unrestricted"]),
        ];
        for (number, (unrestricted, text, words)) in cases.into_iter().enumerate() {
            let credential = inside.credential(&format!("{own}{number}"), unrestricted);
            stage.clouds(&credential);
            stage.write(text);
            refuses(stage, "an application credential", words);
            inside.forget_credential(&credential);
        }
        assert_eq!(Cloud::administrator().projects(&name), [""; 0]);
    });
}
