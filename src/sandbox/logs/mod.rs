//! A local CloudWatch Logs: what the sandbox's functions print, and Lambda's own lines around it.
//!
//! Owns: log groups, their streams and events, and the API that reads them (`logs` 2014-03-28, JSON 1.1). Must not know: processes.
//! There are no Insights queries: `StartQuery` is refused by name, as every operation that is not here.
//!
//! ```text
//! output ──▶ stream ──▶ store ◀── operation ◀── protocol
//! ```

mod error;
mod operation;
mod pattern;
mod platform;
mod protocol;
mod spec;
mod store;
mod stream;

pub(in crate::sandbox) use self::platform::{End, PlatformLog, Report};
pub(in crate::sandbox) use self::protocol::{TARGET_PREFIX, json};
pub use self::spec::{LogFormat, SystemLogLevel};
pub(in crate::sandbox) use self::store::Logs;
pub(in crate::sandbox) use self::stream::LogStream;
