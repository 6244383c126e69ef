//! The cloud by its own API, so that a story can look at it, and disturb it, past the provider.

use std::time::Duration;

use mkys_acceptance::place::{NODE, PASSWORD};
use serde_json::{Value, json};

/// An API of the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Identity,
    Network,
    Compute,
    Image,
    Volume,
    Heat,
}

/// A signed-in user in a project.
#[derive(Clone, Debug)]
pub(crate) struct Cloud {
    agent: ureq::Agent,
    token: String,
    pub(crate) user: String,
    pub(crate) project: String,
}

impl Cloud {
    /// The administrator.
    pub(crate) fn administrator() -> Self {
        let scope = json!({ "name": "admin", "domain": { "id": "default" } });
        Self::sign_in("admin", &scope).unwrap_or_else(|why| panic!("{why}: `lab up` first"))
    }

    /// The administrator within a project, who becomes a member of it if need be.
    pub(crate) fn within(&self, project: &str) -> Self {
        self.grant("users", &self.user, project);
        Self::as_user("admin", project)
    }

    /// A user in a project.
    pub(crate) fn as_user(name: &str, project: &str) -> Self {
        Self::sign_in(name, &json!({ "id": project })).unwrap()
    }

    fn sign_in(name: &str, project: &Value) -> Result<Self, String> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .max_idle_connections(0)
            .build()
            .into();
        let url = format!("http://{NODE}:5000/v3/auth/tokens");
        let user = json!({ "name": name, "domain": { "id": "default" }, "password": PASSWORD });
        let body = json!({ "auth": {
            "identity": { "methods": ["password"], "password": { "user": user } },
            "scope": { "project": project },
        } });
        let answer = agent.post(&url).send_json(body);
        let answer = answer.map_err(|error| format!("Keystone does not answer ({error})"))?;
        let token = answer.headers().get("x-subject-token").cloned();
        let token = token.ok_or_else(|| format!("{name} cannot sign in: {}", answer.status()))?;
        let said: Value = answer.into_body().read_json().unwrap();
        let text = |pointer: &str| said.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        Ok(Self {
            agent,
            token: token.to_str().unwrap().to_owned(),
            user: text("/token/user/id"),
            project: text("/token/project/id"),
        })
    }

    fn url(&self, api: Api, path: &str) -> String {
        let project = &self.project;
        let base = match api {
            Api::Identity => "5000/v3".to_owned(),
            Api::Network => "9696/v2.0".to_owned(),
            Api::Compute => "8774/v2.1".to_owned(),
            Api::Image => "9292/v2".to_owned(),
            Api::Volume => format!("8776/v3/{project}"),
            Api::Heat => format!("8004/v1/{project}"),
        };
        format!("http://{NODE}:{base}{path}")
    }

    /// A call: its answer, or the refusal in the service's words.
    pub(crate) fn ask(
        &self,
        method: &str,
        api: Api,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let url = self.url(api, path);
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(&url)
            .header("x-auth-token", &self.token)
            .header("content-type", "application/json")
            .body(body.map(Value::to_string).unwrap_or_default())
            .unwrap();
        let failed = |why: String| format!("{method} {url}: {why}");
        let answer = self.agent.run(request);
        let mut answer = answer.map_err(|error| failed(error.to_string()))?;
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        match answer.status().is_success() {
            true => Ok(serde_json::from_str(&text).unwrap_or_default()),
            false => Err(failed(format!("{} {text}", answer.status()))),
        }
    }

    /// Reads what must be readable.
    pub(crate) fn get(&self, api: Api, path: &str) -> Value {
        self.ask("GET", api, path, None).unwrap()
    }

    /// A list of things.
    pub(crate) fn list(&self, api: Api, path: &str, key: &str) -> Vec<Value> {
        self.get(api, path)[key]
            .as_array()
            .cloned()
            .unwrap_or_default()
    }

    /// Creates what must be creatable.
    pub(crate) fn post(&self, api: Api, path: &str, body: &Value) -> Value {
        self.ask("POST", api, path, Some(body)).unwrap()
    }

    /// Replaces.
    pub(crate) fn put(&self, api: Api, path: &str, body: Option<&Value>) -> Value {
        self.ask("PUT", api, path, body).unwrap()
    }

    /// Changes a part.
    pub(crate) fn patch(&self, api: Api, path: &str, body: &Value) -> Value {
        self.ask("PATCH", api, path, Some(body)).unwrap()
    }

    /// Gives an image the content of another.
    pub(crate) fn copy_image(&self, from: &str, to: &str) {
        let file = |id: &str| self.url(Api::Image, &format!("/images/{id}/file"));
        let request = self
            .agent
            .get(file(from))
            .header("x-auth-token", &self.token);
        let mut content = Vec::new();
        let body = request.call().unwrap().into_body();
        std::io::Read::read_to_end(&mut body.into_reader(), &mut content).unwrap();
        let request = self.agent.put(file(to)).header("x-auth-token", &self.token);
        let request = request.header("content-type", "application/octet-stream");
        assert!(request.send(&content[..]).unwrap().status().is_success());
    }

    /// Changes an image, by a JSON patch.
    pub(crate) fn patch_image(&self, id: &str, patch: &Value) {
        let url = self.url(Api::Image, &format!("/images/{id}"));
        let request = self.agent.patch(url).header("x-auth-token", &self.token);
        let request = request.header(
            "content-type",
            "application/openstack-images-v2.1-json-patch",
        );
        let answer = request.send(patch.to_string()).unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// Removes.
    pub(crate) fn delete(&self, api: Api, path: &str) {
        self.ask("DELETE", api, path, None).unwrap();
    }

    /// Makes a project, with tags.
    pub(crate) fn make_project(&self, name: &str, tags: &[&str]) -> String {
        let project = json!({ "name": name, "domain_id": "default", "tags": tags });
        let made = self.post(Api::Identity, "/projects", &json!({ "project": project }));
        text(&made["project"]["id"])
    }

    /// Gives a user (`users`) or a group (`groups`) the role `member`.
    pub(crate) fn grant(&self, kind: &str, id: &str, project: &str) {
        let role = &self.list(Api::Identity, "/roles?name=member", "roles")[0]["id"];
        let path = format!("/projects/{project}/{kind}/{id}/roles/{}", text(role));
        self.put(Api::Identity, &path, None);
    }

    /// Ids of the projects of a name.
    pub(crate) fn projects(&self, name: &str) -> Vec<String> {
        self.named("projects", name)
    }

    /// Ids of what Keystone has of a kind, by name.
    pub(crate) fn named(&self, kind: &str, name: &str) -> Vec<String> {
        let list = self.list(Api::Identity, &format!("/{kind}?name={name}"), kind);
        list.iter().map(|one| text(&one["id"])).collect()
    }

    /// An application credential of this user in this project, as a `clouds.yaml` has it.
    pub(crate) fn credential(&self, name: &str, unrestricted: bool) -> Value {
        let wanted = json!({ "name": name, "unrestricted": unrestricted });
        let path = format!("/users/{}/application_credentials", self.user);
        let body = json!({ "application_credential": wanted });
        let made = self.post(Api::Identity, &path, &body)["application_credential"].clone();
        json!({ "region_name": "RegionOne", "auth_type": "v3applicationcredential", "auth": {
            "auth_url": format!("http://{NODE}:5000/v3"),
            "application_credential_id": made["id"],
            "application_credential_secret": made["secret"],
        } })
    }

    /// Takes an application credential of this user away.
    pub(crate) fn forget_credential(&self, cloud: &Value) {
        let id = text(&cloud["auth"]["application_credential_id"]);
        let path = format!("/users/{}/application_credentials/{id}", self.user);
        self.delete(Api::Identity, &path);
    }
}

/// A JSON string's text.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The administrator's settings of the lab's cloud, as a `clouds.yaml` has them.
pub(crate) fn settings() -> Value {
    json!({ "region_name": "RegionOne", "auth": {
        "auth_url": format!("http://{NODE}:5000/v3"), "username": "admin", "password": PASSWORD,
        "project_name": "admin", "user_domain_id": "default", "project_domain_id": "default",
    } })
}
