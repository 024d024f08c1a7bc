//! A living run from another process: commands that are sent to it, and its events, by way of its control socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::broadcast;
use tokio_util::task::AbortOnDropHandle;

use super::control::{COMMAND_BYTES_MAX, ControlError, WATCH, socket_path};
use crate::event::{Command, CommandAnswer, EVENT_LINE_BYTES_MAX, Event, Feed};

/// How long a run may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// How many events a viewer of an attached process may lag behind before it reads the file.
const ATTACHED_LAG_EVENTS_MAX: usize = 4_096;

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

/// A living run, seen and steered from another process.
#[derive(Debug)]
pub struct Attached {
    directory: PathBuf,
    events: broadcast::WeakSender<Arc<Event>>,
    /// Where viewers begin that come after the run has ended.
    ended: broadcast::Receiver<Arc<Event>>,
    _pump: AbortOnDropHandle<()>,
}

impl Attached {
    /// Attaches to the run in `directory`.
    ///
    /// # Errors
    /// The run can not be reached, or does not want to be watched.
    pub async fn to(directory: &Path) -> Result<Self, ControlError> {
        let path = socket_path(directory)?;
        let begin = async {
            let mut stream = UnixStream::connect(&path).await.map_err(ControlError::Unreachable)?;
            stream.write_all(format!("{WATCH}\n").as_bytes()).await.map_err(ControlError::Broken)?;
            let mut lines = BufReader::new(stream);
            let mut answer = String::new();
            (&mut lines).take(COMMAND_BYTES_MAX).read_line(&mut answer).await.map_err(ControlError::Broken)?;
            match serde_json::from_str(&answer).map_err(ControlError::Answer)? {
                CommandAnswer::Taken => Ok(lines),
                CommandAnswer::Refused { why } => Err(ControlError::Refused(why)),
            }
        };
        let lines = tokio::time::timeout(ANSWER_WAIT, begin).await.unwrap_or(Err(ControlError::Timeout))?;
        let (sender, ended) = broadcast::channel(ATTACHED_LAG_EVENTS_MAX);
        let events = sender.downgrade();
        let pump = AbortOnDropHandle::new(tokio::spawn(pump(lines, sender)));
        Ok(Self { directory: directory.to_owned(), events, ended, _pump: pump })
    }

    /// The run's folder.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The run's events behind the number `after`, or from the first on. It ends when the run does.
    #[must_use]
    pub fn feed(&self, after: Option<u64>) -> Feed {
        let live = self.events.upgrade().map_or_else(|| self.ended.resubscribe(), |sender| sender.subscribe());
        Feed::new(&self.directory, live, after)
    }

    /// Sends a command to the run and waits for its answer.
    ///
    /// # Errors
    /// The run can not be reached any more, or does not answer.
    pub async fn send(&self, command: &Command) -> Result<CommandAnswer, ControlError> {
        send_command(&self.directory, command).await
    }
}

/// Hands on what the run tells, until it is over.
async fn pump(mut lines: BufReader<UnixStream>, sender: broadcast::Sender<Arc<Event>>) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut lines).take(EVENT_LINE_BYTES_MAX as u64 * 2).read_until(b'\n', &mut line).await;
        if !matches!(read, Ok(bytes) if bytes > 0) {
            return;
        }
        // What this version does not know is left to the file.
        if let Ok(event) = serde_json::from_slice::<Event>(&line) {
            sender.send(Arc::new(event)).ok();
        }
    }
}
