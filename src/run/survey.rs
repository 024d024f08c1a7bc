//! A place that is only looked at, before any run: the sandbox, where it is one, and the connection that a run would have.

use std::path::Path;

use super::permission::{Permissions, PermissionsError, of_caller};
use super::place::{Place, PlaceError};
use crate::aws::Aws;
use crate::fault::{AccountError, AccountGuard};
use crate::plan::{EnvironmentKind, Plan};
use crate::sandbox::{Sandbox, SandboxError, SandboxOptions};
use crate::unit::Failpoints;
use crate::workspace::{Environment, EnvironmentKind as Kind};

/// Who assumes a role for a look, as CloudTrail shows it.
const SESSION: &str = "gameday-readiness";

/// Why a place can not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The sandbox does not start.
    #[error("failed to start the sandbox")]
    Sandbox(#[from] SandboxError),
    /// Nothing may be asked there.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

/// A place that is only looked at. End it with [`Survey::end`].
pub struct Survey {
    /// The clients that a run would have, which together keep to the environment's rate.
    pub aws: Aws,
    guard: Option<AccountGuard>,
    sandbox: Option<Sandbox>,
}

impl Survey {
    /// Starts the sandbox, where the environment is one, and connects. No call is made to AWS but to assume a role when one is needed.
    /// `gameday` is the program, from which functions of the sandbox are started; `workspace` is absolute.
    ///
    /// # Errors
    /// The sandbox does not start, or somebody put another endpoint in the place of AWS's own.
    pub async fn begin(
        plan: &Plan,
        environment: &Environment,
        gameday: &Path,
        workspace: &Path,
    ) -> Result<Self, SurveyError> {
        let sandbox = match environment.kind() {
            Kind::Sandbox(spec) => Some(Sandbox::start(spec.clone(), SandboxOptions::new(gameday, workspace)).await?),
            Kind::Endpoint(_) | Kind::Account(_) => None,
        };
        let embedded = sandbox.as_ref().map(Sandbox::endpoint);
        match Place::connect(&plan.environment, embedded, SESSION, &Failpoints::default()).await {
            Ok(Place { aws, account, .. }) => {
                let aws = match environment.rate {
                    Some(rate) => aws.paced(rate),
                    None => aws,
                };
                Ok(Self { aws, guard: account, sandbox })
            }
            Err(error) => {
                if let Some(sandbox) = sandbox {
                    sandbox.stop().await;
                }
                Err(error.into())
            }
        }
    }

    /// One whose clients a test made up.
    #[cfg(test)]
    pub(crate) fn made_up(aws: Aws, guard: Option<AccountGuard>) -> Self {
        Self { aws, guard, sandbox: None }
    }

    /// The account in which the caller must be, and is; none where the environment is bound to none.
    ///
    /// # Errors
    /// The caller is in another account, or nobody says so.
    pub async fn account(&self) -> Result<Option<String>, AccountError> {
        let Some(guard) = &self.guard else { return Ok(None) };
        guard.check(&self.aws).await?;
        Ok(Some(guard.account().to_owned()))
    }

    /// What IAM says to everything that a run of `plan` needs; none for the embedded sandbox, which asks for no permission.
    ///
    /// # Errors
    /// The caller is not known.
    pub async fn permissions(
        &self,
        plan: &Plan,
        environment: &Environment,
    ) -> Result<Option<Permissions>, PermissionsError> {
        match plan.environment.kind {
            EnvironmentKind::Sandbox => Ok(None),
            EnvironmentKind::Endpoint { .. } | EnvironmentKind::Account { .. } => {
                of_caller(&self.aws, plan, environment).await.map(Some)
            }
        }
    }

    /// Ends what was started.
    pub async fn end(self) {
        if let Some(sandbox) = self.sandbox {
            sandbox.stop().await;
        }
    }
}
