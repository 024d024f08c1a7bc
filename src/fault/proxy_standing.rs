//! Whether a proxied dependency can be reached, as a change: what `proxy_down` and `proxy_refuse` share.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::about::Calls;
use super::change::{ChangeText, FaultEnvironment, FaultError, Renewed, Reverted, Revertible};
use super::proxy_part;
use super::proxy_site::{self, Driver, REMOTE_TTL, RemoteSite, Site};
use super::switch::{Cover, Switch};
use crate::proxy::ProxyStanding;
use crate::unit::{ProxyName, TargetId};

/// The admin calls of both faults.
pub(super) const CALLS: Calls =
    Calls { inject: &["proxy:GetProxy", "proxy:PatchProxy"], undo: &["proxy:GetProxy", "proxy:PatchProxy"] };

/// How both faults end when nobody of ours is left.
pub(super) const COVER: Cover = Cover::Expires("the proxy listens again 5 s after the run's last sign of life");

/// A proxy that is put out of reach; before the fault it was there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandingChange {
    proxy: ProxyName,
    /// Where it is driven; none is the run's own process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote: Option<Box<RemoteSite>>,
    injected: ProxyStanding,
}

/// Reads whether the proxy is there.
pub(super) async fn prepare(
    environment: &FaultEnvironment,
    target: &TargetId,
    injected: ProxyStanding,
) -> Result<StandingChange, FaultError> {
    let Site { proxy, remote, driver } = match injected {
        ProxyStanding::Refusing => {
            let site = Site::look(environment, target).await?;
            site.refuse_toxiproxy("can not refuse new connections and keep those that are open: use `proxy_down`")?;
            site
        }
        ProxyStanding::Down | ProxyStanding::Listening => Site::look(environment, target).await?,
    };
    let change = StandingChange { proxy, remote, injected };
    match driver.client.standing(&driver.proxy).await? {
        Some(ProxyStanding::Listening) => Ok(change),
        Some(found) => Err(change.not_applied(found)),
        None => Err(proxy_part::not_free(&change.proxy, "it is not there")),
    }
}

impl StandingChange {
    fn not_applied(&self, found: ProxyStanding) -> FaultError {
        proxy_part::not_free(&self.proxy, &format!("it is {found}"))
    }

    fn driver(&self, environment: &FaultEnvironment) -> Result<Option<Driver>, FaultError> {
        proxy_site::driver(environment, &self.proxy, self.remote.as_deref())
    }

    async fn put(&self, driver: &Driver, wanted: ProxyStanding) -> Result<(), FaultError> {
        let Driver { client, proxy } = driver;
        match &self.remote {
            Some(remote) if remote.is_toxiproxy() => client.enable(proxy, wanted != ProxyStanding::Down).await?,
            Some(_) => client.take_out(proxy, wanted, REMOTE_TTL).await?,
            None => client.put_standing(proxy, wanted).await?,
        }
        match client.standing(proxy).await? {
            Some(found) if found == wanted => Ok(()),
            Some(found) => Err(self.not_applied(found)),
            None => Err(proxy_part::not_free(&self.proxy, "it is not there")),
        }
    }
}

impl Revertible for StandingChange {
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError> {
        let driver = self.driver(environment)?;
        let driver = driver.ok_or_else(|| proxy_part::not_free(&self.proxy, "there is no fault proxy"))?;
        self.put(&driver, self.injected).await
    }

    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError> {
        let Some(driver) = self.driver(environment)? else { return Ok(Reverted::Gone) };
        match driver.client.standing(&driver.proxy).await? {
            None => {
                proxy_site::check_absence(&driver, self.remote.as_deref()).await?;
                return Ok(Reverted::Gone);
            }
            Some(ProxyStanding::Listening) => {
                return Ok(if *restoring { Reverted::Restored } else { Reverted::AsBefore });
            }
            Some(found) if found == self.injected => {}
            Some(found) => {
                let proxy = proxy_site::words(&self.proxy, self.remote.as_deref());
                return Ok(Reverted::Drift(vec![format!("{proxy} is {found}, and {} was injected", self.injected)]));
            }
        }
        *restoring = true;
        self.put(&driver, ProxyStanding::Listening).await?;
        Ok(Reverted::Restored)
    }

    async fn try_renew(&self, environment: &FaultEnvironment) -> Result<Renewed, FaultError> {
        match self.driver(environment)? {
            Some(driver) if self.expires() => {
                let is_held = driver.client.put_standing_off(&driver.proxy, REMOTE_TTL).await?;
                Ok(if is_held { Renewed::Held } else { Renewed::Lost })
            }
            Some(_) | None => Ok(Renewed::Needless),
        }
    }

    fn expires(&self) -> bool {
        self.remote.as_deref().is_some_and(|remote| !remote.is_toxiproxy())
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("{} is {}", proxy_site::words(&self.proxy, self.remote.as_deref()), self.injected),
            undo: "let it listen again, as it did".to_owned(),
        }
    }

    fn by_hand(&self, _undo: &Path) -> Vec<String> {
        let body = match &self.remote {
            Some(remote) if remote.is_toxiproxy() => r#"{"enabled": true}"#,
            Some(_) | None => r#"{"enabled": true, "refuse": false}"#,
        };
        proxy_site::by_hand(self.remote.as_deref(), "POST", "", Some(body))
    }

    fn switch(&self) -> Switch {
        Switch::Needless
    }
}
