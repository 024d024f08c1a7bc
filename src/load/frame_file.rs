//! Frames as a run's folder keeps them, read one after the other: all of a long load do not fit into memory.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde::de::Error as _;

use super::frame::Frame;
use crate::unit::{FileError, LoadId};

/// Why frames cannot be read, or what is made of them cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum FrameFileError {
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line that is no frame.
    #[error("line {line} of `{}` is no frame of a load", path.file_name().unwrap_or_default().display())]
    Frame {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// What is made of frames could not be written.
    #[error("failed to write what is made of frames")]
    Write(#[from] std::io::Error),
}

/// Where a run's folder keeps frames, and what is made of them.
pub(crate) const EVIDENCE_FOLDER: &str = "evidence";

/// The name of a load's frames in that folder.
pub(crate) fn frame_file_name(load: &LoadId) -> String {
    format!("load-{load}.ndjson")
}

/// The longest line that is read: as long as a record of a worker may be.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The greatest second of a frame, a year: what is counted by seconds must come to an end.
const SECOND_MAX: u64 = 366 * 24 * 60 * 60;

/// The frames of one load, in order. A last line that was not written to its end is none.
#[derive(Debug)]
pub struct Frames {
    file: Option<BufReader<File>>,
    path: PathBuf,
    line: usize,
}

impl Frames {
    /// The frames of a load in a run's folder; none where it made none.
    ///
    /// # Errors
    /// The file can not be opened.
    pub fn open(run: &Path, load: &LoadId) -> Result<Self, FrameFileError> {
        let path = run.join(EVIDENCE_FOLDER).join(frame_file_name(load));
        let file = match File::open(&path) {
            Ok(file) => Some(BufReader::new(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(FileError::on("read", &path)(error).into()),
        };
        Ok(Self { file, path, line: 0 })
    }

    fn read(&mut self) -> Result<Option<Frame>, FrameFileError> {
        let Some(file) = &mut self.file else { return Ok(None) };
        let mut text = Vec::new();
        let limited = &mut file.by_ref().take(LINE_BYTES_MAX);
        let bytes = limited.read_until(b'\n', &mut text).map_err(FileError::on("read", &self.path))?;
        self.line += 1;
        let fail = |source| FrameFileError::Frame { path: self.path.clone(), line: self.line, source };
        if text.pop() != Some(b'\n') {
            let is_too_long = u64::try_from(bytes).is_ok_and(|bytes| bytes >= LINE_BYTES_MAX);
            return if is_too_long { Err(fail(serde_json::Error::custom("it is too long"))) } else { Ok(None) };
        }
        let frame: Frame = serde_json::from_slice(&text).map_err(fail)?;
        if frame.second > SECOND_MAX {
            return Err(fail(serde_json::Error::custom(format_args!("its second {} is in no run", frame.second))));
        }
        Ok(Some(frame))
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, FrameFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read().transpose();
        if !matches!(read, Some(Ok(_))) {
            self.file = None;
        }
        read
    }
}
