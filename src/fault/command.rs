//! Programs of the workspace that a fault runs: where, with which variables, for how long, and what is kept of what they say.
//!
//! Owns: running one and ending it. Must not know: what it is for.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::task::AbortOnDropHandle;

use crate::unit::process::{guarded_command, kill_group};
use crate::unit::{Failpoints, format_duration};

/// The variables of the caller's that a command sees, besides those of AWS.
const INHERITED: &[&str] = &["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER"];
/// Where a program is looked for by its name alone.
const SEARCH_PATH: &str = "PATH";
/// How much of what a command says is kept: the end of it.
const OUTPUT_BYTES_MAX: usize = 4 * 1024;
/// How many of its last lines are told.
const OUTPUT_LINES_MAX: usize = 5;
/// How long what was said last may take to be read, once the command has ended. Whatever it left running may hold the
/// pipe open for ever.
const OUTPUT_WAIT: Duration = Duration::from_millis(200);
/// Words behind which a secret stands: `password=…`, `Token: …`.
const SECRET_WORDS: &[&str] =
    &["apikey", "api-key", "api_key", "authorization", "credential", "passwd", "password", "secret", "token"];
/// Variables whose values are secrets.
const SECRET_VARIABLES: &[&str] = &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
/// A shorter value is no secret that could be struck out without striking out half of the text.
const SECRET_CHARACTERS_MIN: usize = 8;

/// Where commands are run, and which ones may be.
#[derive(Clone)]
pub struct CommandPlace {
    /// The `gameday` program, which guards them.
    pub gameday: PathBuf,
    /// The workspace's folder, absolute: where a fault that is prepared now runs its commands.
    pub directory: PathBuf,
    /// What they are told of the run: `GAMEDAY_RUN` and others. No secrets: they stand in the undo and in commands by hand.
    pub told: BTreeMap<String, String>,
    /// The variables with which a program reaches the environment: `AWS_…`. They may be secrets.
    pub access: BTreeMap<String, String>,
    /// Whether a program may be run in a workspace's folder.
    pub permits: Permits,
    /// Where a crash test ends the process.
    pub failpoints: Failpoints,
}

/// What says whether something of that name is permitted in a folder.
type IsPermitted = dyn Fn(&Path, &str) -> bool + Send + Sync;

/// Whether a workspace's folder permits something by its name, a program or an admin API: a scenario, or the folder of somebody's
/// run, can not decide it.
#[derive(Clone)]
pub struct Permits(Arc<IsPermitted>);

impl Permits {
    /// Those for which `is_permitted` is true; it gets the workspace's folder and the name.
    pub fn new(is_permitted: impl Fn(&Path, &str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_permitted))
    }

    pub(super) fn permits(&self, folder: &Path, name: &str) -> bool {
        (self.0)(folder, name)
    }
}

impl Default for Permits {
    /// Nothing at all.
    fn default() -> Self {
        Self::new(|_, _| false)
    }
}

impl Default for CommandPlace {
    /// A place in which nothing may be run.
    fn default() -> Self {
        Self {
            gameday: PathBuf::new(),
            directory: PathBuf::new(),
            told: BTreeMap::new(),
            access: BTreeMap::new(),
            permits: Permits::default(),
            failpoints: Failpoints::default(),
        }
    }
}

/// A command as it is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command<'c> {
    /// What it is for: `undo`.
    pub(super) role: &'static str,
    /// The program and its arguments.
    pub(super) words: &'c [String],
    /// The workspace's folder.
    pub(super) directory: &'c Path,
    /// What it is told of the run.
    pub(super) told: &'c BTreeMap<String, String>,
    /// How long it may take.
    pub(super) timeout: Duration,
}

/// Why a command did not do what it is for.
#[derive(Debug, thiserror::Error)]
#[error("`{role}` (`{program}`) {what}{}", Said(said))]
pub struct CommandError {
    /// What it is for: `undo`.
    pub role: &'static str,
    /// The program.
    pub program: String,
    /// What became of it.
    pub what: String,
    /// The last lines of what it said, without what looks like a secret.
    pub said: Vec<String>,
    /// Whether it was started: one that is not there, or not permitted, is not so a moment later either.
    pub is_started: bool,
    /// Whether it can be run again and again.
    pub is_retryable: bool,
}

impl CommandError {
    /// Of a command that can be run again and again.
    pub(super) fn of_repeatable(self) -> Self {
        Self { is_retryable: self.is_started, ..self }
    }
}

struct Said<'s>(&'s [String]);

impl fmt::Display for Said<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(formatter, ": {}", self.0.join(" | ")) }
    }
}

impl CommandPlace {
    /// Finds the program of a command, and whether it may be run.
    pub(super) fn find(&self, command: Command<'_>) -> Result<PathBuf, CommandError> {
        let program = command.program();
        if !self.permits.permits(command.directory, program) {
            let what = "may not be run: `exec` of the environment in `gameday.yaml` does not permit it";
            return Err(command.error(what.to_owned(), Vec::new()));
        }
        let is_program =
            |path: &PathBuf| path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
        let found = if program.contains('/') {
            Some(command.directory.join(program)).filter(is_program)
        } else {
            let folders = std::env::var_os(SEARCH_PATH).unwrap_or_default();
            let mut paths = std::env::split_paths(&folders).map(|folder| folder.join(program));
            paths.find(is_program)
        };
        found.ok_or_else(|| command.error("is not a program that can be run".to_owned(), Vec::new()))
    }

