//! `lambda_endpoint`: leads a function's calls of one AWS service to another address, such as a fault proxy's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::configuration::{self, Configuration, variable};
use super::settings::SettingsChange;
use super::switch::Cover;
use super::target::TargetNeed;
use crate::unit::TargetId;

/// What people write for services whose identifiers are others; AWS: `AWS_ENDPOINT_URL_<SERVICE>` has the service's identifier
/// in capitals, with `_` for blanks (AWS SDKs and Tools Reference, service-specific endpoints).
const IDENTIFIERS: [(&str, &str); 7] = [
    ("cognito_idp", "cognito_identity_provider"),
    ("events", "eventbridge"),
    ("logs", "cloudwatch_logs"),
    ("monitoring", "cloudwatch"),
    ("secretsmanager", "secrets_manager"),
    ("states", "sfn"),
    ("stepfunctions", "sfn"),
];

/// Sets `AWS_ENDPOINT_URL_<SERVICE>`: SDKs since 2023 send their calls of that service there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaEndpoint {
    /// The function, a `lambda` target.
    pub target: TargetId,
    /// The service's identifier, with `_` for blanks: `dynamodb`, `sqs`, `secrets_manager`, `sfn`.
    pub service: String,
    /// Where its calls go: `http://10.0.1.7:18474`.
    pub url: String,
}

impl LambdaEndpoint {
    fn name(&self) -> String {
        format!("AWS_ENDPOINT_URL_{}", self.service.to_ascii_uppercase())
    }
}

impl Fault for LambdaEndpoint {
    type Change = SettingsChange<Configuration>;
    const ABOUT: About = About {
        effect: "the function's calls of one AWS service go to another address, best a fault proxy's",
        undo: "UpdateFunctionConfiguration with the former value of this variable alone",
        blast_radius: "every invocation of `$LATEST`; new environments start cold, twice",
    };
    const TARGET: TargetNeed = TargetNeed::Latest;
    const CALLS: Calls = configuration::CALLS;

    fn objections(&self) -> Vec<Objection> {
        let mut objections: Vec<_> = url_objection(&self.url).into_iter().collect();
        let is_identifier = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_lowercase())
                && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let known = IDENTIFIERS.iter().find(|(other, _)| *other == self.service.replace('-', "_"));
        let message = format!("`{}` is not the identifier of an AWS service", self.service.escape_debug());
        match known {
            Some((_, identifier)) => {
                let help = format!("write `{identifier}`");
                objections.push(Objection::value("service", "invalid-value", message, &help));
            }
            None if !is_identifier(&self.service) => {
                let help = "use small letters, digits and `_`, as in `dynamodb` or `secrets_manager`";
                objections.push(Objection::value("service", "invalid-value", message, help));
            }
            None => {}
        }
        objections
    }

    fn url(&self) -> Option<&str> {
        Some(&self.url)
    }

    fn set_url(&mut self, url: String) {
        self.url = url;
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<Configuration>, FaultError> {
        let set = [(variable(&self.name()), Some(self.url.clone().into()))];
        Configuration::prepare(environment, &self.target, set.into()).await
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("lead calls of {} by `{}` to {}", self.service, self.target, self.url),
            undo: "put the former endpoint back, or none".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec![variable(&self.name())]
    }

    fn cover(&self) -> Cover {
        Cover::None(configuration::VARIABLES_UNCOVERED)
    }
}

/// What is wrong with the URL of an endpoint or a proxy: scheme, host and port are all that it has.
pub(super) fn url_objection(url: &str) -> Option<Objection> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let is_plain = |rest: &str| {
        let host = rest.strip_suffix('/').unwrap_or(rest);
        !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
            && host.rsplit_once(':').is_none_or(|(_, port)| port.ends_with(']') || port.parse::<u16>().is_ok())
    };
    // A user name and a password in it would be written down in the plan.
    let help = "write a scheme, a host and a port, as in `http://10.0.1.7:18474`";
    let message = format!("`{}` is not where a proxy listens", url.escape_debug());
    (!rest.is_some_and(is_plain)).then(|| Objection::value("url", "invalid-value", message, help))
}

#[cfg(test)]
mod tests {
    use super::super::owed;
    use super::super::testing::Field;
    use super::*;
    use crate::fault::FaultKind;

    fn fault(service: &str, url: &str) -> LambdaEndpoint {
        let target = "checkout".parse().unwrap();
        LambdaEndpoint { target, service: service.to_owned(), url: url.to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn it_owes_what_every_fault_on_a_function_owes() {
        let fault = FaultKind::LambdaEndpoint(fault("secrets_manager", "http://10.0.1.7:1"));
        owed::all(&fault, &[Field::Variable("AWS_ENDPOINT_URL_SECRETS_MANAGER".to_owned())]).await;
    }

    #[test]
    fn what_no_sdk_would_read_is_told() {
        assert_eq!(fault("dynamodb", "https://proxy.example.com:8443/").objections(), []);
        assert_eq!(fault("s3", "http://[fd00::1]:80").objections(), []);
        let told = fault("stepfunctions", "http://10.0.1.7:1").objections();
        assert_eq!(told.first().and_then(|objection| objection.help.as_deref()), Some("write `sfn`"));
        for (service, url) in
            [("Dynamo DB", "http://a"), ("sqs", "10.0.1.7:1"), ("sqs", "http://u:p@h"), ("sqs", "http://h:x")]
        {
            assert_eq!(fault(service, url).objections().len(), 1, "{service} {url}");
        }
    }
}
