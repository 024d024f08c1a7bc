//! `gameday run`: a scenario from its file to its report.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use console::style;

use super::live::who;
use super::screen::{self, Display, Living};
use super::{Exit, Failure, actions, lessons, notify, out, plan, readiness, report, serve, workspace};
use crate::event::{AbortCause, FaultState, RunState, Verdict, read_log};
use crate::lesson::Retested;
use crate::plan::Plan;
use crate::run::{self, Attendance, Outcome, RunError, RunFolder, RunOptions};
use crate::ui::cockpit::Sitter;
use crate::unit::{Failpoints, plural};
use crate::workspace::{Environment, WORKLOAD_FILE};

/// The seed of a run that names none: the same scenario makes the same choices.
pub(super) const SEED_DEFAULT: u64 = 1;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The scenario file.
    #[arg(required_unless_present = "serve")]
    scenario: Option<PathBuf>,
    /// The environment of gameday.yaml to run in. Any but `sandbox` must be named.
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    env: String,
    /// Say that you know that customers depend on the environment, by its name; needed where its class is `production`.
    #[arg(long, value_name = "NAME")]
    production: Option<String>,
    /// Begin although the scenario's schedule says no (window, freeze, another scenario), a lesson stands in its way, or a must of
    /// `gameday readiness` is not fulfilled, and say why; the report tells it.
    #[arg(long = "override", value_name = "WHY", value_parser = reason)]
    overridden: Option<String>,
    /// Answer steps that must be done, and polls: a rehearsal without people. The report says so.
    #[arg(long)]
    yes: bool,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Seeds every generator of the run.
    #[arg(long, value_name = "N", default_value_t = SEED_DEFAULT)]
    seed: u64,
    /// Serve a page on which people take part, and print its links: at 127.0.0.1 and a port that the system chooses, or where you say.
    /// People are taken to be there: polls and steps that must be done are waited for.
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = serve::LISTEN_DEFAULT)]
    serve: Option<String>,
    /// A name by which people call that page, where something in front of it (with TLS) has one.
    #[arg(long = "public-host", value_name = "NAME", value_parser = serve::public_host, requires = "serve")]
    public_hosts: Vec<String>,
    /// Start no process that undoes everything when this one dies or hangs: only `gameday recover` is left then.
    #[arg(long)]
    no_watchdog: bool,
    /// Show the run by lines alone, and not by the cockpit: for logs and for screen readers.
    #[arg(long)]
    plain: bool,
    /// Who sits at the cockpit, as it stands in the log, and takes the roles that have this name; default $USER.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    by: Option<String>,
    /// Print the result as JSON; progress still goes to standard error.
    #[arg(long)]
    json: bool,
}

/// How a scenario is run.
pub(super) struct Manner<'a> {
    pub(super) scenario: &'a Path,
    pub(super) environment: &'a str,
    pub(super) production: Option<&'a str>,
    /// Why somebody sets the schedule aside.
    pub(super) overridden: Option<&'a str>,
    pub(super) reports: Option<&'a Path>,
    pub(super) attendance: Attendance,
    pub(super) seed: u64,
    pub(super) has_watchdog: bool,
    /// Whether lessons are told what it has shown of them.
    pub(super) heeds_lessons: bool,
    pub(super) display: Display,
    /// Where its control room is served.
    pub(super) room: Option<serve::Place>,
}

/// A run that is over.
pub(super) struct Ended {
    pub(super) plan: Arc<Plan>,
    pub(super) outcome: Outcome,
    pub(super) folder: RunFolder,
    /// What it has shown of lessons.
    pub(super) lessons: Vec<Retested>,
    /// Its reports, or why there is none.
    pub(super) reports: Result<Vec<PathBuf>, Failure>,
}

