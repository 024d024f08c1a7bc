//! The fault proxy: stands between a client and its upstream and injects faults, in a process of its own.
//!
//! Owns the data plane and the admin API. Bytes go `listener → connection → two links`; a `link` reads from one
//! side, sends what it read through a `chain` of `toxic`s, which are state machines without I/O, and writes to the
//! other side. The `registry` holds the proxies of the process and is driven by the `admin` API, which speaks
//! Toxiproxy's JSON. It fails open: when the controller's `lease` lapses, every toxic is dropped and traffic goes on.
//!
//! Must not know: runs, scenarios, faults, undo. They drive it through [`AdminClient`] and [`ProxyProcess`].

mod admin;
mod chain;
mod connection;
mod counters;
mod lease;
mod link;
mod listener;
mod process;
mod registry;
mod server;
mod spec;
mod toxic;

pub use admin::{AdminAddress, AdminClient, AdminError, AdminListenError};
pub use counters::{LeaseStats, ProxyStats, Stats, ToxicStats};
pub use process::{ProxyError, ProxyProcess, SocketPathError, socket_path};
pub use server::{ConfigurationError, Server, ServerError, ServerOptions};
pub use spec::{Direction, ListenAddress, Protocol, ProxySpec, UpstreamAddress};
pub use toxic::{Latency, Timeout, Toxic, ToxicError, ToxicSpec, Toxicity};
