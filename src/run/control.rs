//! The way into a living run: a private Unix socket that takes one [`Command`] a connection.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use crate::event::{Command, CommandAnswer};
use crate::unit::{RuntimeDirectoryError, runtime_directory, sha256_hex};

/// The longest command, in bytes.
const COMMAND_BYTES_MAX: u64 = 64 * 1024;
/// How long a peer may take to say what it wants.
const READ_WAIT: Duration = Duration::from_secs(5);
/// How long a run may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
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
    pub(super) fn listen(directory: &Path) -> Result<(Self, mpsc::Receiver<Request>), ControlError> {
        let path = socket_path(directory)?;
        // The folder's name is unique: a socket that is there already was left by a run that died.
        std::fs::remove_file(&path).ok();
        let listener = UnixListener::bind(&path).map_err(ControlError::Unreachable)?;
        let (sender, receiver) = mpsc::channel(COMMANDS_WAITING_MAX);
        let task = tokio::spawn(async move {
            loop {
                // A failed accept (out of descriptors) is tried again by the next caller.
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, sender.clone()));
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

async fn serve(stream: UnixStream, sender: mpsc::Sender<Request>) {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(COMMAND_BYTES_MAX));
    let Ok(Ok(_)) = tokio::time::timeout(READ_WAIT, reader.read_line(&mut line)).await else { return };
    let answer = match serde_json::from_str::<Command>(&line) {
        Ok(command) => ask(command, &sender).await,
        Err(error) => CommandAnswer::Refused { why: format!("not a command: {error}") },
    };
    let mut text = serde_json::to_vec(&answer).expect("invariant: an answer serialises to JSON");
    text.push(b'\n');
    // A peer that went away does not need its answer.
    writer.write_all(&text).await.ok();
}

async fn ask(command: Command, sender: &mpsc::Sender<Request>) -> CommandAnswer {
    let (back, answer) = oneshot::channel();
    let ended = || CommandAnswer::Refused { why: "the run has ended".to_owned() };
    if sender.send((command, back)).await.is_err() {
        return ended();
    }
    answer.await.unwrap_or_else(|_| ended())
}

/// Sends a command to the run in `directory` and waits for its answer.
///
/// # Errors
/// The run cannot be reached, or does not answer.
pub async fn send_command(directory: &Path, command: &Command) -> Result<CommandAnswer, ControlError> {
    let path = socket_path(directory)?;
    let exchange = async {
        let mut stream = UnixStream::connect(&path).await.map_err(ControlError::Unreachable)?;
        let mut line = serde_json::to_vec(command).expect("invariant: a command serialises to JSON");
        line.push(b'\n');
        stream.write_all(&line).await.map_err(ControlError::Broken)?;
        let mut answer = String::new();
        let mut reader = BufReader::new(stream.take(COMMAND_BYTES_MAX));
        reader.read_line(&mut answer).await.map_err(ControlError::Broken)?;
        serde_json::from_str(&answer).map_err(ControlError::Answer)
    };
    tokio::time::timeout(ANSWER_WAIT, exchange).await.unwrap_or(Err(ControlError::Timeout))
}
