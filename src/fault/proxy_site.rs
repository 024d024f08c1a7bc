//! Which proxy a change works on and how it is driven: the run's own process, or one that somebody else runs.
//!
//! Owns: whom a client may be made for, names that no two changes share, and how long a part stays that nobody puts off.
//! Must not know: what is put on a proxy.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::change::{FaultEnvironment, FaultError};
use super::proxy_part::not_free;
use super::switch::Cover;
use super::target::FaultTarget;
use crate::proxy::{AdminClient, AdminError, ProxyProgram, ProxySpec, RemoteProxy};
use crate::unit::{ProxyName, TargetId, sha256_hex};

/// How long what a run puts on somebody else's proxy stays there unless the run, which lives, puts it off. It is short, since
/// others use that proxy too, and longer than a call that fails and is tried again. An undo is tried for longer, so that what
/// nobody could ask for is over when it gives up.
pub const REMOTE_TTL: Duration = Duration::from_secs(30);
/// How a fault on somebody else's proxy ends when nobody of ours is left.
pub const REMOTE_COVER: Cover =
    Cover::Expires("a `gameday proxy` drops it 30 s after the run's last sign of life; a Toxiproxy never does");
/// How much of a digest tells apart what has the same start.
const DIGEST_CHARACTERS: usize = 8;
/// The longest name of a toxic or a rule.
const NAME_CHARACTERS_MAX: usize = 64;

/// A proxy that somebody else runs, as an undo keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoteSite {
    at: RemoteProxy,
    program: SiteProgram,
    /// The folder of the workspace whose environment permits it.
    workspace: PathBuf,
}

/// Which program serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SiteProgram {
    Gameday,
    Toxiproxy,
}

/// A proxy that was looked at.
pub(super) struct Site {
    /// What the run calls it: its target's name.
    pub(super) proxy: ProxyName,
    /// Where it is driven; none is the run's own process.
    pub(super) remote: Option<Box<RemoteSite>>,
    pub(super) driver: Driver,
}

/// Drives one proxy.
pub(super) struct Driver {
    pub(super) client: AdminClient,
    /// What the proxy is called where it runs.
    pub(super) proxy: ProxyName,
}

impl Site {
    /// Looks at the proxy of a target.
    pub(super) async fn look(environment: &FaultEnvironment, target: &TargetId) -> Result<Self, FaultError> {
        let (proxy, at) = match environment.targets.get(target) {
            Some(FaultTarget::Proxy(name)) => (name.clone(), None),
            Some(FaultTarget::RemoteProxy { name, at }) => (name.clone(), Some(at)),
            Some(FaultTarget::Function { .. } | FaultTarget::Resource(_)) | None => {
                return Err(FaultError::Target(target.clone()));
            }
        };
        let Some(at) = at else {
            let client = environment.proxy.clone().ok_or_else(|| FaultError::Target(target.clone()))?;
            return Ok(Self { driver: Driver { client, proxy: proxy.clone() }, proxy, remote: None });
        };
        let workspace = environment.commands.directory.clone();
        let mut remote = RemoteSite { at: at.clone(), program: SiteProgram::Gameday, workspace };
        let driver = remote.driver(environment)?;
        remote.program = match driver.client.program().await? {
            ProxyProgram::Gameday { .. } => SiteProgram::Gameday,
            ProxyProgram::Toxiproxy { .. } => SiteProgram::Toxiproxy,
        };
        Ok(Self { proxy, remote: Some(Box::new(remote)), driver })
    }

    /// How long what is put there stays unless it is put off; none is until it is taken away, or the run's lease lapses.
    pub(super) fn ttl(&self) -> Option<Duration> {
        self.remote.as_deref().and_then(RemoteSite::ttl)
    }

    /// Whether what serves it is a Toxiproxy.
    pub(super) fn is_toxiproxy(&self) -> bool {
        self.remote.as_deref().is_some_and(RemoteSite::is_toxiproxy)
    }

    /// Refuses what a Toxiproxy can not do.
    pub(super) fn refuse_toxiproxy(&self, what: &str) -> Result<(), FaultError> {
        if self.is_toxiproxy() {
            return Err(FaultError::unfit(&self.proxy, format!("it is a Toxiproxy, which {what}")));
        }
        Ok(())
    }

    /// What it was told: its protocol, its TLS.
    pub(super) async fn spec(&self) -> Result<ProxySpec, FaultError> {
        let found = self.driver.client.get_proxy(&self.driver.proxy).await?;
        found.ok_or_else(|| not_free(&self.proxy, "it is not there"))
    }
}

impl RemoteSite {
    pub(super) fn is_toxiproxy(&self) -> bool {
        self.program == SiteProgram::Toxiproxy
    }

