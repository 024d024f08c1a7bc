//! Where a sandbox runs: programs, folders, ports, identity.

use std::ffi::OsString;
use std::path::PathBuf;

/// The account that a sandbox says it is, unless told otherwise. No real account has this number.
const ACCOUNT_ID_DEFAULT: &str = "000000000000";

const REGION_DEFAULT: &str = "us-east-1";

/// What a sandbox needs to know besides its functions.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// The `gameday` program: it ties children to their parent, and serves the built-in functions.
    pub gameday: PathBuf,
    /// The folder that `code` and `command` are relative to.
    pub directory: PathBuf,
    /// The control API's port on 127.0.0.1; 0: any free one.
    pub control_port: u16,
    /// The function URLs' port on 127.0.0.1; 0: any free one.
    pub url_port: u16,
    /// Twelve digits, in every ARN.
    pub account_id: String,
    /// In every ARN.
    pub region: String,
    /// The Python interpreter that has `awslambdaric`: a path, or a name for `PATH`.
    pub python: PathBuf,
    /// The functions' `PATH`.
    pub search_path: OsString,
}

impl SandboxOptions {
    /// The defaults: free ports, account `000000000000`, `us-east-1`; this process's `PATH`, and its `GAMEDAY_PYTHON` or
    /// else `python3`.
    #[must_use]
    pub fn new(gameday: impl Into<PathBuf>, directory: impl Into<PathBuf>) -> Self {
        Self {
            gameday: gameday.into(),
            directory: directory.into(),
            control_port: 0,
            url_port: 0,
            account_id: ACCOUNT_ID_DEFAULT.to_owned(),
            region: REGION_DEFAULT.to_owned(),
            python: std::env::var_os("GAMEDAY_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from),
            search_path: std::env::var_os("PATH").unwrap_or_default(),
        }
    }

    /// Paths that stay right in a process that runs in another folder. A bare name is left for `PATH`.
    pub(super) fn made_absolute(self) -> Self {
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let python = if self.python.components().nth(1).is_some() { absolute(self.python) } else { self.python };
        Self { gameday: absolute(self.gameday), directory: absolute(self.directory), python, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_absolute_and_a_bare_name_does_not() {
        let python = |text: &str| {
            SandboxOptions { python: text.into(), ..SandboxOptions::new("target/gameday", "x") }.made_absolute()
        };
        assert_eq!(python("python3").python, PathBuf::from("python3"));
        let options = python(".venv/bin/python");
        assert!([options.python, options.gameday, options.directory].iter().all(|path| path.is_absolute()));
    }
}
