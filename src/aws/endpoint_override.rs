//! Endpoints that somebody put in the place of AWS's own: an account's binding would mean nothing behind them.

use std::fmt;

use aws_config::SdkConfig;

use super::signed::{Service, configured_url};

/// The variable that names an endpoint for every service; with a service's id behind it, for that service.
const VARIABLE: &str = "AWS_ENDPOINT_URL";

/// Every service that is called here, by the SDK's ids of them, with those that give credentials.
const SERVICE_IDS: &[&str] = &[
    "STS",
    "Lambda",
    "fis",
    "CloudWatch",
    "CloudWatch Logs",
    "CloudFormation",
    "Resource Groups Tagging API",
    "synthetics",
    "DynamoDB",
    "EventBridge",
    "IAM",
    "Scheduler",
    "SQS",
    "SNS",
    "Kinesis",
    "SSM",
    "XRay",
    "SSO",
    "SSO OIDC",
];

/// An endpoint that is not AWS's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointOverride {
    /// Who says so: a variable, or a profile.
    pub by: String,
    /// The service.
    pub service: String,
    /// The URL's host and port: what else stands in a URL may be a secret.
    pub host: String,
}

impl fmt::Display for EndpointOverride {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, service, host } = self;
        write!(formatter, "{by} sends the calls of {service} to `{host}`")
    }
}

impl EndpointOverride {
    /// The first of the services that goes somewhere else. The SDK has read variables and profile by then, and has left out
    /// what `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` leaves out; `variable` only tells who it was.
    pub(super) fn find(
        configuration: &SdkConfig,
        profile: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        SERVICE_IDS.iter().find_map(|id| {
            let service = Service { name: "", id, is_global: false };
            let url = configured_url(configuration, &service)?;
            let of_service = format!("{VARIABLE}_{}", id.to_uppercase().replace(' ', "_"));
            let is_set = |name: &&str| variable(name).is_some_and(|value| !value.is_empty());
            let by = [of_service.as_str(), VARIABLE].into_iter().find(is_set);
            let by = by.map_or_else(
                || {
                    let profile = profile.map(str::to_owned).or_else(|| variable("AWS_PROFILE"));
                    let profile = profile.unwrap_or_else(|| "default".to_owned());
                    format!("profile `{profile}` of the AWS configuration (`endpoint_url` or `services`)")
                },
                |name| format!("the variable `{name}`"),
            );
            Some(Self { by, service: (*id).to_owned(), host: host(&url) })
        })
    }
}

fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;
    use aws_types::origin::Origin;
    use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

    use super::*;

    /// What a profile's `services` or a variable says of one service.
    #[derive(Debug)]
    struct Only(&'static str);

    impl LoadServiceConfig for Only {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            (key.service_id() == self.0).then(|| "http://user:secret@127.0.0.1:2/base?x".to_owned())
        }
    }

    fn found(configuration: &SdkConfig, profile: Option<&str>, variables: &[&str]) -> Option<String> {
        let variable = |name: &str| variables.contains(&name).then(|| "http://127.0.0.1:1".to_owned());
        EndpointOverride::find(configuration, profile, variable).map(|it| it.to_string())
    }

    #[test]
    fn who_names_an_endpoint_and_where_it_is() {
        let builder = || SdkConfig::builder().behavior_version(BehaviorVersion::latest());
        assert_eq!(found(&builder().build(), None, &[]), None);
        let ssm = builder().service_config(Only("SSM")).build();
        let expected = "the variable `AWS_ENDPOINT_URL_SSM` sends the calls of SSM to `127.0.0.1:2`";
        assert_eq!(found(&ssm, None, &["AWS_ENDPOINT_URL_SSM"]).as_deref(), Some(expected));
        let expected = "profile `shop` of the AWS configuration (`endpoint_url` or `services`) sends the calls of SSM to \
                        `127.0.0.1:2`";
        assert_eq!(found(&ssm, Some("shop"), &[]).as_deref(), Some(expected));

        let mut all = builder().endpoint_url("https://localstack:4566");
        all.insert_origin("endpoint_url", Origin::shared_environment_variable());
        let all = all.build();
        let expected = "the variable `AWS_ENDPOINT_URL` sends the calls of STS to `localstack:4566`";
        assert_eq!(found(&all, Some("shop"), &["AWS_ENDPOINT_URL"]).as_deref(), Some(expected));
        assert!(found(&all, None, &[]).is_some_and(|text| text.starts_with("profile `default`")));
    }
}
