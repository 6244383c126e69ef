//! Terraform and OpenTofu, with the provider installed from a filesystem mirror as a pipeline would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::files;
use super::programs::built_by;
use crate::lab::{Error, external};

/// Version under which the provider is installed.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cli {
    program: PathBuf,
    registry: &'static str,
}

impl Cli {
    /// The CLI of a program's path, known by its name.
    #[must_use]
    pub fn of(program: PathBuf) -> Self {
        let tofu = program.file_name().is_some_and(|name| name == "tofu");
        let registry = if tofu {
            "registry.opentofu.org"
        } else {
            "registry.terraform.io"
        };
        Self { program, registry }
    }

    /// The CLI that a person would use: `TF` chooses; else terraform or tofu on PATH; else tofu is built from its Go
    /// module and kept. `scripts` is the folder with `build-tofu.sh`.
    ///
    /// # Errors
    /// When there is none and none can be built.
    pub fn chosen(scripts: &Path) -> Result<Self, Error> {
        if let Some(chosen) = std::env::var_os("TF").filter(|chosen| !chosen.is_empty()) {
            let chosen = PathBuf::from(chosen);
            let found = if chosen.is_absolute() {
                Some(chosen.clone())
            } else {
                on_path(&chosen)
            };
            let missing = || Error::Machine(format!("TF={} is not on PATH", chosen.display()));
            return found.map(Self::of).ok_or_else(missing);
        }
        match ["terraform", "tofu"]
            .iter()
            .find_map(|name| on_path(Path::new(name)))
        {
            Some(program) => Ok(Self::of(program)),
            None => Self::built(scripts),
        }
    }

    /// OpenTofu, built from its Go module where it isn't kept yet.
    ///
    /// # Errors
    /// When it can't be built.
    pub fn built(scripts: &Path) -> Result<Self, Error> {
        let script = scripts.join("build-tofu.sh");
        built_by(&script, &[], "OpenTofu").map(Self::of)
    }

    /// Its program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> String {
        self.program
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }
}

fn on_path(name: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// As a person would type them.
fn quoted(arguments: &[&str]) -> String {
    let quoted = arguments.iter().map(|one| match one.contains(' ') {
        true => format!("'{one}'"),
        false => (*one).to_owned(),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Commands that [`Workspace::run`] has under way.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// Whether a command is under way whose end, and what it says, is waited for.
#[must_use]
pub fn is_under_way() -> bool {
    UNDER_WAY.load(Ordering::SeqCst) > 0
}

struct UnderWay;

impl UnderWay {
    fn begin() -> Self {
        UNDER_WAY.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A folder of configuration that a CLI works on.
#[derive(Debug, Clone)]
pub struct Workspace {
    cli: Cli,
    folder: PathBuf,
    home: PathBuf,
    environment: Vec<(String, String)>,
}

/// How a command of a CLI ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// All that it said.
    pub said: String,
}

impl Workspace {
    /// Installs `provider` for `cli` below `home`, to work on the configuration in `folder`.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn install(cli: &Cli, provider: &Path, home: &Path, folder: &Path) -> Result<Self, Error> {
        let mirror = home.join("mirror");
        let place = format!("{}/mkys/mkys/{VERSION}/linux_amd64", cli.registry);
        let name = format!("terraform-provider-mkys_v{VERSION}");
        files::copy(provider, &mirror.join(place).join(name))?;
        let text = format!(
            "disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
            mirror.display()
        );
        files::write(&home.join("cli.rc"), &text)?;
        // a lock of a provider that was built anew under the same version
        let _ = std::fs::remove_file(folder.join(".terraform.lock.hcl"));
        let (cli, folder, home) = (cli.clone(), folder.to_owned(), home.to_owned());
        Ok(Self {
            cli,
            folder,
            home,
            environment: Vec::new(),
        })
    }

    /// Sets a variable of the CLI's environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Its CLI.
    #[must_use]
    pub fn cli(&self) -> &Cli {
        &self.cli
    }

    /// The folder of its configuration.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a person has to set to use the CLI there as well.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let file = self.home.join("cli.rc").display().to_string();
        let mut all = vec![("TF_CLI_CONFIG_FILE".to_owned(), file)];
        all.extend(self.environment.iter().cloned());
        all
    }

    /// A command in the workspace.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.cli.program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("TF_CLI_CONFIG_FILE", self.home.join("cli.rc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1")
            .env_remove("TF_PLUGIN_CACHE_DIR")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, whatever it is, and keeps what it said.
    ///
    /// # Errors
    /// When it can't be run at all.
    pub fn run(&self, arguments: &[&str]) -> Result<Ended, Error> {
        let _under_way = UnderWay::begin();
        let output: Output = self
            .command(arguments)
            .output()
            .map_err(Error::io(format!("run {}", self.cli.name())))?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let log = self
            .home
            .join("log")
            .join(format!("{}.log", self.cli.name()));
        let before = std::fs::read_to_string(&log).unwrap_or_default();
        files::write(
            &log,
            &format!(
                "{before}\n$ {} {}\n{said}",
                self.cli.name(),
                quoted(arguments)
            ),
        )?;
        Ok(Ended {
            code: output.status.code().unwrap_or(-1),
            said,
        })
    }

    /// Runs a command that must end well.
    ///
    /// # Errors
    /// When it does not, with what it said last.
    pub fn done(&self, arguments: &[&str]) -> Result<String, Error> {
        let ended = self.run(arguments)?;
        match ended.code {
            0 => Ok(ended.said),
            code => Err(Error::Unexpected(format!(
                "`{} {}` ended with {code}:\n{}",
                self.cli.name(),
                arguments.join(" "),
                external::last(&ended.said, 40)
            ))),
        }
    }

    /// `init`.
    ///
    /// # Errors
    /// As [`Workspace::done`].
    pub fn init(&self) -> Result<(), Error> {
        self.done(&["init", "-no-color"]).map(drop)
    }

    /// An `apply` with these variables, to its end.
    ///
    /// # Errors
    /// When it can't be run at all.
    pub fn apply(&self, variables: &[&str]) -> Result<Ended, Error> {
        let mut arguments = vec!["apply", "-no-color", "-auto-approve"];
        arguments.extend(variables);
        self.run(&arguments)
    }

    /// Whether a plan with these variables would change nothing.
    ///
    /// # Errors
    /// When the plan fails.
    pub fn is_settled(&self, variables: &[&str]) -> Result<bool, Error> {
        let mut arguments = vec!["plan", "-no-color", "-detailed-exitcode"];
        arguments.extend(variables);
        let ended = self.run(&arguments)?;
        match ended.code {
            0 => Ok(true),
            2 => Ok(false),
            _ => Err(Error::Unexpected(external::last(&ended.said, 40))),
        }
    }

    /// The outputs.
    ///
    /// # Errors
    /// When there are none.
    pub fn outputs(&self) -> Result<Value, Error> {
        let output = self
            .command(&["output", "-json"])
            .output()
            .map_err(Error::io("read outputs"))?;
        serde_json::from_slice(&output.stdout)
            .map_err(|error| Error::Unexpected(format!("the outputs are not JSON: {error}")))
    }
}
