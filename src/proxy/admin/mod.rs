//! The admin API: Toxiproxy's JSON over HTTP on a private Unix socket or a loopback port, and our own under `/gameday/`.
//!
//! Owns: where it listens, who may ask, the wire forms, the client. Must not know: how a toxic works.

mod address;
mod client;
mod guard;
mod listen;
mod metrics;
mod routes;
mod rule_client;
mod rules;
mod wire;

pub use address::AdminAddress;
pub use client::{AdminClient, AdminError};
pub use listen::AdminListenError;
pub(crate) use listen::AdminListener;
pub(crate) use routes::Admin;
pub use wire::{EntryProblem, ProxyEntry};
pub(crate) use wire::{LeaseRequest, WireError};
