//! `gameday load`: the loads of a scenario alone, with the same checks and the same report; and what steers one that runs.

use std::path::PathBuf;

use clap::Args;
use console::style;

use super::live::{self, LoadCommand};
use super::run::{Ended, Manner, SEED_DEFAULT, as_json, carry_out, print_reports, print_verdicts};
use super::screen::Display;
use super::{Exit, Failure, out};
use crate::event::{RunState, read_log};
use crate::load::{FailureSample, Frames, LoadSummary, StepSummary};
use crate::plan::LoadAlone;
use crate::report::count;
use crate::run::Attendance;
use crate::ui::terminal::Status;
use crate::unit::{DurationText, Level, LoadId, format_duration, plural, printable};

/// The percentiles of the table, in order.
const COLUMNS: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];

/// How many failures of each kind are shown as they were seen.
const SAMPLES_SHOWN_MAX: usize = 2;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "\
Nothing is injected, and nobody is asked to do anything. Hypotheses and guardrails that are about the loads as a whole are judged;
the exit code is that of `gameday run`.
  gameday load scenarios/shop.yaml
  gameday load scenarios/shop.yaml --only shoppers --rate 200/s --for 5m
A load that runs is steered from another shell:
  gameday load set --rate 400/s
  gameday load pause
  gameday load resume")]
pub(super) struct Arguments {
    #[command(subcommand)]
    live: Option<LoadCommand>,
    /// The scenario file.
    #[arg(required = true)]
    scenario: Option<PathBuf>,
    /// Only this load; may be repeated. Default all, from the start.
    #[arg(long, value_name = "NAME")]
    only: Vec<LoadId>,
    /// Hold this instead of the shape: a rate such as `200/s` (an open model) or `40 users` (a closed one).
    #[arg(long, value_name = "LEVEL", allow_hyphen_values = true)]
    rate: Option<Level>,
    /// For so long: `5m`. Without `--rate` the highest level of the shape is held.
    #[arg(long = "for", value_name = "DURATION")]
    lasting: Option<DurationText>,
    /// The environment of gameday.yaml to run in. Any but `sandbox` must be named.
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    env: String,
    /// Say that you know that customers depend on the environment, by its name; needed where its class is `production`.
    #[arg(long, value_name = "NAME")]
    production: Option<String>,
    /// Begin although the scenario's schedule says no (window, freeze, another scenario), and say why; the report tells it.
    #[arg(long = "override", value_name = "WHY", value_parser = super::run::reason)]
    overridden: Option<String>,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Seeds every generator of the run.
    #[arg(long, value_name = "N", default_value_t = SEED_DEFAULT)]
    seed: u64,
    /// Print the result as JSON; progress still goes to standard error.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    if let Some(command) = arguments.live {
        return live::steer_load(command).await;
    }
    let scenario = arguments.scenario.expect("invariant: clap asks for it where there is no subcommand");
    let alone = LoadAlone {
        only: arguments.only.into_iter().collect(),
        level: arguments.rate,
        lasting: arguments.lasting.map(|lasting| lasting.0),
    };
    let manner = Manner {
        scenario: &scenario,
        environment: &arguments.env,
        production: arguments.production.as_deref(),
        overridden: arguments.overridden.as_deref(),
        reports: arguments.reports.as_deref(),
        attendance: Attendance::Unattended,
        seed: arguments.seed,
        // Nothing is changed that somebody would have to undo.
        has_watchdog: false,
        heeds_lessons: false,
        display: Display::Lines(Status::Block),
        room: None,
    };
    let ended = carry_out(&manner, |plan| {
        let alone = plan.loads_alone(&alone).map_err(|refusal| Failure::new(Exit::Failure, refusal))?;
        alone.1.iter().for_each(|line| out::progress(format_args!("note: left out: {line}")));
        Ok(alone.0)
    })
    .await?;
    tell(&ended, arguments.json)?;
    ended.exit()
}

fn tell(ended: &Ended, json: bool) -> Result<(), Failure> {
    let read = read_log(&ended.folder.path).map_err(|error| Failure::from_error(&error))?;
    let state = RunState::fold(&read.events);
    let mut loads = Vec::new();
    for load in ended.plan.loads.keys() {
        let summary = Frames::open(&ended.folder.path, load).and_then(LoadSummary::of);
        loads.extend(summary.map_err(|error| Failure::from_error(&error))?);
    }
    if json {
        let mut answer = as_json(ended, &state);
        answer["loads"] = serde_json::to_value(&loads).map_err(|error| Failure::from_error(&error))?;
        out::json(&answer);
        return Ok(());
    }
    print_verdicts(ended, &state);
    loads.iter().for_each(|load| print(load, ended));
    out::line("");
    print_reports(ended);
    Ok(())
}