impl Ended {
    /// The exit code: that of the run counts more than that of its report.
    pub(super) fn exit(self) -> Result<Exit, Failure> {
        match self.reports {
            Err(failure) if self.outcome == Outcome::Passed => Err(failure),
            Err(failure) => {
                out::progress(format_args!("error: {}", failure.text));
                Ok(exit(self.outcome))
            }
            Ok(_) => Ok(exit(self.outcome)),
        }
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let (scenario, room) = scenario_and_room(&arguments)?;
    let manner = Manner {
        scenario: &scenario,
        environment: &arguments.env,
        production: arguments.production.as_deref(),
        overridden: arguments.overridden.as_deref(),
        reports: arguments.reports.as_deref(),
        attendance: attendance(arguments.yes, room.is_some()),
        seed: arguments.seed,
        has_watchdog: !arguments.no_watchdog,
        heeds_lessons: true,
        display: Display::choose(arguments.plain, Sitter { name: who(arguments.by.as_deref()), ..Sitter::default() }),
        room,
    };
    let ended = carry_out(&manner, Ok).await?;
    tell(&ended, arguments.json)?;
    ended.lessons.iter().for_each(|retested| out::progress(&retested.note));
    ended.exit()
}

/// Which scenario, and where its control room is served. In `--serve FILE`, what looks like the address of the option is the scenario.
fn scenario_and_room(arguments: &Arguments) -> Result<(PathBuf, Option<serve::Place>), Failure> {
    let (scenario, address) = match (&arguments.scenario, &arguments.serve) {
        (Some(scenario), None) => return Ok((scenario.clone(), None)),
        (Some(scenario), Some(address)) => (scenario.clone(), address.as_str()),
        (None, serve) => match serve.as_deref().filter(|text| serve::address(text).is_err()) {
            Some(scenario) => (PathBuf::from(scenario), serve::LISTEN_DEFAULT),
            None => return Err(Failure::new(Exit::Failure, "say which scenario to run, as a file")),
        },
    };
    let wrong = |why| Failure::new(Exit::Failure, format_args!("`--serve {address}` is no address: {why}"));
    let address = serve::address(address).map_err(wrong)?;
    Ok((scenario, Some(serve::Place::take(address, arguments.public_hosts.clone())?)))
}

/// Runs what `change` makes of a scenario's plan, from its file to its report.
pub(super) async fn carry_out(
    manner: &Manner<'_>,
    change: impl FnOnce(Plan) -> Result<Plan, Failure>,
) -> Result<Ended, Failure> {
    let workspace = workspace::discover(manner.scenario)?;
    let environment = workspace::environment(&workspace, manner.environment)?;
    let checked = plan::load(manner.scenario, &workspace, environment)?;
    let table = Environment::table();
    let environment = plan::place(&checked, environment, &table);
    let plan = change(plan::compile(&checked, &workspace, environment)?)?;
    for line in &plan.not_carried_out {
        out::progress(format_args!("note: checked, but not carried out by this version: {line}"));
    }
    let reports = workspace::reports_of(&workspace, manner.reports);
    let asked = plan::Asked {
        plan: &plan,
        checked: &checked,
        environment,
        workspace: &workspace,
        reports: &reports,
        production: manner.production,
        overridden: manner.overridden,
        scenario: manner.scenario,
    };
    let mut permission = plan::permission(&asked)?;
    permission.notes.iter().for_each(|note| out::progress(format_args!("note: {note}")));
    // What files say against it is said before the account is asked.
    if permission.missing.is_empty() {
        let told = permission.notes.len();
        let barriers = Box::pin(readiness::before_run(&asked)).await?;
        permission.add_unready(&barriers, manner.overridden);
        permission.notes.iter().skip(told).for_each(|note| out::progress(format_args!("note: {note}")));
    }
    let permit = permission.permit().map_err(|missing| not_permitted(&missing))?;
    let gameday = crate::unit::process::own_program().map_err(|error| Failure::from_error(&error))?;
    let options = RunOptions {
        gameday,
        // Functions run in folders of their own: a relative path would mean another place there.
        workspace: workspace.root.join(".").canonicalize().map_err(|error| Failure::from_error(&error))?,
        reports,
        scenario_text: checked.source.text().to_owned(),
        kept: kept(&plan, &workspace.root),
        attendance: manner.attendance,
        seed: manner.seed,
        has_watchdog: manner.has_watchdog,
        permit,
        failpoints: Failpoints::from_environment(),
    };
    let shown = Arc::new(plan.clone());
    let (mut screen, mut begun, mut room) = (None, None, None);
    let mut watcher = |folder: &RunFolder, log: &crate::event::EventLog| {
        begun = Some(folder.path.clone());
        room = manner.room.as_ref().and_then(|place| place.open(&shown, &folder.path, log));
        let links = room.as_ref().map(|room| room.links().to_vec()).unwrap_or_default();
        let display = manner.display.clone().with_links(links);
        screen = screen::show(Living::own(Arc::clone(&shown), log), display);
    };
    // On the heap: the compiler's own limit of nested futures is not far.
    let outcome = Box::pin(run::run(plan, environment, options, &mut watcher)).await;
    if let Some(screen) = screen {
        screen.finish().await;
    }
    serve::close(room).await;
    let (outcome, folder) = match outcome {
        Ok(ended) => ended,
        Err(error) => {
            // What was not ready is worth a report as well; the error itself counts more than that of a report.
            if let Some(reports) = begun.and_then(|folder| report::write(&folder, None, &workspace).ok()) {
                reports.iter().for_each(|path| out::progress(format_args!("  {}", path.display())));
            }
            return Err(failure(&error));
        }
    };
    // Before the report, which tells it.
    let lessons =
        if manner.heeds_lessons { lessons::heed(&shown, outcome, &folder.path, &workspace.root) } else { Vec::new() };
    let reports = match report::made(&folder.path, None, &workspace) {
        Ok((report, paths)) => {
            Box::pin(notify::tell_report(&shown, &folder.path, &report)).await;
            Ok(paths)
        }
        Err(failure) => Err(failure),
    };
    Ok(Ended { plan: shown, outcome, folder, lessons, reports })
}

/// What of the workspace is kept with a run, as it is now.
fn kept(plan: &Plan, root: &Path) -> BTreeMap<String, String> {
    let mut kept = lessons::kept(plan, root);
    kept.extend(actions::kept(plan, root));
    if let Ok(workload) = std::fs::read_to_string(root.join(WORKLOAD_FILE)) {
        kept.insert(WORKLOAD_FILE.to_owned(), workload);
    }
    kept
}

fn not_permitted(missing: &[String]) -> Failure {
    let lines: Vec<String> = missing.iter().map(|line| format!("\n  - {line}")).collect();
    Failure::new(Exit::NotReady, format_args!("this may not be run yet:{}", lines.concat()))
}

/// How long the reason of an override may be, in bytes: it stands in one line of the log.
const REASON_BYTES_MAX: usize = 1_000;

/// Why somebody sets the schedule aside: one line that says something.
pub(super) fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text {
        "" => Err("say why, in a few words".to_owned()),
        _ if text.len() > REASON_BYTES_MAX || text.chars().any(char::is_control) => {
            Err(format!("say why in one line of at most {REASON_BYTES_MAX} bytes"))
        }
        _ => Ok(text.to_owned()),
    }
}

