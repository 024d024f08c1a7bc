//! The fault proxy: stands between a client and its upstream and injects faults, in a process of its own.
//!
//! Owns the data plane and the admin API. Bytes go `listener → connection → two links`; a `link` reads from one
//! side, sends what it read through a `chain` of `toxic`s, which are state machines without I/O, and writes to the
//! other side, or leaves that to `splice` where there are no toxics. Where a side speaks `tls`, it ends before the links.
//! The `registry` holds the proxies of the process (`state`) with what is put on them (`parts`), and is driven by the
//! `admin` API, which speaks Toxiproxy's JSON. It fails open: when the controller's `lease` lapses, every fault is dropped
//! and traffic goes on.
//!
//! Must not know: runs, scenarios, faults, undo. They drive it through [`AdminClient`] and [`ProxyProcess`].

mod admin;
mod audit;
mod caller;
mod chain;
mod change;
mod connection;
mod connection_tls;
mod counters;
mod delay;
mod ending;
mod exchanges;
mod expiry;
pub mod http;
mod lease;
mod limit;
mod link;
mod listener;
mod part_token;
mod parts;
mod process;
mod registry;
mod reload;
mod removed;
mod running;
mod server;
mod spec;
mod splice;
mod state;
mod timer;
mod tls;
mod toxic;
mod upstream;

pub use admin::{
    AdminAddress, AdminClient, AdminError, AdminListenError, AdminPlace, AdminUrl, EntryProblem, NoToken, ProxyEntry,
    ProxyProgram, RemoteProxy, TokenSource,
};
pub use audit::{Audit, AuditEvent, AuditKind};
pub use caller::HostName;
pub use counters::{
    LeaseStats, PartKind, PartStats, ProxyStats, RemovedRule, RemovedToxic, Stats, TlsFaultStats, ToxicStats,
};
pub use delay::{Asked, DelayStats};
pub use part_token::PartTokenError;
pub use process::{ListenScope, ProxyError, ProxyProcess, SocketPathError, socket_path};
pub use server::{ConfigurationError, ProxyList, Server, ServerError, ServerOptions};
pub use spec::{Direction, ListenAddress, Protocol, ProxySpec, ProxyStanding, UpstreamAddress};
pub use tls::{
    CertificateFiles, CertificateSource, ClientStream, ClientTls, Connector, HandshakeError, Leg, ProxyTls, Terminator,
    TlsError, TlsFault, TlsFaultSpec, TlsSpec, UpstreamStream, UpstreamTls,
};
pub use toxic::{
    Bandwidth, Distribution, Latency, LimitData, ResetPeer, Slicer, SlowClose, Timeout, Toxic, ToxicError, ToxicSpec,
    Toxicity,
};
