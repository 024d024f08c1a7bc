//! AWS, in our own words. The only room that imports the SDK; its types never leave.
//!
//! Owns: clients with timeouts, ports, errors. Must not know: faults, runs, scenarios.

mod connect;
mod error;
mod failpoint;
mod lambda;
mod ports;
mod sts;

pub use connect::{Aws, Connection};
pub use error::AwsError;
pub use lambda::{Alias, EventSource, EventSourceUpdate, InvokeConfiguration, Lambda, Provisioned, PublishedVersion};
pub use ports::{
    EnvironmentVariables, FunctionConfiguration, FunctionControl, FunctionState, FunctionUpdate, UpdateProgress,
};
