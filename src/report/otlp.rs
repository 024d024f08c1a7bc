//! The run as a trace of OpenTelemetry: one span for the run, and below it one for each phase, load and fault. What else happened is an
//! event of the span that it is about.
//!
//! Owns: the mapping from the report to OTLP's JSON (OTLP 1.x, "JSON Protobuf Encoding": ids in hexadecimal, 64-bit numbers as text, keys
//! in lowerCamelCase). It is made of the report, and so is blacked out as the report is. Must not know: how it is sent.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::batch::batches;
use super::metric::Metric;
use super::model::{Fault, Hypothesis, Load, Phase, Report, TimelineEntry};
use crate::unit::{printable, sha256_hex};

/// How many spans a request has at most: as many as OpenTelemetry's own exporters send at once (batch span processor,
/// `maxExportBatchSize`).
pub const SPANS_PER_REQUEST_MAX: usize = 512;
/// How long a request is at most, in bytes, its envelope left aside: receivers take 4 MiB where nobody sets another limit (gRPC).
pub const REQUEST_BYTES_MAX: usize = 3 * 1024 * 1024;
/// How many events a span has at most; how many were left out is told.
const EVENTS_PER_SPAN_MAX: usize = 1_000;
/// How long the events of a span are at most together, in bytes.
const EVENTS_BYTES_MAX: usize = 1024 * 1024;

/// Hexadecimal digits of a trace's id: 16 bytes.
const TRACE_ID_DIGITS: usize = 32;
/// Hexadecimal digits of a span's id: 8 bytes.
const SPAN_ID_DIGITS: usize = 16;
/// OTLP: `SPAN_KIND_INTERNAL`.
const KIND_INTERNAL: u8 = 1;

/// A request of OTLP/HTTP, `ExportTraceServiceRequest`, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpRequest {
    /// Its JSON.
    pub body: String,
    /// How many spans are in it.
    pub span_count: usize,
}

/// The run as requests of OTLP/HTTP, each within the limits that receivers have. The same run gives the same ids each time.
#[must_use]
pub fn otlp(report: &Report) -> Vec<OtlpRequest> {
    let spans = spans(report);
    let texts = spans.iter().map(text_of).collect();
    batches(texts, SPANS_PER_REQUEST_MAX, REQUEST_BYTES_MAX).iter().map(|lot| request(report, lot)).collect()
}

/// The id of the run's trace, 32 hexadecimal digits.
#[must_use]
pub fn trace_id(report: &Report) -> String {
    digits(&format!("gameday trace\n{}", name_of(report)), TRACE_ID_DIGITS)
}

/// Names the run, and no other one of the same second and scenario: each has a seed of its own.
fn name_of(report: &Report) -> String {
    format!("{}\n{}", report.header.run, report.header.seed)
}

