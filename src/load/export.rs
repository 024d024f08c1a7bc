//! A load's frames as other tools read them: `load-NAME.hlog` (HdrHistogram's interval log) and `load-NAME.csv`.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use super::failure::FailureKind;
use super::frame::{Frame, StepFrame};
use super::frame_file::{EVIDENCE_FOLDER, FrameFileError, Frames};
use super::sum::{Pace, Passed};
use crate::unit::{Histogram, IntervalEncoder, IntervalLog, LoadId, WholeFile};

/// Columns before and after those of the failures.
const FIRST: [&str; 10] = ["at", "second", "journey", "step", "target", "planned", "begun", "sent", "done", "failed"];
const PERCENTILES: [(&str, f64); 4] = [("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99), ("p99_9_ms", 0.999)];

/// Makes both files of the frames of a load in a run's folder, each whole or not at all; what is there stays as it is.
/// `zero` is the moment of the run's zero.
///
/// # Errors
/// A line is no frame, or the file system said no.
pub fn export_frames(run: &Path, load: &LoadId, zero: DateTime<Utc>) -> Result<(), FrameFileError> {
    let folder = run.join(EVIDENCE_FOLDER);
    let names = [format!("load-{load}.hlog"), format!("load-{load}.csv")];
    let mut frames = Frames::open(run, load)?.peekable();
    if frames.peek().is_none() || names.iter().all(|name| folder.join(name).is_file()) {
        return Ok(());
    }
    let mut log_file = WholeFile::begin(&folder, &names[0])?;
    let mut table_file = WholeFile::begin(&folder, &names[1])?;
    write(frames, zero, &mut log_file, &mut table_file)?;
    log_file.finish()?;
    table_file.finish()?;
    Ok(())
}

fn write(
    frames: impl Iterator<Item = Result<Frame, FrameFileError>>,
    zero: DateTime<Utc>,
    log: &mut impl Write,
    table: &mut impl Write,
) -> Result<(), FrameFileError> {
    let mut encoder = IntervalEncoder::default();
    let mut writers = Writers::begin(zero, log, table, &mut encoder)?;
    for frame in frames {
        writers.add(&frame?)?;
    }
    Ok(writers.table.flush()?)
}

struct Writers<'a, Log: Write, Table: Write> {
    log: IntervalLog<'a, Log>,
    table: csv::Writer<&'a mut Table>,
    pace: Pace,
    zero: DateTime<Utc>,
}

impl<'a, Log: Write, Table: Write> Writers<'a, Log, Table> {
    fn begin(
        zero: DateTime<Utc>,
        log: &'a mut Log,
        table: &'a mut Table,
        encoder: &'a mut IntervalEncoder,
    ) -> io::Result<Self> {
        let about = "Response times in microseconds, failed requests included; the maximum of each line is in milliseconds. \
            A tag is one step, no tag all of them.";
        let log = IntervalLog::begin(log, encoder, about, zero.into())?;
        let mut table = csv::Writer::from_writer(table);
        let failures = FailureKind::ALL.map(|kind| format!("failed_{}", kind.as_str()));
        let percentiles = PERCENTILES.iter().map(|(name, _)| *name).chain(["max_ms", "cold_starts"]);
        table.write_record(FIRST.into_iter().chain(failures.iter().map(String::as_str)).chain(percentiles))?;
        Ok(Self { log, table, pace: Pace::default(), zero })
    }

    fn add(&mut self, frame: &Frame) -> io::Result<()> {
        let all = response(&frame.steps);
        self.log.write_second(frame.second, &all, None)?;
        let passed = self.pace.passed(frame);
        self.row(frame, None, passed, &all)?;
        for step in &frame.steps {
            let of_step = response(std::slice::from_ref(step));
            self.log.write_second(frame.second, &of_step, Some(&format!("{}/{}", step.journey, step.step)))?;
            self.row(frame, Some(step), None, &of_step)?;
        }
        Ok(())
    }

    /// A step, or all of them together: what is known of the load as a whole stands in that row alone.
    fn row(
        &mut self,
        frame: &Frame,
        step: Option<&StepFrame>,
        passed: Option<Passed>,
        response: &Histogram,
    ) -> io::Result<()> {
        let at = self.zero + Duration::from_secs(frame.second);
        let of_load = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
        let arrivals = passed.and_then(|passed| passed.arrivals);
        let steps = step.map_or(frame.steps.as_slice(), std::slice::from_ref);
        let failed = |kind: FailureKind| steps.iter().filter_map(|step| step.failures.get(&kind)).sum::<u64>();
        let millis =
            |time: Option<Duration>| time.map(|time| format!("{:.3}", time.as_secs_f64() * 1e3)).unwrap_or_default();
        let first = [
            at.to_rfc3339_opts(SecondsFormat::Millis, true),
            frame.second.to_string(),
            step.map(|step| cell(&step.journey)).unwrap_or_default(),
            step.map(|step| cell(&step.step)).unwrap_or_default(),
            step.map_or_else(|| frame.target.to_string(), |_| String::new()),
            of_load(arrivals.map(|arrivals| arrivals.0)),
            of_load(arrivals.map(|arrivals| arrivals.1)),
            of_load(passed.map(|passed| passed.sent)),
            response.count().to_string(),
            FailureKind::ALL.into_iter().map(failed).sum::<u64>().to_string(),
        ];
        let failures = FailureKind::ALL.into_iter().map(|kind| failed(kind).to_string());
        let percentiles = PERCENTILES.iter().map(|(_, quantile)| millis(response.quantile(*quantile)));
        let is_told = steps.iter().any(|step| step.init_told > 0);
        let cold_starts: u64 = steps.iter().filter_map(|step| Some(step.init.as_ref()?.count())).sum();
        let cold_starts = if is_told { cold_starts.to_string() } else { String::new() };
        let last = [millis(response.max()), cold_starts];
        let row = first.into_iter().chain(failures).chain(percentiles).chain(last);
        Ok(self.table.write_record(row.collect::<Vec<_>>())?)
    }
}

fn response(steps: &[StepFrame]) -> Histogram {
    let mut sum = Histogram::default();
    steps.iter().flat_map(|step| step.ok.iter().chain(&step.failed)).for_each(|more| sum.merge(more));
    sum
}

/// A name that no spreadsheet takes for a formula (OWASP: CSV injection).
fn cell(name: &str) -> String {
    if name.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::load::frame::{ArrivalFrame, ConnectionFrame};

    fn times(millis: &[u64]) -> Option<Histogram> {
        let mut histogram = Histogram::growing();
        millis.iter().for_each(|millis| histogram.record(Duration::from_millis(*millis)));
        (!millis.is_empty()).then_some(histogram)
    }

    fn step(step: &str, ok: &[u64], failed: &[u64]) -> StepFrame {
        StepFrame {
            journey: "buy".to_owned(),
            step: step.to_owned(),
            ok: times(ok),
            failed: times(failed),
            service: None,
            first_byte: None,
            failures: [(FailureKind::Slow, u64::try_from(failed.len()).unwrap())].into(),
            statuses: BTreeMap::new(),
            classes: BTreeMap::new(),
            bytes: 0,
            init: None,
            init_told: 0,
        }
    }

    fn frame(second: u64, planned: u64, steps: Vec<StepFrame>) -> Frame {
        let begun = planned - 1;
        Frame {
            load: "users".parse().unwrap(),
            second,
            began_ms: 0,
            lasting_ms: 1_000,
            target: 2.5,
            users_active: 1,
            in_flight: 0,
            started: 2 * begun,
            arrivals: Some(ArrivalFrame { planned, begun, waiting: 1, not_sent: 0, not_sent_now: 0, pacer_lag: None }),
            steps,
            connections: ConnectionFrame::default(),
            samples: Vec::new(),
            names_folded: false,
            latency_clipped: false,
            lag_ms: 0,
            worker_cpu_seconds: None,
            doubts: Vec::new(),
        }
    }

    /// A folder of a run whose load had these frames.
    fn run(frames: &[Frame], end: &str) -> tempfile::TempDir {
        let run = tempfile::tempdir().unwrap();
        let lines: String = frames.iter().map(|frame| serde_json::to_string(frame).unwrap() + "\n").collect();
        std::fs::create_dir(run.path().join(EVIDENCE_FOLDER)).unwrap();
        std::fs::write(run.path().join("evidence/load-users.ndjson"), lines + end).unwrap();
        run
    }

    fn export(run: &Path) -> Result<[String; 2], FrameFileError> {
        export_frames(run, &"users".parse().unwrap(), "2026-11-10T10:00:00.250Z".parse().unwrap())?;
        Ok(["hlog", "csv"]
            .map(|end| std::fs::read_to_string(run.join("evidence/load-users").with_extension(end)).unwrap()))
    }

    #[test]
    fn the_log_is_read_by_the_crates_own_reader() {
        let frames = [
            frame(7, 3, vec![step("browse, all", &[10, 20], &[400]), step("pay", &[70], &[])]),
            frame(8, 5, Vec::new()),
        ];
        let run = run(&frames, "{\"load\":\"us");
        let [log, _] = export(run.path()).unwrap();
        let entries: Vec<_> = IntervalLogIterator::new(log.as_bytes()).map(Result::unwrap).collect();
        let zero = Duration::from_millis(1_794_304_800_250);
        assert_eq!(entries[..2], [LogEntry::StartTime(zero), LogEntry::BaseTime(zero)]);
        let intervals: Vec<_> = entries[2..]
            .iter()
            .map(|entry| {
                let LogEntry::Interval(interval) = entry else { panic!("{entry:?}") };
                assert_eq!(interval.duration(), Duration::from_secs(1));
                let read = Histogram::decode(interval.encoded_histogram()).unwrap();
                let max = read.max().map(|max| max.as_millis());
                (interval.start_timestamp().as_secs(), interval.tag().map(|tag| tag.as_str()), read.count(), max)
            })
            .collect();
        let expected = [
            (7, None, 4, Some(400)),
            (7, Some("buy/browse__all"), 3, Some(400)),
            (7, Some("buy/pay"), 1, Some(70)),
            (8, None, 0, None),
        ];
        assert_eq!(intervals, expected);
    }

    #[test]
    fn the_table_has_a_row_for_the_load_and_one_for_each_step() {
        let frames = [
            frame(7, 3, vec![step("browse, all", &[10, 20], &[400]), step("=pay", &[70], &[])]),
            frame(8, 5, Vec::new()),
            frame(10, 9, vec![StepFrame { init: times(&[250]), init_told: 3, ..step("browse, all", &[1], &[]) }]),
        ];
        let run = run(&frames, "");
        let [_, table] = export(run.path()).unwrap();
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
        let cells = |names: [&str; 6]| -> Vec<String> {
            rows.iter().map(|row| names.map(|name| row[name].as_str()).join(" ")).collect()
        };
        let counts = cells(["second", "planned", "begun", "sent", "done", "failed_slow"]);
        assert_eq!(counts, ["7 3 2 4 4 1", "7    3 1", "7    1 0", "8 2 2 4 0 0", "10    1 0", "10    1 0"]);
        assert_eq!(rows.iter().map(|row| row["cold_starts"].as_str()).collect::<Vec<_>>(), ["", "", "", "", "1", "1"]);
        assert_eq!(rows[1]["step"], "browse, all");
        assert_eq!(rows[2]["step"], "'=pay");
        assert_eq!((rows[0]["at"].as_str(), rows[0]["failed"].as_str()), ("2026-11-10T10:00:07.250Z", "1"));
        assert_eq!((rows[2]["p50_ms"].as_str(), rows[3]["max_ms"].as_str()), ("70.015", ""));
    }

    #[test]
    fn a_broken_frame_leaves_no_half_of_a_file_and_what_is_there_stays() {
        let run = run(&[frame(7, 3, Vec::new())], "{}\n");
        let error = export(run.path()).unwrap_err();
        assert!(error.to_string().starts_with("line 2 of"), "{error}");
        let folder = run.path().join("evidence");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        for end in ["hlog", "csv"] {
            std::fs::write(folder.join("load-users").with_extension(end), "as it was").unwrap();
        }
        assert_eq!(export(run.path()).unwrap(), ["as it was", "as it was"]);
    }
}
