//! `gameday export run`: a run that is over as a trace of OpenTelemetry or as `CloudEvents`, in a file or sent to an endpoint.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::{Exit, Failure, export, out, report};
use crate::event::Event;
use crate::report::{
    Evidence, Facts, OtlpRequest, Report, cloudevent_batches, cloudevents, facts_of_run, otlp, read_run, trace_id,
};
use crate::share::endpoint::{
    Accepted, Endpoint, HeaderSource, SendError, Sender, TIMEOUT_DEFAULT, accepted_spans, headers_of,
};
use crate::unit::{DurationText, WholeFile, error_chain, plural, printable};

/// Where an endpoint of OTLP/HTTP takes traces, below its base (OTLP/HTTP: URL paths).
const TRACES_PATH: &str = "/v1/traces";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run's id or folder; default the latest run.
    run: Option<String>,
    /// In which form.
    #[arg(long, value_enum)]
    to: Form,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// The file to write, which is written over; default standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "endpoint")]
    output: Option<PathBuf>,
    /// Send it here: of a collector its base, as `http://127.0.0.1:4318`, or the whole address. Without it nothing is sent.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// A header of each request, `authorization=env:NAME`: its value is in that environment variable. May be given again.
    #[arg(long, value_name = "HEADER=env:NAME", requires = "endpoint")]
    header: Vec<String>,
    /// How long the endpoint may take to answer, each time; default 10s.
    #[arg(long, value_name = "DURATION", requires = "endpoint")]
    timeout: Option<DurationText>,
    /// Leave account numbers and e-mail addresses as they are, but for those that the run's report blacks out.
    #[arg(long)]
    no_redact: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A trace of OpenTelemetry: OTLP's JSON, a request a line.
    Otlp,
    /// `CloudEvents` 1.0 in JSON, an event a line; sent as batches.
    Cloudevents,
}

/// A run as it is told.
struct Told {
    events: Vec<Event>,
    facts: Facts,
    evidence: Evidence,
}

impl Told {
    fn report(&self) -> Report {
        Report::from_facts(&self.events, &self.facts, &self.evidence)
    }
}

pub(super) async fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let told = read(arguments)?;
    match (arguments.to, &arguments.endpoint) {
        (Form::Otlp, None) => {
            let requests = otlp(&told.report());
            let lines: Vec<String> = requests.into_iter().map(|request| request.body).collect();
            deliver(&lines, arguments)
        }
        (Form::Otlp, Some(endpoint)) => {
            let endpoint: Endpoint = argument("endpoint", endpoint)?;
            let sender = sender(&endpoint.with_path(TRACES_PATH), arguments)?;
            send_trace(&sender, &told.report()).await
        }
        (Form::Cloudevents, None) => deliver(&cloudevents(&told.events, &told.facts, &told.evidence), arguments),
        (Form::Cloudevents, Some(endpoint)) => {
            let sender = sender(&argument("endpoint", endpoint)?, arguments)?;
            send_events(&sender, cloudevents(&told.events, &told.facts, &told.evidence)).await
        }
    }
}

/// Reads a run that is over; what its report blacks out is blacked out whatever is asked.
fn read(arguments: &Arguments) -> Result<Told, Failure> {
    let directory = report::folder_of(arguments.reports.as_deref(), arguments.run.as_deref())?;
    let (events, plan) = read_run(&directory).map_err(|error| Failure::from_error(&error))?;
    let mut facts = facts_of_run(&directory, &plan).map_err(|error| Failure::from_error(&error))?;
    facts.redactions.extend(export::redactions(arguments.no_redact));
    Ok(Told { events, facts, evidence: Evidence::default() })
}

fn deliver(lines: &[String], arguments: &Arguments) -> Result<Exit, Failure> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let Some(path) = &arguments.output else {
        out::text(&text);
        return Ok(Exit::Success);
    };
    let written = WholeFile::write_to(path, &text).map_err(|error| Failure::from_error(&error))?;
    out::progress(format_args!("{} written to {}", plural(lines.len(), "line", "lines"), written.display()));
    Ok(Exit::Success)
}

/// Reads an argument that may be a secret by mistake: clap would repeat one that is wrong.
fn argument<T: FromStr<Err = String>>(name: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|why| Failure::new(Exit::Failure, format_args!("`--{name}` is not understood: {why}")))
}

fn sender(endpoint: &Endpoint, arguments: &Arguments) -> Result<Sender, Failure> {
    let sources: Vec<HeaderSource> =
        arguments.header.iter().map(|header| argument("header", header)).collect::<Result<_, _>>()?;
    let headers = headers_of(&sources, &|name| std::env::var(name).ok());
    let headers = headers.map_err(|error| Failure::from_error(&error))?;
    let timeout = arguments.timeout.map_or(TIMEOUT_DEFAULT, |timeout| timeout.0);
    Sender::new(endpoint, headers, timeout).map_err(|error| Failure::from_error(&error))
}

/// Why something was not sent, and what had been by then.
fn failed(error: &SendError, sent: usize, what: &str) -> Failure {
    let reason = printable(&error_chain(error));
    Failure::new(Exit::Failure, format_args!("failed to send the run: {reason}\n{sent} {what} were taken before that"))
}

async fn send_trace(sender: &Sender, report: &Report) -> Result<Exit, Failure> {
    let mut sent = 0;
    for OtlpRequest { body, span_count } in otlp(report) {
        let answer = sender.post("application/json", &body).await.map_err(|error| failed(&error, sent, "spans"))?;
        match accepted_spans(&answer) {
            Accepted::All => {}
            Accepted::Warned(why) => out::progress(format_args!("warning of the endpoint: {}", sender.told(&why))),
            Accepted::Partly { rejected, why } => {
                let text = format!(
                    "the endpoint did not take {rejected} of {span_count} spans: {}\nthe rest of them it has taken; \
                     {sent} spans were taken before that",
                    sender.told(&why)
                );
                return Err(Failure::new(Exit::Failure, text));
            }
            Accepted::Unknown(why) => {
                let text = format!("nobody knows whether the endpoint has taken {span_count} spans: {why}");
                return Err(Failure::new(Exit::Failure, text));
            }
        }
        sent += span_count;
    }
    out::line(trace_id(report));
    out::progress(format_args!("{} sent; the trace's id is above", plural(sent, "span", "spans")));
    Ok(Exit::Success)
}

async fn send_events(sender: &Sender, events: Vec<String>) -> Result<Exit, Failure> {
    let mut sent = 0;
    for (body, count) in cloudevent_batches(events) {
        // What it answers is its own affair (CloudEvents: HTTP protocol binding): its status says that it was taken.
        let answer = sender.post("application/cloudevents-batch+json", &body).await;
        answer.map_err(|error| failed(&error, sent, "events"))?;
        sent += count;
    }
    out::progress(format_args!("{} sent", plural(sent, "event", "events")));
    Ok(Exit::Success)
}
