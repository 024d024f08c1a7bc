//! AWS API calls on the wire: which one a request is, and how its service tells an error.
//!
//! Pure, and knows nothing of credentials: a signature is read only for the name of its service.

mod code;
mod request;
mod service;
mod shape;

pub(crate) use code::{known_status, nearest_code};
pub(crate) use request::{AwsCall, recognise};
pub(crate) use service::{Protocol, unknown_service};
pub(crate) use shape::{AwsFailure, answer};
