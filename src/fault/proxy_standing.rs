//! Whether a proxied dependency can be reached, as a change: what `proxy_down` and `proxy_refuse` share.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::about::Calls;
use super::change::{ChangeText, FaultEnvironment, FaultError, Renewed, Reverted, Revertible};
use super::proxy_part;
use super::proxy_site::{self, Driver, REMOTE_TTL, RemoteSite, Site};
use super::switch::{Cover, Switch};
use crate::proxy::{AdminError, ProxyStanding};
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
    /// Tells it from what somebody else does to the same proxy; none on a Toxiproxy, which keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// What was found of a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// It can be reached, as before.
    Listening,
    /// It is out of reach as it was put, and by us.
    Ours,
    /// It is out of reach by somebody else: what of that differs, as what follows the proxy's name.
    Theirs(String),
}

/// Reads whether the proxy is there.
pub(super) async fn prepare(
    environment: &FaultEnvironment,
    target: &TargetId,
    injected: ProxyStanding,
) -> Result<StandingChange, FaultError> {
    let site = Site::look(environment, target).await?;
    if injected == ProxyStanding::Refusing {
        site.refuse_toxiproxy("can not refuse new connections and keep those that are open: use `proxy_down`")?;
    }
    let token = (!site.is_toxiproxy()).then(|| proxy_site::own_name(environment));
    let Site { proxy, remote, driver } = site;
    let change = StandingChange { proxy, remote, injected, token };
    match driver.client.standing(&driver.proxy).await? {
        Some((ProxyStanding::Listening, _)) => Ok(change),
        Some((found, _)) => Err(change.not_applied(found)),
        None => Err(change.not_there()),
    }
}

impl StandingChange {
    fn not_applied(&self, found: ProxyStanding) -> FaultError {
        proxy_part::not_free(&self.proxy, &format!("it is {found}"))
    }

    fn not_there(&self) -> FaultError {
        proxy_part::not_free(&self.proxy, "it is not there")
    }

    fn driver(&self, environment: &FaultEnvironment) -> Result<Option<Driver>, FaultError> {
        proxy_site::driver(environment, &self.proxy, self.remote.as_deref())
    }

    fn is_on_toxiproxy(&self) -> bool {
        self.remote.as_deref().is_some_and(RemoteSite::is_toxiproxy)
    }

    /// Tells what is ours from what only looks like it. Where there are no tokens, what looks like ours is taken for it.
    fn compare(&self, found: ProxyStanding, token: Option<&str>) -> Found {
        match found {
            ProxyStanding::Listening => Found::Listening,
            found if found != self.injected => Found::Theirs(format!("is {found}, and {} was injected", self.injected)),
            ProxyStanding::Down | ProxyStanding::Refusing if token != self.token.as_deref() => {
                Found::Theirs("was taken out of reach by somebody else".to_owned())
            }
            ProxyStanding::Down | ProxyStanding::Refusing => Found::Ours,
        }
    }

    /// Reads whether it can be reached, and by whom it can not; none where there is no such proxy.
    async fn look(&self, driver: &Driver) -> Result<Option<Found>, FaultError> {
        let found = driver.client.standing(&driver.proxy).await?;
        Ok(found.map(|(standing, token)| self.compare(standing, token.as_deref())))
    }

    async fn take_out(&self, Driver { client, proxy }: &Driver) -> Result<(), AdminError> {
        if self.is_on_toxiproxy() {
            return client.enable(proxy, false).await;
        }
        let ttl = self.remote.as_deref().and_then(RemoteSite::ttl);
        client.take_out(proxy, self.injected, ttl, self.token.as_deref()).await
    }

    async fn let_in(&self, Driver { client, proxy }: &Driver) -> Result<(), AdminError> {
        if self.is_on_toxiproxy() {
            return client.enable(proxy, true).await;
        }
        client.put_standing(proxy, ProxyStanding::Listening).await
    }

