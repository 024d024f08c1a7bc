//! The log file, `run.ndjson`: one line an event, each with the CRC-32C of what stands before it.
//!
//! A line is `{"seq":…,"at":…,"elapsed_ms":…,"kind":…,"crc":"xxxxxxxx"}`: valid JSON, and the checksum covers the bytes
//! before `,"crc"`. A torn last line is dropped on reading, since nothing was done before its append returned; a broken
//! line in the middle is an error.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::{Event, EventKind, FaultIdentity, ReadLog, read_log};
use crate::unit::{Clock, Failpoints, FileError, sha256_hex};

/// The version of the log's format, in its first event.
pub const LOG_FORMAT: u32 = 1;
/// The longest line, in bytes with its checksum: a reader can hold it, and an event is a summary.
pub const EVENT_LINE_BYTES_MAX: usize = 64 * 1024;
/// How many events a slow reader may lag behind before it must read the file again.
const SUBSCRIBER_LAG_EVENTS_MAX: usize = 4_096;

/// How often a lock is tried for.
const LOCK_ATTEMPTS_MAX: u32 = 100;

pub(super) const LOG_FILE: &str = "run.ndjson";
/// What is kept of a log that was broken in the middle.
const BROKEN_FILE: &str = "run.ndjson.broken";
const UNDO_DIRECTORY: &str = "undo";
pub(super) const CRC_KEY: &str = ",\"crc\":\"";

/// Why the log cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// An event does not fit into a line.
    #[error("an event of {bytes} bytes is longer than a line may be ({EVENT_LINE_BYTES_MAX} bytes)")]
    LineTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A line in the middle is broken.
    #[error("line {line} of `{}` at byte {offset} is broken: {problem}; `gameday recover RUN --salvage` goes on from what stands before it and from the undo files", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Counts from 1.
        line: usize,
        /// The byte at which the line starts.
        offset: u64,
        /// What is wrong.
        problem: String,
        /// The events before it.
        before: Vec<Event>,
    },
    /// There is no whole event in the file.
    #[error("`{}` holds no event", .0.display())]
    Empty(PathBuf),
    /// Another version wrote it, in a format that this program does not know.
    #[error("`{}` is of format {format}, and this version reads format {LOG_FORMAT}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// The first event is not a start.
    #[error("`{}` does not begin with the start of a run", .0.display())]
    NoStart(PathBuf),
    /// Another process writes it: the run is alive, or is being recovered.
    #[error("`{}` is in use: the run is alive, or is being recovered", .0.display())]
    InUse(PathBuf),
    /// An earlier append failed: nothing may be injected any more.
    #[error("the log failed before; nothing more is written")]
    Failed,
}

/// Proof that a fault's undo is on disk. Only [`EventLog::arm`] makes one, and no fault can be injected without it.
#[derive(Debug)]
pub struct Armed {
    identity: FaultIdentity,
}

impl Armed {
    /// The fault that it is for.
    #[must_use]
    pub fn identity(&self) -> &FaultIdentity {
        &self.identity
    }
}

/// The open log of a run. Clones share it.
#[derive(Debug, Clone)]
pub struct EventLog {
    inner: Arc<Mutex<Inner>>,
    clock: Clock,
    directory: PathBuf,
    sender: broadcast::Sender<Arc<Event>>,
    failpoints: Failpoints,
}

#[derive(Debug)]
struct Inner {
    file: File,
    next_seq: u64,
    failed: bool,
    sealed: bool,
}

impl EventLog {
    /// Makes the log of a new run in its folder, which must exist and hold no log yet.
    ///
    /// # Errors
    /// The file exists, or cannot be made.
    pub fn create(directory: &Path, clock: Clock) -> Result<Self, LogError> {
        let path = directory.join(LOG_FILE);
        let file =
            OpenOptions::new().append(true).create_new(true).open(&path).map_err(FileError::on("create", &path))?;
        lock(&file, &path)?;
        sync_directory(directory)?;
        Ok(Self::over(file, 0, directory, clock))
    }

    /// Opens the log of a run that ended in the middle, drops its torn tail, and goes on behind its last event.
    ///
    /// # Errors
    /// The log cannot be read, is broken, or cannot be written.
    pub fn reopen(directory: &Path) -> Result<(Self, Vec<Event>), LogError> {
        let path = directory.join(LOG_FILE);
        // Locked before it is read: what is cut off must be torn, and not just being written.
        let mut file = OpenOptions::new().write(true).open(&path).map_err(FileError::on("open", &path))?;
        lock(&file, &path)?;
        let ReadLog { events, whole_bytes } = read_log(directory)?;
        let (first, last) = match (events.first(), events.last()) {
            (Some(first), Some(last)) => (first, last),
            (None, _) | (_, None) => return Err(LogError::Empty(path)),
        };
        let next_seq = last.seq + 1;
        let clock = Clock::since(first.at);
        file.set_len(whole_bytes).map_err(FileError::on("cut the torn end of", &path))?;
        file.seek(io::SeekFrom::End(0)).map_err(FileError::on("seek in", &path))?;
        Ok((Self::over(file, next_seq, directory, clock), events))
    }

