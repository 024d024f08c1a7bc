//! `gameday approve`: somebody in a role agrees to exactly this plan, in a file that is committed.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure, out, plan, workspace};
use crate::unit::{Clock, PersonId, error_chain};
use crate::workspace::{APPROVAL_LASTS, Approval, ApprovalError};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The scenario file.
    scenario: PathBuf,
    /// The environment of gameday.yaml in which it may be run.
    #[arg(long, value_name = "NAME")]
    env: String,
    /// The role in which you agree, one of the environment's `approvals.from`.
    #[arg(long = "as", value_name = "ROLE")]
    role: PersonId,
    /// Who you are; default `user@host`.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// What else is to be said; it stands in the report.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let workspace = workspace::discover(&arguments.scenario)?;
    let environment = workspace::environment(&workspace, &arguments.env)?;
    let name = &environment.name;
    let Some(approvals) = &environment.approvals else {
        let text = format!("environment `{name}` asks for no approvals: it has no key `approvals`");
        return Err(Failure::new(Exit::Failure, text));
    };
    if !approvals.from.contains(&arguments.role) {
        let roles: Vec<String> = approvals.from.iter().map(ToString::to_string).collect();
        let text = format!("environment `{name}` asks {}, and not `{}`", roles.join(", "), arguments.role);
        return Err(Failure::new(Exit::Failure, text));
    }
    let checked = plan::load(&arguments.scenario, &workspace, environment)?;
    let plan = plan::compile(&checked, &workspace, environment)?;
    let now = Clock::start().now();
    let by = arguments.by.clone().unwrap_or_else(user_at_host);
    let about = (&plan.scenario.id, name.as_str(), &arguments.role);
    let given = Approval::new(about, &by, arguments.note.as_deref(), &plan.digest(), now);
    let path = Approval::path(&workspace.root, &plan.scenario.id, name, &arguments.role);
    let written = given.and_then(|approval| approval.write(&path));
    written.map_err(|error: ApprovalError| Failure::new(Exit::Failure, error_chain(&error)))?;
    let until = (now + APPROVAL_LASTS).format("%Y-%m-%d %H:%M UTC");
    out::line(format_args!("{by} agrees as {} to `{}` in {name}, until {until}", arguments.role, plan.scenario.title));
    out::line(format_args!("wrote {}: commit it; any change of the plan makes it void", path.display()));
    Ok(Exit::Success)
}

fn user_at_host() -> String {
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "somebody".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{user}@{}", host.trim())
}