    /// It was written, and is not as it was written.
    fn not_written(&self, found: Option<Found>) -> FaultError {
        match found {
            Some(Found::Listening) => self.not_applied(ProxyStanding::Listening),
            Some(Found::Ours) => self.not_applied(self.injected),
            Some(Found::Theirs(what)) => proxy_part::not_free(&self.proxy, &format!("it {what}")),
            None => self.not_there(),
        }
    }
}

impl Revertible for StandingChange {
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError> {
        let driver = self.driver(environment)?;
        let driver = driver.ok_or_else(|| proxy_part::not_free(&self.proxy, "there is no fault proxy"))?;
        match self.look(&driver).await? {
            Some(Found::Listening) => {}
            // The answer to an earlier try was lost.
            Some(Found::Ours) => return Ok(()),
            Some(Found::Theirs(_)) => return Err(FaultError::changed_meanwhile(self.proxy.as_str())),
            None => return Err(self.not_there()),
        }
        self.take_out(&driver).await?;
        match self.look(&driver).await? {
            Some(Found::Ours) => Ok(()),
            found => Err(self.not_written(found)),
        }
    }

    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError> {
        let Some(driver) = self.driver(environment)? else { return Ok(Reverted::Gone) };
        match self.look(&driver).await? {
            None => {
                proxy_site::check_absence(&driver, self.remote.as_deref()).await?;
                return Ok(Reverted::Gone);
            }
            Some(Found::Listening) => {
                return Ok(if *restoring { Reverted::Restored } else { Reverted::AsBefore });
            }
            Some(Found::Theirs(what)) => {
                let proxy = proxy_site::words(&self.proxy, self.remote.as_deref());
                return Ok(Reverted::Drift(vec![format!("{proxy} {what}")]));
            }
            Some(Found::Ours) => {}
        }
        *restoring = true;
        self.let_in(&driver).await?;
        match self.look(&driver).await? {
            Some(Found::Listening) => Ok(Reverted::Restored),
            found => Err(self.not_written(found)),
        }
    }

    async fn try_renew(&self, environment: &FaultEnvironment) -> Result<Renewed, FaultError> {
        match self.driver(environment)? {
            Some(Driver { client, proxy }) if self.expires() => {
                let is_held = client.put_standing_off(&proxy, REMOTE_TTL, self.token.as_deref()).await?;
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(token: Option<&str>) -> StandingChange {
        let token = token.map(str::to_owned);
        StandingChange { proxy: "mail".parse().unwrap(), remote: None, injected: ProxyStanding::Down, token }
    }

    #[test]
    fn an_outage_is_ours_by_its_token_and_not_by_how_it_looks() {
        use ProxyStanding::{Down, Listening, Refusing};
        let theirs = || Found::Theirs("was taken out of reach by somebody else".to_owned());
        let other = Found::Theirs("is refusing, and down was injected".to_owned());
        let ours = change(Some("a"));
        assert_eq!(ours.compare(Down, Some("a")), Found::Ours);
        assert_eq!((ours.compare(Down, Some("b")), ours.compare(Down, None)), (theirs(), theirs()));
        assert_eq!(ours.compare(Refusing, Some("a")), other);
        assert_eq!(ours.compare(Listening, None), Found::Listening);
        // A Toxiproxy keeps no token, and an older undo has none.
        let without = change(None);
        assert_eq!((without.compare(Down, None), without.compare(Refusing, None)), (Found::Ours, other));
        assert_eq!(without.compare(Down, Some("b")), theirs());
    }

    #[test]
    fn an_undo_from_before_there_were_tokens_still_reads() {
        let older = json!({"proxy": "mail", "injected": "down"});
        let read: StandingChange = serde_json::from_value(older.clone()).unwrap();
        assert_eq!((&read, serde_json::to_value(&read).unwrap()), (&change(None), older));
        let newer = change(Some("a"));
        assert_eq!(serde_json::from_value::<StandingChange>(json!(newer)).unwrap(), newer);
    }
}
