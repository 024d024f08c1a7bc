//! Evidence in a run's folder: `evidence/load-<load>.ndjson` and `evidence/proxy-<proxy>.ndjson`, one frame a second with its
//! histograms.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::event::{FaultIdentity, LoadSecond, LoadStepSecond};
use crate::load::{EVIDENCE_FOLDER, Frame, frame_file_name};
use crate::unit::{FileError, Histogram, LoadId, ProxyName};
use crate::verdict::{SecondRecord, StepRecord};

/// The frame file of one load, or of one proxy.
#[derive(Debug)]
pub(super) struct FrameFile {
    file: File,
    path: PathBuf,
}

/// What was new of a proxy's delays at one look: the histograms behind an event.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct ProxyFrame {
    /// When, in milliseconds since the run's start.
    pub(super) at_ms: u64,
    /// Its toxics and rules that added delays.
    pub(super) faults: Vec<ProxyFaultFrame>,
}

/// The delays that one toxic or rule added.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct ProxyFaultFrame {
    /// The name of the toxic or the rule.
    pub(super) name: String,
    /// The fault that put it there; none of one that somebody else did.
    #[serde(rename = "id", skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<FaultIdentity>,
    /// How long each was, in microseconds.
    pub(super) delays: Histogram,
}

impl FrameFile {
    pub(super) fn of_load(directory: &Path, load: &LoadId) -> Result<Self, FileError> {
        Self::create(directory, &frame_file_name(load))
    }

    pub(super) fn of_proxy(directory: &Path, proxy: &ProxyName) -> Result<Self, FileError> {
        Self::create(directory, &format!("proxy-{proxy}.ndjson"))
    }

    fn create(directory: &Path, name: &str) -> Result<Self, FileError> {
        let path = directory.join(EVIDENCE_FOLDER).join(name);
        let folder = directory.join(EVIDENCE_FOLDER);
        std::fs::create_dir_all(&folder).map_err(FileError::on("create", &folder))?;
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(FileError::on("create", &path))?;
        Ok(Self { file, path })
    }

    pub(super) fn append(&mut self, frame: &impl Serialize) -> Result<(), FileError> {
        let mut line = serde_json::to_vec(frame).expect("invariant: a frame serialises to JSON");
        line.push(b'\n');
        self.file.write_all(&line).map_err(FileError::on("append to", &self.path))
    }
}

/// A frame as the recording keeps it. Steps of the same name in several journeys count as one.
pub(super) fn record_of(frame: &Frame) -> SecondRecord {
    let doubts = frame.doubts.iter().copied().collect();
    let mut record = SecondRecord {
        in_flight_count: frame.in_flight,
        not_sent_count: frame.arrivals.as_ref().map_or(0, |arrivals| arrivals.not_sent_now),
        doubts,
        ..SecondRecord::default()
    };
    for step in &frame.steps {
        let index = record.steps.iter().position(|(name, _)| **name == *step.step).unwrap_or_else(|| {
            record.steps.push((step.step.as_str().into(), StepRecord::default()));
            record.steps.len() - 1
        });
        if let Some((_, entry)) = record.steps.get_mut(index) {
            add(&mut entry.ok, step.ok.as_ref());
            add(&mut entry.failed, step.failed.as_ref());
        }
    }
    record
}

fn add(sum: &mut crate::unit::SparseHistogram, more: Option<&Histogram>) {
    let Some(more) = more else { return };
    if sum.count() == 0 {
        *sum = more.to_sparse();
        return;
    }
    let mut whole = more.clone();
    whole.merge_sparse(sum);
    *sum = whole.to_sparse();
}

/// A frame as the log tells it.
pub(super) fn second_of(frame: &Frame) -> LoadSecond {
    let record = record_of(frame);
    let mut second = LoadSecond {
        load: frame.load.clone(),
        second: frame.second,
        target: frame.target,
        ok_count: 0,
        failed_count: 0,
        in_flight_count: frame.in_flight,
        p50_ms: None,
        p99_ms: None,
        not_sent_count: frame.arrivals.as_ref().map_or(0, |arrivals| arrivals.not_sent_now),
        doubts: frame.doubts.iter().map(|doubt| doubt.as_str().to_owned()).collect(),
        failures: std::collections::BTreeMap::new(),
        steps: std::collections::BTreeMap::new(),
    };
    for step in &frame.steps {
        for (kind, count) in &step.failures {
            *second.failures.entry(kind.as_str().to_owned()).or_default() += count;
        }
    }
    let mut all = Histogram::default();
    for (name, step) in &record.steps {
        let of_step = merged(step);
        all.merge(&of_step);
        second.ok_count += step.ok.count();
        second.failed_count += step.failed.count();
        let summary = LoadStepSecond {
            ok_count: step.ok.count(),
            failed_count: step.failed.count(),
            p99_ms: millis(&of_step, 0.99),
        };
        second.steps.insert(name.to_string(), summary);
    }
    second.p50_ms = millis(&all, 0.5);
    second.p99_ms = millis(&all, 0.99);
    second
}

fn merged(step: &StepRecord) -> Histogram {
    let mut histogram = Histogram::default();
    histogram.merge_sparse(&step.ok);
    histogram.merge_sparse(&step.failed);
    histogram
}

/// A percentile in milliseconds, to the microsecond.
fn millis(histogram: &Histogram, quantile: f64) -> Option<f64> {
    histogram.quantile(quantile).map(|latency| (latency.as_secs_f64() * 1_000_000.0).round() / 1_000.0)
}
