//! Failpoints: places at which a crash test ends this process, or lets a write fail. A release build has none: only a
//! debug build looks at `GAMEDAY_FAILPOINT`.
//!
//! `kill:17` kills the process (SIGKILL, as the kernel does when memory is short) at the 17th point that it reaches;
//! `panic:17` lets the task panic that reaches it; `enospc:3` and `eio:3` let the 3rd write or sync fail, a write half done.

use std::fs::File;
use std::io::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

/// What is to happen, and at which point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    /// The process is killed at a point.
    Kill(u64),
    /// The task that reaches a point panics there.
    Panic(u64),
    /// A write or a sync fails.
    Fail(u64, Errno),
}

#[derive(Debug)]
struct Counters {
    script: Script,
    /// Points so far: before and after each half of a write, each sync, each call of an API.
    points: AtomicU64,
    /// Writes and syncs so far.
    writes: AtomicU64,
}

/// The failpoints of this process; clones count together. The default has none, and costs a look at an empty option.
#[derive(Debug, Clone, Default)]
pub struct Failpoints(Option<Arc<Counters>>);

impl Failpoints {
    /// The variable that a debug build reads.
    pub const VARIABLE: &str = "GAMEDAY_FAILPOINT";

    /// What the environment asks for: nothing in a release build, nor where the variable is absent or says nothing that
    /// is known.
    #[must_use]
    pub fn from_environment() -> Self {
        if !cfg!(debug_assertions) {
            return Self::default();
        }
        let script = std::env::var(Self::VARIABLE).ok().and_then(|text| text.parse().ok());
        Self(script.map(Self::counters))
    }

    /// What `script` asks for, for a test in this process.
    #[cfg(test)]
    pub(crate) fn scripted(script: &str) -> Self {
        Self(Some(Self::counters(script.parse().expect("a script"))))
    }

    fn counters(script: Script) -> Arc<Counters> {
        Arc::new(Counters { script, points: AtomicU64::new(0), writes: AtomicU64::new(0) })
    }

    /// Passes a point; a script may end the process here.
    pub fn reach(&self) {
        let Some(counters) = &self.0 else { return };
        let point = counters.points.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(counters.script != Script::Panic(point), "failpoint {point}");
        if counters.script == Script::Kill(point) {
            // A process can always kill itself; should it not, it must not go on either.
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).ok();
            std::process::abort();
        }
    }

    /// Writes all of it; with a script in two halves, with a point before, between and after them.
    ///
    /// # Errors
    /// The file's, or the one that the script asks for, after the first half.
    pub fn write_all(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        if self.0.is_none() {
            return file.write_all(bytes);
        }
        let (first, second) = bytes.split_at(bytes.len() / 2);
        self.reach();
        file.write_all(first)?;
        self.reach();
        self.fail_write()?;
        file.write_all(second)?;
        self.reach();
        Ok(())
    }

    /// Does what makes a write durable, with a point behind it.
    ///
    /// # Errors
    /// Those of `sync`, or the one that the script asks for.
    pub fn sync(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.fail_write()?;
        sync()?;
        self.reach();
        Ok(())
    }

    fn fail_write(&self) -> io::Result<()> {
        let Some(counters) = &self.0 else { return Ok(()) };
        let write = counters.writes.fetch_add(1, Ordering::SeqCst) + 1;
        match counters.script {
            Script::Fail(at, errno) if at == write => Err(errno.into()),
            Script::Fail(..) | Script::Kill(_) | Script::Panic(_) => Ok(()),
        }
    }
}

impl FromStr for Script {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (what, at) = text.split_once(':').ok_or(())?;
        let at = at.parse().map_err(|_| ())?;
        match what {
            "kill" => Ok(Self::Kill(at)),
            "panic" => Ok(Self::Panic(at)),
            "enospc" => Ok(Self::Fail(at, Errno::NOSPC)),
            "eio" => Ok(Self::Fail(at, Errno::IO)),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_write_fails_half_done_and_the_others_do_not() {
        let failpoints = Failpoints::scripted("enospc:2");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut file = File::create(&path).unwrap();
        failpoints.write_all(&mut file, b"abcd").unwrap();
        let error = failpoints.write_all(&mut file, b"efgh").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::NOSPC.raw_os_error()));
        failpoints.sync(|| file.sync_all()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"abcdef");
    }

    #[test]
    fn only_what_is_known_is_a_script() {
        assert_eq!("kill:17".parse(), Ok(Script::Kill(17)));
        for text in ["", "kill", "kill:", "kill:x", "melt:1"] {
            assert_eq!(text.parse::<Script>(), Err(()), "{text}");
        }
    }
}
