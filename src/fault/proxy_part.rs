//! A part that a fault puts on a proxy, and that was not there before: a toxic or a rule.

use super::change::{FaultEnvironment, FaultError, Reverted};
use crate::proxy::{AdminClient, AdminError};
use crate::unit::ProxyName;

/// A toxic or a rule of ours.
pub(super) trait ProxyPart {
    /// What it is as the proxy has it.
    type Spec: PartialEq;
    /// What it is called in errors: `toxic`.
    const WHAT: &str;

    fn proxy(&self) -> &ProxyName;

    fn name(&self) -> &str;

    fn spec(&self) -> &Self::Spec;

    async fn find(&self, client: &AdminClient) -> Result<Option<Self::Spec>, AdminError>;

    async fn add(&self, client: &AdminClient) -> Result<(), AdminError>;

    async fn remove(&self, client: &AdminClient) -> Result<(), AdminError>;
}

/// Something else was found than should be there.
fn not_applied(part: &impl ProxyPart, what: &str) -> FaultError {
    not_free(part.proxy(), &format!("{} {what}", called(part)))
}

fn called<P: ProxyPart>(part: &P) -> String {
    format!("{} `{}`", P::WHAT, part.name())
}

/// A proxy is not as a fault needs it.
pub(super) fn not_free(proxy: &ProxyName, found: &str) -> FaultError {
    FaultError::NotApplied { target: proxy.to_string(), found: found.to_owned() }
}

/// Refuses a name that is taken.
///
/// # Errors
/// It is there already, or nobody can say.
pub(super) async fn check_free(part: &impl ProxyPart, client: &AdminClient) -> Result<(), FaultError> {
    match part.find(client).await? {
        Some(_) => Err(not_applied(part, "is there already, and it is not ours")),
        None => Ok(()),
    }
}

/// The client of the run's proxy.
pub(super) fn client<'a>(environment: &'a FaultEnvironment, proxy: &ProxyName) -> Result<&'a AdminClient, FaultError> {
    environment.proxy.as_ref().ok_or_else(|| not_free(proxy, "there is no fault proxy"))
}

/// Puts it in place, and reads it back.
pub(super) async fn inject(part: &impl ProxyPart, environment: &FaultEnvironment) -> Result<(), FaultError> {
    let client = client(environment, part.proxy())?;
    if part.find(client).await?.is_none() {
        part.add(client).await?;
    }
    match part.find(client).await? {
        Some(found) if found == *part.spec() => Ok(()),
        Some(_) => Err(not_applied(part, "has other settings")),
        None => Err(not_applied(part, "is not there")),
    }
}

/// Takes it away where it is as it was injected, and reads that back.
pub(super) async fn revert(
    part: &impl ProxyPart,
    environment: &FaultEnvironment,
    restoring: &mut bool,
) -> Result<Reverted, FaultError> {
    let Some(client) = environment.proxy.as_ref() else { return Ok(Reverted::Gone) };
    match part.find(client).await? {
        None => return Ok(if *restoring { Reverted::Restored } else { Reverted::AsBefore }),
        Some(found) if found == *part.spec() => {}
        Some(_) => {
            return Ok(Reverted::Drift(vec![format!(
                "{} on proxy `{}` has other settings than those that were injected",
                called(part),
                part.proxy()
            )]));
        }
    }
    *restoring = true;
    part.remove(client).await?;
    match part.find(client).await? {
        None => Ok(Reverted::Restored),
        Some(_) => Err(not_applied(part, "is still there")),
    }
}
