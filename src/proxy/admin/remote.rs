//! A fault proxy that somebody else runs, and what is asked of it that the run's own proxy is not asked.

use std::time::Duration;

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::client::{AdminClient, AdminError, present};
use super::{AdminUrl, TokenSource};
use crate::proxy::ProxyStanding;
use crate::unit::{ProxyName, RuleName, ToxicName, elapsed_ms};

/// The longest text that is taken for a version of Toxiproxy.
const VERSION_BYTES_MAX: usize = 64;

/// A proxy of a process that somebody else runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteProxy {
    /// Where its admin API is.
    pub admin: AdminUrl,
    /// The variable with the token that every call bears; none where none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenSource>,
    /// What the proxy is called there.
    pub name: ProxyName,
}

impl RemoteProxy {
    /// A client of its admin API, with the token that the variable has now. Nothing is connected yet.
    ///
    /// # Errors
    /// [`AdminError::NoToken`], or the system's certificate authorities can not be read.
    pub fn client(&self) -> Result<AdminClient, AdminError> {
        let client = AdminClient::url(&self.admin)?;
        match &self.token {
            Some(token) => Ok(client.with_token(token.read()?)),
            None => Ok(client),
        }
    }
}

/// Which program answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyProgram {
    /// `gameday proxy`.
    Gameday {
        /// Its version.
        version: String,
    },
    /// Toxiproxy, or another program that speaks its API: it knows toxics alone, and none of them ends by itself.
    Toxiproxy {
        /// Its version.
        version: String,
    },
}

impl std::fmt::Display for ProxyProgram {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gameday { version } => write!(formatter, "gameday {version}"),
            Self::Toxiproxy { version } => write!(formatter, "Toxiproxy {version}"),
        }
    }
}

/// Reads the answer to `GET /version`: ours names the program, Toxiproxy's has a version in JSON, or, before 2.5, nothing else.
fn program(answer: &[u8]) -> Result<ProxyProgram, serde_json::Error> {
    let is_version = |text: &str| {
        text.len() <= VERSION_BYTES_MAX && text.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit())
    };
    if let Ok(text) = std::str::from_utf8(answer)
        && is_version(text.trim())
    {
        return Ok(ProxyProgram::Toxiproxy { version: text.trim().to_owned() });
    }
    let members: Map<String, Value> = serde_json::from_slice(answer)?;
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    match (text("program"), text("version")) {
        (Some(env!("CARGO_PKG_NAME")), Some(version)) => Ok(ProxyProgram::Gameday { version: version.to_owned() }),
        (_, Some(version)) => Ok(ProxyProgram::Toxiproxy { version: version.to_owned() }),
        (_, None) => Err(serde::de::Error::missing_field("version")),
    }
}

impl AdminClient {
    /// Which program answers.
    ///
    /// # Errors
    /// [`AdminError::Answer`] if it is neither of them; see [`AdminError`].
    pub async fn program(&self) -> Result<ProxyProgram, AdminError> {
        let answer = self.send(Method::GET, "/version", None).await?;
        program(&answer).map_err(|source| AdminError::Answer { call: "GET /version".to_owned(), source })
    }

