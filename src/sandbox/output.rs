//! What functions write to standard output and error: kept as a short tail and as log events, never shown on our own terminal.

use std::collections::VecDeque;
use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::unix::pipe;
use tokio::task::JoinHandle;

use super::logs::LogStream;

/// How much is kept. Source: AWS, Invoke: `LogType: Tail` answers the last 4 KB.
const TAIL_BYTES_MAX: usize = 4_096;

/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;

/// How often is read in a row, so that a process that never stops writing can not hold its reader.
const READS_MAX: usize = 64;

/// The last 4 KB of some output.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: Mutex<VecDeque<u8>>,
}

impl Tail {
    pub(super) fn push(&self, bytes: &[u8]) {
        let mut kept = self.lock();
        let skipped = bytes.len().saturating_sub(TAIL_BYTES_MAX);
        kept.extend(bytes.iter().skip(skipped));
        let excess = kept.len().saturating_sub(TAIL_BYTES_MAX);
        kept.drain(..excess);
    }

    /// The kept bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lock().iter().copied().collect()
    }

    /// The kept bytes, which are then forgotten.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.lock()).into()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<u8>> {
        self.bytes.lock().expect("invariant: nobody panics while holding a tail")
    }
}

/// The reading end of one process's output. Both of its streams share one pipe, so that their order is kept.
#[derive(Debug)]
pub(super) struct Output {
    source: Arc<Source>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Source {
    pipe: pipe::Receiver,
    /// Of this process.
    own: Tail,
    /// Of the function.
    function: Arc<Tail>,
    /// Its log. Held from a read to its end, so that two readers can not swap what they read.
    log: Mutex<LogStream>,
}

impl Source {
    /// Reads what is there; says whether the pipe is still open.
    fn drain(&self) -> bool {
        let mut log = self.log();
        let mut buffer = vec![0; READ_BYTES];
        for _ in 0..READS_MAX {
            match self.pipe.try_read(&mut buffer) {
                Ok(0) => return false,
                Ok(length) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    self.own.push(bytes);
                    self.function.push(bytes);
                    log.print(bytes);
                }
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }

    fn log(&self) -> MutexGuard<'_, LogStream> {
        self.log.lock().expect("invariant: nobody panics while reading output")
    }
}

impl Output {
    /// A pipe: what is written to the two [`Stdio`] is read here, and put into `function` and `log` as well.
    pub(super) fn open(function: Arc<Tail>, log: LogStream) -> io::Result<(Self, Stdio, Stdio)> {
        let (reader, writer) = io::pipe()?;
        let second = writer.try_clone()?;
        let pipe = pipe::Receiver::from_owned_fd(reader.into())?;
        let source = Arc::new(Source { pipe, own: Tail::default(), function, log: Mutex::new(log) });
        let reading = Arc::clone(&source);
        let task = tokio::spawn(async move { while reading.pipe.readable().await.is_ok() && reading.drain() {} });
        Ok((Self { source, task }, writer.into(), second.into()))
    }

    /// Adds a line of Lambda's own.
    pub(super) fn note(&self, line: &str) {
        self.source.drain();
        self.source.log().note(line);
        self.source.own.push(line.as_bytes());
        self.source.own.push(b"\n");
    }

    /// The tail since the last call. What the process wrote before its answer is in it: the pipe is emptied first.
    pub(super) fn take(&self) -> Vec<u8> {
        self.source.drain();
        self.source.own.take()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_four_kilobytes_are_kept() {
        let tail = Tail::default();
        tail.push(&[b'a'; 3_000]);
        tail.push(&[b'b'; 3_000]);
        let bytes = tail.bytes();
        assert_eq!(bytes.len(), TAIL_BYTES_MAX);
        assert_eq!(bytes.iter().filter(|byte| **byte == b'b').count(), 3_000);
        tail.push(&[b'c'; 10_000]);
        assert_eq!(tail.take(), vec![b'c'; TAIL_BYTES_MAX]);
        assert_eq!(tail.bytes(), Vec::<u8>::new());
    }
}
