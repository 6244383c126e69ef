//! The platform that trials are made with, and the CLI that looks after it.

use std::collections::BTreeSet;
use std::process::Command;

use mkys_acceptance::lab::Lab;
use mkys_acceptance::platform::cli::Ended;
use serde_json::{Value, json};

use super::happening::{Moment, Signal};
use super::version::{SERVERS, Version};
use crate::world::cloud::text;
use crate::world::edge::Beside;
use crate::world::{Api, Apply, Cloud, Stage, wait};

/// The platform, its stage and its edge.
pub(crate) struct Platform {
    pub(crate) stage: Stage,
    pub(crate) edge: Beside,
    pub(crate) blade: String,
    pub(crate) backplane: String,
    /// The administrator in the blade's project.
    pub(crate) inside: Cloud,
    /// The administrator in the backplane's project.
    pub(crate) beside: Cloud,
    host: String,
}

impl Platform {
    /// Applies a first version with the CLI whose turn it is.
    pub(crate) fn create(name: &str, turn: usize, version: &Version) -> Self {
        let mut stage = Stage::new(name, turn);
        let (blade, backplane) = (stage.project("a"), stage.project("b"));
        let edge = Beside::start(&stage);
        let cloud = stage.cloud.clone();
        let mut platform = Self {
            host: format!("{name}.mkys.test"),
            inside: cloud.clone(),
            beside: cloud,
            stage,
            edge,
            blade,
            backplane,
        };
        platform.write(version);
        platform.stage.apply();
        platform.renew();
        platform
    }

    /// Signs in anew: projects may be others, and tokens get old.
    pub(crate) fn renew(&mut self) {
        self.stage.cloud = Cloud::administrator();
        let project = |address| text(&self.state(address)["project_id"]);
        let (inside, beside) = (project("mkys_blade.blade"), project("mkys_blade.backplane"));
        self.inside = self.stage.cloud.within(&inside);
        self.beside = self.stage.cloud.within(&beside);
    }

