//! The commands, one file each. Owns: arguments, printing, exit codes. Must not know: how anything is done.

mod action;
mod actions;
mod approve;
mod attach;
mod brief;
mod check;
mod compare;
mod completions;
mod coverage;
mod debrief;
mod demo_function;
mod detection;
mod exit;
mod explain;
mod export;
mod export_run;
mod github;
mod init;
mod insights;
mod launch;
mod lesson;
mod lesson_digest;
mod lessons;
mod live;
mod load;
mod load_worker;
mod new;
mod notify;
mod out;
mod plan;
mod playbook;
mod playbook_block;
mod playbook_keys;
mod playbook_record;
mod playbook_run;
mod playbook_show;
mod playbooks;
mod preview;
mod proxy;
mod proxy_list;
mod readiness;
mod readiness_facts;
mod readiness_page;
mod readiness_permissions;
mod recover;
mod report;
mod run;
mod sandbox;
mod sarif;
mod schedule;
mod schedule_export;
mod schedules;
mod schema;
mod screen;
mod serve;
mod site;
mod status;
mod take_part;
mod taught;
mod trend;
mod watchdog;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use exit::{Exit, Failure};

/// Game days and chaos engineering for serverless teams on AWS.
#[derive(Debug, Parser)]
#[command(name = "gameday", version, about, max_term_width = 100, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a workspace with a first scenario that runs offline.
    Init(init::Arguments),
    /// Add a scenario from a template.
    New(new::Arguments),
    /// Check scenarios, playbooks and the workspace.
    Check(check::Arguments),
    /// Print the JSON Schema of a file, for editors.
    Schema(schema::Arguments),
    /// Explain the keys, faults, signals and expectations of a scenario.
    Explain(explain::Arguments),
    /// Show what a run would do: when, with which calls, and how each change is undone.
    Plan(plan::Arguments),
    /// Look, without changing anything, at what a run needs: account, permissions, alarms, logs, traces, people, playbooks.
    Readiness(Box<readiness::Arguments>),
    /// Print the page that is read out before a game day: aim, rules, roles, times.
    Brief(brief::Arguments),
    /// Agree to a plan in a role that an environment asks.
    Approve(approve::Arguments),
    /// Run a scenario to its report.
    Run(run::Arguments),
    /// Make the loads of a scenario alone: a load test, with the same checks and report.
    Load(load::Arguments),
    /// See a living run in another terminal, and take part in it: leaving does not end it.
    Attach(attach::Arguments),
    /// Serve a page on which people look at a run and take part in it, from a process of its own.
    Serve(serve::Arguments),
    /// Show what a run is at.
    Status(status::Arguments),
    /// Tick a step of the checklist or the playbook of the run that is alive.
    Step(live::StepArguments),
    /// Mark a moment of the run: detected, diagnosed, mitigated, recovered, escalated, surprised.
    Mark(live::MarkArguments),
    /// Take part in the run in a role.
    Join(take_part::JoinArguments),
    /// Say go or no-go for a role: in a poll, or before a step that needs the role.
    Vote(take_part::VoteArguments),
    /// Say in private what you expect of a hypothesis, before the first fault; it is sealed until the debrief.
    Predict(take_part::PredictArguments),
    /// Deliver a message of the scenario now.
    Inject(take_part::InjectArguments),
    /// Give the next hint, or a certain one.
    Hint(take_part::HintArguments),
    /// Show blind participants what is hidden from them, or deal a card at the table.
    Reveal(take_part::RevealArguments),
    /// Acknowledge that something is wrong.
    Ack(live::PlainArguments),
    /// Write something down in the run's log.
    Note(live::NoteArguments),
    /// Let the timeline stand still; guardrails do not.
    Pause(live::PlainArguments),
    /// Let the timeline go on.
    Resume(live::PlainArguments),
    /// End the run now, and undo everything.
    Abort(live::AbortArguments),
    /// Undo what a run left behind, from its folder alone.
    Recover(recover::Arguments),
    /// Make the report of a run once more, offline, from its folder.
    Report(report::Arguments),
    /// Talk about a run, and keep what is said; the report is made again from it.
    Debrief(Box<debrief::Arguments>),
    /// Show what the evidence of a run says by itself: error rates, limits that came near, the slowest and the failed.
    Insights(insights::Arguments),
    /// Hold two runs beside each other.
    Compare(compare::Arguments),
    /// Show how the runs of a scenario went over time.
    Trend(trend::Arguments),
    /// Show what is exercised by which scenarios, and when it last was.
    Coverage(coverage::Arguments),
    /// Keep, find and check what game days taught.
    Lesson(lesson::Arguments),
    /// Write, list, check and close what is done about what game days found.
    Action(action::Arguments),
    /// Write lessons or actions in the form in which others want them: Markdown, CSV, JSON, Jira, Slack, GitHub.
    Export(export::Arguments),
    /// List, check and show playbooks, and walk through one: step by step, with its commands.
    Playbook(playbook::Arguments),
    /// Put game days on a calendar: the next dates, what speaks against them, and files for other programs.
    Schedule(schedule::Arguments),
    /// Try out to whom notices of runs go.
    Notify(notify::Arguments),
    /// Run the fault proxy by itself.
    Proxy(proxy::Arguments),
    /// Run a local Lambda that executes real functions.
    Sandbox(sandbox::Arguments),
    /// Print what a shell needs to complete commands and options.
    Completions(completions::Arguments),
    #[command(hide = true)]
    DemoFunction(demo_function::Arguments),
    #[command(hide = true)]
    Launch(launch::Arguments),
    #[command(hide = true)]
    LoadWorker(load_worker::Arguments),
    #[command(hide = true)]
    Watchdog(watchdog::Arguments),
}

