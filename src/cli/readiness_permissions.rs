//! `gameday readiness --permissions`: what IAM says to each action that a run needs.

use serde_json::json;

use super::{Exit, Failure, lessons, notify, out};
use crate::plan::Plan;
use crate::run::{self, Barrier, PermissionVerdict, Permissions};
use crate::workspace::{Environment, Workspace};

/// What the simulation of IAM leaves out, whatever it says (AWS: SimulatePrincipalPolicy).
const NOT_SEEN: &str = "IAM's simulation does not see policies of sessions, nor those of resources such as queues";

pub(super) async fn look(
    plan: &Plan,
    workspace: &Workspace,
    environment: &Environment,
    json: bool,
) -> Result<Exit, Failure> {
    let barriers = lessons::barriers(plan, &workspace.root);
    if !json {
        for Barrier { objection, remedy } in &barriers {
            out::line(format_args!("failed   must  {objection}; {remedy}, or begin the run with `--override \"why\"`"));
        }
    }
    let permissions = run::permissions(plan, environment).await;
    let permissions = permissions.map_err(|error| Failure { exit: Exit::NotReady, ..Failure::from_error(&error) })?;
    let is_ready = barriers.is_empty() && permissions.as_ref().is_none_or(Permissions::is_ready);
    // A notice that does not go out keeps nobody from a run.
    let notices = notify::problems(plan);
    if json {
        out::json(&json!({
            "scenario": plan.scenario.id,
            "environment": environment.name,
            "ready": is_ready,
            "lessons": barriers,
            "permissions": permissions,
            "notices": notices,
        }));
    } else {
        match &permissions {
            Some(permissions) => print(permissions, is_ready),
            None => {
                out::line(format_args!("environment `{}` is a sandbox: it asks for no permission", environment.name))
            }
        }
    }
    notices.iter().for_each(|line| out::progress(format_args!("warning: {line}")));
    if permissions.is_some() {
        out::progress(format_args!("note: {NOT_SEEN}"));
    }
    Ok(if is_ready { Exit::Success } else { Exit::NotReady })
}

fn print(permissions: &Permissions, is_ready: bool) {
    out::line(format_args!("{}\n", permissions.principal));
    let width = permissions.permissions.iter().map(|permitted| permitted.action.len()).max().unwrap_or_default();
    for permitted in &permissions.permissions {
        let verdict = word(permitted.verdict);
        let why = permitted.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let undo = if permitted.is_for_undo { " (also to undo)" } else { "" };
        out::line(format_args!("{verdict:7}  {:width$}  {}{undo}{why}", permitted.action, permitted.resource));
    }
    let counts = [PermissionVerdict::Allowed, PermissionVerdict::Denied, PermissionVerdict::Unknown]
        .map(|verdict| format!("{} {}", permissions.count(verdict), word(verdict)));
    let end = if is_ready { "ready" } else { "not ready" };
    out::line(format_args!("\n{}: {end}", counts.join(", ")));
}

fn word(verdict: PermissionVerdict) -> &'static str {
    match verdict {
        PermissionVerdict::Allowed => "allowed",
        PermissionVerdict::Denied => "denied",
        PermissionVerdict::Unknown => "unknown",
    }
}
