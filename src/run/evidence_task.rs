//! Evidence that is read once, when everything is undone: the logs, the traces and (`evidence_metrics.rs`) the metrics of what the run was about.
//!
//! It keeps no run from ending: it has a time of its own, its calls have a rate of their own, and what can not be had is told with its
//! reason. No message of a log is kept, but its kind alone (`observe/logs`).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use futures_util::stream::iter;
use futures_util::{FutureExt as _, StreamExt as _};
use serde::Serialize;
use tokio::time::Instant;

use crate::aws::Aws;
use crate::event::{EvidenceKept, EvidenceSource};
use crate::load::EVIDENCE_FOLDER;
use crate::observe::{LOG_QUERIES, LogFold, LogQuery, LogReader, LogSpan, LogSubject, LogWay, TraceWay, read_traces};
use crate::plan::Plan;
use crate::unit::{Clock, Failpoints, FileError, WholeFile, elapsed_ms, error_chain, sha256_hex};

/// How long all of it may take in an account.
const ACCOUNT_TIME: Duration = Duration::from_secs(60);
/// How long all of it may take behind an endpoint on this machine.
const LOCAL_TIME: Duration = Duration::from_secs(10);
/// How long the last lines may be on their way to CloudWatch before they are asked for.
const INGESTION: Duration = Duration::from_secs(20);
/// How many calls a second are made in an account whose environment names no rate. Source: AWS, CloudWatch Logs quotas: 5 a second for
/// `FilterLogEvents` and `StartQuery`.
const CALL_RATE: &str = "5/s";
/// How many characters of the names of functions are told.
const LISTED_CHARACTERS_MAX: usize = 4_000;
/// How many functions are read at once.
const AT_ONCE: usize = 4;

/// What is read, and by whom.
pub(super) struct EvidenceTask {
    pub(super) aws: Aws,
    pub(super) plan: Arc<Plan>,
    pub(super) clock: Clock,
    /// When the first phase began, in milliseconds since the run's start.
    pub(super) from_ms: u64,
}

impl EvidenceTask {
    /// The task of a run that had a phase, where its plan asks for evidence.
    pub(super) fn of(plan: &Arc<Plan>, aws: &Aws, clock: Clock, first_phase_ms: Option<u64>) -> Option<Self> {
        if plan.evidence.is_nothing() {
            return None;
        }
        // Its calls are none of the steps that a crash test counts.
        let aws = aws.clone().with_failpoints(Failpoints::default());
        let aws = match plan.environment.kind.is_local() {
            true => aws,
            false => aws.paced_by_default(CALL_RATE.parse().expect("invariant: it is a rate")),
        };
        Some(Self { aws, plan: Arc::clone(plan), clock, from_ms: first_phase_ms? })
    }

    /// Reads everything, and writes it into the run's folder; what came of each piece.
    pub(super) async fn read(&self, directory: &Path) -> Vec<EvidenceKept> {
        let is_local = self.plan.environment.kind.is_local();
        if !is_local {
            tokio::time::sleep(INGESTION).await;
        }
        let deadline = Instant::now() + if is_local { LOCAL_TIME } else { ACCOUNT_TIME };
        let (span, to_ms) = (self.span(), elapsed_ms(self.clock.elapsed()));
        let reader = LogReader::new(self.aws.logs.clone(), !is_local, deadline);
        let mut logs: Vec<BoxFuture<'_, EvidenceKept>> = Vec::new();
        for function in &self.plan.evidence.logs {
            logs.push(self.logs(&reader, function, (span, to_ms), directory).boxed());
        }
        // One call, and what CloudWatch drops first: logs of many functions may take all of the time.
        let metrics = match self.plan.evidence.metrics.is_empty() {
            true => None,
            false => Some(self.metrics(to_ms, deadline, directory).await),
        };
        let mut kept: Vec<EvidenceKept> = iter(logs).buffered(AT_ONCE).collect().await;
        kept.extend(metrics);
        if !self.plan.evidence.traces.is_empty() {
            kept.push(self.traces((span, to_ms), deadline, directory).await);
        }
        kept
    }

    /// What stands for all of it when nobody waited.
    pub(super) fn unread(&self, why: &str) -> Vec<EvidenceKept> {
        let to_ms = elapsed_ms(self.clock.elapsed());
        let of = |source, about: String, what: &str| EvidenceKept {
            unknown: Some(why.to_owned()),
            ..self.nothing(source, about, what.to_owned(), to_ms)
        };
        let evidence = &self.plan.evidence;
        let logs = evidence.logs.iter().map(|function| of(EvidenceSource::Logs, function.clone(), "nothing"));
        let traces =
            (!evidence.traces.is_empty()).then(|| of(EvidenceSource::Traces, listed(&evidence.traces), "nothing"));
        let metrics =
            (!evidence.metrics.is_empty()).then(|| of(EvidenceSource::Metrics, listed(&evidence.metrics), "nothing"));
        logs.chain(metrics).chain(traces).collect()
    }

