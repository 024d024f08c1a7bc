//! A toxic on a fault proxy as a change: what the proxy faults share.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::about::{Calls, Objection};
use super::change::{ChangeText, FaultEnvironment, FaultError};
use super::proxy_part::{self, ProxyPart};
use super::proxy_site::{self, Driver, REMOTE_TTL, RemoteSite, Site};
use super::switch::Cover;
use crate::proxy::{AdminError, Direction, Distribution, PartKind, Toxic, ToxicSpec, Toxicity};
use crate::unit::{Percent, ProxyName, TargetId};

/// The admin calls of every fault by a toxic.
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
    /// Where it is driven; none is the run's own process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote: Option<Box<RemoteSite>>,
    toxic: ToxicSpec,
}

/// What every fault by a toxic says of its undo.
pub(super) const UNDO: &str = "the toxic is taken away; the proxy drops it by itself when the run dies";

/// What every fault by a toxic says of its reach.
pub(super) const BLAST_RADIUS: &str = "what goes through the proxy, old and new connections";

/// Which way a toxic works, and on how many connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    pub(super) direction: Option<Direction>,
    pub(super) toxicity: Option<Percent>,
}

impl Reach {
    /// What no proxy can do, or would be no fault.
    pub(super) fn objections(self) -> Vec<Objection> {
        match self.toxicity.map(Percent::ratio) {
            Some(0.0) => vec![nothing("toxicity", "a fault on no connection is no fault")],
            Some(share) if share > 1.0 => {
                vec![out_of_range("toxicity", "there are no more connections than all", "write at most `100%`")]
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// The settings of the proxy that the fault changes, of which each direction has its own.
    pub(super) fn settings(self, what: &str) -> Vec<String> {
        match self.direction.unwrap_or_default() {
            Direction::Downstream => vec![what.to_owned()],
            Direction::Upstream => vec![format!("{what}, upstream")],
        }
    }

    /// A change in words, with the direction where it is not the usual one, and the share.
    pub(super) fn text(self, change: String) -> ChangeText {
        match self.direction.unwrap_or_default() {
            Direction::Downstream => self.share_text(change),
            Direction::Upstream => self.share_text(format!("{change}, upstream")),
        }
    }

    /// A change in words, with the share of connections.
    pub(super) fn share_text(self, change: String) -> ChangeText {
        let share = self.toxicity.map(|share| format!(", on {share} of connections")).unwrap_or_default();
        ChangeText { change: format!("{change}{share}"), undo: "take the toxic away".to_owned() }
    }

    fn share(self) -> Toxicity {
        // To six places, so that a Toxiproxy, which keeps it in single precision, tells the same number.
        let ratio = self.toxicity.map_or(1.0, |share| (share.ratio().min(1.0) * 1e6).round() / 1e6);
        Toxicity::try_from(ratio).expect("invariant: a percentage is not below zero")
    }
}

/// A value with which a fault does nothing.
pub(super) fn nothing(key: &str, message: &str) -> Objection {
    Objection { help: None, ..out_of_range(key, message, "") }
}

/// A value that no proxy can make true.
pub(super) fn out_of_range(key: &str, message: &str, help: &str) -> Objection {
    Objection::value(key, "out-of-range", message.to_owned(), help)
}

/// Reads whether the proxy is free for a toxic of ours.
pub(super) async fn prepare(
    environment: &FaultEnvironment,
    target: &TargetId,
    reach: Reach,
    toxic: Toxic,
) -> Result<ToxicChange, FaultError> {
    let site = Site::look(environment, target).await?;
    if let Some(what) = unknown_to_toxiproxy(toxic) {
        site.refuse_toxiproxy(what)?;
    }
    let stream = reach.direction.unwrap_or_default();
    let unique = proxy_site::own_name(environment);
    let (name, token) = match &site.remote {
        // One after another may have its name there.
        None => (own_name(toxic, stream), Some(unique)),
        // It is its name that nobody else has: not every program knows of tokens.
        Some(_) => (unique, None),
    };
    let toxic = ToxicSpec {
        name: name.parse().expect("invariant: it is made of what names are made of"),
        stream,
        toxicity: reach.share(),
        toxic,
        ttl: site.ttl(),
        token,
    };
    let Site { proxy, remote, driver } = site;
    let change = ToxicChange { proxy, remote, toxic };
    proxy_part::check_free(&change, &driver).await?;
    Ok(change)
}

/// What a toxic is called on the run's own proxy, which has no other controller.
fn own_name(toxic: Toxic, stream: Direction) -> String {
    match stream {
        Direction::Downstream => format!("gameday-{}", toxic.type_name()),
        Direction::Upstream => format!("gameday-{}-upstream", toxic.type_name()),
    }
}

const MICROSECOND: Duration = Duration::from_micros(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const MILLISECONDS_ONLY: &str = "knows no parts of a millisecond";

/// What of a toxic Toxiproxy does not know.
fn unknown_to_toxiproxy(toxic: Toxic) -> Option<&'static str> {
    if matches!(toxic, Toxic::Latency(latency) if latency.distribution != Distribution::Uniform) {
        return Some("knows no `distribution` but `uniform`");
    }
    let (waits, unit, what) = match toxic {
        Toxic::Latency(latency) => (vec![latency.latency, latency.jitter], MILLISECOND, MILLISECONDS_ONLY),
        Toxic::SlowClose(close) => (vec![close.delay], MILLISECOND, MILLISECONDS_ONLY),
        Toxic::Timeout(timeout) => (vec![timeout.timeout], MILLISECOND, MILLISECONDS_ONLY),
        Toxic::ResetPeer(reset) => (vec![reset.timeout], MILLISECOND, MILLISECONDS_ONLY),
        Toxic::Slicer(slicer) => (vec![slicer.delay], MICROSECOND, "knows no parts of a microsecond"),
        Toxic::Bandwidth(_) | Toxic::LimitData(_) => return None,
    };
    let is_whole = |wait: Duration| wait.subsec_nanos().is_multiple_of(unit.subsec_nanos());
    (!waits.into_iter().all(is_whole)).then_some(what)
}

impl ProxyPart for ToxicChange {
    type Spec = ToxicSpec;
    const WHAT: &str = "toxic";
    const KIND: PartKind = PartKind::Toxic;

    fn proxy(&self) -> &ProxyName {
        &self.proxy
    }

    fn remote(&self) -> Option<&RemoteSite> {
        self.remote.as_deref()
    }

    fn name(&self) -> &str {
        self.toxic.name.as_str()
    }

    fn spec(&self) -> &ToxicSpec {
        &self.toxic
    }

    fn token(&self) -> Option<&str> {
        self.toxic.token.as_deref()
    }

    fn effect(&self) -> Option<String> {
        Some(show(self.toxic.toxic))
    }

    fn route(&self) -> String {
        format!("/toxics/{}", self.toxic.name)
    }

    fn is_put_off(&self) -> bool {
        self.toxic.ttl.is_some()
    }

    async fn find(&self, driver: &Driver) -> Result<Option<ToxicSpec>, AdminError> {
        driver.client.get_toxic(&driver.proxy, &self.toxic.name).await
    }

    async fn add(&self, driver: &Driver) -> Result<(), AdminError> {
        driver.client.add_toxic(&driver.proxy, &self.toxic).await
    }

    async fn put_off(&self, driver: &Driver) -> Result<bool, AdminError> {
        driver.client.put_toxic_off(&driver.proxy, &self.toxic.name, REMOTE_TTL).await
    }

    async fn remove(&self, driver: &Driver) -> Result<(), AdminError> {
        driver.client.remove_toxic(&driver.proxy, &self.toxic.name).await.map(drop)
    }
}

fn show(toxic: Toxic) -> String {
    use crate::unit::format_duration;
    match toxic {
        Toxic::Latency(latency) if latency.jitter.is_zero() => format!("latency {}", format_duration(latency.latency)),
        Toxic::Latency(latency) => {
            format!("latency {} ± {}", format_duration(latency.latency), format_duration(latency.jitter))
        }
        Toxic::Bandwidth(bandwidth) => format!("{} KB/s", bandwidth.rate),
        Toxic::SlowClose(close) => format!("closed {} late", format_duration(close.delay)),
        Toxic::Timeout(timeout) if timeout.timeout.is_zero() => "black hole".to_owned(),
        Toxic::Timeout(timeout) => format!("black hole, closed after {}", format_duration(timeout.timeout)),
        Toxic::ResetPeer(reset) if reset.timeout.is_zero() => "reset at the first data".to_owned(),
        Toxic::ResetPeer(reset) => format!("reset {} after the first data", format_duration(reset.timeout)),
        Toxic::Slicer(slicer) => format!("pieces of {} bytes", slicer.average_size),
        Toxic::LimitData(limit) => format!("closed after {} bytes", limit.bytes),
    }
}

/// Declares a fault on whole connections: its own parameters, and those that all of them have.
macro_rules! toxic_fault {
    ($(#[$meta:meta])* pub struct $name:ident { $($fields:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The dependency, a `proxy` target.
            #[schemars(example = &"card-provider")]
            pub target: crate::unit::TargetId,
            $($fields)*
            /// Which way it works: `downstream`, from the dependency, is the default; `upstream` is towards it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub direction: Option<crate::proxy::Direction>,
            /// The share of connections that it works on; default all.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub toxicity: Option<crate::unit::Percent>,
        }

        impl $name {
            fn reach(&self) -> super::toxic::Reach {
                super::toxic::Reach { direction: self.direction, toxicity: self.toxicity }
            }
        }
    };
}

/// What a fault on whole connections does as all of them do, given its toxic, its words, its objection and its setting.
macro_rules! as_toxic {
    ($effect:literal, $setting:literal) => {
        type Change = super::toxic::ToxicChange;
        const ABOUT: super::about::About =
            super::about::About { effect: $effect, undo: super::toxic::UNDO, blast_radius: super::toxic::BLAST_RADIUS };
        const TARGET: super::target::TargetNeed = super::target::TargetNeed::Proxy;
        const IS_COUNTED: bool = true;
        const CALLS: super::about::Calls = super::toxic::CALLS;

        fn objections(&self) -> Vec<super::about::Objection> {
            let mut objections = self.reach().objections();
            objections.extend(self.objection());
            objections
        }

        async fn prepare(
            &self,
            environment: &super::change::FaultEnvironment,
        ) -> Result<Self::Change, super::change::FaultError> {
            super::toxic::prepare(environment, &self.target, self.reach(), self.toxic()).await
        }

        fn text(&self) -> super::change::ChangeText {
            self.reach().text(self.words())
        }

        fn settings(&self) -> Vec<String> {
            self.reach().settings($setting)
        }

        fn cover(&self) -> super::switch::Cover {
            super::toxic::COVER
        }
    };
}

pub(super) use {as_toxic, toxic_fault};