    /// The names of all proxies, in order.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn proxy_names(&self) -> Result<Vec<String>, AdminError> {
        let proxies: Map<String, Value> = self.call(Method::GET, "/proxies", None).await?;
        let mut names: Vec<String> = proxies.into_iter().map(|(name, _)| name).collect();
        names.sort();
        Ok(names)
    }

    /// Takes a proxy out of reach, which is known by the token from then on: for so long from now unless it is put off, or
    /// until somebody lets it be reached.
    ///
    /// # Errors
    /// [`AdminError::Refused`] with 404 without the proxy, 409 if the lease has lapsed; see [`AdminError`].
    pub async fn take_out(
        &self,
        name: &ProxyName,
        standing: ProxyStanding,
        ttl: Option<Duration>,
        token: Option<&str>,
    ) -> Result<(), AdminError> {
        let mut body = match standing {
            ProxyStanding::Listening => return self.put_standing(name, standing).await,
            ProxyStanding::Refusing => json!({"refuse": true}),
            ProxyStanding::Down => json!({"enabled": false}),
        };
        if let Some(ttl) = ttl {
            body["ttl_ms"] = json!(elapsed_ms(ttl));
        }
        if let Some(token) = token {
            body["token"] = json!(token);
        }
        self.send(Method::PATCH, &format!("/proxies/{name}"), Some(body)).await.map(drop)
    }

    /// Enables or disables a proxy, in a way that every version of Toxiproxy knows.
    ///
    /// # Errors
    /// [`AdminError::Refused`] with 404 without the proxy; see [`AdminError`].
    pub async fn enable(&self, name: &ProxyName, is_enabled: bool) -> Result<(), AdminError> {
        let body = json!({"enabled": is_enabled});
        self.send(Method::POST, &format!("/proxies/{name}"), Some(body)).await.map(drop)
    }

    /// Puts off the end of a toxic; `false` if it is not there, or no such proxy.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn put_toxic_off(&self, proxy: &ProxyName, name: &ToxicName, ttl: Duration) -> Result<bool, AdminError> {
        self.put_off(&format!("/proxies/{proxy}/toxics/{name}"), ttl, None).await
    }

    /// Puts off the end of a rule; `false` if it is not there, or no such proxy.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn put_rule_off(&self, proxy: &ProxyName, name: &RuleName, ttl: Duration) -> Result<bool, AdminError> {
        self.put_off(&format!("/proxies/{proxy}/rules/{name}"), ttl, None).await
    }

    /// Puts off the end of a TLS fault; `false` if there is none, one of another token than that which is given, or no such
    /// proxy.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn put_tls_fault_off(
        &self,
        proxy: &ProxyName,
        ttl: Duration,
        token: Option<&str>,
    ) -> Result<bool, AdminError> {
        is_ours(self.put_off(&format!("/proxies/{proxy}/tls/fault"), ttl, token).await)
    }

    /// Puts off the moment at which a proxy can be reached again by itself; `false` if it can be reached, stays as it is, or
    /// is out of reach by somebody else than the one of the token that is given.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn put_standing_off(
        &self,
        proxy: &ProxyName,
        ttl: Duration,
        token: Option<&str>,
    ) -> Result<bool, AdminError> {
        is_ours(self.put_off(&format!("/proxies/{proxy}"), ttl, token).await)
    }

    async fn put_off(&self, path: &str, ttl: Duration, token: Option<&str>) -> Result<bool, AdminError> {
        let mut body = json!({"ttl_ms": elapsed_ms(ttl)});
        if let Some(token) = token {
            body["token"] = json!(token);
        }
        present(self.send(Method::PATCH, path, Some(body)).await.map(drop)).map(|done| done.is_some())
    }
}

/// Turns "another one is there" into `false`.
fn is_ours(outcome: Result<bool, AdminError>) -> Result<bool, AdminError> {
    match outcome {
        Err(AdminError::Refused { status: 409, .. }) => Ok(false),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_apart_by_how_they_tell_their_version() {
        let toxiproxy = |version: &str| ProxyProgram::Toxiproxy { version: version.to_owned() };
        for (answer, expected) in [
            (r#"{"version": "0.1.0", "program": "gameday"}"#, ProxyProgram::Gameday { version: "0.1.0".to_owned() }),
            (r#"{"version": "2.9.0"}"#, toxiproxy("2.9.0")),
            (r#"{"version": "git"}"#, toxiproxy("git")),
            ("2.1.4\n", toxiproxy("2.1.4")),
        ] {
            assert_eq!(program(answer.as_bytes()).unwrap(), expected, "{answer}");
        }
        for answer in ["<html>", "{}", "[]", "", "ok"] {
            assert!(program(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
