//! Starting the fault proxy as a process of its own, which outlives the one that started it.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use super::{AdminAddress, AdminClient, AdminError, AdminPlace};
use crate::unit::{RuntimeDirectoryError, SOCKET_PATH_BYTES_MAX, format_duration, runtime_directory};

/// How long the process may take until its admin API answers.
const START_WAIT: Duration = Duration::from_secs(10);

/// How long to wait between two questions whether it answers.
const START_POLL_WAIT: Duration = Duration::from_millis(10);

/// How much of its complaint is kept.
const COMPLAINT_BYTES_MAX: u64 = 4 * 1024;

/// Why a proxy process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The program could not be started.
    #[error("cannot start the proxy process `{}`", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It ended before its admin API answered.
    #[error("the proxy process ended at its start ({status}): {complaint}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// What it said on standard error.
        complaint: String,
    },
    /// Its admin API did not answer in time; it was killed.
    #[error("the proxy process did not answer within {}", format_duration(START_WAIT))]
    Silent {
        /// The last failure.
        #[source]
        source: AdminError,
    },
}

/// Why there is no path for a socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketPathError {
    /// There is no private directory.
    #[error(transparent)]
    Directory(#[from] RuntimeDirectoryError),
    /// The system's limit.
    #[error("the socket path `{}` is longer than {} bytes", _0.display(), SOCKET_PATH_BYTES_MAX)]
    TooLong(PathBuf),
}

/// The path of the admin socket of a run's proxy process, in the private runtime directory.
///
/// # Errors
/// The directory can not be used, or the path is too long for a socket.
pub fn socket_path(run_short_name: &str) -> Result<PathBuf, SocketPathError> {
    let path = runtime_directory()?.join(format!("{run_short_name}.proxy.sock"));
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX { Err(SocketPathError::TooLong(path)) } else { Ok(path) }
}

/// Where the proxies of a process may listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenScope {
    /// On loopback addresses.
    Loopback,
    /// Also where others can reach them.
    Any,
}

/// A proxy process that this process started. It is not killed when this value is dropped, or when this process ends.
#[derive(Debug)]
pub struct ProxyProcess {
    child: Child,
    pid: u32,
    socket: PathBuf,
}

impl ProxyProcess {
    /// Starts `gameday proxy` in a session of its own and waits until its admin API answers.
    ///
    /// `gameday` is the program's path. The process ends by a shutdown, a signal, or after `time_limit`.
    ///
    /// # Errors
    /// It can not be started, ends at once (the socket is in use, for example), or does not answer within 10 s.
    pub async fn spawn(
        gameday: &Path,
        socket: &Path,
        seed: u64,
        time_limit: Option<Duration>,
        scope: ListenScope,
    ) -> Result<Self, ProxyError> {
        let mut admin = OsStr::new("unix:").to_owned();
        admin.push(socket);
        let mut command = Command::new(gameday);
        command.arg("proxy").arg("--detach").arg("--admin").arg(admin).arg("--seed").arg(seed.to_string());
        if let Some(limit) = time_limit {
            command.arg("--time-limit").arg(format_duration(limit));
        }
        match scope {
            ListenScope::Loopback => {}
            ListenScope::Any => {
                command.arg("--listen-any");
            }
        }
        // It reads nothing, and what it writes after its start is of no use, since nobody may be there to read it.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let fail = |source| ProxyError::Start { program: gameday.to_owned(), source };
        let child = command.spawn().map_err(fail)?;
        let pid = child.id().ok_or_else(|| fail(io::Error::other("it has no process id")))?;
        let mut process = Self { child, pid, socket: socket.to_owned() };
        match tokio::time::timeout(START_WAIT, process.answers()).await {
            Ok(outcome) => outcome.map(|()| process),
            Err(_) => Err(process.kill_silent().await),
        }
    }

    /// The process id, which is also the id of its session.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// A client of its admin API.
    #[must_use]
    pub fn client(&self) -> AdminClient {
        AdminClient::unix(&self.socket)
    }

    /// Waits until the process has ended.
    ///
    /// # Errors
    /// The system can not tell.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Returns when the admin API answers as this process.
    async fn answers(&mut self) -> Result<(), ProxyError> {
        let client = self.client();
        loop {
            // The process id is compared, since another process may serve on the socket that this one was to have.
            if client.stats().await.is_ok_and(|stats| stats.process == self.pid) {
                return Ok(());
            }
            let fail = |source| ProxyError::Start { program: self.socket.clone(), source };
            if let Some(status) = self.child.try_wait().map_err(fail)? {
                return Err(ProxyError::Ended { status, complaint: self.complaint().await });
            }
            tokio::time::sleep(START_POLL_WAIT).await;
        }
    }

    async fn complaint(&mut self) -> String {
        let mut bytes = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            // What can be read is better than nothing.
            stderr.take(COMPLAINT_BYTES_MAX).read_to_end(&mut bytes).await.ok();
        }
        let text = String::from_utf8_lossy(&bytes);
        text.trim().trim_start_matches("error: ").to_owned()
    }

    async fn kill_silent(mut self) -> ProxyError {
        let last = self.client().version().await.err();
        // It may have ended this very moment.
        self.child.kill().await.ok();
        let place = AdminPlace::Address(AdminAddress::Unix(self.socket.clone()));
        let source = last.unwrap_or(AdminError::Timeout { place, call: "GET /version".to_owned() });
        ProxyError::Silent { source }
    }
}