    /// Runs a command to its end and answers its exit code.
    pub(super) async fn run(&self, command: Command<'_>) -> Result<u8, (CommandError, Option<u8>)> {
        let path = self.find(command).map_err(|error| (error, None))?;
        let fail = |what: String| (command.error(what, Vec::new()), None);
        self.failpoints.reach();
        let mut child = guarded_command(&self.gameday, path)
            .args(command.words.iter().skip(1))
            .current_dir(command.directory)
            .env_clear()
            .envs(self.variables())
            .envs(command.told)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| fail(format!("could not be started: {error}")))?;
        let mut group = Group(child.id());
        self.failpoints.reach();
        let output = Arc::new(Mutex::new(VecDeque::new()));
        let readers = [
            child.stdout.take().map(|pipe| keep_end(pipe, Arc::clone(&output))),
            child.stderr.take().map(|pipe| keep_end(pipe, Arc::clone(&output))),
        ];
        let outcome = tokio::time::timeout(command.timeout, child.wait()).await;
        // What it started and left running is its own affair, as long as it ends in its time.
        if outcome.is_ok() {
            group.0 = None;
        }
        drop(group);
        let reading = async {
            for reader in readers.into_iter().flatten() {
                reader.await.ok();
            }
        };
        tokio::time::timeout(OUTPUT_WAIT, reading).await.ok();
        self.failpoints.reach();
        let said = self.last_lines(&output.lock().unwrap_or_else(PoisonError::into_inner));
        let (what, code) = match outcome {
            Err(_) => (format!("did not end within {}, and was killed", format_duration(command.timeout)), None),
            Ok(Err(error)) => (format!("is lost: {error}"), None),
            Ok(Ok(status)) => match status.code().and_then(|code| u8::try_from(code).ok()) {
                Some(0) => return Ok(0),
                Some(code) => (format!("ended with exit code {code}"), Some(code)),
                None => (format!("was killed ({status})"), None),
            },
        };
        Err((CommandError { is_started: true, ..command.error(what, said) }, code))
    }

    /// All variables but those of the command itself.
    fn variables(&self) -> BTreeMap<String, std::ffi::OsString> {
        let inherited = INHERITED.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?)));
        inherited.chain(self.access.iter().map(|(name, value)| (name.clone(), value.into()))).collect()
    }

    /// The last lines of an output, without what looks like a secret.
    fn last_lines(&self, output: &VecDeque<u8>) -> Vec<String> {
        let bytes: Vec<u8> = output.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let secrets: Vec<&str> = SECRET_VARIABLES
            .iter()
            .filter_map(|name| self.access.get(*name))
            .map(String::as_str)
            .filter(|value| value.chars().count() >= SECRET_CHARACTERS_MIN)
            .collect();
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let skipped = lines.len().saturating_sub(OUTPUT_LINES_MAX);
        lines.into_iter().skip(skipped).map(|line| without_secrets(line, &secrets)).collect()
    }
}

/// A line without the values of variables that are secrets, and without what stands behind a word such as `password`.
fn without_secrets(line: &str, secrets: &[&str]) -> String {
    let line = secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret, "***"));
    let lower = line.to_ascii_lowercase();
    let value_of = |word: &&str| {
        let at = lower.find(*word)? + word.len();
        let sign = lower.get(at..)?.find(['=', ':'])?;
        Some(at + sign + 1)
    };
    match SECRET_WORDS.iter().filter_map(value_of).min().and_then(|at| line.get(..at)) {
        Some(start) => format!("{start} ***"),
        None => line,
    }
}

/// Reads a pipe to its end, and keeps the end of what comes.
fn keep_end(
    mut pipe: impl AsyncRead + Unpin + Send + 'static,
    output: Arc<Mutex<VecDeque<u8>>>,
) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut piece = [0; 1024];
        while let Ok(count @ 1..) = pipe.read(&mut piece).await {
            let mut kept = output.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(piece.iter().take(count));
            let surplus = kept.len().saturating_sub(OUTPUT_BYTES_MAX);
            kept.drain(..surplus);
        }
    }))
}

/// A process group that is killed when this is dropped: also where whoever waits for it is gone.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            kill_group(leader);
        }
    }
}

impl<'c> Command<'c> {
    fn program(&self) -> &'c str {
        self.words.first().map(String::as_str).unwrap_or_default()
    }

    pub(super) fn error(&self, what: String, said: Vec<String>) -> CommandError {
        CommandError {
            role: self.role,
            program: self.program().to_owned(),
            what,
            said,
            is_started: false,
            is_retryable: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_told_without_secrets() {
        let access = [("AWS_SECRET_ACCESS_KEY".to_owned(), "abcdefghijkl".to_owned())];
        let place = CommandPlace { access: access.into(), ..CommandPlace::default() };
        let text = "1\n2\n\n3\nkey abcdefghijkl!\nDB_PASSWORD = hunter2 x\nÄ Authorization: Bearer y\nok: done\n";
        assert_eq!(
            place.last_lines(&text.bytes().collect()),
            ["3", "key ***!", "DB_PASSWORD = ***", "Ä Authorization: ***", "ok: done"]
        );
    }

    #[test]
    fn nothing_may_be_run_where_nobody_has_said_so() {
        let (words, told) = (["/bin/sh".to_owned()], BTreeMap::new());
        let timeout = Duration::from_secs(1);
        let command = Command { role: "undo", words: &words, directory: Path::new("/"), told: &told, timeout };
        let error = CommandPlace::default().find(command).unwrap_err().to_string();
        assert!(error.starts_with("`undo` (`/bin/sh`) may not be run"), "{error}");
        let place = CommandPlace { permits: Permits::new(|_, _| true), ..CommandPlace::default() };
        assert_eq!(place.find(command).unwrap(), Path::new("/bin/sh"));
    }
}