/// Spans in their envelope: who tells, and by what.
fn request(report: &Report, spans: &[String]) -> OtlpRequest {
    let header = &report.header;
    let resource = vec![
        text("service.name", "gameday"),
        text("service.version", &header.version),
        text("deployment.environment.name", &header.environment.name),
    ];
    let scope = json!({"name": "gameday", "version": env!("CARGO_PKG_VERSION")});
    let body = format!(
        r#"{{"resourceSpans":[{{"resource":{},"scopeSpans":[{{"scope":{scope},"spans":[{}]}}]}}]}}"#,
        json!({ "attributes": resource }),
        spans.join(",")
    );
    OtlpRequest { body, span_count: spans.len() }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Value>,
    events: Vec<SpanEvent>,
    dropped_events_count: usize,
    status: Status,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanEvent {
    time_unix_nano: String,
    name: String,
    attributes: Vec<Value>,
}

/// OTLP: 0 says nothing, 1 is well, 2 is an error.
#[derive(Debug, Serialize)]
struct Status {
    code: u8,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
}

impl Status {
    const UNSET: Self = Self { code: 0, message: String::new() };
    const WELL: Self = Self { code: 1, message: String::new() };

    fn error(message: &str) -> Self {
        Self { code: 2, message: printable(message) }
    }
}

fn spans(report: &Report) -> Vec<Span> {
    let trace = Trace::of(report);
    let mut spans = vec![trace.root()];
    spans.extend(report.phases.iter().map(|phase| trace.phase(phase)));
    spans.extend(report.loads.iter().map(|load| trace.load(load)));
    spans.extend(report.faults.iter().map(|fault| trace.fault(fault)));
    spans
}

/// A report while it becomes spans.
struct Trace<'a> {
    report: &'a Report,
    run: String,
    /// What happened, by the span that it is about: its kind and id; none is the run's own.
    events: BTreeMap<Option<(&'static str, String)>, Vec<SpanEvent>>,
}

impl<'a> Trace<'a> {
    fn of(report: &'a Report) -> Self {
        let mut trace = Self { report, run: name_of(report), events: BTreeMap::new() };
        let mut events: BTreeMap<_, Vec<SpanEvent>> = BTreeMap::new();
        // Verdicts first: what is left out of a long list is the least of what happened.
        events.entry(None).or_default().extend(report.hypotheses.iter().map(|hypothesis| trace.verdict(hypothesis)));
        for entry in &report.timeline {
            events.entry(span_of(report, entry)).or_default().push(trace.happened(entry));
        }
        trace.events = events;
        trace
    }

    fn nanos(&self, at_ms: u64) -> String {
        let at = self.report.header.started_at.checked_add_signed(
            chrono::TimeDelta::from_std(Duration::from_millis(at_ms)).unwrap_or(chrono::TimeDelta::MAX),
        );
        // A moment that no clock has is that of the start.
        let at = at.unwrap_or(self.report.header.started_at);
        at.timestamp_nanos_opt().unwrap_or_default().max(0).to_string()
    }

    fn moment(&self, at_ms: u64) -> Option<String> {
        let after = chrono::TimeDelta::from_std(Duration::from_millis(at_ms)).ok()?;
        let at = self.report.header.started_at.checked_add_signed(after)?;
        Some(at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
    }

    /// A span of the run; without an end it lasted as long as the run did.
    fn span(
        &self,
        (kind, id): (&'static str, &str),
        name: String,
        (start_ms, end_ms): (u64, Option<u64>),
        attributes: Vec<Value>,
        status: Status,
    ) -> Span {
        let end_ms = end_ms.unwrap_or(self.report.header.duration_ms).max(start_ms);
        let (events, dropped_events_count) = bounded(self.events.get(&Some((kind, id.to_owned()))));
        Span {
            trace_id: trace_id(self.report),
            span_id: self.span_id(kind, id),
            parent_span_id: Some(self.span_id("run", "")),
            name: printable(&name),
            kind: KIND_INTERNAL,
            start_time_unix_nano: self.nanos(start_ms),
            end_time_unix_nano: self.nanos(end_ms),
            attributes,
            events,
            dropped_events_count,
            status,
        }
    }

    fn span_id(&self, kind: &str, id: &str) -> String {
        digits(&format!("gameday span\n{}\n{kind}\n{id}", self.run), SPAN_ID_DIGITS)
    }

    fn root(&self) -> Span {
        let header = &self.report.header;
        let mut attributes = vec![
            text("gameday.run", &header.run),
            text("gameday.scenario", &header.scenario),
            text("gameday.title", &header.title),
            text("gameday.mode", &header.mode),
            text("gameday.environment", &header.environment.name),
            text("gameday.environment.kind", &header.environment.kind),
            text("gameday.outcome", &header.outcome.name),
            text("gameday.result", &header.outcome.result),
            text("gameday.safety", &self.report.safety.state),
        ];
        attributes.extend(header.environment.region.as_ref().map(|region| text("cloud.region", region)));
        attributes.extend(header.environment.account.as_ref().map(|account| text("cloud.account.id", account)));
        attributes.extend(header.outcome.exit_code.map(|code| whole("gameday.exit_code", code.into())));
        let mut verdicts: BTreeMap<&str, u64> = BTreeMap::new();
        for hypothesis in &self.report.hypotheses {
            *verdicts.entry(&hypothesis.verdict.name).or_default() += 1;
        }
        attributes.extend(
            verdicts.into_iter().map(|(verdict, count)| whole(&format!("gameday.hypotheses.{verdict}"), count)),
        );
        let (events, dropped_events_count) = bounded(self.events.get(&None));
        let span = self.span(("run", ""), "gameday run".to_owned(), (0, None), attributes, outcome(self.report));
        Span { parent_span_id: None, events, dropped_events_count, ..span }
    }

    fn phase(&self, phase: &Phase) -> Span {
        let mut attributes = vec![text("gameday.phase", &phase.phase)];
        attributes.extend(phase.ended_by.as_ref().map(|by| text("gameday.phase.ended_by", by)));
        attributes.extend(phase.planned_ms.map(|planned| whole("gameday.phase.planned_ms", planned)));
        let status = match phase.ended_by.as_deref() {
            Some("gate_shut") => Status::error("its gate stayed shut"),
            Some("no_go") => Status::error("a poll that had to agree did not"),
            Some("aborted") => Status::error("the run was aborted"),
            Some(_) => Status::UNSET,
            None => Status::error("the run ended before it did"),
        };
        let name = format!("phase {}", phase.phase);
        self.span(("phase", &phase.phase), name, (phase.start_ms, phase.end_ms), attributes, status)
    }

    fn load(&self, load: &Load) -> Span {
        let mut attributes = vec![
            text("gameday.load", &load.load),
            whole("gameday.load.requests", load.request_count),
            whole("gameday.load.failed", load.failed_count),
        ];
        attributes.extend(load.failed_ratio.and_then(|ratio| number("gameday.load.failed_ratio", ratio)));
        attributes.extend(load.target_unit.as_ref().map(|unit| text("gameday.load.target_unit", unit)));
        attributes.extend(load.target_max.and_then(|target| number("gameday.load.target_max", target)));
        let status = load.lost.as_ref().map_or(Status::UNSET, |lost| Status::error(&format!("lost: {lost}")));
        let name = format!("load {}", load.load);
        self.span(("load", &load.load), name, (load.start_ms, load.end_ms), attributes, status)
    }

    fn fault(&self, fault: &Fault) -> Span {
        let mut attributes = vec![
            text("gameday.fault", &fault.fault),
            text("gameday.fault.kind", &fault.kind),
            text("gameday.fault.target", &fault.target),
            text("gameday.fault.change", &fault.change),
            text("gameday.fault.undo", &fault.undo),
            text("gameday.fault.state", &fault.state),
        ];
        let restored_ms = fault.ended_ms.filter(|_| fault.state == "restored");
        let moments = [
            ("gameday.fault.requested_at", Some(fault.requested_ms)),
            ("gameday.fault.applied_at", fault.applied_ms),
            ("gameday.fault.effective_at", fault.effective_ms),
            ("gameday.fault.restored_at", restored_ms),
        ];
        attributes.extend(moments.into_iter().filter_map(|(key, at_ms)| Some(text(key, &self.moment(at_ms?)?))));
        attributes.extend(fault.end.as_ref().map(|end| text("gameday.fault.end", end)));
        let response = &fault.response;
        attributes.extend(response.detected_by.as_ref().map(|by| text("gameday.fault.detected_by", by)));
        let times = [
            ("gameday.fault.time_to_detect_ms", &response.time_to_detect),
            ("gameday.fault.time_to_acknowledge_ms", &response.time_to_acknowledge),
            ("gameday.fault.time_to_identify_ms", &response.time_to_identify),
            ("gameday.fault.time_to_mitigate_ms", &response.time_to_mitigate),
            ("gameday.fault.time_to_recover_ms", &response.time_to_recover),
        ];
        attributes.extend(times.into_iter().filter_map(|(key, time)| match time {
            Metric::Measured { ms, .. } => Some(whole(key, *ms)),
            // What was not measured is no number.
            Metric::Censored { .. } | Metric::NotApplicable { .. } => None,
        }));
        let status = match (&fault.error, fault.state.as_str()) {
            (Some(error), _) => Status::error(error),
            (None, "restored") => Status::UNSET,
            (None, state) => Status::error(&format!("not undone: {state}")),
        };
        let name = format!("fault {}", fault.fault);
        self.span(("fault", &fault.step), name, (fault.requested_ms, fault.ended_ms), attributes, status)
    }

    fn verdict(&self, hypothesis: &Hypothesis) -> SpanEvent {
        let mut attributes = vec![
            text("gameday.hypothesis", &hypothesis.id),
            text("gameday.hypothesis.text", &hypothesis.text),
            text("gameday.hypothesis.expected", &hypothesis.expected),
            text("gameday.hypothesis.severity", &hypothesis.severity),
            text("gameday.hypothesis.verdict", &hypothesis.verdict.name),
        ];
        attributes.extend(hypothesis.verdict.why.as_ref().map(|why| text("gameday.hypothesis.why", why)));
        attributes.extend(hypothesis.known_gap.as_ref().map(|gap| text("gameday.hypothesis.known_gap", gap)));
        let observed: Vec<&str> = hypothesis.terms.iter().filter_map(|term| term.observed.as_deref()).collect();
        attributes.extend((!observed.is_empty()).then(|| text("gameday.hypothesis.observed", &observed.join("; "))));
        let time_unix_nano = self.nanos(self.report.header.duration_ms);
        SpanEvent { time_unix_nano, name: "gameday.hypothesis".to_owned(), attributes }
    }

    fn happened(&self, entry: &TimelineEntry) -> SpanEvent {
        let mut attributes = vec![text("gameday.text", &entry.text)];
        attributes.extend(entry.about.as_ref().map(|about| text("gameday.about", about)));
        attributes.push(json!({"key": "gameday.is_trouble", "value": {"boolValue": entry.is_trouble}}));
        SpanEvent { time_unix_nano: self.nanos(entry.at_ms), name: format!("gameday.{}", entry.kind), attributes }
    }
}

/// The span that something is about; none is the run's own.
fn span_of(report: &Report, entry: &TimelineEntry) -> Option<(&'static str, String)> {
    let about = entry.about.as_ref()?;
    match entry.kind.as_str() {
        "phase" => report.phases.iter().any(|phase| phase.phase == *about).then(|| ("phase", about.clone())),
        "load" => report.loads.iter().any(|load| load.load == *about).then(|| ("load", about.clone())),
        // A fault may be injected more than once: what happens is about the latest.
        "fault" | "card" => {
            let is_it = |fault: &&Fault| fault.fault == *about && fault.requested_ms <= entry.at_ms;
            report.faults.iter().rfind(is_it).map(|fault| ("fault", fault.step.clone()))
        }
        _ => None,
    }
}

/// Refuted, aborted and dirty are errors; what could not be judged is neither well nor one.
fn outcome(report: &Report) -> Status {
    let outcome = &report.header.outcome;
    if report.safety.state == "dirty" {
        return Status::error(&report.safety.text);
    }
    match outcome.result.as_str() {
        "passed" => Status::WELL,
        "inconclusive" => Status::UNSET,
        "aborted" => {
            let by = report.safety.aborted_by.as_deref().unwrap_or("an unknown cause");
            Status::error(&format!("aborted by {by}"))
        }
        "refuted" => {
            let ids =
                report.hypotheses.iter().filter(|it| matches!(it.verdict.name.as_str(), "refuted" | "gap_closed"));
            let ids: Vec<String> = ids.map(|it| format!("{} {}", it.id, it.verdict.name.replace('_', " "))).collect();
            Status::error(&ids.join(", "))
        }
        _ => Status::error(outcome.exit_meaning.as_deref().unwrap_or(&outcome.text)),
    }
}

/// As many events as a span takes, and how many are left out.
fn bounded(events: Option<&Vec<SpanEvent>>) -> (Vec<SpanEvent>, usize) {
    let events = events.map(Vec::as_slice).unwrap_or_default();
    let mut left = EVENTS_BYTES_MAX;
    let fits = |event: &&SpanEvent| {
        let rest = left.checked_sub(text_of(event).len());
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    let kept: Vec<SpanEvent> = events.iter().take(EVENTS_PER_SPAN_MAX).take_while(fits).cloned().collect();
    let dropped = events.len() - kept.len();
    (kept, dropped)
}

fn text_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("invariant: our own values serialise to JSON")
}

fn digits(text: &str, count: usize) -> String {
    sha256_hex(text.as_bytes()).chars().take(count).collect()
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": printable(value)}})
}

/// OTLP: a 64-bit number is text.
fn whole(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": i64::try_from(value).unwrap_or(i64::MAX).to_string()}})
}

/// None of what JSON has no number for.
fn number(key: &str, value: f64) -> Option<Value> {
    value.is_finite().then(|| json!({"key": key, "value": {"doubleValue": value}}))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::report::redact::Redaction;
    use crate::report::sample;

    fn report() -> Report {
        Report::from_facts(&sample::script().events(), &sample::facts(), &sample::evidence())
    }

    fn spans_of(request: &OtlpRequest) -> Vec<Value> {
        let value: Value = serde_json::from_str(&request.body).unwrap();
        value["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
    }

    fn attribute<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
        let found = value["attributes"].as_array()?.iter().find(|attribute| attribute["key"] == key)?;
        found["value"].as_object()?.values().next()?.as_str()
    }

    #[test]
    fn a_run_is_one_trace_in_which_phases_loads_and_faults_are_spans_below_it() {
        let report = report();
        let requests = otlp(&report);
        let spans = spans_of(&requests[0]);
        assert_eq!((requests.len(), requests[0].span_count), (1, spans.len()));
        assert_eq!(spans.len(), 1 + report.phases.len() + report.loads.len() + report.faults.len());
        let root = &spans[0];
        assert!(root.get("parentSpanId").is_none());
        assert!(spans[1..].iter().all(|span| span["parentSpanId"] == root["spanId"]));
        assert!(spans.iter().all(|span| span["traceId"] == trace_id(&report)));
        let ids: BTreeSet<&str> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
        assert!(ids.len() == spans.len() && ids.iter().all(|id| id.len() == SPAN_ID_DIGITS), "{ids:?}");
        for (span, fault) in spans.iter().rev().zip(report.faults.iter().rev()) {
            assert_eq!(attribute(span, "gameday.fault.kind"), Some(fault.kind.as_str()));
            let nanos = |at_ms: u64| {
                let at = report.header.started_at + Duration::from_millis(at_ms);
                at.timestamp_nanos_opt().unwrap().to_string()
            };
            assert_eq!(span["startTimeUnixNano"], nanos(fault.requested_ms));
            assert_eq!(span["endTimeUnixNano"], nanos(fault.ended_ms.unwrap()));
        }
        assert_eq!(otlp(&report), requests, "the same run gives the same ids");
        let mut other = report.clone();
        other.header.seed.push('1');
        assert_ne!(trace_id(&other), trace_id(&report), "another run of that second has a trace of its own");
    }

    #[test]
    fn everything_that_happened_is_an_event_and_verdicts_come_first() {
        let report = report();
        let spans = spans_of(&otlp(&report)[0]);
        let events: Vec<&Value> = spans.iter().flat_map(|span| span["events"].as_array().unwrap()).collect();
        assert_eq!(events.len(), report.hypotheses.len() + report.timeline.len());
        let first = &spans[0]["events"][0];
        assert_eq!(first["name"], "gameday.hypothesis");
        assert_eq!(attribute(first, "gameday.hypothesis.verdict"), Some(report.hypotheses[0].verdict.name.as_str()));
        let of_fault = spans.last().unwrap()["events"].as_array().unwrap();
        assert!(!of_fault.is_empty() && of_fault.iter().all(|event| event["name"] == "gameday.fault"), "{of_fault:?}");
        let root = spans[0]["events"].as_array().unwrap();
        assert!(root.iter().any(|event| event["name"] == "gameday.mark"), "{root:?}");
    }

    #[test]
    fn only_a_run_that_passed_is_well_and_one_that_went_wrong_says_how() {
        let of = |change: &dyn Fn(&mut Report)| {
            let mut report = report();
            report.safety.state = "clean".to_owned();
            change(&mut report);
            let status = spans_of(&otlp(&report)[0])[0]["status"].clone();
            (status["code"].as_u64().unwrap(), status["message"].as_str().unwrap_or_default().to_owned())
        };
        let result = |result: &'static str| move |report: &mut Report| report.header.outcome.result = result.to_owned();
        assert_eq!(of(&result("passed")), (1, String::new()));
        assert_eq!(of(&result("inconclusive")), (0, String::new()));
        let (code, message) = of(&result("refuted"));
        assert!(code == 2 && message.contains("refuted"), "{message}");
        let aborted = of(&|report| {
            result("aborted")(report);
            report.safety.aborted_by = Some("the guardrail errors".to_owned());
        });
        assert_eq!(aborted, (2, "aborted by the guardrail errors".to_owned()));
        let dirty = of(&|report| {
            result("passed")(report);
            report.safety.state = "dirty".to_owned();
            report.safety.text = "1 change is not undone".to_owned();
        });
        assert_eq!(dirty, (2, "1 change is not undone".to_owned()));
        for result_of in ["crashed", "not_ready", "locked", "failed", "something new"] {
            assert_eq!(of(&|report| report.header.outcome.result = result_of.to_owned()).0, 2, "{result_of}");
        }
    }

    #[test]
    fn what_the_report_blacks_out_is_in_no_span() {
        let mut facts = sample::facts();
        facts.redactions = Redaction::ALL.to_vec();
        let mut script = sample::script().events();
        let mut note = script.last().unwrap().clone();
        note.kind = crate::event::EventKind::Noted {
            text: "ask maria@example.com about 111122223333".to_owned(),
            by: Some("jo@example.com".to_owned()),
        };
        script.push(note);
        let body = &otlp(&Report::from_facts(&script, &facts, &sample::evidence()))[0].body;
        assert!(body.contains("[e-mail]") && body.contains("[account]"), "{body}");
        assert!(!body.contains("example.com") && !body.contains("111122223333"), "{body}");
    }

    #[test]
    fn a_long_run_keeps_the_limits_and_says_what_it_left_out() {
        let mut report = report();
        let note = TimelineEntry {
            kind: "note".to_owned(),
            about: None,
            text: "\u{1b}".repeat(2_000),
            ..report.timeline[0].clone()
        };
        report.timeline.extend(std::iter::repeat_n(note, 5_000));
        let phase = report.phases[0].clone();
        report.phases = (0..2_000).map(|number| Phase { phase: format!("p{number}"), ..phase.clone() }).collect();
        let requests = otlp(&report);
        assert!(requests.len() > 3);
        let envelope = request(&report, &[]).body.len();
        for request in &requests {
            assert!(request.span_count <= SPANS_PER_REQUEST_MAX && request.body.len() <= REQUEST_BYTES_MAX + envelope);
        }
        let root = &spans_of(&requests[0])[0];
        let kept = root["events"].as_array().unwrap().len();
        let dropped = usize::try_from(root["droppedEventsCount"].as_u64().unwrap()).unwrap();
        assert!(kept <= EVENTS_PER_SPAN_MAX && dropped >= 4_000, "{kept} kept, {dropped} dropped");
        assert!(root["events"][0]["name"] == "gameday.hypothesis");
    }

    #[test]
    fn a_log_with_a_moment_that_no_clock_has_is_still_a_trace() {
        let mut report = report();
        report.header.duration_ms = u64::MAX;
        report.faults[0].ended_ms = Some(u64::MAX);
        let spans = spans_of(&otlp(&report)[0]);
        assert!(spans.iter().all(|span| span["endTimeUnixNano"].as_str().unwrap().parse::<u64>().is_ok()));
    }
}
