//! A toxic on a fault proxy as a change: what the proxy faults share.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::about::Calls;
use super::change::{ChangeText, FaultEnvironment, FaultError, Reverted, Revertible};
use super::switch::{Cover, Switch};
use crate::proxy::{AdminClient, Toxic, ToxicSpec, Toxicity};
use crate::unit::{ProxyName, TargetId};

/// The admin calls of every proxy fault.
pub(super) const CALLS: Calls = Calls {
    inject: &["proxy:DeleteToxic", "proxy:GetToxic", "proxy:PostToxic"],
    undo: &["proxy:DeleteToxic", "proxy:GetToxic"],
};

/// How every proxy fault ends when nobody of ours is left.
pub(super) const COVER: Cover = Cover::Expires("the proxy drops it 5 s after the run's last sign of life");

/// A toxic that is put on a proxy; before the fault there was none of its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToxicChange {
    proxy: ProxyName,
    toxic: ToxicSpec,
}

/// Reads whether the proxy is free for a toxic of ours.
pub(super) async fn prepare(
    environment: &FaultEnvironment,
    target: &TargetId,
    toxic: Toxic,
) -> Result<ToxicChange, FaultError> {
    let (proxy, client) = environment.proxy(target)?;
    let toxic = ToxicSpec {
        name: toxic_name(toxic),
        stream: crate::proxy::Direction::Downstream,
        toxicity: Toxicity::ALL,
        toxic,
    };
    if client.get_toxic(proxy, &toxic.name).await?.is_some() {
        return Err(FaultError::NotApplied {
            target: proxy.to_string(),
            found: format!("toxic `{}` is there already, and it is not ours", toxic.name),
        });
    }
    Ok(ToxicChange { proxy: proxy.clone(), toxic })
}

fn toxic_name(toxic: Toxic) -> crate::unit::ToxicName {
    format!("gameday-{}", toxic.type_name()).parse().expect("invariant: a toxic's type is a name")
}

impl ToxicChange {
    async fn found(&self, client: &AdminClient) -> Result<Option<ToxicSpec>, FaultError> {
        Ok(client.get_toxic(&self.proxy, &self.toxic.name).await?)
    }

    fn not_applied(&self, what: &str) -> FaultError {
        FaultError::NotApplied { target: self.proxy.to_string(), found: format!("toxic `{}` {what}", self.toxic.name) }
    }

    fn client<'a>(&self, environment: &'a FaultEnvironment) -> Result<&'a AdminClient, FaultError> {
        environment.proxy.as_ref().ok_or_else(|| FaultError::NotApplied {
            target: self.proxy.to_string(),
            found: "there is no fault proxy".to_owned(),
        })
    }
}

impl Revertible for ToxicChange {
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError> {
        let client = self.client(environment)?;
        if self.found(client).await?.is_none() {
            client.add_toxic(&self.proxy, &self.toxic).await?;
        }
        match self.found(client).await? {
            Some(found) if found == self.toxic => Ok(()),
            Some(_) => Err(self.not_applied("has other settings")),
            None => Err(self.not_applied("is not there")),
        }
    }

    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError> {
        let Some(client) = environment.proxy.as_ref() else { return Ok(Reverted::Gone) };
        match self.found(client).await? {
            None => return Ok(if *restoring { Reverted::Restored } else { Reverted::AsBefore }),
            Some(found) if found == self.toxic => {}
            Some(_) => {
                return Ok(Reverted::Drift(vec![format!(
                    "toxic `{}` on proxy `{}` has other settings than those that were injected",
                    self.toxic.name, self.proxy
                )]));
            }
        }
        *restoring = true;
        client.remove_toxic(&self.proxy, &self.toxic.name).await?;
        match self.found(client).await? {
            None => Ok(Reverted::Restored),
            Some(_) => Err(self.not_applied("is still there")),
        }
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("toxic `{}` on proxy `{}`: {}", self.toxic.name, self.proxy, show(self.toxic.toxic)),
            undo: "take the toxic away: there was none".to_owned(),
        }
    }

    fn by_hand(&self, _undo: &Path) -> Vec<String> {
        // The proxy drops its toxics by itself when the run's lease lapses.
        Vec::new()
    }

    fn switch(&self) -> Switch {
        Switch::Needless
    }
}

fn show(toxic: Toxic) -> String {
    use crate::unit::format_duration;
    match toxic {
        Toxic::Latency(latency) if latency.jitter.is_zero() => format!("latency {}", format_duration(latency.latency)),
        Toxic::Latency(latency) => {
            format!("latency {} ± {}", format_duration(latency.latency), format_duration(latency.jitter))
        }
        Toxic::Timeout(timeout) if timeout.timeout.is_zero() => "black hole".to_owned(),
        Toxic::Timeout(timeout) => format!("black hole, closed after {}", format_duration(timeout.timeout)),
    }
}