    /// Writes the configuration of a version.
    pub(crate) fn write(&self, version: &Version) {
        let provider = format!(
            "cloud = \"lab\"
             edge  = {{
               url          = \"{}\"
               token        = \"{}\"
               users_cidrs  = [\"198.51.100.3\"]
               devops_cidrs = [\"198.51.100.131\"]
             }}",
            self.edge.url(),
            self.edge.requester
        );
        let text = version.configuration(&self.blade, &self.backplane, &self.host);
        self.stage.write_with(&provider, &text);
    }

    pub(crate) fn state(&self, address: &str) -> Value {
        self.stage.state(address)
    }

    /// Addresses in the state.
    pub(crate) fn addresses(&self) -> String {
        self.stage.run(&["state", "list"]).said
    }

    /// Plans what is written, and gives the servers that the plan replaces, and what it said.
    pub(crate) fn plan(&self) -> (BTreeSet<&'static str>, String) {
        let ended = self.stage.run(&["plan", "-no-color", "-out=plan"]);
        assert_eq!(ended.code, 0, "{}", ended.said);
        let shown = self.stage.command(&["show", "-json", "plan"]).output();
        let shown: Value = serde_json::from_slice(&shown.unwrap().stdout).unwrap();
        let changes = shown["resource_changes"].as_array().unwrap();
        let blade = changes
            .iter()
            .find(|one| one["address"] == "mkys_blade.blade");
        let unknown = &blade.unwrap()["change"]["after_unknown"]["server_ids"];
        let is_replaced = |server: &&str| match unknown {
            Value::Bool(all) => *all,
            each => each[*server] == true,
        };
        let replaced = SERVERS.into_iter().filter(is_replaced).collect();
        (replaced, ended.said)
    }

    /// Applies what was planned.
    pub(crate) fn apply_plan(&self) -> Ended {
        self.stage.run(&["apply", "-no-color", "plan"])
    }

    /// Visitors get a version of the site.
    pub(crate) fn serves(&self, version: &Version) {
        let route = self.state("mkys_route.site");
        let path = format!("/v1/routes/{}", text(&route["id"]));
        let token = &self.edge.administrator;
        let known = self.edge.call("GET", &path, token, None).unwrap();
        if known["decisions"]["users"]["state"] != "approved" {
            self.edge.approve(&text(&route["id"]), "users");
        }
        let site = version.site();
        let limit = std::time::Duration::from_secs(60);
        let mut last = None;
        let found = wait::look(limit, || {
            let answer = self.edge.visit(&self.host);
            let serves = answer.body.trim() == site;
            last = Some(answer);
            serves.then_some(())
        });
        assert!(found.is_some(), "visitors get {last:?} and not {site:?}");
    }

    /// The blade's stack at Heat.
    pub(crate) fn stack(&self) -> Value {
        let stacks = self.inside.list(Api::Heat, "/stacks", "stacks");
        let found = stacks
            .into_iter()
            .find(|one| one["stack_name"] == *self.blade);
        found.unwrap_or_default()
    }

    /// Has Heat do something with the blade's stack, to its end.
    pub(crate) fn stack_action(&self, action: &str) {
        let path = format!("/stacks/{}/{}", self.blade, text(&self.stack()["id"]));
        let body = json!({ action: null });
        self.inside
            .post(Api::Heat, &format!("{path}/actions"), &body);
        let begins = format!("{}_", action.to_uppercase());
        wait::until("the end of what Heat does", 120, || {
            let status = text(&self.inside.get(Api::Heat, &path)["stack"]["stack_status"]);
            (status.starts_with(&begins) && !status.ends_with("_IN_PROGRESS")).then_some(())
        });
    }

    /// Starts a command of the CLI and cuts it off. Gives whether it was under way then.
    pub(crate) fn cut_off(&self, words: &[&str], signal: Signal, moment: Moment) -> bool {
        let before = self.servers();
        let mut command = Apply::start_with(&self.stage, words);
        let is_under_way = command.is_at(|since| match moment {
            Moment::After(ms) => since.as_millis() >= u128::from(ms),
            Moment::HeatBusy => self
                .stacks()
                .iter()
                .any(|stack| text(&stack["stack_status"]).ends_with("_IN_PROGRESS")),
            Moment::NewServer => self.servers().iter().any(|id| !before.contains(id)),
        });
        if !is_under_way {
            return false;
        }
        command.signal(signal.option());
        if matches!(signal, Signal::Kill | Signal::HangUp) {
            command.kill();
            let lock = self.stage.folder.join("work/.terraform.tfstate.lock.info");
            let _ = std::fs::remove_file(lock);
        } else {
            // what is being undone is undone to the end
            command.end_within(240);
        }
        true
    }

    /// Stacks of the blade's project; none while there is no such project.
    fn stacks(&self) -> Vec<Value> {
        self.of_blade(|inside| inside.list(Api::Heat, "/stacks", "stacks"))
    }

    /// Ids of the servers of the blade's project.
    fn servers(&self) -> Vec<String> {
        let servers = self.of_blade(|inside| inside.list(Api::Compute, "/servers", "servers"));
        servers.iter().map(|one| text(&one["id"])).collect()
    }

    fn of_blade(&self, list: impl Fn(&Cloud) -> Vec<Value>) -> Vec<Value> {
        match self.stage.cloud.projects(&self.blade).pop() {
            None => Vec::new(),
            Some(project) if project == self.inside.project => list(&self.inside),
            Some(project) => list(&self.stage.cloud.within(&project)),
        }
    }

    /// Gives the CLI the credential of a member of another project.
    pub(crate) fn as_somebody_else(&mut self) {
        let name = self.stage.project("c");
        let project = match self.stage.cloud.projects(&name).pop() {
            Some(project) => project,
            None => {
                let project = self.stage.cloud.make_project(&name, &[]);
                let alice = self.stage.cloud.named("users", "alice").remove(0);
                self.stage.cloud.grant("users", &alice, &project);
                project
            }
        };
        let mut settings = crate::world::cloud::settings();
        settings["auth"]["username"] = json!("alice");
        settings["auth"]["project_name"] = json!(name);
        assert!(!project.is_empty());
        self.stage.clouds(&settings);
    }

    /// Gives the CLI its own credential again.
    pub(crate) fn as_itself(&mut self) {
        let file = Lab::from_environment().unwrap().place.clouds_yaml();
        self.stage
            .set("OS_CLIENT_CONFIG_FILE", &file.display().to_string());
    }

    /// Applies with no room for the state: no file may be larger than 512 bytes. It must fail.
    pub(crate) fn apply_without_room(&self) {
        let inner = self.stage.command(&["apply", "-no-color", "-auto-approve"]);
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""])
            .arg(inner.get_program())
            .args(inner.get_args())
            .current_dir(inner.get_current_dir().unwrap());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains("file too large"),
            "{said}"
        );
    }
}
