//! Which AWS API call a request is.

use super::service::{self, Protocol};
use crate::proxy::http::head::RequestHead;
use crate::proxy::http::rule::parameters;

/// An AWS API call, as far as its request tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AwsCall {
    /// The service that the signature names.
    pub(crate) service: String,
    /// None where the request does not tell it, or not yet.
    pub(crate) operation: Option<String>,
    pub(crate) protocol: Protocol,
}

/// The AWS API call that a signed request is. `body` may be its beginning only.
pub(crate) fn recognise(head: &RequestHead<'_>, body: &[u8]) -> Option<AwsCall> {
    let service = signed_service(head)?;
    let protocol = protocol_of(head, &service);
    let operation = match protocol {
        Protocol::Json10 | Protocol::Json11 => target(head),
        Protocol::RpcCbor => head.path_and_query().0.rsplit_once("/operation/").map(|(_, name)| name.to_owned()),
        Protocol::Query | Protocol::Ec2Query => action(head, body),
        Protocol::RestJson | Protocol::S3Xml | Protocol::RestXml => rest_operation(&service, head).map(str::to_owned),
    };
    Some(AwsCall { service, operation, protocol })
}

/// The service of the credential's scope: `AKID/20260310/eu-west-1/dynamodb/aws4_request`.
fn signed_service(head: &RequestHead<'_>) -> Option<String> {
    if let Some(authorization) = head.header("authorization") {
        let (_, credential) = authorization.split_once("Credential=")?;
        return scope_service(credential.split([',', ' ']).next()?);
    }
    let (_, query) = head.path_and_query();
    let (_, credential) = parameters(query).find(|(name, _)| name == "X-Amz-Credential")?;
    scope_service(&credential)
}

fn scope_service(credential: &str) -> Option<String> {
    // From the end: an access key may hold a slash at some emulators. A multi-region scope has no Region.
    let mut parts = credential.rsplit('/');
    (parts.next() == Some("aws4_request")).then(|| parts.next().map(str::to_owned))?
}

fn protocol_of(head: &RequestHead<'_>, name: &str) -> Protocol {
    if head.header("smithy-protocol") == Some("rpc-v2-cbor") {
        return Protocol::RpcCbor;
    }
    let known = service::find(name).map(|service| service.protocol);
    let content_type = head.header("content-type").unwrap_or_default();
    if head.header("x-amz-target").is_some() {
        return if content_type.ends_with("1.0") { Protocol::Json10 } else { Protocol::Json11 };
    }
    match known {
        Some(Protocol::Ec2Query) => Protocol::Ec2Query,
        _ if content_type.starts_with("application/x-www-form-urlencoded") => Protocol::Query,
        Some(protocol) => protocol,
        None => Protocol::RestJson,
    }
}

fn target(head: &RequestHead<'_>) -> Option<String> {
    head.header("x-amz-target").map(|target| target.rsplit('.').next().unwrap_or(target).to_owned())
}

fn action(head: &RequestHead<'_>, body: &[u8]) -> Option<String> {
    let (_, query) = head.path_and_query();
    let body = String::from_utf8_lossy(body);
    let find = |form: &str| parameters(form).find(|(name, _)| name == "Action").map(|(_, value)| value.into_owned());
    find(query).or_else(|| find(&body))
}

/// Operations of services without a name of it in the request, by method and by path: `*` is one segment, and the last
/// `**` is all that follows. The first row that fits counts.
const REST_OPERATIONS: [(&str, &str, &str, &str); 30] = [
    ("lambda", "POST", "/2015-03-31/functions/*/invocations", "Invoke"),
    ("lambda", "POST", "/2021-11-15/functions/*/response-streaming-invocations", "InvokeWithResponseStream"),
    ("lambda", "POST", "/2014-11-13/functions/*/invoke-async", "InvokeAsync"),
    ("lambda", "GET", "/2015-03-31/functions", "ListFunctions"),
    ("lambda", "POST", "/2015-03-31/functions", "CreateFunction"),
    ("lambda", "GET", "/2015-03-31/functions/*", "GetFunction"),
    ("lambda", "DELETE", "/2015-03-31/functions/*", "DeleteFunction"),
    ("lambda", "GET", "/2015-03-31/functions/*/configuration", "GetFunctionConfiguration"),
    ("lambda", "PUT", "/2015-03-31/functions/*/configuration", "UpdateFunctionConfiguration"),
    ("lambda", "PUT", "/2015-03-31/functions/*/code", "UpdateFunctionCode"),
    ("lambda", "PUT", "/2017-10-31/functions/*/concurrency", "PutFunctionConcurrency"),
    ("lambda", "GET", "/2019-09-30/functions/*/concurrency", "GetFunctionConcurrency"),
    ("lambda", "DELETE", "/2017-10-31/functions/*/concurrency", "DeleteFunctionConcurrency"),
    ("lambda", "GET", "/2015-03-31/event-source-mappings", "ListEventSourceMappings"),
    ("scheduler", "POST", "/schedules/*", "CreateSchedule"),
    ("scheduler", "PUT", "/schedules/*", "UpdateSchedule"),
    ("scheduler", "GET", "/schedules/*", "GetSchedule"),
    ("scheduler", "DELETE", "/schedules/*", "DeleteSchedule"),
    ("scheduler", "GET", "/schedules", "ListSchedules"),
    ("s3", "GET", "/", "ListBuckets"),
    ("s3", "GET", "/*", "ListObjectsV2"),
    ("s3", "PUT", "/*", "CreateBucket"),
    ("s3", "DELETE", "/*", "DeleteBucket"),
    ("s3", "HEAD", "/*", "HeadBucket"),
    ("s3", "POST", "/*", "DeleteObjects"),
    ("s3", "GET", "/*/**", "GetObject"),
    ("s3", "PUT", "/*/**", "PutObject"),
    ("s3", "DELETE", "/*/**", "DeleteObject"),
    ("s3", "HEAD", "/*/**", "HeadObject"),
    ("s3", "POST", "/*/**", "CreateMultipartUpload"),
];

