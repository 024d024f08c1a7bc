//! The caller, what it may do, stacks, tags, the lever of FIS.

use super::super::outcome::Why;
use super::{Depth, Look, Subject};
use crate::fault::FaultKind;
use crate::workspace::Environment;

/// The types of things whose tags are asked for. Source: AWS, `GetResources`, `ResourceTypeFilters`.
const TAGGED_TYPES: [&str; 6] = ["lambda:function", "sqs", "sns", "dynamodb:table", "kinesis:stream", "events:rule"];

impl Subject<'_> {
    /// Who the caller is, and for how long; nothing where the environment is bound to no account.
    pub(super) async fn ask_caller(&self, look: &mut Look) {
        let aws = &self.survey.aws;
        if self.plan.environment.kind.account().is_none() {
            (look.account, look.clock, look.credentials) = (Ok(None), Ok(None), Ok(None));
            return;
        }
        // A clock that is wrong makes every other answer a riddle.
        look.clock = self.asker.ask(aws.service_time()).await.map(|time| Some(time.clock_error()));
        look.account = self.asker.ask(self.survey.account()).await;
        look.credentials = self.asker.ask(aws.credentials_end()).await.map(Some);
    }

    pub(super) async fn ask_account(&self, environment: &Environment, look: &mut Look) {
        let aws = &self.survey.aws;
        let (permissions, stacks, tags, lever) = tokio::join!(
            self.asker.ask(self.survey.permissions(self.plan, environment)),
            self.asker.ask(aws.cloudformation.changing_stacks()),
            self.asker.ask(aws.tagging.resources(&TAGGED_TYPES)),
            self.lever(),
        );
        look.permissions = permissions;
        look.stacks = stacks;
        look.tags = tags;
        look.lever = lever;
    }

    async fn lever(&self) -> Result<Option<bool>, Why> {
        let is_experiment = |kind: &FaultKind| matches!(kind, FaultKind::FisExperiment(_));
        let changes = self.plan.changes.values().filter_map(|change| change.spec.kind().ok());
        match changes.into_iter().any(|kind| is_experiment(&kind)) && self.depth == Depth::All {
            true => self.asker.ask(self.survey.aws.fis.is_lever_engaged()).await.map(Some),
            false => Ok(None),
        }
    }
}
