//! Signed requests: calls of services whose SDK crates are too large to link, with the official signer.
//!
//! Owns: where a service is, credentials, the three wire protocols, attempts and their limits, errors. Must not know: what
//! any one service means by its answers.

mod answer;
mod call;
mod credentials;
mod encoding;
mod request;
mod retry;
mod service;
#[cfg(test)]
mod testing;
mod xml;

pub(crate) use answer::Answer;
pub(crate) use call::Signed;
pub(crate) use credentials::{CredentialCache, NoCredentials, Shared};
pub(crate) use encoding::percent_decode;
pub(crate) use request::{Call, Input, JsonVersion, Method};
pub(crate) use service::{Service, configured_url};
#[cfg(test)]
pub(crate) use testing::{Counting, Reply, Server};
pub(crate) use xml::Element;
