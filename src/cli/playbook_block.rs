//! A command of a playbook is run: in the workspace's folder, in a process group of its own, for no longer than it may. What it writes
//! goes to the terminal and nowhere else. Must not know: who agreed to it, and where that is written down.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::task::AbortOnDropHandle;

use super::out;
use super::playbook_keys::{Stop, Stops};
use super::playbook_show::pieces;
use crate::playbook::{PlaybookCommand, Shell};
use crate::unit::format_duration;
use crate::unit::process::{guarded_command, kill_group, own_program};

/// How much of an output `expect` looks at, in bytes.
const EXPECT_BYTES_MAX: usize = 1024 * 1024;

/// How long a line may become before it is shown, in bytes: a progress bar has no line ends.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// How long what was written last may take to be read, once the command has ended. Whatever it left running may hold the pipe open
/// for ever.
const OUTPUT_WAIT: Duration = Duration::from_millis(500);

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// What went wrong; none where it ended well and as the playbook expects.
    pub(super) why: Option<String>,
    /// Whether this process was asked to end meanwhile.
    pub(super) is_last: bool,
}

impl Ended {
    fn because(why: String) -> Self {
        Self { why: Some(why), is_last: false }
    }
}

/// A process group that is killed when nobody waits for it any more.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            kill_group(leader);
        }
    }
}

/// Runs a command to its end, or to the end of its time, or until it is stopped. Its variables are this process's own.
pub(super) async fn run(command: &PlaybookCommand, shell: Shell, folder: &Path, stops: &mut Stops) -> Ended {
    let started = own_program().and_then(|gameday| {
        let mut program = guarded_command(&gameday, shell.program());
        // `./x` is the workspace's `x`, wherever this was started.
        program.args(["-c", &command.text]).current_dir(if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        });
        program.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()
    });
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return Ended::because(format!("`{}` could not be started: {error}", shell.program())),
    };
    let mut group = Group(child.id());
    let kept = Arc::new(Mutex::new(Vec::new()));
    let readers = [
        child.stdout.take().map(|pipe| AbortOnDropHandle::new(tokio::spawn(show(pipe, Some(Arc::clone(&kept)))))),
        child.stderr.take().map(|pipe| AbortOnDropHandle::new(tokio::spawn(show(pipe, None)))),
    ];
    let ended = tokio::select! {
        status = child.wait() => {
            // What it started and left running is its own affair.
            group.0 = None;
            Ok(status)
        }
        () = tokio::time::sleep(command.timeout) => {
            let limit = format_duration(command.timeout);
            Err(Ended::because(format!("it did not end within {limit}, and was killed with all that it started")))
        }
        stop = stops.next() => Err(match stop {
            Stop::Interrupt => Ended::because("it was stopped by Ctrl-C".to_owned()),
            Stop::Terminate => Ended { why: Some("gameday was told to end".to_owned()), is_last: true },
        }),
    };
    drop(group);
    let reading = async {
        for reader in readers.into_iter().flatten() {
            reader.await.ok();
        }
    };
    tokio::time::timeout(OUTPUT_WAIT, reading).await.ok();
    let status = match ended {
        Ok(status) => status,
        Err(ended) => return ended,
    };
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    Ended {
        why: status.map_or_else(|error| Some(format!("it is lost: {error}")), |status| judge(command, status, &kept)),
        is_last: false,
    }
}

/// What is wrong with how a command ended, and with what it wrote.
fn judge(command: &PlaybookCommand, status: ExitStatus, kept: &[u8]) -> Option<String> {
    match status.code() {
        Some(0) => {
            let unmet = command.meets(&String::from_utf8_lossy(kept)).err()?;
            let is_cut = kept.len() >= EXPECT_BYTES_MAX;
            Some(if is_cut { format!("{unmet} in its first {EXPECT_BYTES_MAX} bytes") } else { unmet })
        }
        Some(code) => Some(format!("it ended with exit code {code}")),
        None => Some(format!("it was killed ({status})")),
    }
}

/// Shows what comes out of a pipe line by line, and keeps the beginning.
async fn show(mut pipe: impl AsyncRead + Unpin, kept: Option<Arc<Mutex<Vec<u8>>>>) {
    let (mut chunk, mut line) = (vec![0; LINE_BYTES_MAX], Vec::new());
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        let bytes = chunk.get(..count).unwrap_or_default();
        if let Some(kept) = &kept {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let room = EXPECT_BYTES_MAX.saturating_sub(kept.len());
            kept.extend(bytes.iter().take(room));
        }
        line.extend_from_slice(bytes);
        let whole = line.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let ready = if whole == 0 && line.len() >= LINE_BYTES_MAX { line.len() } else { whole };
        print(&line.drain(..ready).collect::<Vec<u8>>());
    }
    print(&line);
}

fn print(bytes: &[u8]) {
    for line in String::from_utf8_lossy(bytes).lines() {
        for piece in pieces(line) {
            out::line(format_args!("  | {piece}"));
        }
    }
}
