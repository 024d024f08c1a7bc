//! The way into a living run: a private Unix socket. A connection brings one [`Command`], or asks to be told of every event from now on.
//! `attached.rs` is the other end.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::event::{Command, CommandAnswer, EventLog, Feed};
use crate::unit::{RuntimeDirectoryError, runtime_directory, sha256_hex};

/// The longest command, in bytes.
pub(super) const COMMAND_BYTES_MAX: u64 = 64 * 1024;
/// How long a peer may take to say what it wants.
const READ_WAIT: Duration = Duration::from_secs(5);
/// What a watcher says.
pub(super) const WATCH: &str = "\"watch\"";
/// How many may watch at the same time through the socket.
const WATCHERS_MAX: usize = 64;
/// How long a watcher may take nothing; it reads the file when it comes back.
const WRITE_WAIT: Duration = Duration::from_secs(10);
/// How many commands may wait for the run.
const COMMANDS_WAITING_MAX: usize = 64;

/// Why a command did not reach a run.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no private directory for sockets.
    #[error(transparent)]
    Directory(#[from] RuntimeDirectoryError),
    /// Nobody listens.
    #[error("the run does not answer: it has ended, or it runs as another user or on another machine")]
    Unreachable(#[source] io::Error),
    /// It broke off.
    #[error("the run broke off before it answered")]
    Broken(#[source] io::Error),
    /// It took too long.
    #[error("the run did not answer in 10 s")]
    Timeout,
    /// It does not want to be watched.
    #[error("{0}")]
    Refused(String),
    /// It said something that is no answer.
    #[error("the run answered something that this version does not read")]
    Answer(#[source] serde_json::Error),
}

/// Where a run's control socket is: named after the run's folder, which any shell can work out.
pub(super) fn socket_path(directory: &Path) -> Result<PathBuf, ControlError> {
    Ok(runtime_directory()?.join(format!("{}.run.sock", short_name(directory))))
}

/// A name for a run's sockets, short enough for every path limit.
pub(super) fn short_name(directory: &Path) -> String {
    let whole = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    sha256_hex(whole.as_os_str().as_encoded_bytes()).chars().take(16).collect()
}

/// A command on its way to the engine, with the way back.
pub(super) type Request = (Command, oneshot::Sender<CommandAnswer>);

/// The listening socket; dropping it takes the socket away.
#[derive(Debug)]
pub(super) struct Control {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Control {
    /// Listens for the run whose log this is.
    pub(super) fn listen(log: &EventLog) -> Result<(Self, mpsc::Receiver<Request>), ControlError> {
        let directory = log.directory();
        let path = socket_path(directory)?;
        // The folder's name is unique: a socket that is there already was left by a run that died.
        std::fs::remove_file(&path).ok();
        let listener = UnixListener::bind(&path).map_err(ControlError::Unreachable)?;
        // Its directory is private already.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(ControlError::Unreachable)?;
        let log = log.clone();
        let places = Arc::new(Semaphore::new(WATCHERS_MAX));
        let (sender, receiver) = mpsc::channel(COMMANDS_WAITING_MAX);
        let task = tokio::spawn(async move {
            loop {
                // A failed accept (out of descriptors) is tried again by the next caller.
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, sender.clone(), log.clone(), Arc::clone(&places)));
                } else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        });
        Ok((Self { path, task }, receiver))
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        std::fs::remove_file(&self.path).ok();
    }
}

async fn serve(stream: UnixStream, sender: mpsc::Sender<Request>, log: EventLog, places: Arc<Semaphore>) {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(COMMAND_BYTES_MAX));
    let Ok(Ok(_)) = tokio::time::timeout(READ_WAIT, reader.read_line(&mut line)).await else { return };
    if line.trim_end() == WATCH {
        let Ok(place) = places.try_acquire_owned() else {
            let why = format!("{WATCHERS_MAX} others watch this run already");
            return answer(&mut writer, &CommandAnswer::Refused { why }).await;
        };
        let events = Feed::of_future(&log);
        // Whoever holds the log keeps its end from everybody, this watcher included.
        drop(log);
        answer(&mut writer, &CommandAnswer::Taken).await;
        tell(events, reader, writer).await;
        drop(place);
        return;
    }
    let said = match serde_json::from_str::<Command>(&line) {
        Ok(command) => ask(command, &sender).await,
        Err(error) => CommandAnswer::Refused { why: format!("not a command: {error}") },
    };
    answer(&mut writer, &said).await;
}

async fn answer(writer: &mut OwnedWriteHalf, said: &CommandAnswer) {
    let mut text = serde_json::to_vec(said).expect("invariant: an answer serialises to JSON");
    text.push(b'\n');
    // A peer that went away does not need its answer.
    writer.write_all(&text).await.ok();
}

/// Tells a watcher of every event until it goes away, takes nothing for too long, or the run is over.
async fn tell(mut events: Feed, mut reader: impl AsyncRead + Unpin, mut writer: OwnedWriteHalf) {
    let mut gone = [0; 1];
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            // Whoever watches says nothing more: the end of what it says is its own.
            _ = reader.read(&mut gone) => return,
        };
        let Ok(Some(event)) = event else { return };
        // A kind that a newer version wrote is in the file, where the watcher looks when it misses a number.
        let Ok(mut line) = serde_json::to_vec(&event) else { continue };
        line.push(b'\n');
        let written = tokio::time::timeout(WRITE_WAIT, writer.write_all(&line)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

async fn ask(command: Command, sender: &mpsc::Sender<Request>) -> CommandAnswer {
    let (back, answer) = oneshot::channel();
    let ended = || CommandAnswer::Refused { why: "the run has ended".to_owned() };
    if sender.send((command, back)).await.is_err() {
        return ended();
    }
    answer.await.unwrap_or_else(|_| ended())
}
