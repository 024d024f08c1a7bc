//! Whether a proxied dependency can be reached, as a change: what `proxy_down` and `proxy_refuse` share.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::about::Calls;
use super::change::{ChangeText, FaultEnvironment, FaultError, Reverted, Revertible};
use super::proxy_part;
use super::switch::{Cover, Switch};
use crate::proxy::{AdminClient, ProxyStanding};
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
    injected: ProxyStanding,
}

/// Reads whether the proxy is there.
pub(super) async fn prepare(
    environment: &FaultEnvironment,
    target: &TargetId,
    injected: ProxyStanding,
) -> Result<StandingChange, FaultError> {
    let (proxy, client) = environment.proxy(target)?;
    let change = StandingChange { proxy: proxy.clone(), injected };
    match client.standing(proxy).await? {
        Some(ProxyStanding::Listening) => Ok(change),
        Some(found) => Err(change.not_applied(found)),
        None => Err(FaultError::NotApplied { target: proxy.to_string(), found: "it is not there".to_owned() }),
    }
}

impl StandingChange {
    fn not_applied(&self, found: ProxyStanding) -> FaultError {
        proxy_part::not_free(&self.proxy, &format!("it is {found}"))
    }

    async fn put(&self, client: &AdminClient, wanted: ProxyStanding) -> Result<(), FaultError> {
        client.put_standing(&self.proxy, wanted).await?;
        match client.standing(&self.proxy).await? {
            Some(found) if found == wanted => Ok(()),
            Some(found) => Err(self.not_applied(found)),
            None => Err(proxy_part::not_free(&self.proxy, "it is not there")),
        }
    }
}

impl Revertible for StandingChange {
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError> {
        self.put(proxy_part::client(environment, &self.proxy)?, self.injected).await
    }

    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError> {
        let Some(client) = environment.proxy.as_ref() else { return Ok(Reverted::Gone) };
        match client.standing(&self.proxy).await? {
            None => return Ok(Reverted::Gone),
            Some(ProxyStanding::Listening) => {
                return Ok(if *restoring { Reverted::Restored } else { Reverted::AsBefore });
            }
            Some(found) if found == self.injected => {}
            Some(found) => {
                return Ok(Reverted::Drift(vec![format!(
                    "proxy `{}` is {found}, and {} was injected",
                    self.proxy, self.injected
                )]));
            }
        }
        *restoring = true;
        self.put(client, ProxyStanding::Listening).await?;
        Ok(Reverted::Restored)
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("proxy `{}` is {}", self.proxy, self.injected),
            undo: "let it listen again, as it did".to_owned(),
        }
    }

    fn by_hand(&self, _undo: &Path) -> Vec<String> {
        // The proxy listens again by itself when the run's lease lapses.
        Vec::new()
    }

    fn switch(&self) -> Switch {
        Switch::Needless
    }
}