    /// Cuts a log that is broken in the middle off before its first broken line, so that [`Self::reopen`] can go on behind
    /// what can still be used. The whole of it is kept as `run.ndjson.broken`. A log that is not broken is left alone.
    ///
    /// # Errors
    /// The log is in use, cannot be read, or the copy cannot be made.
    pub fn cut_broken(directory: &Path) -> Result<(), LogError> {
        let path = directory.join(LOG_FILE);
        let file = OpenOptions::new().write(true).open(&path).map_err(FileError::on("open", &path))?;
        lock(&file, &path)?;
        let offset = match read_log(directory) {
            Ok(_) => return Ok(()),
            // Without its first line nothing says what the log is of.
            Err(LogError::Broken { offset, .. }) if offset > 0 => offset,
            Err(error) => return Err(error),
        };
        let kept = directory.join(BROKEN_FILE);
        // A second salvage keeps what the first one found.
        if !was_cut(directory) {
            std::fs::copy(&path, &kept)
                .and_then(|_| File::open(&kept)?.sync_all())
                .map_err(FileError::on("write", &kept))?;
        }
        sync_directory(directory)?;
        file.set_len(offset).and_then(|()| file.sync_all()).map_err(FileError::on("cut", &path))?;
        Ok(())
    }

    fn over(file: File, next_seq: u64, directory: &Path, clock: Clock) -> Self {
        let (sender, _) = broadcast::channel(SUBSCRIBER_LAG_EVENTS_MAX);
        let inner = Arc::new(Mutex::new(Inner { file, next_seq, failed: false, sealed: false }));
        Self { inner, clock, directory: directory.to_owned(), sender, failpoints: Failpoints::default() }
    }

    /// The same log, whose writes and syncs a crash test can end or fail.
    #[must_use]
    pub fn with_failpoints(self, failpoints: Failpoints) -> Self {
        Self { failpoints, ..self }
    }

    /// The run's clock: zero is the run's start.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The run's folder.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Every event from now on. A reader that lags 4,096 events behind is told so, and can read the file.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.sender.subscribe()
    }

    /// The number of the last event that was written; none before the first.
    #[must_use]
    pub fn last_seq(&self) -> Option<u64> {
        self.lock().next_seq.checked_sub(1)
    }

    /// Writes an event; kinds that safety rests on are on disk when this returns.
    ///
    /// # Errors
    /// The event is too long, or the file system said no; after that every append fails, and the caller undoes.
    pub fn append(&self, kind: EventKind) -> Result<Arc<Event>, LogError> {
        let must_last = kind.must_last();
        let mut inner = self.lock();
        if inner.failed || (inner.sealed && matches!(kind, EventKind::FaultArmed { .. })) {
            return Err(LogError::Failed);
        }
        let event = Arc::new(self.stamp(inner.next_seq, kind));
        let line = encode(&event)?;
        let path = self.directory.join(LOG_FILE);
        // Until the line is whole: what stands behind half a line could not be read.
        inner.failed = true;
        let written = self.failpoints.write_all(&mut inner.file, line.as_bytes()).and_then(|()| {
            let file = &inner.file;
            if must_last { self.failpoints.sync(|| file.sync_data()) } else { Ok(()) }
        });
        if let Err(error) = written {
            return Err(FileError::on("append to", &path)(error).into());
        }
        inner.failed = false;
        inner.next_seq += 1;
        drop(inner);
        // Nobody listening is fine: the file is what counts.
        self.sender.send(Arc::clone(&event)).ok();
        Ok(event)
    }

    /// Tells subscribers of an event that no file has: what a run goes on with when its log can not be written.
    pub(crate) fn publish_unwritten(&self, kind: EventKind) -> Arc<Event> {
        let event = Arc::new(self.stamp(u64::MAX, kind));
        self.sender.send(Arc::clone(&event)).ok();
        event
    }

    /// No fault can be armed from here on; everything else is still taken.
    pub(crate) fn seal(&self) {
        self.lock().sealed = true;
    }

    /// Takes nothing more: no fault can be armed from here on.
    pub(crate) fn close(&self) {
        self.lock().failed = true;
    }

    fn stamp(&self, seq: u64, kind: EventKind) -> Event {
        let elapsed_ms = crate::unit::elapsed_ms(self.clock.elapsed());
        Event { seq, at: self.clock.now(), elapsed_ms, kind }
    }

    /// Makes a fault's undo durable: the private file `undo/<step>.json` (mode 0600), then the record that names it.
    ///
    /// # Errors
    /// Anything that keeps the undo from being on disk: the fault must then not be injected.
    pub fn arm(&self, identity: &FaultIdentity, undo: &[u8]) -> Result<(Armed, Arc<Event>), LogError> {
        let directory = self.directory.join(UNDO_DIRECTORY);
        std::fs::create_dir_all(&directory).map_err(FileError::on("create", &directory))?;
        let path = undo_path(&self.directory, &identity.step);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(FileError::on("create", &path))?;
        let failpoints = &self.failpoints;
        failpoints
            .write_all(&mut file, undo)
            .and_then(|()| failpoints.sync(|| file.sync_all()))
            .map_err(FileError::on("write", &path))?;
        for folder in [&directory, &self.directory] {
            failpoints.sync(|| File::open(folder)?.sync_all()).map_err(FileError::on("sync", folder))?;
        }
        let event = self.append(EventKind::FaultArmed { identity: identity.clone(), undo_sha256: sha256_hex(undo) })?;
        Ok((Armed { identity: identity.clone() }, event))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in the middle of a line leaves the log as failed, and the half line as a torn tail.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a log this process's own until the file is closed, which the end of the process does in any case.
fn lock(file: &File, path: &Path) -> Result<(), LogError> {
    for attempt in 1..=LOCK_ATTEMPTS_MAX {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            // Somebody who only asks whether the run is alive holds the lock for a moment.
            Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS_MAX => std::thread::yield_now(),
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(source)) => return Err(FileError::on("lock", path)(source).into()),
        }
    }
    Err(LogError::InUse(path.to_owned()))
}

