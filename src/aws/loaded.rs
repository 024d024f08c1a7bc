//! The services that loads call themselves, with requests of their own that are signed here.

use super::signed::Service;
use super::{events, kinesis, sns, sqs};

const LAMBDA: Service = Service { name: "lambda", id: "Lambda", is_global: false };

/// A service that loads call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadedService {
    /// Lambda, whose functions are invoked.
    Lambda,
    /// SQS.
    Sqs,
    /// SNS.
    Sns,
    /// EventBridge.
    Events,
    /// Kinesis.
    Kinesis,
}

impl LoadedService {
    pub(super) fn service(self) -> &'static Service {
        match self {
            Self::Lambda => &LAMBDA,
            Self::Sqs => &sqs::SERVICE,
            Self::Sns => &sns::SERVICE,
            Self::Events => &events::SERVICE,
            Self::Kinesis => &kinesis::SERVICE,
        }
    }
}

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEndpoint {
    /// Its URL, without a slash at its end.
    pub url: String,
    /// The Region for which its calls are signed.
    pub region: String,
}
