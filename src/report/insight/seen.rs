//! The files of evidence that rules look at: read once, each by itself. One that can not be read is a reason and no more.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::observe::{LogEvidence, MetricEvidence, TraceEvidence};
use crate::report::manifest::FileState;
use crate::report::model::EvidenceFile;
use crate::unit::{FileError, error_chain};

const LOGS: &str = "evidence/logs/";
const TRACES: &str = "evidence/traces/";
const METRICS: &str = "evidence/metrics/";
/// The largest file that is read: one of ours has counts and some examples, and the metrics of a day a few megabytes.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// The form of logs and traces that is read.
const FORMAT: u32 = 1;

/// A file's evidence, or why it can not be read.
pub(in crate::report) type Readable<T> = Result<T, String>;

/// What was read of logs, traces and metrics, by file.
#[derive(Debug, Default)]
pub struct Seen {
    pub(in crate::report) logs: BTreeMap<String, Readable<LogEvidence>>,
    pub(in crate::report) traces: BTreeMap<String, Readable<TraceEvidence>>,
    pub(in crate::report) metrics: BTreeMap<String, Readable<MetricEvidence>>,
}

impl Seen {
    /// Reads those of the files that are evidence from logs, traces and metrics. Those that are not what the manifest says are not
    /// believed.
    pub(in crate::report) fn read(directory: &Path, files: &[EvidenceFile], changed: &[(String, FileState)]) -> Self {
        let mut seen = Self::default();
        for name in files.iter().map(|file| &file.file).filter(|name| name.ends_with(".json")) {
            let is_changed = changed.iter().any(|(file, state)| file == name && *state == FileState::Changed);
            let path = directory.join(name);
            if name.starts_with(LOGS) {
                let read = read::<LogEvidence>(&path, is_changed);
                seen.logs.insert(name.clone(), read.and_then(|logs| known(logs.format, logs)));
            } else if name.starts_with(TRACES) {
                let read = read::<TraceEvidence>(&path, is_changed);
                seen.traces.insert(name.clone(), read.and_then(|traces| known(traces.format, traces)));
            } else if name.starts_with(METRICS) {
                seen.metrics.insert(name.clone(), read(&path, is_changed));
            }
        }
        seen
    }
}

fn known<T>(format: u32, evidence: T) -> Readable<T> {
    if format == FORMAT {
        Ok(evidence)
    } else {
        Err(format!("its file is of format {format}, which is not known here"))
    }
}

fn read<T: DeserializeOwned>(path: &Path, is_changed: bool) -> Readable<T> {
    if is_changed {
        return Err("its file is not what the manifest says".to_owned());
    }
    let mut text = String::new();
    let file = std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    let bytes = file.map_err(|error| error_chain(&FileError::on("read", path)(error)))?;
    if u64::try_from(bytes).is_ok_and(|bytes| bytes > FILE_BYTES_MAX) {
        return Err(format!("its file is larger than {FILE_BYTES_MAX} bytes"));
    }
    serde_json::from_str(&text).map_err(|error| format!("its file is not understood: {error}"))
}
