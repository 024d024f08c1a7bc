//! What is started for a function: program, arguments, folder; and the check that they are there.
//!
//! Owns: turning a function's kind into a command. Must not know: how the process is then used.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::spec::{FunctionKind, FunctionSpec};
use super::{SandboxError, SandboxOptions};

/// The version of Lambda's Python runtime client that the sandbox is tried with.
const RUNTIME_CLIENT_VERSION: &str = "4.2.2";

/// The handler's name where the program has no use for one, as on AWS's OS-only runtimes.
const HANDLER_DEFAULT: &str = "bootstrap";

/// The hidden sub-command that serves the built-in functions.
const DEMO_FUNCTION: &str = "demo-function";

/// A command that speaks the Lambda Runtime API.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// An absolute path, or a name for `PATH`.
    pub path: PathBuf,
    /// Its arguments; a Python runtime gets the handler after them.
    pub arguments: Vec<OsString>,
    /// Whether the handler's name is the last argument.
    pub takes_handler: bool,
    /// Where it runs; `LAMBDA_TASK_ROOT`.
    pub directory: PathBuf,
    /// What `Runtime` answers in the control API.
    pub runtime: String,
    /// The handler that the specification names.
    pub handler: String,
    /// A text that is the same as long as the code is said to be the same.
    pub identity: String,
    /// Variables that the function may override.
    pub environment: Vec<(&'static str, OsString)>,
}

impl Program {
    /// Finds what `spec` names and checks that it can be started.
    pub(super) async fn find(name: &str, spec: &FunctionSpec, options: &SandboxOptions) -> Result<Self, SandboxError> {
        let kind = spec
            .kind()
            .map_err(|problem| SandboxError::Invalid { problems: vec![format!("function `{name}`: {problem}")] })?;
        match kind {
            FunctionKind::Demo(demo) => Ok(Self {
                arguments: vec![DEMO_FUNCTION.into(), demo.name().into()],
                identity: format!("demo:{}", demo.name()),
                ..Self::plain(options.gameday.clone(), options.directory.clone())
            }),
            FunctionKind::Command { program, arguments } => {
                let path = find_command(name, program, options)?;
                Ok(Self {
                    arguments: arguments.iter().map(OsString::from).collect(),
                    identity: format!("command:{program} {}", arguments.join(" ")),
                    ..Self::plain(path, options.directory.clone())
                })
            }
            FunctionKind::Python { runtime, code, handler } => {
                let directory = options.directory.join(code);
                if !directory.is_dir() {
                    return Err(missing(name, &directory, "is not a folder"));
                }
                check_runtime_client(name, options).await?;
                Ok(Self {
                    arguments: vec!["-m".into(), "awslambdaric".into()],
                    takes_handler: true,
                    runtime: runtime.to_owned(),
                    handler: handler.to_owned(),
                    identity: format!("python:{}", code.display()),
                    environment: vec![
                        ("PYTHONPATH", directory.clone().into()),
                        // The code's folder is read-only in Lambda; here it is the user's repository.
                        ("PYTHONDONTWRITEBYTECODE", "1".into()),
                    ],
                    ..Self::plain(options.python.clone(), directory)
                })
            }
        }
    }

    /// `CodeSha256`: the same as long as the code is said to be the same.
    pub(super) fn code_sha256(&self) -> String {
        BASE64_STANDARD.encode(Sha256::digest(self.identity.as_bytes()))
    }

    fn plain(path: PathBuf, directory: PathBuf) -> Self {
        Self {
            path,
            arguments: Vec::new(),
            takes_handler: false,
            directory,
            runtime: "provided.al2023".to_owned(),
            handler: HANDLER_DEFAULT.to_owned(),
            identity: String::new(),
            environment: Vec::new(),
        }
    }
}

fn missing(function: &str, path: &Path, problem: &'static str) -> SandboxError {
    SandboxError::Missing { function: function.to_owned(), path: path.to_owned(), problem }
}

fn find_command(function: &str, program: &str, options: &SandboxOptions) -> Result<PathBuf, SandboxError> {
    let is_executable =
        |path: &Path| path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    if program.contains('/') {
        let path = options.directory.join(program);
        return match path.metadata() {
            Err(_) => Err(missing(function, &path, "does not exist")),
            Ok(_) if !is_executable(&path) => Err(missing(function, &path, "is not an executable file")),
            Ok(_) => Ok(path),
        };
    }
    std::env::split_paths(&options.search_path)
        .map(|folder| folder.join(program))
        .find(|path| is_executable(path))
        .ok_or_else(|| missing(function, Path::new(program), "is not a program on PATH"))
}

async fn check_runtime_client(function: &str, options: &SandboxOptions) -> Result<(), SandboxError> {
    let python = options.python.clone();
    let status = tokio::process::Command::new(&python)
        .args(["-c", "import awslambdaric"])
        .env("PATH", &options.search_path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await;
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => {
            Err(SandboxError::RuntimeClient { function: function.to_owned(), python, version: RUNTIME_CLIENT_VERSION })
        }
        Err(source) => Err(SandboxError::Python { function: function.to_owned(), python, source }),
    }
}