    pub(super) fn ttl(&self) -> Option<Duration> {
        (!self.is_toxiproxy()).then_some(REMOTE_TTL)
    }

    fn driver(&self, environment: &FaultEnvironment) -> Result<Driver, FaultError> {
        let admin = &self.at.admin;
        // The folder of a run may come from anywhere: what it says does not decide who is sent a token.
        if !admin.is_loopback() && !environment.proxies.permits(&self.workspace, &admin.to_string()) {
            return Err(FaultError::ForeignProxy(admin.clone()));
        }
        let client = self.at.client()?.with_failpoints(environment.commands.failpoints.clone());
        Ok(Driver { client, proxy: self.at.name.clone() })
    }

    /// A command that makes a call of the admin API by hand.
    fn by_hand(&self, method: &str, path: &str, body: Option<&str>) -> String {
        let token = self.at.token.as_ref().map(|token| format!(" -H \"Authorization: Bearer ${}\"", token.variable()));
        let body = body.map(|body| format!(" -d '{body}'")).unwrap_or_default();
        let (token, RemoteProxy { admin, name, .. }) = (token.unwrap_or_default(), &self.at);
        format!("curl -fsS -X {method}{token}{body} {admin}/proxies/{name}{path}")
    }
}

/// Drives the proxy of a change that was prepared; none where the run's own process is no more.
pub(super) fn driver(
    environment: &FaultEnvironment,
    proxy: &ProxyName,
    remote: Option<&RemoteSite>,
) -> Result<Option<Driver>, FaultError> {
    match remote {
        Some(remote) => remote.driver(environment).map(Some),
        None => Ok(environment.proxy.clone().map(|client| Driver { client, proxy: proxy.clone() })),
    }
}

/// Makes sure that what answers is a fault proxy, before it is believed that something is not there: anything else says so, too.
pub(super) async fn check_absence(driver: &Driver, remote: Option<&RemoteSite>) -> Result<(), AdminError> {
    match remote {
        Some(_) => driver.client.program().await.map(drop),
        None => Ok(()),
    }
}

/// The proxy of a change in words.
pub(super) fn words(proxy: &ProxyName, remote: Option<&RemoteSite>) -> String {
    match remote {
        Some(RemoteSite { at, .. }) => format!("proxy `{}` at {}", at.name, at.admin),
        None => format!("proxy `{proxy}`"),
    }
}

/// Commands that make a call of the admin API by hand; none for the run's own proxy, which drops everything by itself.
pub(super) fn by_hand(remote: Option<&RemoteSite>, method: &str, path: &str, body: Option<&str>) -> Vec<String> {
    remote.map(|remote| remote.by_hand(method, path, body)).into_iter().collect()
}

/// A name of the run and the step that no other change has, and that is short enough for a toxic, a rule, and a token.
pub(super) fn own_name(environment: &FaultEnvironment) -> String {
    name_of(&environment.occasion.token)
}

fn name_of(token: &str) -> String {
    let digest: String = sha256_hex(token.as_bytes()).chars().take(DIGEST_CHARACTERS).collect();
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let room = NAME_CHARACTERS_MAX - DIGEST_CHARACTERS - 1;
    let start: String = token.chars().map(|c| if is_allowed(c) { c } else { '-' }).take(room).collect();
    format!("{start}-{digest}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_is_named_after_its_run_and_no_other_has_its_name() {
        let name = name_of("gameday-2026-11-10-100000-shop-002-slow");
        assert!(name.starts_with("gameday-2026-11-10-100000-shop-002-slow-"), "{name}");
        let long = |end: &str| name_of(&format!("gameday-2026-11-10-100000-{}-{end}", "x".repeat(60)));
        assert_ne!(long("002-slow"), long("003-slow"));
        for name in [name, long("002-slow"), name_of("gameday ä/")] {
            assert!(name.parse::<crate::unit::ToxicName>().is_ok(), "{name}");
        }
    }

    #[test]
    fn a_command_by_hand_names_the_variable_and_never_the_token() {
        let site: RemoteSite = serde_json::from_value(json!({
            "at": {"admin": "http://10.0.1.7:8474", "token": "env:PROXY_TOKEN", "name": "cards"},
            "program": "toxiproxy",
            "workspace": "/w",
        }))
        .unwrap();
        let command = by_hand(Some(&site), "DELETE", "/toxics/t", None);
        let expected =
            "curl -fsS -X DELETE -H \"Authorization: Bearer $PROXY_TOKEN\" http://10.0.1.7:8474/proxies/cards/toxics/t";
        assert_eq!(command, [expected]);
        assert!(by_hand(None, "DELETE", "/toxics/t", None).is_empty());
    }
}