/// Whether a process has the log of the run in `directory` open for writing. Unlike a process id, a lock is never taken
/// over by somebody else.
#[must_use]
pub fn is_in_use(directory: &Path) -> bool {
    let file = File::open(directory.join(LOG_FILE));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The steps that have an undo file, in order of injection.
///
/// # Errors
/// The folder cannot be read; one that does not exist holds none.
pub fn undo_steps(directory: &Path) -> Result<Vec<String>, FileError> {
    let folder = directory.join(UNDO_DIRECTORY);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::on("read", &folder)(error)),
    };
    let mut steps = Vec::new();
    for entry in entries {
        let name = entry.map_err(FileError::on("read", &folder))?.file_name();
        steps.extend(name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
    }
    steps.sort();
    Ok(steps)
}

/// Whether the log in `directory` was once broken and cut: its undo files may tell of more than it does.
#[must_use]
pub fn was_cut(directory: &Path) -> bool {
    directory.join(BROKEN_FILE).exists()
}

/// Where a fault's undo is kept.
#[must_use]
pub fn undo_path(directory: &Path, step: &str) -> PathBuf {
    directory.join(UNDO_DIRECTORY).join(format!("{step}.json"))
}

fn sync_directory(directory: &Path) -> Result<(), LogError> {
    Ok(File::open(directory).and_then(|file| file.sync_all()).map_err(FileError::on("sync", directory))?)
}

