//! The admin API: Toxiproxy's JSON over HTTP on a private Unix socket or a loopback port, and our own under `/gameday/`.
//!
//! Owns: where it listens, who may ask, the wire forms, the client. Must not know: how a toxic works.

mod address;
mod client;
mod guard;
mod listen;
mod metrics;
mod remote;
mod routes;
mod rule_client;
mod rules;
mod tls;
mod tls_client;
mod token;
mod url;
mod wire;

pub use address::AdminAddress;
pub use client::{AdminClient, AdminError, AdminPlace};
pub use listen::AdminListenError;
pub(crate) use listen::AdminListener;
pub use remote::{ProxyProgram, RemoteProxy};
pub(crate) use routes::Admin;
pub use token::{NoToken, TokenSource};
pub use url::AdminUrl;
pub use wire::{EntryProblem, ProxyEntry};
pub(crate) use wire::{LeaseRequest, WireError};
