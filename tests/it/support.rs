//! What several tests need: the program, a workspace of their own on free ports, runs of it, and waiting for conditions.

#![expect(clippy::disallowed_methods, reason = "a test that waits for another process needs real time")]

use std::hash::{BuildHasher as _, RandomState};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use gameday::event::{Event, EventKind, ProcessKind, RunState, read_log};

/// How long a condition may take to come true on a slow, noisy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program under test.
pub(crate) fn gameday() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gameday"));
    command.stdin(Stdio::null()).env("NO_COLOR", "1").env_remove("GAMEDAY_PYTHON");
    command
}

/// The repository, which is a workspace itself.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Says that a test was left out, past the harness, which keeps what a test prints to itself.
pub(crate) fn tell_skipped(what: &str) {
    let why = "GAMEDAY_TEST_PYTHON does not name a Python with tests/requirements.txt (`make test` does)";
    std::io::stderr().write_all(format!("\nskipped: {what}: {why}\n").as_bytes()).unwrap();
}

/// A port on 127.0.0.1 that is free now, from below those that the system gives to connections and to port 0, so that
/// it stays free until the test uses it.
pub(crate) fn free_port() -> u16 {
    let mut random = std::iter::repeat_with(|| RandomState::new().hash_one(0));
    let mut ports = random.by_ref().map(|number| 20_000 + u16::try_from(number % 12_000).unwrap());
    ports.find(|port| is_free(*port)).unwrap()
}

/// Whether a port on 127.0.0.1 can be listened on.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// Asks again and again until there is an answer.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(std::time::Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A copy of the repository's workspace in a folder of its own, with ports of its own.
pub(crate) struct Workspace {
    directory: tempfile::TempDir,
    /// Where the demo shop's card provider listens.
    pub(crate) provider_port: u16,
    /// Where the scenario's fault proxy listens.
    pub(crate) proxy_port: u16,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        let workspace = Self::empty();
        for file in ["gameday.yaml", "workload.yaml"] {
            workspace.write(file, &std::fs::read_to_string(repository().join(file)).unwrap());
        }
        for folder in ["scenarios", "playbooks", "lessons"] {
            for entry in std::fs::read_dir(repository().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                workspace.write(&format!("{folder}/{name}"), &std::fs::read_to_string(&path).unwrap());
            }
        }
        workspace
    }

    /// An empty folder, and ports for what is written to it.
    pub(crate) fn empty() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), provider_port: free_port(), proxy_port: free_port() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn reports(&self) -> PathBuf {
        self.path().join("reports")
    }

    /// Writes a file, with this workspace's ports in the place of the repository's.
    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = text
            .replace("127.0.0.1:18080", &format!("127.0.0.1:{}", self.provider_port))
            .replace("127.0.0.1:18474", &format!("127.0.0.1:{}", self.proxy_port));
        std::fs::write(path, text).unwrap();
    }

    /// Starts `gameday ARGUMENTS` in the workspace.
    pub(crate) fn start(&self, arguments: &[&str]) -> Run {
        self.start_command(gameday().args(arguments))
    }

    /// Starts a command in the workspace.
    pub(crate) fn start_command(&self, command: &mut Command) -> Run {
        let child = command.current_dir(self.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Run { child }
    }

    /// Runs `gameday ARGUMENTS` in the workspace to its end.
    pub(crate) fn gameday(&self, arguments: &[&str]) -> Output {
        self.start(arguments).wait()
    }

    /// The folder of the only run.
    pub(crate) fn run_folder(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.reports()).ok()?;
        let mut runs = entries.map(|entry| entry.unwrap().path()).filter(|path| path.join("run.ndjson").is_file());
        let first = runs.next()?;
        assert!(runs.next().is_none(), "there is more than one run");
        Some(first)
    }

    /// The events of the only run so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        let read = self.run_folder().and_then(|folder| read_log(&folder).ok());
        read.map(|read| read.events).unwrap_or_default()
    }

    /// The state of the only run.
    pub(crate) fn state(&self) -> RunState {
        RunState::fold(&self.events())
    }

    /// Waits until the run's log has an event that `is_it` knows.
    pub(crate) fn wait_for_event(&self, what: &str, is_it: impl Fn(&EventKind) -> bool) {
        wait_for(what, || self.events().iter().any(|event| is_it(&event.kind)).then_some(()));
    }
}

impl Drop for Workspace {
    /// Ends the fault proxies of runs that were killed and not recovered: they outlive their runs on purpose.
    fn drop(&mut self) {
        for run in gameday::run::find_runs(&self.reports()).into_iter().flatten() {
            let state = RunState::fold(&read_log(&run).map(|read| read.events).unwrap_or_default());
            for (kind, process, address) in state.processes {
                let command = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
                let is_ours = kind == ProcessKind::Proxy && String::from_utf8_lossy(&command).contains(&address);
                let pid = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
                if let Some(pid) = pid.filter(|_| is_ours) {
                    // It may end this very moment.
                    rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
                }
            }
        }
    }
}

/// A program that was started. Dropping it kills it.
pub(crate) struct Run {
    child: Child,
}

/// What a program said and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// The exit code; a signal is a failure of the test.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {self:?}"))
    }
}

impl Run {
    /// Reads one JSON value from its standard output, as soon as it is there; the program goes on.
    pub(crate) fn read_json(&mut self) -> serde_json::Value {
        let stdout = self.child.stdout.as_mut().unwrap();
        let value = serde_json::Deserializer::from_reader(stdout).into_iter().next();
        value.expect("it says something").expect("it says JSON")
    }

    /// Sends a signal to this process alone.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Reads its output until it ends.
    pub(crate) fn wait(mut self) -> Output {
        let mut stdout = self.child.stdout.take().unwrap();
        let mut stderr = self.child.stderr.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        let status = self.child.wait().unwrap();
        Output { status, stdout: text, stderr: reader.join().unwrap() }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Whether a process is gone, or is dead and only waits for its parent to notice.
pub(crate) fn has_ended(process: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else { return true };
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

/// The ids of processes in whose environment `text` stands: the functions of one sandbox.
pub(crate) fn processes_with(text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        // A process that has ended in the meantime has no environment any more.
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).contains(text) {
            found.push(pid);
        }
    }
    found
}

/// Copies a folder with all that it holds; `to` may be there.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}
