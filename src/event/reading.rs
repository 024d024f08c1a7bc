//! A log read back: each line with its checksum, in order, and nothing of a torn end.

use std::fs::File;
use std::io::{self, BufRead as _, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike as _, Utc};
use serde::Deserialize;

use super::log::{CRC_KEY, EVENT_LINE_BYTES_MAX, LOG_FILE, LOG_FORMAT, LogError};
use super::{Event, EventKind};
use crate::unit::{FileError, ScenarioId};

/// The longest time since a run's start that a line may tell, in milliseconds: a hundred years. What adds times need not fear more.
const ELAPSED_MS_MAX: u64 = 100 * 366 * 24 * 3_600 * 1_000;
/// The years in which an event may have been.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;
/// How much of a log is read at a time.
const READ_BYTES: usize = 64 * 1024;

/// Where the event of a line ends, whose checksum is right.
fn checked(line: &[u8]) -> Result<usize, String> {
    let end = memchr::memmem::rfind(line, CRC_KEY.as_bytes()).ok_or("it has no checksum")?;
    let (body, tail) = line.split_at(end);
    let crc = tail.get(CRC_KEY.len()..).and_then(|tail| tail.strip_suffix(b"\"}")).ok_or("its checksum is cut off")?;
    let is_right = crc == format!("{:08x}", crc32c::crc32c(body)).as_bytes();
    if is_right { Ok(end) } else { Err("its checksum does not match".to_owned()) }
}

/// The format of a log by its first line, where it is not ours: its events may look otherwise than ours.
fn other_format(line: &[u8]) -> Option<u64> {
    let event = [line.get(..checked(line).ok()?)?, b"}"].concat();
    let value: serde_json::Value = serde_json::from_slice(&event).ok()?;
    value["kind"]["run_started"]["format"].as_u64().filter(|format| *format != u64::from(LOG_FORMAT))
}

/// The event of a line without its end. The line is written over where its checksum stood.
fn decode(line: &mut [u8]) -> Result<Event, String> {
    let end = checked(line)?;
    // What stands before the checksum is the event but for the brace that closes it.
    if let Some(closing) = line.get_mut(end) {
        *closing = b'}';
    }
    let event = line.get(..=end).unwrap_or_default();
    serde_json::from_slice(event).or_else(|error| {
        if let Some(event) = before_authors(event) {
            return Ok(event);
        }
        // serde's own words for a name that the enum does not have: a newer version's event is kept as it stands.
        if !error.to_string().starts_with("unknown variant") {
            return Err(error.to_string());
        }
        let UnknownEvent { seq, at, elapsed_ms, kind } =
            serde_json::from_slice(event).map_err(|error| error.to_string())?;
        Ok(Event { seq, at, elapsed_ms, kind: EventKind::Unknown(kind) })
    })
}

/// A pause of a log from before these had an author: its kind is the name alone.
fn before_authors(event: &[u8]) -> Option<Event> {
    let UnknownEvent { seq, at, elapsed_ms, kind } = serde_json::from_slice(event).ok()?;
    let kind = match kind.as_str()? {
        "run_paused" => EventKind::RunPaused { by: None },
        "run_resumed" => EventKind::RunResumed { by: None },
        _ => return None,
    };
    Some(Event { seq, at, elapsed_ms, kind })
}

/// An event of a kind that this version does not know.
#[derive(Deserialize)]
struct UnknownEvent {
    seq: u64,
    at: DateTime<Utc>,
    elapsed_ms: u64,
    kind: serde_json::Value,
}

/// The whole events of a log, and how many bytes they fill.
#[derive(Debug)]
pub struct ReadLog {
    /// The events, in order.
    pub events: Vec<Event>,
    /// The bytes up to the end of the last whole line; what stands behind is torn.
    pub whole_bytes: u64,
}

/// Reads the log in a run's folder, line by line.
///
/// # Errors
/// It cannot be read, a line before the last is broken, or it is of another format.
pub fn read_log(directory: &Path) -> Result<ReadLog, LogError> {
    let mut tail = LogTail::new(directory);
    let events = tail.read()?;
    let path = directory.join(LOG_FILE);
    match events.first().map(|event| &event.kind) {
        None => Err(LogError::Empty(path)),
        Some(EventKind::RunStarted { .. }) => Ok(ReadLog { events, whole_bytes: tail.whole_bytes }),
        Some(_) => Err(LogError::NoStart(path)),
    }
}

/// A log that may still grow, read part by part.
#[derive(Debug, Clone)]
pub struct LogTail {
    path: PathBuf,
    whole_bytes: u64,
    next_seq: u64,
}

