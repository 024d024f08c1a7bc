//! The lock of a dead run, taken away by a person who says that the run left nothing behind.

use super::super::place::{Place, PlaceError};
use super::Held;
use crate::aws::{AwsError, ParameterControl};
use crate::plan::environment_facts;
use crate::unit::Failpoints;
use crate::workspace::Environment;

/// Why a person cannot take a lock away.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// The environment has none.
    #[error("environment `{0}` has no `lock` in gameday.yaml")]
    NoLock(String),
    /// There is none.
    #[error("environment `{0}` is not locked for other machines")]
    NotLocked(String),
    /// It is that of another run, or its holder lives.
    #[error("the lock is not taken away: {0}")]
    Refused(String),
    /// The parameter is something else.
    #[error("the parameter `{0}` is no lock that this version of gameday made: it is left alone")]
    Foreign(String),
    /// Nothing may be changed there.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The call failed.
    #[error("failed to ask Systems Manager")]
    Aws(#[from] AwsError),
}

/// Takes away the lock of a dead run, since a person says that it left nothing behind. What it held.
///
/// # Errors
/// There is no such lock, its holder was heard of not long ago, it is another run's, or a call failed.
pub async fn unlock(environment: &Environment, run: &str) -> Result<Held, UnlockError> {
    let parameter = environment.lock.as_deref().ok_or_else(|| UnlockError::NoLock(environment.name.clone()))?;
    let facts = environment_facts(environment);
    let Place { aws, account, .. } = Place::connect(&facts, None, "gameday-unlock", &Failpoints::default()).await?;
    if let Some(guard) = &account {
        guard.check(&aws).await.map_err(PlaceError::from)?;
    }
    take_away(&aws.ssm, (&environment.name, parameter), run).await
}

pub(super) async fn take_away(
    parameters: &dyn ParameterControl,
    (environment, parameter): (&str, &str),
    run: &str,
) -> Result<Held, UnlockError> {
    let read = async || -> Result<Held, UnlockError> {
        let found = parameters.read(parameter).await?;
        let found = found.ok_or_else(|| UnlockError::NotLocked(environment.to_owned()))?;
        Held::read(found.value.reveal()).ok_or_else(|| UnlockError::Foreign(parameter.to_owned()))
    };
    let held = read().await?;
    if held.run.as_str() != run || !held.is_expired() {
        return Err(UnlockError::Refused(held.told(environment)));
    }
    parameters.remove(parameter).await?;
    Ok(held)
}