fn attendance(yes: bool, is_served: bool) -> Attendance {
    if yes {
        Attendance::Rehearsed
    } else if is_served || (std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        Attendance::Attended
    } else {
        Attendance::Unattended
    }
}

fn exit(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Passed => Exit::Success,
        Outcome::Internal => Exit::Failure,
        Outcome::Refuted => Exit::Refuted,
        Outcome::AbortedByGuardrail => Exit::AbortedByGuardrail,
        Outcome::AbortedByPerson => Exit::AbortedByPerson,
        Outcome::Inconclusive => Exit::Inconclusive,
        Outcome::NotReady => Exit::NotReady,
        Outcome::Dirty => Exit::Dirty,
    }
}

fn failure(error: &RunError) -> Failure {
    let failure = Failure::from_error(error);
    let exit = match error {
        error if error.is_locked() => Exit::Locked,
        RunError::Dirty { .. } => Exit::Dirty,
        error if error.is_not_ready() => Exit::NotReady,
        RunError::Stage(_)
        | RunError::SwitchAhead { .. }
        | RunError::Alarms(_)
        | RunError::Metrics(_)
        | RunError::Watchdog(_)
        | RunError::Load(_)
        | RunError::Probe { .. }
        | RunError::RemoteLock(_)
        | RunError::Lock(_)
        | RunError::Folder(_)
        | RunError::Log(_)
        | RunError::Control(_) => Exit::Failure,
    };
    Failure { exit, ..failure }
}

