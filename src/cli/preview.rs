//! `gameday plan --preview`: what the FIS experiments of a scenario would work on in the environment.

use super::{Exit, Failure, out};
use crate::fault::PreviewedResource;
use crate::plan::Plan;
use crate::run::{self, Preview};
use crate::unit::error_chain;
use crate::workspace::{Environment, Workspace};

/// Asks the environment.
pub(super) async fn look(
    plan: &Plan,
    workspace: &Workspace,
    environment: &Environment,
) -> Result<Vec<Preview>, Failure> {
    let gameday = crate::unit::process::own_program().map_err(|error| Failure::from_error(&error))?;
    let root = workspace.root.join(".").canonicalize().map_err(|error| Failure::from_error(&error))?;
    let previews = run::preview(plan, environment, &gameday, &root).await;
    previews.map_err(|error| Failure { exit: Exit::NotReady, ..Failure::from_error(&*error) })
}

pub(super) fn json(previews: &[Preview]) -> serde_json::Value {
    let of = |preview: &Preview| match &preview.outcome {
        Ok(found) => {
            serde_json::json!({"fault": preview.fault, "experiment": found.experiment, "resources": found.resources})
        }
        Err(error) => serde_json::json!({"fault": preview.fault, "error": error_chain(error)}),
    };
    previews.iter().map(of).collect()
}

pub(super) fn print(previews: &[Preview]) {
    out::line("\npreview of FIS experiments, with all actions skipped");
    if previews.is_empty() {
        out::line("  there is none in this scenario");
    }
    for preview in previews {
        match &preview.outcome {
            Ok(found) if found.resources.is_empty() => out::line(format_args!("  {}: no target", preview.fault)),
            Ok(found) => {
                out::line(format_args!("  {} ({}):", preview.fault, found.experiment));
                found.resources.iter().for_each(|resource| out::line(format_args!("      {}", text(resource))));
            }
            Err(error) => out::line(format_args!(
                "  {}: NOT ready: {}",
                preview.fault,
                crate::unit::printable(&error_chain(error))
            )),
        }
    }
}

fn text(resource: &PreviewedResource) -> String {
    let PreviewedResource { target, resource_type, information } = resource;
    let known: Vec<String> = match information.get("arn") {
        Some(arn) => vec![arn.clone()],
        None => information.iter().map(|(name, value)| format!("{name} {value}")).collect(),
    };
    format!("{target}: {resource_type} {}", known.join(", "))
}

/// 7 where an experiment could not be looked at.
pub(super) fn exit(previews: &[Preview]) -> Exit {
    if previews.iter().all(|preview| preview.outcome.is_ok()) { Exit::Success } else { Exit::NotReady }
}
