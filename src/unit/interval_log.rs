//! HdrHistogram's interval log: histograms with their times, which other tools read.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::interval_log::{
    IntervalLogWriter, IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};
use hdrhistogram::serialization::{V2DeflateSerializeError, V2DeflateSerializer};

use super::Histogram;

/// What turns histograms to text; it keeps its memory from one to the next.
#[derive(Default)]
pub struct IntervalEncoder(V2DeflateSerializer);

/// A log that is being written. Its histograms are of microseconds, the largest value before each is in milliseconds.
pub struct IntervalLog<'a, W: Write>(IntervalLogWriter<'a, 'a, W, V2DeflateSerializer>);

impl<'a, W: Write> IntervalLog<'a, W> {
    /// Writes the log's head: `about` what it is, and the zero of its times.
    ///
    /// # Errors
    /// It can not be written.
    pub fn begin(out: &'a mut W, encoder: &'a mut IntervalEncoder, about: &str, zero: SystemTime) -> io::Result<Self> {
        let mut head = IntervalLogWriterBuilder::new();
        head.add_comment("[Histogram log format version 1.3]").add_comment(about);
        head.with_start_time(zero).with_base_time(zero).with_max_value_divisor(1_000.0);
        head.begin_log_with(out, &mut encoder.0).map(Self)
    }

    /// Writes what came in during one second; in a tag, blanks and commas become `_`.
    ///
    /// # Errors
    /// It can not be written.
    pub fn write_second(&mut self, second: u64, histogram: &Histogram, tag: Option<&str>) -> io::Result<()> {
        let tag = tag.map(|tag| tag.replace([' ', ',', '\r', '\n'], "_"));
        let tag = tag.as_deref().and_then(Tag::new);
        let written = self.0.write_histogram(&histogram.0, Duration::from_secs(second), Duration::from_secs(1), tag);
        written.map_err(|error| match error {
            IntervalLogWriterError::IoError(error)
            | IntervalLogWriterError::SerializeError(V2DeflateSerializeError::IoError(error)) => error,
            IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
        })
    }
}
