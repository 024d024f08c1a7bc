//! `gameday notify`: whether notices of runs arrive; and what other commands say of notices.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Exit, Failure, out, plan, workspace};
use crate::event::read_log;
use crate::notify::{Channels, ReportFacts, test_notice, try_once};
use crate::plan::{NotifyPlan, Plan};
use crate::report::Report;
use crate::run;
use crate::unit::{Clock, printable};
use crate::workspace::WebhookFormat;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send a harmless notice to every receiver that is configured, once, and show what came back.
    Test(TestArguments),
}

#[derive(Debug, Args)]
struct TestArguments {
    /// The scenario whose receivers are tried; default those of gameday.yaml.
    scenario: Option<PathBuf>,
    /// The environment of gameday.yaml that the notice names.
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    env: String,
    /// Who sends it, as it stands in the notice; default $USER.
    #[arg(long, value_name = "NAME", env = "USER", default_value = "somebody")]
    by: String,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Test(arguments) => test(&arguments).await,
    }
}

async fn test(arguments: &TestArguments) -> Result<Exit, Failure> {
    let workspace = workspace::discover(arguments.scenario.as_deref().unwrap_or(Path::new(".")))?;
    let environment = workspace::environment(&workspace, &arguments.env)?;
    let notify = match &arguments.scenario {
        Some(scenario) => {
            let checked = plan::load(scenario, &workspace, environment)?;
            NotifyPlan::of(Some(&checked.scenario), &workspace)
        }
        None => NotifyPlan::of(None, &workspace),
    };
    let Some(notify) = notify else {
        let text = "nobody is told of runs here: name a receiver, as in `notify: {slack: \"env:SLACK_WEBHOOK\"}`, in `gameday.yaml` \
                    or in a scenario, which is then named here";
        return Err(Failure::new(Exit::Failure, text));
    };
    let channels = Channels::of_environment(&notify);
    let notice = test_notice(&environment.name, &arguments.by, Clock::start().now());
    let mut results: Vec<(String, Result<String, String>)> =
        channels.unusable.iter().map(|(kind, problem)| (kind.to_string(), Err(problem.to_string()))).collect();
    for channel in &channels.usable {
        results.push((format!("{} of `{}`", channel.kind, channel.variable), try_once(channel, &notice).await));
    }
    let is_well = results.iter().all(|(_, result)| result.is_ok());
    if arguments.json {
        let rows = results.iter().map(|(channel, result)| match result {
            Ok(answer) => json!({"channel": channel, "sent": true, "answer": answer}),
            Err(why) => json!({"channel": channel, "sent": false, "why": why}),
        });
        out::json(&rows.collect::<Vec<_>>());
    } else {
        for (channel, result) in &results {
            match result {
                Ok(answer) => out::line(format_args!("sent    {channel}: {}", printable(answer))),
                Err(why) => out::line(format_args!("FAILED  {channel}: {}", printable(why))),
            }
        }
    }
    Ok(if is_well { Exit::Success } else { Exit::Failure })
}

/// One line for each receiver of a plan that can not be told, as things are now.
pub(super) fn problems(plan: &Plan) -> Vec<String> {
    plan.notify.as_ref().map(|notify| Channels::of_environment(notify).problems().collect()).unwrap_or_default()
}

/// Who is told of a run, and of what.
pub(super) fn print(plan: &Plan) {
    let Some(notify) = &plan.notify else { return };
    out::line("\nnotices");
    let signed =
        notify.webhook_secret.as_ref().map(|key| format!(", signed with the key in {key}")).unwrap_or_default();
    let format = match notify.webhook_format {
        WebhookFormat::Notice => "",
        WebhookFormat::Cloudevents => ", as CloudEvents",
    };
    let signed = format!("{signed}{format}");
    for (kind, variable, signed) in
        [("slack", notify.slack.as_ref(), ""), ("webhook", notify.webhook.as_ref(), signed.as_str())]
    {
        if let Some(variable) = variable {
            out::line(format_args!("  {kind}: to the URL in {variable}{signed}"));
        }
    }
    let events: Vec<&str> = notify.events.iter().map(|event| event.key()).collect();
    out::line(format_args!("  of: {}", events.join(", ")));
    if plan.is_blind() {
        out::line("  somebody takes part blind: no notice tells of a fault before it is revealed");
    }
    problems(plan).iter().for_each(|line| out::line(format_args!("  ✗ {line}")));
}

/// Tells of a run's report; what does not go through is told here, and fails nothing.
pub(super) async fn tell_report(plan: &Arc<Plan>, folder: &Path, report: &Report) {
    let outcome = &report.header.outcome;
    let facts = ReportFacts {
        outcome: outcome.text.clone(),
        is_good: outcome.exit_code == Some(0),
        worst: report.findings.first().map(|finding| finding.text.clone()),
    };
    // A log that can not be read was told of by the report.
    let Ok(read) = read_log(folder) else { return };
    let told = tokio::select! {
        lines = run::tell_report(plan, &read.events, &facts) => lines,
        // Everything else is done: nobody has to wait for this.
        _ = tokio::signal::ctrl_c() => vec!["the notice that the report is there was not waited for".to_owned()],
    };
    for line in told {
        out::progress(format_args!("warning: {}", printable(&line)));
    }
}
