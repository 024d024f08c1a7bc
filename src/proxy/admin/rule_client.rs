//! The controller's side of the rules' routes.

use hyper::Method;
use serde_json::{Value, json};

use super::client::{AdminClient, AdminError, present};
use crate::proxy::http::{RuleSpec, RuleStats};
use crate::unit::{ProxyName, RuleName};

impl AdminClient {
    /// Puts a rule on a proxy; it works on the next request of live connections, too.
    ///
    /// # Errors
    /// [`AdminError::Refused`] with 400 if the rule is not valid, 404 without the proxy, 409 if there is one of that name or
    /// the lease has lapsed; see [`AdminError`].
    pub async fn add_rule(&self, proxy: &ProxyName, rule: &RuleSpec) -> Result<(), AdminError> {
        self.send(Method::POST, &format!("/proxies/{proxy}/rules"), Some(json!(rule))).await.map(drop)
    }

    /// A rule of a proxy with what it has done, or `None` if there is no such rule or no such proxy.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn get_rule(
        &self,
        proxy: &ProxyName,
        rule: &RuleName,
    ) -> Result<Option<(RuleSpec, RuleStats)>, AdminError> {
        let path = format!("/proxies/{proxy}/rules/{rule}");
        let Some(view) = present(self.call::<Value>(Method::GET, &path, None).await)? else { return Ok(None) };
        let part = |name: &str| view.get(name).cloned().unwrap_or_default();
        let read = || Ok((serde_json::from_value(part("rule"))?, serde_json::from_value(part("stats"))?));
        read().map(Some).map_err(|source| AdminError::Answer { call: format!("GET {path}"), source })
    }

    /// Removes a rule, which lets go of what it holds; `false` if there was none, or no such proxy.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn remove_rule(&self, proxy: &ProxyName, rule: &RuleName) -> Result<bool, AdminError> {
        let path = format!("/proxies/{proxy}/rules/{rule}");
        present(self.send(Method::DELETE, &path, None).await.map(drop)).map(|done| done.is_some())
    }
}
