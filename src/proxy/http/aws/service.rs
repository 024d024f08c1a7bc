//! The services by the names that their signatures carry, and the protocols that they speak.
//!
//! Source: the `protocols`, `signingName` and `awsQueryCompatible` of botocore's service models.

use crate::unit::nearest;

/// How a service writes its requests and its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// JSON 1.0: the operation stands in `X-Amz-Target`.
    Json10,
    /// JSON 1.1: likewise.
    Json11,
    /// The operation is method and path, the body JSON.
    RestJson,
    /// The operation is method and path, the body XML; errors as S3 writes them.
    S3Xml,
    /// The operation is method and path, the body XML; errors as the query protocol writes them.
    RestXml,
    /// A form with `Action=`; answers in XML.
    Query,
    /// The query protocol of EC2, whose errors look different.
    Ec2Query,
    /// Smithy RPC version 2 with CBOR: the operation stands in the path.
    RpcCbor,
}

impl Protocol {
    /// Whether a refused call has status 400 for what other protocols tell by 403, 404 or 429.
    pub(crate) fn tells_all_by_400(self) -> bool {
        match self {
            Self::Json10 | Self::Json11 | Self::RpcCbor => true,
            Self::RestJson | Self::S3Xml | Self::RestXml | Self::Query | Self::Ec2Query => false,
        }
    }
}

/// One service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    pub(super) name: &'static str,
    /// What it speaks unless a request says otherwise.
    pub(super) protocol: Protocol,
    /// Whether it spoke the query protocol once, and still names its old codes in `x-amzn-query-error`.
    pub(super) was_query: bool,
}

const fn service(name: &'static str, protocol: Protocol) -> Service {
    Service { name, protocol, was_query: false }
}

const fn was_query(name: &'static str, protocol: Protocol) -> Service {
    Service { name, protocol, was_query: true }
}

const SERVICES: [Service; 56] = [
    service("apigateway", Protocol::RestJson),
    service("appconfig", Protocol::RestJson),
    service("appsync", Protocol::RestJson),
    service("athena", Protocol::Json11),
    service("autoscaling", Protocol::Query),
    service("backup", Protocol::RestJson),
    service("batch", Protocol::RestJson),
    service("bedrock", Protocol::RestJson),
    service("cloudformation", Protocol::Query),
    service("cloudfront", Protocol::RestXml),
    service("cloudtrail", Protocol::Json11),
    service("codebuild", Protocol::Json11),
    service("cognito-identity", Protocol::Json11),
    service("cognito-idp", Protocol::Json11),
    service("comprehend", Protocol::Json11),
    service("config", Protocol::Json11),
    service("dynamodb", Protocol::Json10),
    service("ec2", Protocol::Ec2Query),
    service("ecr", Protocol::Json11),
    service("ecs", Protocol::Json11),
    service("eks", Protocol::RestJson),
    service("elasticache", Protocol::Query),
    service("elasticfilesystem", Protocol::RestJson),
    service("elasticloadbalancing", Protocol::Query),
    service("es", Protocol::RestJson),
    service("events", Protocol::Json11),
    service("firehose", Protocol::Json11),
    service("fis", Protocol::RestJson),
    service("geo", Protocol::RestJson),
    service("glue", Protocol::Json11),
    service("iam", Protocol::Query),
    service("iotdata", Protocol::RestJson),
    service("kafka", Protocol::RestJson),
    service("kinesis", Protocol::Json11),
    service("kms", Protocol::Json11),
    service("lambda", Protocol::RestJson),
    service("logs", Protocol::Json11),
    was_query("monitoring", Protocol::RpcCbor),
    service("organizations", Protocol::Json11),
    service("pipes", Protocol::RestJson),
    service("rds", Protocol::Query),
    service("rds-data", Protocol::RestJson),
    service("redshift", Protocol::Query),
    service("rekognition", Protocol::Json11),
    service("route53", Protocol::RestXml),
    service("s3", Protocol::S3Xml),
    service("scheduler", Protocol::RestJson),
    service("secretsmanager", Protocol::Json11),
    service("ses", Protocol::RestJson),
    service("sns", Protocol::Query),
    was_query("sqs", Protocol::Json10),
    service("ssm", Protocol::Json11),
    service("states", Protocol::Json10),
    service("sts", Protocol::Query),
    service("tagging", Protocol::Json11),
    service("xray", Protocol::RestJson),
];

/// What people write for names that signatures do not carry.
const OTHER_NAMES: [(&str, &str); 6] = [
    ("cloudwatch", "monitoring"),
    ("eventbridge", "events"),
    ("stepfunctions", "states"),
    ("sfn", "states"),
    ("cloudwatchlogs", "logs"),
    ("sesv2", "ses"),
];

/// The service of a name, as its signatures carry it.
pub(super) fn find(name: &str) -> Option<Service> {
    SERVICES.iter().find(|service| service.name == name).copied()
}

/// Whether the protocol of a service is known.
fn is_known(name: &str) -> bool {
    find(name).is_some()
}

/// What is wrong with the name of a service, if no signature carries it as far as we know.
pub(crate) fn unknown_service(name: &str) -> Option<String> {
    if is_known(name) {
        return None;
    }
    let signed = OTHER_NAMES.iter().find(|(other, _)| *other == name).map(|(_, signed)| *signed);
    let hint = signed.map(|signed| format!(": its requests are signed for `{signed}`")).or_else(|| {
        nearest(name, SERVICES.map(|service| service.name)).map(|near| format!(", did you mean `{near}`?"))
    });
    Some(format!("`{name}` is not a service that the proxy knows{}", hint.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_stand_once_and_in_order() {
        assert!(SERVICES.is_sorted_by(|left, right| left.name < right.name));
    }

    #[test]
    fn a_name_that_no_signature_carries_is_told_with_the_one_that_it_does() {
        assert_eq!(unknown_service("sqs"), None);
        assert!(unknown_service("stepfunctions").is_some_and(|text| text.contains("`states`")));
        assert!(unknown_service("dynamdb").is_some_and(|text| text.contains("did you mean `dynamodb`")));
    }
}