fn encode(event: &Event) -> Result<String, LogError> {
    let mut line = serde_json::to_string(event).expect("invariant: our own events serialise to JSON");
    line.pop();
    let crc = crc32c::crc32c(line.as_bytes());
    line.push_str(CRC_KEY);
    line.push_str(&format!("{crc:08x}\"}}\n"));
    if line.len() > EVENT_LINE_BYTES_MAX { Err(LogError::LineTooLong { bytes: line.len() }) } else { Ok(line) }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;
    use crate::event::RunOutcome;

    fn started() -> EventKind {
        EventKind::RunStarted {
            format: LOG_FORMAT,
            run: "r".parse().unwrap(),
            scenario: "s".parse().unwrap(),
            title: "a title with ,\"crc\":\" inside".to_owned(),
            environment: "sandbox".to_owned(),
            version: "0".to_owned(),
            seed: 1,
            plan_sha256: String::new(),
            process: 1,
        }
    }

    fn identity() -> FaultIdentity {
        FaultIdentity { step: "001-lag".to_owned(), fault: "lag".parse().unwrap() }
    }

    fn written() -> (tempfile::TempDir, Vec<u8>) {
        let directory = tempfile::tempdir().unwrap();
        let log = EventLog::create(directory.path(), Clock::with_origin(DateTime::UNIX_EPOCH)).unwrap();
        log.append(started()).unwrap();
        log.append(EventKind::Noted { text: "hé\nllo".to_owned(), by: None }).unwrap();
        log.append(EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 0 }).unwrap();
        let bytes = std::fs::read(directory.path().join(LOG_FILE)).unwrap();
        (directory, bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_is_armed_only_when_its_undo_is_on_disk_and_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let log = EventLog::create(directory.path(), Clock::with_origin(DateTime::UNIX_EPOCH)).unwrap();
        log.append(started()).unwrap();
        let (armed, _) = log.arm(&identity(), b"{}").unwrap();
        assert_eq!(armed.identity(), &identity());
        let path = undo_path(directory.path(), "001-lag");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(log.arm(&identity(), b"{}").is_err(), "a second undo must not overwrite the first");
        let events = read_log(directory.path()).unwrap().events;
        assert_eq!(events[1].kind, EventKind::FaultArmed { identity: identity(), undo_sha256: sha256_hex(b"{}") });
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_kind_is_kept() {
        let (directory, bytes) = written();
        let body = r#"{"seq":3,"at":"1970-01-01T00:00:00Z","elapsed_ms":0,"kind":{"moon_landed":{"on":1}}"#;
        let line = format!("{body}{CRC_KEY}{:08x}\"}}\n", crc32c::crc32c(body.as_bytes()));
        std::fs::write(directory.path().join(LOG_FILE), [bytes, line.into_bytes()].concat()).unwrap();
        let events = read_log(directory.path()).unwrap().events;
        assert!(matches!(&events[3].kind, EventKind::Unknown(value) if value["moon_landed"]["on"] == 1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_does_not_fit_is_refused_and_leaves_the_log_whole() {
        let (directory, _) = written();
        let (log, _) = EventLog::reopen(directory.path()).unwrap();
        let text = "x".repeat(EVENT_LINE_BYTES_MAX);
        assert!(matches!(log.append(EventKind::Noted { text, by: None }), Err(LogError::LineTooLong { .. })));
        log.append(EventKind::RunPaused { by: None }).unwrap();
        assert_eq!(read_log(directory.path()).unwrap().events.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_is_too_long_is_broken_and_such_a_tail_is_torn() {
        let (directory, bytes) = written();
        let path = directory.path().join(LOG_FILE);
        let long = vec![b'x'; 3 * EVENT_LINE_BYTES_MAX];
        std::fs::write(&path, [bytes.as_slice(), &long].concat()).unwrap();
        let read = read_log(directory.path()).unwrap();
        assert_eq!((read.events.len(), read.whole_bytes), (3, bytes.len() as u64));
        let line = |seq: u64| {
            let body = format!(r#"{{"seq":{seq},"at":"1970-01-01T00:00:00Z","elapsed_ms":0,"kind":"run_paused""#);
            format!("{body}{CRC_KEY}{:08x}\"}}\n", crc32c::crc32c(body.as_bytes())).into_bytes()
        };
        std::fs::write(&path, [bytes.as_slice(), &line(3), &long, b"\n", &line(4)].concat()).unwrap();
        assert!(matches!(read_log(directory.path()), Err(LogError::Broken { line: 5, .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn times_that_no_run_has_are_refused() {
        let (directory, bytes) = written();
        for (at, elapsed_ms) in
            [("-262143-01-01T00:00:00Z", 0), ("+262142-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00Z", u64::MAX)]
        {
            let body = format!(r#"{{"seq":3,"at":"{at}","elapsed_ms":{elapsed_ms},"kind":"run_paused""#);
            let line = format!("{body}{CRC_KEY}{:08x}\"}}\n", crc32c::crc32c(body.as_bytes()));
            std::fs::write(directory.path().join(LOG_FILE), [bytes.as_slice(), line.as_bytes()].concat()).unwrap();
            assert!(matches!(read_log(directory.path()), Err(LogError::Broken { line: 4, .. })), "{at}");
        }
    }

    proptest! {
        #[test]
        fn any_cut_drops_the_torn_tail_and_any_flip_in_the_middle_is_an_error(cut in 1_usize..2_000, flip in 0_usize..2_000) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (directory, bytes) = runtime.block_on(async { written() });
            let path = directory.path().join(LOG_FILE);
            let first_end = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let cut = first_end + cut % (bytes.len() - first_end);
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(read_log(directory.path()).unwrap().events.len(), whole);

            let last_start = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
            let mut flipped = bytes.clone();
            flipped[flip % last_start] ^= 0x01;
            std::fs::write(&path, &flipped).unwrap();
            let is_broken = matches!(read_log(directory.path()), Err(LogError::Broken { .. }));
            prop_assert!(is_broken);
        }
    }
}