/// Some of a log's events.
#[derive(Debug)]
pub struct LogPart {
    /// The events, in order.
    pub events: Vec<Event>,
    /// Whether the log had no more at that moment.
    pub is_end: bool,
}

impl LogTail {
    /// The log in a run's folder, of which nothing was read.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { path: directory.join(LOG_FILE), whole_bytes: 0, next_seq: 0 }
    }

    /// The log's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The whole events that were not read before, in order; what is torn is looked at again the next time.
    ///
    /// # Errors
    /// It cannot be read, a line before the last is broken, or it is of another format.
    pub fn read(&mut self) -> Result<Vec<Event>, LogError> {
        self.read_part(0, usize::MAX).map(|part| part.events)
    }

    /// The same, at most `events_max` of them, and none before number `from`: those are passed over, and not looked at.
    ///
    /// # Errors
    /// As those of [`LogTail::read`].
    pub fn read_part(&mut self, from: u64, events_max: usize) -> Result<LogPart, LogError> {
        let path = &self.path;
        let mut file = File::open(path).map_err(FileError::on("open", path))?;
        file.seek(io::SeekFrom::Start(self.whole_bytes)).map_err(FileError::on("seek in", path))?;
        let mut reader = io::BufReader::with_capacity(READ_BYTES, file);
        let mut events: Vec<Event> = Vec::new();
        let mut line = Vec::new();
        loop {
            if events.len() >= events_max {
                return Ok(LogPart { events, is_end: false });
            }
            line.clear();
            let read = read_line(&mut reader, &mut line).map_err(FileError::on("read", path))?;
            // Only what has no end is torn: a line that was written whole and has changed since may be the one that counts.
            if line.pop() != Some(b'\n') {
                return Ok(LogPart { events, is_end: true });
            }
            if self.next_seq == 0
                && let Some(format) = other_format(&line)
            {
                return Err(LogError::Format { path: path.clone(), format });
            }
            let is_wanted = self.next_seq >= from;
            match is_wanted.then(|| decode(&mut line).and_then(|event| checked_event(event, self.next_seq))) {
                None => {}
                Some(Ok(event)) => events.push(event),
                Some(Err(problem)) => {
                    let line = usize::try_from(self.next_seq).unwrap_or(usize::MAX).saturating_add(1);
                    let (path, offset) = (path.clone(), self.whole_bytes);
                    return Err(LogError::Broken { path, line, offset, problem, before: events });
                }
            }
            self.next_seq += 1;
            self.whole_bytes += read as u64;
        }
    }
}

/// An event that stands where it belongs, at a time that a run may have.
fn checked_event(event: Event, expected: u64) -> Result<Event, String> {
    if event.elapsed_ms > ELAPSED_MS_MAX || !YEARS.contains(&event.at.year()) {
        return Err(format!("no run was on {}, {} ms after its start", event.at, event.elapsed_ms));
    }
    if event.seq == expected { Ok(event) } else { Err(format!("event {} stands where {expected} belongs", event.seq)) }
}

/// Reads a line with its end, or what stands behind the last one; of one that is too long only its beginning and its end.
fn read_line(reader: &mut impl io::BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    let read = io::Read::take(&mut *reader, EVENT_LINE_BYTES_MAX as u64 + 1).read_until(b'\n', line)?;
    if read <= EVENT_LINE_BYTES_MAX || line.ends_with(b"\n") {
        return Ok(read);
    }
    let mut skipped = 0;
    loop {
        let part = reader.fill_buf()?;
        let (length, is_end) = match memchr::memchr(b'\n', part) {
            Some(at) => (at + 1, true),
            None => (part.len(), part.is_empty()),
        };
        if is_end && length > 0 {
            line.push(b'\n');
        }
        reader.consume(length);
        skipped += length;
        if is_end {
            return Ok(read + skipped);
        }
    }
}

/// The scenario of the run in a folder and the moment at which it began, from the log's first line alone; none where that can not be
/// read.
#[must_use]
pub fn begun(directory: &Path) -> Option<(ScenarioId, DateTime<Utc>)> {
    let file = File::open(directory.join(LOG_FILE)).ok()?;
    let mut line = Vec::new();
    io::BufReader::new(file.take(EVENT_LINE_BYTES_MAX as u64)).read_until(b'\n', &mut line).ok()?;
    line.pop_if(|end| *end == b'\n');
    let first = decode(&mut line).ok()?;
    match first.kind {
        EventKind::RunStarted { scenario, .. } => Some((scenario, first.at)),
        _ => None,
    }
}
