//! A part that a fault puts on a proxy, and that was not there before: a toxic, a rule or a TLS fault.

use std::path::Path;

use super::change::{ChangeText, FaultEnvironment, FaultError, Renewed, Reverted, Revertible};
use super::proxy_site::{self, Driver, RemoteSite};
use super::switch::Switch;
use crate::proxy::{AdminError, PartKind, PartStats};
use crate::unit::ProxyName;

/// A toxic, a rule or a TLS fault of ours.
pub(super) trait ProxyPart {
    /// What it is as the proxy has it.
    type Spec: PartialEq;
    /// What it is called in errors: `toxic`.
    const WHAT: &str;
    /// What it is where the proxy tells what its parts have done.
    const KIND: PartKind;

    fn proxy(&self) -> &ProxyName;

    fn remote(&self) -> Option<&RemoteSite>;

    fn name(&self) -> &str;

    fn spec(&self) -> &Self::Spec;

    /// What tells it from another of its name, where there is such a thing.
    fn token(&self) -> Option<&str> {
        None
    }

    /// What it does, without secrets; none where its name says it all.
    fn effect(&self) -> Option<String> {
        None
    }

    /// How another one that is there in its place differs from it.
    fn difference(&self, _found: &Self::Spec) -> &'static str {
        "has other settings than those that were injected"
    }

    /// Its path below its proxy's in the admin API: `/toxics/slow`.
    fn route(&self) -> String;

    /// Whether it is over by itself unless it is put off.
    fn is_put_off(&self) -> bool;

    async fn find(&self, driver: &Driver) -> Result<Option<Self::Spec>, AdminError>;

    async fn add(&self, driver: &Driver) -> Result<(), AdminError>;

    /// Puts off its end; `false` if it is not there.
    async fn put_off(&self, driver: &Driver) -> Result<bool, AdminError>;

    async fn remove(&self, driver: &Driver) -> Result<(), AdminError>;
}

impl<P: ProxyPart> Revertible for P {
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError> {
        inject(self, environment).await
    }

    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError> {
        revert(self, environment, restoring).await
    }

    async fn try_renew(&self, environment: &FaultEnvironment) -> Result<Renewed, FaultError> {
        renew(self, environment).await
    }

    fn expires(&self) -> bool {
        self.is_put_off()
    }

    fn has_put(&self, proxy: &ProxyName, part: &PartStats<'_>) -> bool {
        part.kind == P::KIND && part.name == self.name() && part.token == self.token() && proxy == self.proxy()
    }

    fn text(&self) -> ChangeText {
        let effect = self.effect().map(|effect| format!(": {effect}")).unwrap_or_default();
        let site = proxy_site::words(self.proxy(), self.remote());
        ChangeText {
            change: format!("{} on {site}{effect}", called(self)),
            undo: format!("take the {} away: there was none", P::WHAT),
        }
    }

    fn by_hand(&self, _undo: &Path) -> Vec<String> {
        proxy_site::by_hand(self.remote(), "DELETE", &self.route(), None)
    }

    fn switch(&self) -> Switch {
        Switch::Needless
    }
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
pub(super) async fn check_free(part: &impl ProxyPart, driver: &Driver) -> Result<(), FaultError> {
    match part.find(driver).await? {
        Some(_) => Err(not_applied(part, "is there already, and it is not ours")),
        None => Ok(()),
    }
}

fn driver(part: &impl ProxyPart, environment: &FaultEnvironment) -> Result<Option<Driver>, FaultError> {
    proxy_site::driver(environment, part.proxy(), part.remote())
}

/// Puts it in place, and reads it back.
async fn inject(part: &impl ProxyPart, environment: &FaultEnvironment) -> Result<(), FaultError> {
    let driver = driver(part, environment)?.ok_or_else(|| not_free(part.proxy(), "there is no fault proxy"))?;
    if part.find(&driver).await?.is_none() {
        part.add(&driver).await?;
    }
    match part.find(&driver).await? {
        Some(found) if found == *part.spec() => Ok(()),
        Some(_) => Err(not_applied(part, "has other settings")),
        None => Err(not_applied(part, "is not there")),
    }
}

/// Puts off its end, where it has one.
async fn renew(part: &impl ProxyPart, environment: &FaultEnvironment) -> Result<Renewed, FaultError> {
    match driver(part, environment)? {
        Some(driver) if part.is_put_off() => {
            Ok(if part.put_off(&driver).await? { Renewed::Held } else { Renewed::Lost })
        }
        Some(_) | None => Ok(Renewed::Needless),
    }
}

/// Takes it away where it is as it was injected, and reads that back.
async fn revert(
    part: &impl ProxyPart,
    environment: &FaultEnvironment,
    restoring: &mut bool,
) -> Result<Reverted, FaultError> {
    let Some(driver) = driver(part, environment)? else { return Ok(Reverted::Gone) };
    match part.find(&driver).await? {
        None => {
            proxy_site::check_absence(&driver, part.remote()).await?;
            return Ok(if *restoring { Reverted::Restored } else { Reverted::AsBefore });
        }
        Some(found) if found == *part.spec() => {}
        Some(found) => {
            let (what, site) = (called(part), proxy_site::words(part.proxy(), part.remote()));
            return Ok(Reverted::Drift(vec![format!("{what} on {site} {}", part.difference(&found))]));
        }
    }
    *restoring = true;
    part.remove(&driver).await?;
    match part.find(&driver).await? {
        None => Ok(Reverted::Restored),
        Some(_) => Err(not_applied(part, "is still there")),
    }
}
