//! What every function of a sandbox shares.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio_util::sync::CancellationToken;

use super::cloudwatch::CloudWatch;
use super::fis::Fis;
use super::logs::Logs;
use crate::unit::Clock;

/// The sandbox as its functions see it.
#[derive(Debug)]
pub(super) struct Context {
    pub account_id: String,
    pub region: String,
    /// The control API's URL, which functions use for calls of their own.
    pub endpoint: String,
    /// The function URLs' server, to which a function's name is added.
    pub url_endpoint: String,
    pub gameday: PathBuf,
    pub search_path: OsString,
    pub clock: Clock,
    /// Cancelled when the sandbox stops.
    pub stopping: CancellationToken,
    /// How many processes run.
    pub environments: Arc<AtomicUsize>,
    /// Metrics and alarms.
    pub cloudwatch: CloudWatch,
    /// Log groups and their events.
    pub logs: Arc<Logs>,
    /// Experiments, and the faults that they put into invocations.
    pub fis: Fis,
}

impl Context {
    /// A function's ARN without a qualifier.
    pub(super) fn function_arn(&self, name: &str) -> String {
        format!("arn:aws:lambda:{}:{}:function:{name}", self.region, self.account_id)
    }

    /// A queue's ARN.
    pub(super) fn queue_arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{name}", self.region, self.account_id)
    }

    /// A queue's URL.
    pub(super) fn queue_url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.endpoint, self.account_id)
    }

    /// A function's URL, for a name with or without a qualifier; no slash at its end.
    pub(super) fn function_url(&self, name: &str) -> String {
        format!("{}/{name}", self.url_endpoint)
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::super::fis::{Fis, FisSpec};
    use super::*;

    /// A sandbox that runs nothing.
    pub(in crate::sandbox) fn context() -> Context {
        let (region, account_id, clock) = ("us-east-1", "000000000000", Clock::start());
        Context {
            account_id: account_id.to_owned(),
            region: region.to_owned(),
            endpoint: "http://127.0.0.1:4000".to_owned(),
            url_endpoint: "http://127.0.0.1:4001".to_owned(),
            gameday: PathBuf::new(),
            search_path: OsString::new(),
            clock,
            stopping: CancellationToken::new(),
            environments: Arc::default(),
            cloudwatch: CloudWatch::new(region, account_id, clock),
            logs: Arc::new(Logs::new(region, account_id, clock)),
            fis: Fis::new(region, account_id, clock, FisSpec::default()),
        }
    }
}
