//! An endpoint that takes what was exported: its address, the headers whose values variables have, and one request after the other with
//! retries and limits.
//!
//! Must not know: what is sent. Nothing is sent to where no argument leads, and a secret is told to nobody.

mod answer;
mod headers;
mod sender;

pub use answer::{Accepted, accepted_spans};
pub use headers::{HeaderError, HeaderSource, headers_of};
pub use sender::{ATTEMPTS_MAX, Endpoint, SendError, Sender, TIMEOUT_DEFAULT};