fn tell(ended: &Ended, json: bool) -> Result<(), Failure> {
    let read = read_log(&ended.folder.path).map_err(|error| Failure::from_error(&error))?;
    let state = RunState::fold(&read.events);
    let folder = &ended.folder;
    if json {
        out::json(&as_json(ended, &state));
        return Ok(());
    }
    print_verdicts(ended, &state);
    let faults = state.faults.iter().filter(|fault| !fault.identity.is_route());
    let (injected, proven) = faults.fold((0, 0), |(injected, proven), fault| {
        (injected + usize::from(fault.applied_ms.is_some()), proven + u32::from(fault.effective_ms.is_some()))
    });
    let left = state.outstanding().count();
    let undone = match (left, state.not_read_back()) {
        (0, 0) => "all undone and read back".to_owned(),
        (0, unread) => format!("all undone, of which {unread} could not be read back"),
        (left, _) => format!("{left} NOT undone"),
    };
    let injected = plural(injected, "fault", "faults");
    out::line(format_args!("\n  {injected} injected, {proven} with a proven effect, {undone}"));
    print_reports(ended);
    let mut remains = state.remains_by_hand().peekable();
    if remains.peek().is_some() {
        out::line("\n  left in AWS, a schedule or the lock; by hand:");
        remains.for_each(|line| out::line(format_args!("    {line}")));
    }
    if left > 0 {
        out::line(format_args!("\n  undo what is left with: gameday recover {}", folder.path.display()));
        let stuck = state.outstanding().filter(|fault| fault.state == FaultState::Stuck);
        let mut by_hand = stuck.flat_map(|fault| &fault.left).peekable();
        if by_hand.peek().is_some() {
            out::line("  or by hand:");
            by_hand.for_each(|line| out::line(format_args!("    {line}")));
        }
        if state.outstanding().any(|fault| fault.state == FaultState::Drifted) {
            out::line("  what somebody else has changed is left alone: `--accept-drift` takes it as it is");
        }
    }
    Ok(())
}

/// What a run came to, for programs.
pub(super) fn as_json(ended: &Ended, state: &RunState) -> serde_json::Value {
    let reports: Vec<String> = ended.reports.iter().flatten().map(|path| path.display().to_string()).collect();
    serde_json::json!({
        "run": ended.folder.id,
        "exit_code": ended.outcome.exit_code(),
        "hypotheses": state.results,
        "lessons": ended.lessons,
        "reports": reports,
    })
}

/// The outcome, and each hypothesis with its verdict.
pub(super) fn print_verdicts(ended: &Ended, state: &RunState) {
    out::line(format_args!("\n{}\n", style(outcome_text(ended.outcome, state)).bold()));
    for result in &state.results {
        let planned = ended.plan.hypotheses.iter().find(|planned| planned.id == result.hypothesis);
        out::line(format_args!(
            "  {:<13} {:<4} {}",
            verdict_word(&result.verdict),
            result.hypothesis,
            crate::unit::printable(planned.map_or("", |planned| planned.text.as_str()))
        ));
    }
}

pub(super) fn print_reports(ended: &Ended) {
    for path in ended.reports.iter().flatten() {
        out::line(format_args!("  {}", path.display()));
    }
}

fn outcome_text(outcome: Outcome, state: &RunState) -> String {
    let abort = state.abort.as_ref();
    if let (Outcome::AbortedByPerson, Some(AbortCause::Signal { signal })) = (outcome, abort) {
        return format!("ended by {signal}: the run was told to end");
    }
    let text = match outcome {
        Outcome::Passed if state.results.is_empty() => "over: there was no hypothesis to judge",
        Outcome::Passed => "passed: every hypothesis was upheld, or is a known gap",
        Outcome::Internal => "failed: an error of our own ended the run",
        Outcome::Refuted => "refuted: a hypothesis does not hold",
        Outcome::AbortedByGuardrail => "aborted by a guardrail",
        Outcome::AbortedByPerson => "aborted by a person",
        Outcome::Inconclusive => "inconclusive: not everything could be judged",
        Outcome::NotReady => not_ready(state),
        Outcome::Dirty => "DIRTY: not everything is as it was",
    };
    text.to_owned()
}

/// Why a run ended that was not ready: by a gate, or by people.
fn not_ready(state: &RunState) -> &'static str {
    let is_touched = state.faults.iter().any(|fault| !fault.identity.is_route()) || !state.people.cards.is_empty();
    match (state.no_go.is_some(), is_touched) {
        (true, false) => "no-go: a go/no-go was not agreed to, and nothing was injected",
        (true, true) => "no-go: a go/no-go was not agreed to; what had been injected before is undone",
        (false, _) => "not ready: there was no steady state, and nothing was injected",
    }
}

fn verdict_word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Upheld => "upheld",
        Verdict::Refuted => "REFUTED",
        Verdict::GapHolds => "gap holds",
        Verdict::GapClosed => "GAP CLOSED",
        Verdict::Inconclusive(_) => "inconclusive",
        Verdict::NotTested(_) => "not tested",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_exit_code_is_the_one_in_the_log() {
        for outcome in [
            Outcome::Passed,
            Outcome::Internal,
            Outcome::Refuted,
            Outcome::AbortedByGuardrail,
            Outcome::AbortedByPerson,
            Outcome::Inconclusive,
            Outcome::NotReady,
            Outcome::Dirty,
        ] {
            assert_eq!(u8::from(exit(outcome)), outcome.exit_code());
        }
    }
}