/// Reads the program's arguments, runs the command and reports its failure; the result is the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, and go to standard output with code 0.
            let exit = if error.use_stderr() { Exit::Failure } else { Exit::Success };
            error.print().ok();
            return ExitCode::from(u8::from(exit));
        }
    };
    if let Command::Launch(arguments) = &arguments.command
        && arguments.guard
    {
        return launch::guard(arguments);
    }
    let exit = match run(arguments.command) {
        Ok(exit) => exit,
        Err(failure) => {
            out::progress(format_args!("error: {}", failure.text));
            failure.exit
        }
    };
    ExitCode::from(u8::from(exit))
}

fn run(command: Command) -> Result<Exit, Failure> {
    if let Command::Launch(arguments) = command {
        // Before any thread exists: the launcher only binds its life to its parent and becomes another program.
        return launch::run(&arguments);
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Command::Proxy(arguments) = &command {
        runtime.worker_threads(arguments.threads());
    }
    let runtime = runtime.enable_all().build().map_err(|error| Failure::from_error(&error))?;
    runtime.block_on(dispatch(command))
}

async fn dispatch(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(arguments) => init::run(&arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments).await,
        Command::Brief(arguments) => brief::run(&arguments),
        Command::Approve(arguments) => approve::run(&arguments),
        Command::Readiness(arguments) => readiness::run(&arguments).await,
        Command::Load(arguments) => load::run(arguments).await,
        Command::Run(arguments) => run::run(arguments).await,
        Command::Attach(arguments) => attach::run(arguments).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Status(arguments) => status::run(&arguments),
        Command::Step(arguments) => live::step(arguments).await,
        Command::Mark(arguments) => live::mark(arguments).await,
        Command::Join(arguments) => take_part::join(arguments).await,
        Command::Vote(arguments) => take_part::vote(arguments).await,
        Command::Predict(arguments) => take_part::predict(arguments).await,
        Command::Inject(arguments) => take_part::inject(arguments).await,
        Command::Hint(arguments) => take_part::hint(arguments).await,
        Command::Reveal(arguments) => take_part::reveal(arguments).await,
        Command::Ack(arguments) => live::ack(arguments).await,
        Command::Note(arguments) => live::note(arguments).await,
        Command::Pause(arguments) => live::pause(arguments).await,
        Command::Resume(arguments) => live::resume(arguments).await,
        Command::Abort(arguments) => live::abort(arguments).await,
        Command::Recover(arguments) => recover::run(arguments).await,
        Command::Report(arguments) => report::run(&arguments),
        Command::Debrief(arguments) => debrief::run(*arguments),
        Command::Insights(arguments) => insights::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Trend(arguments) => trend::run(&arguments),
        Command::Coverage(arguments) => coverage::run(&arguments),
        Command::Lesson(arguments) => lesson::run(arguments),
        Command::Action(arguments) => action::run(arguments),
        Command::Export(arguments) => export::run(&arguments).await,
        Command::Playbook(arguments) => playbook::run(arguments).await,
        Command::Schedule(arguments) => schedule::run(arguments),
        Command::Notify(arguments) => notify::run(arguments).await,
        Command::Proxy(arguments) => proxy::run(arguments).await,
        Command::Sandbox(arguments) => sandbox::run(arguments).await,
        Command::DemoFunction(arguments) => demo_function::run(arguments).await,
        Command::Launch(arguments) => launch::run(&arguments),
        Command::LoadWorker(arguments) => load_worker::run(arguments).await,
        Command::Watchdog(arguments) => watchdog::run(arguments).await,
    }
}