fn print(load: &LoadSummary, ended: &Ended) {
    let all = load.all.ok_count + load.all.failed_count;
    let is_open = ended.plan.loads.get(&load.load).is_some_and(|spec| spec.is_open());
    let unit = if is_open { "arrivals/s" } else { "users" };
    let lasting = std::time::Duration::from_millis(tenths(load.lasting_seconds) * 100);
    out::line(format_args!(
        "\n{}  {} requests in {}: {} req/s, asked for {:.1} {unit}",
        style(&load.load).bold(),
        count(all),
        format_duration(lasting),
        style(format!("{:.1}", load.rate)).bold(),
        load.target,
    ));
    out::line(format_args!("  {:<34} {:>9} {:>9}{}", "", "requests", "failed", header()));
    print_step("all", &load.all);
    if load.steps.len() > 1 {
        for step in &load.steps {
            let name = step.name.as_ref().map_or(String::new(), |(journey, step)| format!("{journey} / {step}"));
            print_step(&name, step);
        }
    }
    if !load.all.failures.is_empty() {
        let kinds = load.all.failures.iter().map(|(kind, many)| format!("{} {}", kind.as_str(), count(*many)));
        out::line(format_args!("  failed: {}", kinds.collect::<Vec<_>>().join(", ")));
    }
    for sample in shown_of(&load.samples) {
        let place =
            [&sample.journey, &sample.step].map(|name| printable(name)).into_iter().filter(|name| !name.is_empty());
        let (kind, detail) = (sample.kind.as_str(), printable(&sample.detail));
        out::line(format_args!("    {}: {kind}: {detail}", place.collect::<Vec<_>>().join(" / ")));
    }
    if let Some(cold) = load.all.cold_start_count {
        let took = load.all.cold_start_ms.get("p50").zip(load.all.cold_start_ms.get("max"));
        let took = took.map(|(p50, max)| format!("; to start took {p50:.1} ms (p50), {max:.1} ms at most"));
        let told = count(load.all.cold_start_told_count);
        out::line(format_args!("  cold starts: {} of {told} invocations{}", count(cold), took.unwrap_or_default()));
    }
    if let Some(not_sent) = load.not_sent_count.filter(|count| *count > 0) {
        let arrivals = plural(usize::try_from(not_sent).unwrap_or(usize::MAX), "arrival was", "arrivals were");
        out::line(style(format!("  {arrivals} never sent: as many users as may be were under way")).red());
    }
    if load.seconds_doubtful > 0 {
        let reasons = load.doubts.iter().map(|(doubt, seconds)| format!("{doubt} in {seconds}"));
        let (doubtful, seconds) = (load.seconds_doubtful, load.seconds);
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        let text = format!("  {doubtful} of {seconds} seconds may tell of this machine, not of the server: {reasons}");
        out::line(style(text).yellow());
    }
}

/// Each kind of failure as it was seen, and each once; those of the teardown are counted nowhere else.
fn shown_of(samples: &[FailureSample]) -> Vec<&FailureSample> {
    let mut shown: Vec<&FailureSample> = Vec::new();
    for sample in samples {
        let alike = shown.iter().filter(|other| other.kind == sample.kind && other.journey == sample.journey).count();
        if alike < SAMPLES_SHOWN_MAX && !shown.contains(&sample) {
            shown.push(sample);
        }
    }
    shown
}

fn header() -> String {
    COLUMNS.iter().map(|column| format!(" {column:>9}")).collect::<String>() + " ms"
}

fn print_step(name: &str, step: &StepSummary) {
    let all = step.ok_count + step.failed_count;
    let times: String = COLUMNS
        .iter()
        .map(|column| step.response_ms.get(column).map_or_else(|| format!(" {:>9}", "-"), |ms| format!(" {ms:>9.1}")))
        .collect();
    let name = printable(name);
    let name = console::truncate_str(&name, 34, "…");
    let failed = format!("{:>9}", count(step.failed_count));
    let failed = if step.failed_count > 0 { style(failed).red() } else { style(failed) };
    out::line(format_args!("  {name:<34} {:>9} {failed}{times}", count(all)));
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a load lasts for days at most")]
fn tenths(seconds: f64) -> u64 {
    (seconds.max(0.0) * 10.0).round() as u64
}