fn rest_operation(service: &str, head: &RequestHead<'_>) -> Option<&'static str> {
    let (path, query) = head.path_and_query();
    if service == "s3"
        && let Some(operation) = s3_part_operation(head.method, query)
    {
        return Some(operation);
    }
    let row = REST_OPERATIONS
        .iter()
        .find(|(of, method, pattern, _)| *of == service && *method == head.method && is_path(pattern, path))?;
    Some(row.3)
}

/// Parts of an upload, and copies, have the path of an object.
fn s3_part_operation(method: &str, query: &str) -> Option<&'static str> {
    let has = |wanted: &str| parameters(query).any(|(name, _)| name == wanted);
    match method {
        "PUT" if has("partNumber") => Some("UploadPart"),
        "POST" if has("uploadId") => Some("CompleteMultipartUpload"),
        "DELETE" if has("uploadId") => Some("AbortMultipartUpload"),
        "GET" if has("tagging") => Some("GetObjectTagging"),
        _ => None,
    }
}

fn is_path(pattern: &str, path: &str) -> bool {
    let mut given = path.trim_start_matches('/').trim_end_matches('/').split('/');
    for wanted in pattern.trim_start_matches('/').split('/') {
        match (wanted, given.next()) {
            ("**", Some(_)) => return true,
            ("*", Some(segment)) if !segment.is_empty() => {}
            (text, Some(segment)) if text == segment => {}
            (_, _) => return false,
        }
    }
    given.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::http::head::slots;

    fn call(first_line: &str, service: &str, lines: &str, body: &str) -> Option<AwsCall> {
        let bytes = format!(
            "{first_line} HTTP/1.1\r\nHost: h\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AK/20260310/eu-west-1/{service}\
             /aws4_request, SignedHeaders=host, Signature=0\r\n{lines}\r\n"
        );
        let mut room = slots();
        recognise(&RequestHead::parse(bytes.as_bytes(), &mut room).expect("a head"), body.as_bytes())
    }

    #[test]
    fn a_call_is_known_by_its_signature_and_by_what_its_protocol_says() {
        let form = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
        for (first_line, service, lines, body, protocol, operation) in [
            (
                "POST /",
                "dynamodb",
                "X-Amz-Target: DynamoDB_20120810.PutItem\r\nContent-Type: application/x-amz-json-1.0\r\n",
                "{}",
                Protocol::Json10,
                Some("PutItem"),
            ),
            (
                "POST /",
                "ssm",
                "X-Amz-Target: AmazonSSM.GetParameter\r\nContent-Type: application/x-amz-json-1.1\r\n",
                "{}",
                Protocol::Json11,
                Some("GetParameter"),
            ),
            ("POST /", "sns", form, "Action=Publish&Message=a", Protocol::Query, Some("Publish")),
            ("POST /", "ec2", form, "Version=1&Action=RunInstances", Protocol::Ec2Query, Some("RunInstances")),
            ("POST /", "sqs", form, "", Protocol::Query, None),
            (
                "POST /service/GraniteServiceVersion20100801/operation/PutMetricData",
                "monitoring",
                "smithy-protocol: rpc-v2-cbor\r\n",
                "",
                Protocol::RpcCbor,
                Some("PutMetricData"),
            ),
            ("POST /2015-03-31/functions/f/invocations", "lambda", "", "", Protocol::RestJson, Some("Invoke")),
            ("GET /2015-03-31/functions/", "lambda", "", "", Protocol::RestJson, Some("ListFunctions")),
            ("GET /2015-03-31/functions/f/x/y", "lambda", "", "", Protocol::RestJson, None),
            ("GET /bucket/a/b/c", "s3", "", "", Protocol::S3Xml, Some("GetObject")),
            ("PUT /bucket/a?partNumber=1&uploadId=x", "s3", "", "", Protocol::S3Xml, Some("UploadPart")),
            ("GET /bucket?list-type=2", "s3", "", "", Protocol::S3Xml, Some("ListObjectsV2")),
            ("GET /", "s3", "", "", Protocol::S3Xml, Some("ListBuckets")),
        ] {
            let expected = AwsCall { service: service.to_owned(), operation: operation.map(str::to_owned), protocol };
            assert_eq!(call(first_line, service, lines, body), Some(expected), "{first_line}");
        }
    }

    #[test]
    fn a_presigned_request_is_known_and_one_without_a_signature_is_not() {
        let presigned = "GET /b/k?X-Amz-Credential=AK%2F20260310%2Feu-west-1%2Fs3%2Faws4_request";
        let parse = |first_line: &str| {
            let bytes = format!("{first_line} HTTP/1.1\r\nHost: h\r\n\r\n");
            let mut room = slots();
            recognise(&RequestHead::parse(bytes.as_bytes(), &mut room).expect("a head"), b"")
        };
        assert!(parse(presigned).is_some_and(|call| call.service == "s3"));
        assert_eq!(parse("GET /b/k"), None);
    }
}
