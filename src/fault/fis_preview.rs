//! What an experiment of AWS FIS would work on: it is started with its actions skipped (`actionsMode: skip-all`), so that
//! it only looks for its targets.
//!
//! What is made for it carries a tag of its own. It is taken away at the end, also of a look that was broken off; a
//! template that a killed look has left is taken away by the next one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Undo;
use super::change::{Fault as _, FaultEnvironment, FaultError, Occasion};
use super::fis_experiment::{Begins, ExperimentChange, FisExperiment};
use crate::aws::{ActionsMode, ExperimentStatus};
use crate::unit::{Clock, FaultId};

/// The start of what looks are tagged with; the second in which one began stands behind it.
const TOKEN_PREFIX: &str = "gameday-preview-";
/// How long an experiment that skips its actions may take to look for its targets.
const LOOK_WAIT_MAX: Duration = Duration::from_secs(60);
/// How old a template of another look must be before it is taken away: that one may still be under way.
const LEFT_SECONDS_MIN: i64 = 600;

/// What an experiment would work on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExperimentPreview {
    /// The id of the experiment that looked.
    pub experiment: String,
    /// Each resource: the name of the target in the template, the type, and its ARN or what else AWS knows of it.
    pub resources: Vec<PreviewedResource>,
}

/// One resource that an experiment would work on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PreviewedResource {
    /// The name of the target in the template.
    pub target: String,
    /// The type of the resource: `aws:lambda:function`.
    pub resource_type: String,
    /// What AWS knows of it: its `arn`, and more that depends on the type.
    pub information: BTreeMap<String, String>,
}

impl FisExperiment {
    /// Starts the experiment with its actions skipped, and answers what it would work on. Takes away what was made for it,
    /// whatever came of the look; `interrupted` breaks it off.
    ///
    /// # Errors
    /// The fault is not ready, the experiment does not find its targets, the look was broken off, or something could not
    /// be taken away: the error says what.
    pub async fn preview(
        &self,
        environment: &FaultEnvironment,
        fault: &FaultId,
        interrupted: impl Future<Output = ()>,
    ) -> Result<ExperimentPreview, FaultError> {
        environment.check_account().await?;
        let now = Clock::start().now().timestamp();
        sweep(environment, now).await?;
        let token = format!("{TOKEN_PREFIX}{now}-{fault}-{}", std::process::id());
        let occasion = Occasion { token, ..environment.occasion.clone() };
        let environment = FaultEnvironment { occasion, ..environment.clone() };
        let change = self.prepare(&environment).await?;
        environment.check_account().await?;
        let looked = tokio::select! {
            looked = look(&change, &environment) => looked,
            () = interrupted => Err(change.ended("the look was broken off".to_owned())),
        };
        Undo::FisExperiment(change).revert(&environment).await?;
        looked
    }
}

async fn look(change: &ExperimentChange, environment: &FaultEnvironment) -> Result<ExperimentPreview, FaultError> {
    let fis = &environment.aws.fis;
    let template = match &change.begins {
        Begins::Template(id) => id.clone(),
        Begins::Action(template) => fis.create_template(&change.token, template).await?,
    };
    let experiment = fis.start(&template, &change.token, ActionsMode::SkipAll).await?.id;
    let is_reached = |status| status == ExperimentStatus::Completed;
    change.wait_for(environment, &experiment, (LOOK_WAIT_MAX, "started"), is_reached).await?;
    let resources = fis.resolved_targets(&experiment).await?.into_iter().map(|found| PreviewedResource {
        target: found.target,
        resource_type: found.resource_type,
        information: found.information,
    });
    Ok(ExperimentPreview { experiment, resources: resources.collect() })
}

/// Takes away the templates that looks which were killed have left.
async fn sweep(environment: &FaultEnvironment, now: i64) -> Result<(), FaultError> {
    let fis = &environment.aws.fis;
    for template in fis.templates_where(&|token| is_left(token, now)).await? {
        fis.delete_template(&template).await?;
    }
    Ok(())
}

/// Whether something is of a look that cannot be under way any more.
fn is_left(token: &str, now: i64) -> bool {
    let began = token.strip_prefix(TOKEN_PREFIX).and_then(|rest| rest.split('-').next()?.parse::<i64>().ok());
    began.is_some_and(|began| now.saturating_sub(began) >= LEFT_SECONDS_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_look_left_long_ago_is_taken_away() {
        for (token, is_left_behind) in [
            ("gameday-preview-1000-errors-17", true),
            ("gameday-preview-1001-errors-17", false),
            ("gameday-preview-x-errors-17", false),
            ("gameday-2026-11-10-1000-shop-002-errors", false),
            ("preview", false),
        ] {
            assert_eq!(is_left(token, 1_600), is_left_behind, "{token}");
        }
    }
}
