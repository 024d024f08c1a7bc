//! The watchdog: a process of its own that undoes what a run left in place when the run dies or hangs.
//!
//! The run holds the only writing end of a pipe to it. A byte a second says that the run is alive; `q` says that it has
//! ended in good order. An end of the pipe means that the run died, silence that it hangs. A run that hangs is killed
//! before anything is undone: it can then not wake up and inject again.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::unit::Failpoints;

/// The hidden sub-command that [`Watch`] serves.
const WATCHDOG: &str = "watchdog";
/// How often a run says that it is alive.
const BEAT_INTERVAL: Duration = Duration::from_secs(1);
/// How long a run may say nothing: it beats once a second, and a disk or a machine may be slow.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// How long the watchdog may take until it is ready.
const READY_WAIT: Duration = Duration::from_secs(10);
/// How long a run whose pipe is closed may take to be gone, before it is killed.
const EXIT_WAIT: Duration = Duration::from_secs(1);
/// How long the watchdog may take to end once it is dismissed.
const DISMISS_WAIT: Duration = Duration::from_secs(5);
/// The line that it says when it is ready.
pub const READY: &str = "ready";
/// A sign of life.
const BEAT: u8 = b'.';
/// The run has ended in good order.
const QUIT: u8 = b'q';

/// Why there is no watchdog.
#[derive(Debug, thiserror::Error)]
pub enum WatchdogError {
    /// It could not be started.
    #[error("failed to start the watchdog")]
    Start(#[source] io::Error),
    /// It did not say that it is ready.
    #[error("the watchdog was not ready within 10 s")]
    NotReady,
}

/// A watchdog that this process started, which outlives it.
#[derive(Debug)]
pub(super) struct Watchdog {
    child: Child,
    pid: u32,
    heart: Heart,
}

/// What tells the watchdog that the run is alive. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Heart(Arc<Mutex<Pulse>>);

#[derive(Debug)]
struct Pulse {
    pipe: File,
    last: Instant,
}

impl Watchdog {
    /// Starts `gameday watchdog` over the run in `directory`, and waits until it is ready.
    pub(super) async fn spawn(gameday: &Path, directory: &Path) -> Result<Self, WatchdogError> {
        let mut child = Command::new(gameday)
            .arg(WATCHDOG)
            .arg("--parent")
            .arg(std::process::id().to_string())
            .arg(directory)
            .env_remove(Failpoints::VARIABLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Until it is ready: one that comes up late would find its pipe closed, and end a run that refuses to begin.
            .kill_on_drop(true)
            .spawn()
            .map_err(WatchdogError::Start)?;
        let missing = || WatchdogError::Start(io::Error::other("it has no pipe"));
        let pipe = child.stdin.take().ok_or_else(missing)?.into_owned_fd().map_err(WatchdogError::Start)?;
        let mut stdout = child.stdout.take().ok_or_else(missing)?;
        let pid = child.id().ok_or_else(missing)?;
        let mut said = [0; READY.len()];
        match tokio::time::timeout(READY_WAIT, stdout.read_exact(&mut said)).await {
            Ok(Ok(_)) if said == READY.as_bytes() => {}
            _ => return Err(WatchdogError::NotReady),
        }
        // A watchdog that reads no more must not hold the run up.
        rustix::io::ioctl_fionbio(&pipe, true).map_err(|error| WatchdogError::Start(error.into()))?;
        let pulse = Pulse { pipe: pipe.into(), last: Instant::now() };
        Ok(Self { child, pid, heart: Heart(Arc::new(Mutex::new(pulse))) })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn heart(&self) -> Heart {
        self.heart.clone()
    }

    /// Tells it that the run has ended in good order, and waits for its end.
    pub(super) async fn dismiss(mut self) {
        // One that is gone already needs not be told.
        self.heart.say(QUIT).ok();
        if tokio::time::timeout(DISMISS_WAIT, self.child.wait()).await.is_err() {
            self.child.kill().await.ok();
        }
    }
}

impl Heart {
    /// Says that the run is alive, at most once a second.
    ///
    /// # Errors
    /// Nobody listens: the watchdog is gone.
    pub(super) fn beat(&self) -> io::Result<()> {
        let is_due = self.pulse().last.elapsed() >= BEAT_INTERVAL;
        if is_due { self.say(BEAT) } else { Ok(()) }
    }

    fn say(&self, byte: u8) -> io::Result<()> {
        let mut pulse = self.pulse();
        pulse.last = Instant::now();
        match pulse.pipe.write(&[byte]) {
            // The pipe is full of beats that nobody has read yet: one more would not say more.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            written => written.map(drop),
        }
    }

    fn pulse(&self) -> std::sync::MutexGuard<'_, Pulse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a watchdog acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// The run died.
    Died,
    /// The run said nothing for 15 s, and was killed.
    Hung,
}

/// The watchdog's own side of the pipe, and a hold on the run's process that no other process can take over.
#[derive(Debug)]
pub struct Watch {
    run: Option<OwnedFd>,
}

impl Watch {
    /// Leaves the session of the run's process and takes hold of it. It must be called before anybody else can end it:
    /// its parent is the run.
    ///
    /// # Errors
    /// The system refuses.
    pub fn begin(parent: u32) -> io::Result<Self> {
        rustix::process::setsid()?;
        let is_ours = rustix::process::getppid().map(Pid::as_raw_nonzero).map(i32::from) == i32::try_from(parent).ok();
        let pid = i32::try_from(parent).ok().and_then(Pid::from_raw).filter(|_| is_ours);
        let run = pid.map(|pid| pidfd_open(pid, PidfdFlags::NONBLOCK)).transpose()?;
        Ok(Self { run })
    }

    /// Watches over the pipe until the run ends in good order (none), or something is to be undone. When this says so,
    /// the run's process is gone.
    ///
    /// # Errors
    /// The system can not tell when the run's process has ended.
    pub async fn wait(self) -> io::Result<Option<Alarm>> {
        let Some(alarm) = listen(tokio::io::stdin()).await else { return Ok(None) };
        self.fence(alarm).await?;
        Ok(Some(alarm))
    }

    /// Makes sure that the run's process is gone.
    async fn fence(self, alarm: Alarm) -> io::Result<()> {
        let Some(run) = self.run else { return Ok(()) };
        let fenced = tokio::task::spawn_blocking(move || {
            if alarm == Alarm::Hung || !has_ended_within(&run, EXIT_WAIT)? {
                // It may end this very moment.
                pidfd_send_signal(&run, Signal::KILL).ok();
            }
            while !has_ended_within(&run, EXIT_WAIT)? {}
            Ok(())
        });
        fenced.await.map_err(io::Error::other)?
    }
}

/// Waits for the end of a process: a descriptor of it can be read once it has ended.
fn has_ended_within(process: &OwnedFd, wait: Duration) -> io::Result<bool> {
    let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
    let ready = rustix::event::poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&wait))?;
    Ok(ready > 0)
}

/// Reads the run's signs of life until there is none; none when it has ended in good order.
async fn listen(mut pipe: impl AsyncRead + Unpin) -> Option<Alarm> {
    let mut bytes = [0; 64];
    loop {
        match tokio::time::timeout(SILENCE_MAX, pipe.read(&mut bytes)).await {
            Err(_) => return Some(Alarm::Hung),
            Ok(Ok(0) | Err(_)) => return Some(Alarm::Died),
            Ok(Ok(count)) if bytes.iter().take(count).any(|byte| *byte == QUIT) => return None,
            Ok(Ok(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_silence_and_an_end_without_a_word_are_alarms() {
        let (mut run, pipe) = tokio::io::duplex(64);
        let listening = tokio::spawn(listen(pipe));
        for _ in 0..60 {
            run.write_all(&[BEAT]).await.unwrap();
            tokio::time::sleep(BEAT_INTERVAL).await;
        }
        assert!(!listening.is_finished());
        run.write_all(&[BEAT, QUIT]).await.unwrap();
        assert_eq!(listening.await.unwrap(), None);

        let (run, pipe) = tokio::io::duplex(64);
        drop(run);
        assert_eq!(listen(pipe).await, Some(Alarm::Died));

        let (_run, pipe) = tokio::io::duplex(64);
        let start = Instant::now();
        assert_eq!(listen(pipe).await, Some(Alarm::Hung));
        assert_eq!(start.elapsed(), SILENCE_MAX);
    }
}
