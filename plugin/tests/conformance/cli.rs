//! A CLI, and a folder in which it works with the probe provider.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

/// Far more than any command takes, on however slow a machine; a hanging one must not hang the suite.
const LIMIT: Duration = Duration::from_secs(180);

/// The CLIs to try.
pub(crate) fn clis() -> Vec<PathBuf> {
    let named: Vec<PathBuf> = match std::env::var_os("TF_CLIS") {
        Some(names) => std::env::split_paths(&names).collect(),
        None => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let find = |name| {
                std::env::split_paths(&path)
                    .map(|d| d.join(name))
                    .find(|f| f.is_file())
            };
            ["terraform", "tofu"].into_iter().filter_map(find).collect()
        }
    };
    assert!(
        !named.is_empty(),
        "no CLI to try: put terraform or tofu on the PATH, or name them in TF_CLIS"
    );
    for cli in &named {
        assert!(
            cli.is_file(),
            "TF_CLIS names {}, which is not there",
            cli.display()
        );
    }
    named
}

/// The provider's binary, which cargo builds beside this test.
fn probe() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().and_then(Path::parent).unwrap();
    let probe = target.join("examples/terraform-provider-probe");
    assert!(
        probe.is_file(),
        "{} is not built: cargo build -p mkys-plugin --examples",
        probe.display()
    );
    probe
}

/// A folder with a configuration and the things that the probe keeps.
pub(crate) struct Folder {
    cli: PathBuf,
    folder: tempfile::TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) text: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.text);
        self
    }

    /// In the text as a person reads it: lines are broken anywhere, and drawn with a border.
    #[track_caller]
    pub(crate) fn expect_text(self, part: &str) -> Self {
        let flat = |text: &str| {
            let words = text.split(|c: char| c.is_whitespace() || "│╷╵".contains(c));
            words
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert!(
            flat(&self.text).contains(&flat(part)),
            "{part:?} is not in:\n{}",
            self.text
        );
        self
    }
}

impl Folder {
    pub(crate) fn new(cli: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::fs::create_dir(folder.path().join("store")).unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        std::os::unix::fs::symlink(probe(), bin.join("terraform-provider-probe")).unwrap();
        let overrides: String = ["registry.terraform.io", "registry.opentofu.org"]
            .map(|host| format!("\"{host}/mkys/probe\" = {:?}\n", bin.display().to_string()))
            .concat();
        let config = format!(
            "provider_installation {{\n dev_overrides {{\n{overrides}}}\n direct {{}}\n}}\n"
        );
        std::fs::write(folder.path().join("cli.tfrc"), config).unwrap();
        Self {
            cli: cli.to_owned(),
            folder,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A thing that the probe keeps.
    pub(crate) fn kept(&self, id: &str) -> PathBuf {
        self.path(&format!("store/{id}.json"))
    }

    /// Writes the configuration; what every one needs is put before it.
    pub(crate) fn configure(&self, body: &str) {
        let head = "terraform {\n  required_providers {\n    probe = { source = \"mkys/probe\" }\n  }\n}\n\
                    provider \"probe\" {\n  folder = \"store\"\n}\n";
        std::fs::write(self.path("main.tf"), format!("{head}{body}")).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.cli);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TF_CLI_CONFIG_FILE", self.path("cli.tfrc"))
            .env("TMPDIR", self.path("tmp"))
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env_remove("TF_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Starts a command in a process group of its own, as a shell does.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).process_group(0).spawn().unwrap()
    }

    /// Waits for a command that was started.
    pub(crate) async fn end(&self, child: Child) -> Said {
        let ended = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
        let Output {
            status,
            stdout,
            stderr,
        } = ended.expect("the CLI takes too long").unwrap();
        let text = [stdout, stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .concat();
        Said {
            code: status.code().unwrap_or(-1),
            text,
        }
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Said {
        self.end(self.start(arguments)).await
    }

    pub(crate) async fn apply(&self) -> Said {
        self.run(&["apply", "-auto-approve", "-no-color", "-input=false"])
            .await
    }

    pub(crate) async fn destroy(&self) -> Said {
        self.run(&["destroy", "-auto-approve", "-no-color", "-input=false"])
            .await
    }

    /// Nothing is left to do.
    pub(crate) async fn expect_empty_plan(&self) {
        let arguments = ["plan", "-detailed-exitcode", "-no-color", "-input=false"];
        self.run(&arguments).await.expect_code(0);
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let child = self.command(arguments).spawn().unwrap();
        let ended = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
        let output = ended.expect("the CLI takes too long").unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The change that is planned for the one resource there is.
    pub(crate) async fn plan(&self) -> Value {
        self.run(&["plan", "-out=plan", "-no-color", "-input=false"])
            .await
            .expect_code(0);
        self.json(&["show", "-json", "plan"]).await["resource_changes"][0]["change"].take()
    }

    /// The resource of this address in the state.
    pub(crate) async fn state(&self, address: &str) -> Option<Value> {
        let mut state = self.json(&["show", "-json"]).await;
        let resources = state["values"]["root_module"]["resources"].as_array_mut()?;
        resources
            .iter_mut()
            .find(|resource| resource["address"] == address)
            .map(Value::take)
    }

    pub(crate) async fn output(&self) -> Value {
        self.json(&["output", "-json"]).await
    }

    /// What validation tells, without the CLI's own word about the overrides.
    pub(crate) async fn diagnostics(&self) -> Vec<Value> {
        let mut found = self.json(&["validate", "-json"]).await["diagnostics"].take();
        let found = found.as_array_mut().map(std::mem::take).unwrap_or_default();
        let ours = |one: &Value| one["summary"] != "Provider development overrides are in effect";
        found.into_iter().filter(ours).collect()
    }

    /// True if the CLI is at least 1.`minor`.
    pub(crate) async fn is_at_least(&self, minor: u64) -> bool {
        let version = self.json(&["version", "-json"]).await;
        let version = version["terraform_version"].as_str().unwrap_or_default();
        let found = version
            .split('.')
            .nth(1)
            .and_then(|part| part.parse::<u64>().ok());
        found.unwrap_or_default() >= minor
    }
}

/// Waits until this is there; limited, and it says what it waited for.
pub(crate) async fn until_exists(path: &Path) {
    let wait = async {
        while !path.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(LIMIT, wait).await;
    assert!(waited.is_ok(), "{} did not come", path.display());
}
