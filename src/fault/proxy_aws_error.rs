//! `proxy_aws_error`: calls of an AWS service through the proxy fail as that service would tell it.

use super::change::Fault;
use super::rule::{as_rule, rule_fault};
use crate::proxy::http::{Action, AwsError};

rule_fault! {
    /// Answers signed requests with an error in the form of the called service, so that SDKs raise the modelled exception and
    /// retry as they do against AWS. Requests that are no AWS API call pass.
    pub struct ProxyAwsError {
        /// The code, as in `ThrottlingException`.
        pub code: String,
        /// The HTTP status, 400 to 599; default the one that the service's protocol has for a common code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub status: Option<u16>,
        /// The message; default one that says that it was injected.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub message: Option<String>,
    }
}

impl ProxyAwsError {
    fn action(&self) -> Action {
        Action::AwsError(AwsError { code: self.code.clone(), status: self.status, message: self.message.clone() })
    }

    fn words(&self, requests: &str) -> String {
        format!("fail {requests} with `{}`, as their AWS service tells it", self.code)
    }
}

impl Fault for ProxyAwsError {
    as_rule!("callers get an error of the AWS service", "errors of the AWS services behind it");
}