    pub(super) fn nothing(&self, source: EvidenceSource, about: String, what: String, to_ms: u64) -> EvidenceKept {
        let from_ms = self.from_ms;
        EvidenceKept {
            source,
            about,
            file: None,
            sha256: None,
            what,
            from_ms,
            to_ms,
            row_count: 0,
            is_cut: false,
            unknown: None,
        }
    }

    fn span(&self) -> LogSpan {
        let from_ms = i64::try_from(self.from_ms).unwrap_or(i64::MAX);
        let from = self.clock.origin().checked_add_signed(TimeDelta::milliseconds(from_ms));
        LogSpan { from: from.unwrap_or(self.clock.origin()), until: self.clock.now() }
    }

    async fn logs(
        &self,
        reader: &LogReader,
        function: &str,
        (span, to_ms): (LogSpan, u64),
        directory: &Path,
    ) -> EvidenceKept {
        let subject = self.subject(reader, function).await;
        let group = subject.group.clone();
        let mut fold = LogFold::new(subject);
        let read = reader.read(&group, span, &mut fold).await;
        let way = read.as_ref().map_or(LogWay::Events, |read| read.way);
        let kept = self.nothing(EvidenceSource::Logs, function.to_owned(), asked(way, &group), to_ms);
        match read {
            Err(error) => EvidenceKept { unknown: Some(error_chain(&error)), ..kept },
            Ok(read) => {
                let evidence = fold.finish(span, read.way, read.cut);
                let kept = EvidenceKept { row_count: evidence.row_count, is_cut: evidence.cut.is_some(), ..kept };
                keep(directory, "logs", function, &evidence, kept)
            }
        }
    }

    /// What is known of a function: without an answer its log group is the one that Lambda makes by itself.
    async fn subject(&self, reader: &LogReader, function: &str) -> LogSubject {
        let asked = tokio::time::timeout_at(reader.deadline(), self.aws.functions.configuration(function)).await;
        let known = asked.ok().and_then(Result::ok);
        let group = known.as_ref().and_then(|known| known.log_group.clone());
        LogSubject {
            function: function.to_owned(),
            group: group.unwrap_or_else(|| format!("/aws/lambda/{function}")),
            timeout_ms: known.map(|known| f64::from(known.timeout_seconds) * 1_000.0),
        }
    }

    async fn traces(&self, (span, to_ms): (LogSpan, u64), deadline: Instant, directory: &Path) -> EvidenceKept {
        let functions: Vec<String> = self.plan.evidence.traces.iter().cloned().collect();
        let about = listed(&self.plan.evidence.traces);
        let read = read_traces(&self.aws.xray, &self.aws.logs, &functions, span, deadline).await;
        let what = match read.as_ref().map(|evidence| evidence.way) {
            Ok(TraceWay::Spans) => "logs:StartQuery of aws/spans".to_owned(),
            Ok(TraceWay::XRay) | Err(_) => "xray:GetTraceSummaries, xray:BatchGetTraces".to_owned(),
        };
        let kept = self.nothing(EvidenceSource::Traces, about, what, to_ms);
        match read {
            Err(error) => EvidenceKept { unknown: Some(error_chain(&error)), ..kept },
            Ok(evidence) => {
                let kept = EvidenceKept { row_count: evidence.trace_count, is_cut: evidence.cut.is_some(), ..kept };
                keep(directory, "traces", "traces", &evidence, kept)
            }
        }
    }
}

pub(super) fn listed(functions: &BTreeSet<String>) -> String {
    let text = functions.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    // It goes into one line of the log.
    text.chars().take(LISTED_CHARACTERS_MAX).collect()
}

/// What was asked, so that a person can ask it again.
fn asked(way: LogWay, group: &str) -> String {
    match way {
        LogWay::Events => format!("logs:FilterLogEvents of {group}"),
        LogWay::Insights => {
            let queries = LOG_QUERIES.map(LogQuery::text);
            format!("logs:StartQuery of {group}: {}", queries.join("; "))
        }
    }
}

/// Writes a piece of evidence; what could not be written is not known either.
pub(super) fn keep(
    directory: &Path,
    folder: &str,
    name: &str,
    evidence: &impl Serialize,
    kept: EvidenceKept,
) -> EvidenceKept {
    let mut text = serde_json::to_string_pretty(evidence).expect("invariant: evidence serialises to JSON");
    text.push('\n');
    match write(&directory.join(EVIDENCE_FOLDER).join(folder), &format!("{name}.json"), &text) {
        Ok(()) => EvidenceKept {
            file: Some(format!("{EVIDENCE_FOLDER}/{folder}/{name}.json")),
            sha256: Some(sha256_hex(text.as_bytes())),
            ..kept
        },
        Err(error) => EvidenceKept { unknown: Some(error_chain(&error)), row_count: 0, is_cut: false, ..kept },
    }
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), FileError> {
    std::fs::create_dir_all(folder).map_err(FileError::on("create", folder))?;
    WholeFile::write_text(folder, name, text).map(drop)
}
