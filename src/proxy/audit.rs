//! What was changed, by whom it may concern: one event for every change that the admin API or a deadline makes.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::toxic::ToxicSpec;
use crate::unit::Clock;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditKind {
    /// A proxy was made.
    ProxyCreated,
    /// A proxy was moved, enabled, disabled, or told to refuse.
    ProxyChanged,
    /// A proxy can be reached again, at the end of the time for which it was not.
    ProxyReopened,
    /// A proxy was taken away.
    ProxyDeleted,
    /// A toxic was put on a proxy.
    ToxicAdded,
    /// A toxic's settings were changed.
    ToxicChanged,
    /// A toxic was taken away.
    ToxicRemoved,
    /// A toxic was dropped at the end of its time to live.
    ToxicExpired,
    /// A rule was put on a proxy.
    RuleAdded,
    /// A rule was taken away.
    RuleRemoved,
    /// A rule was dropped at the end of its time to live.
    RuleExpired,
    /// Clients' handshakes meet a TLS fault from now on.
    TlsFaultPut,
    /// A TLS fault was taken away.
    TlsFaultRemoved,
    /// A TLS fault was dropped at the end of its time to live.
    TlsFaultExpired,
    /// Every toxic, rule and TLS fault was dropped and every proxy enabled.
    Reset,
    /// A controller took the lease, for the first time or after it had lapsed.
    LeaseTaken,
    /// Every fault was dropped, because the controller's lease lapsed.
    LeaseLapsed,
    /// All is closed.
    Closed,
}

/// One change, as a line of JSON: `{"at": …, "event": "toxic_added", "proxy": "p", "toxic": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditEvent {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// What was done.
    pub event: AuditKind,
    /// To which proxy; none for what concerns all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// The toxic as it is now, or as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toxic: Option<ToxicSpec>,
    /// The proxy as it is now (`name: listen -> upstream`), the rule, or the TLS fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Where the events go; nowhere by default.
#[derive(Clone, Default)]
pub struct Audit {
    sink: Option<Sink>,
}

#[derive(Clone)]
struct Sink {
    clock: Clock,
    write: Arc<dyn Fn(&AuditEvent) + Send + Sync>,
}

impl fmt::Debug for Audit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Audit").field("is_kept", &self.sink.is_some()).finish()
    }
}

impl Audit {
    /// Hands every event to `write`, which must not wait.
    #[must_use]
    pub fn to(write: impl Fn(&AuditEvent) + Send + Sync + 'static) -> Self {
        Self { sink: Some(Sink { clock: Clock::start(), write: Arc::new(write) }) }
    }

    pub(crate) fn tell(&self, event: AuditKind, proxy: Option<&str>, toxic: Option<&ToxicSpec>) {
        self.tell_with(event, proxy, toxic, None);
    }

    pub(crate) fn tell_with(
        &self,
        event: AuditKind,
        proxy: Option<&str>,
        toxic: Option<&ToxicSpec>,
        detail: Option<String>,
    ) {
        let Some(Sink { clock, write }) = &self.sink else { return };
        write(&AuditEvent { at: clock.now(), event, proxy: proxy.map(str::to_owned), toxic: toxic.cloned(), detail });
    }
}
