//! From a call in our words to the bytes of a signed HTTP request.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use chrono::{DateTime, Utc};
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;

use super::encoding::{pairs, percent_encode};
use super::service::{Endpoint, Service};

/// One call. It has no `Debug`: its input may hold secrets.
pub(crate) struct Call<'a> {
    /// Where it goes.
    pub(crate) service: &'static Service,
    /// The API operation: `GetParameter`.
    pub(crate) operation: &'static str,
    /// What it says, in the service's protocol.
    pub(crate) input: Input<'a>,
    /// Values that are struck out of an error's message: AWS quotes what it does not take.
    pub(crate) secrets: &'a [&'a str],
}

/// The input of a call, by protocol. Source: Smithy 2.0, "AWS protocols".
pub(crate) enum Input<'a> {
    /// `awsJson1_0` and `awsJson1_1`: a JSON object to `/`, the operation in `X-Amz-Target`.
    Json {
        /// Which of the two.
        version: JsonVersion,
        /// What stands before the operation's name: `AmazonSSM`.
        target: &'static str,
        /// The object.
        body: Value,
    },
    /// `awsQuery`: a form to `/`, answered in XML.
    Query {
        /// The API's version: `2010-05-08`.
        version: &'static str,
        /// Names and values, without `Action` and `Version`.
        parameters: Vec<(String, String)>,
    },
    /// `restJson1`: a method, a path and a query.
    Rest {
        /// The method.
        method: Method,
        /// The path's segments, not yet encoded.
        path: &'a [&'a str],
        /// The query, not yet encoded.
        query: &'a [(&'a str, &'a str)],
        /// The object, where the operation has one.
        body: Option<Value>,
    },
}

/// The version of the JSON protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonVersion {
    /// 1.0: DynamoDB, SQS.
    V1_0,
    /// 1.1: SSM, EventBridge.
    V1_1,
}

/// The methods that AWS's REST APIs use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Reads.
    Get,
    /// Creates.
    Post,
    /// Replaces.
    Put,
    /// Takes away.
    Delete,
}

impl Method {
    fn http(self) -> reqwest::Method {
        match self {
            Self::Get => reqwest::Method::GET,
            Self::Post => reqwest::Method::POST,
            Self::Put => reqwest::Method::PUT,
            Self::Delete => reqwest::Method::DELETE,
        }
    }
}

/// A call without place, time and signature: what is the same in every attempt.
pub(super) struct Prepared {
    method: reqwest::Method,
    /// The path and the query.
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Prepared {
    pub(super) fn new(call: &Call<'_>) -> Self {
        let content_type = |value: &str| ("content-type", value.to_owned());
        match &call.input {
            Input::Json { version, target, body } => Self {
                method: reqwest::Method::POST,
                path: "/".to_owned(),
                headers: vec![
                    content_type(match version {
                        JsonVersion::V1_0 => "application/x-amz-json-1.0",
                        JsonVersion::V1_1 => "application/x-amz-json-1.1",
                    }),
                    ("x-amz-target", format!("{target}.{}", call.operation)),
                ],
                body: body.to_string().into_bytes(),
            },
            Input::Query { version, parameters } => {
                let own = [("Action", call.operation), ("Version", version)];
                let given = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                Self {
                    method: reqwest::Method::POST,
                    path: "/".to_owned(),
                    headers: vec![content_type("application/x-www-form-urlencoded; charset=utf-8")],
                    body: pairs(own.into_iter().chain(given)).into_bytes(),
                }
            }
            Input::Rest { method, path, query, body } => {
                let path: String = path.iter().map(|segment| format!("/{}", percent_encode(segment))).collect();
                let query = pairs(query.iter().copied());
                Self {
                    method: method.http(),
                    path: if query.is_empty() { path } else { format!("{path}?{query}") },
                    headers: body.iter().map(|_| content_type("application/json")).collect(),
                    body: body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default(),
                }
            }
        }
    }

    /// The request, signed for `endpoint` at `now`.
    ///
    /// # Errors
    /// Says what can not be made a request: an endpoint that is no URL, credentials with characters that no header takes.
    pub(super) fn sign(
        &self,
        service: &Service,
        endpoint: &Endpoint,
        credentials: Credentials,
        now: DateTime<Utc>,
    ) -> Result<reqwest::Request, String> {
        let url = Url::parse(&format!("{}{}", endpoint.url, self.path))
            .map_err(|error| format!("`{}` is not an endpoint: {error}", endpoint.url))?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&endpoint.region)
            .name(service.name)
            .time(SystemTime::from(now))
            .settings(SigningSettings::default())
            .build()
            .expect("invariant: every parameter is given")
            .into();
        let headers = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable =
            SignableRequest::new(self.method.as_str(), url.as_str(), headers, SignableBody::Bytes(&self.body))
                .map_err(|error| format!("the request can not be signed: {error}"))?;
        let (instructions, _) = sign(signable, &parameters)
            .map_err(|error| format!("the request can not be signed: {error}"))?
            .into_parts();

        let mut request = reqwest::Request::new(self.method.clone(), url);
        for (name, value) in &self.headers {
            insert(&mut request, name, value, false)?;
        }
        for header in instructions.into_parts().0 {
            // The signature itself is no secret, and of no use to a log either.
            insert(&mut request, header.name(), header.value(), true)?;
        }
        *request.body_mut() = Some(self.body.clone().into());
        Ok(request)
    }
}

fn insert(request: &mut reqwest::Request, name: &'static str, value: &str, is_sensitive: bool) -> Result<(), String> {
    let mut value = HeaderValue::from_str(value).map_err(|_| format!("the header `{name}` can not be written"))?;
    value.set_sensitive(is_sensitive);
    request.headers_mut().insert(HeaderName::from_static(name), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const fn service(name: &'static str) -> Service {
        Service { name, id: name, is_global: false }
    }

    const SSM: Service = service("ssm");
    const IAM: Service = service("iam");
    const SCHEDULER: Service = service("scheduler");

    fn credentials(session_token: Option<&str>) -> Credentials {
        let secret = super::super::testing::SECRET_KEY;
        Credentials::new("AKIDEXAMPLE", secret, session_token.map(str::to_owned), None, "published example")
    }

    fn signed(call: &Call<'_>, url: &str, region: &str, session_token: Option<&str>) -> reqwest::Request {
        let endpoint = Endpoint { url: url.to_owned(), region: region.to_owned() };
        let now = DateTime::from_timestamp(1_440_938_160, 0).unwrap();
        Prepared::new(call).sign(call.service, &endpoint, credentials(session_token), now).unwrap()
    }

    fn header<'r>(request: &'r reqwest::Request, name: &str) -> Option<&'r str> {
        request.headers().get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    fn assert_signed(request: &reqwest::Request, scope: &str, signed_headers: &str, signature: &str) {
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/{scope}/aws4_request, SignedHeaders={signed_headers}, \
             Signature={signature}"
        );
        assert_eq!(header(request, "authorization"), Some(expected.as_str()));
        assert_eq!(header(request, "x-amz-date"), Some("20150830T123600Z"));
    }

    fn body(request: &reqwest::Request) -> &str {
        std::str::from_utf8(request.body().unwrap().as_bytes().unwrap()).unwrap()
    }

    // The signatures below are botocore 1.43.106's: `botocore.auth.SigV4Auth(credentials, service, region).add_auth` on an
    // `AWSRequest` of the same method, URL, headers and body, with `botocore.auth.get_current_datetime` made to stand still.

    #[test]
    fn a_json_call_is_signed_as_botocore_signs_it() {
        let input = Input::Json {
            version: JsonVersion::V1_1,
            target: "AmazonSSM",
            body: json!({"Name": "/shop/mode", "WithDecryption": true}),
        };
        let call = Call { service: &SSM, operation: "GetParameter", input, secrets: &[] };
        let url = "https://ssm.eu-central-1.amazonaws.com";
        let request = signed(&call, url, "eu-central-1", Some("token/+="));
        assert_eq!(
            (request.method().as_str(), request.url().as_str()),
            ("POST", "https://ssm.eu-central-1.amazonaws.com/")
        );
        assert_eq!(header(&request, "content-type"), Some("application/x-amz-json-1.1"));
        assert_eq!(header(&request, "x-amz-target"), Some("AmazonSSM.GetParameter"));
        assert_eq!(header(&request, "x-amz-security-token"), Some("token/+="));
        assert_eq!(body(&request), r#"{"Name":"/shop/mode","WithDecryption":true}"#);
        let headers = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target";
        assert_signed(
            &request,
            "eu-central-1/ssm",
            headers,
            "9badd5aeadb7bbffa5d32900cbb191b317c044297596d920228feb5d695d8670",
        );
    }

    #[test]
    fn a_form_is_signed_as_botocore_signs_it() {
        let parameters = vec![("RoleName".to_owned(), "shop role".to_owned())];
        let input = Input::Query { version: "2010-05-08", parameters };
        let call = Call { service: &IAM, operation: "GetRole", input, secrets: &[] };
        let request = signed(&call, "https://iam.amazonaws.com", "us-east-1", None);
        assert_eq!(header(&request, "content-type"), Some("application/x-www-form-urlencoded; charset=utf-8"));
        assert_eq!(header(&request, "x-amz-security-token"), None);
        assert_eq!(body(&request), "Action=GetRole&Version=2010-05-08&RoleName=shop%20role");
        assert_signed(
            &request,
            "us-east-1/iam",
            "content-type;host;x-amz-date",
            "bc46013dd1f71f891c65c2318d7559e1bb39148e7855d6f113a63172dd07b565",
        );
    }

    #[test]
    fn a_rest_call_is_signed_as_botocore_signs_it() {
        let input = Input::Rest {
            method: Method::Delete,
            path: &["schedules", "a b"],
            query: &[("groupName", "g/1")],
            body: None,
        };
        let call = Call { service: &SCHEDULER, operation: "DeleteSchedule", input, secrets: &[] };
        let request = signed(&call, "http://127.0.0.1:4566/base", "eu-central-1", None);
        assert_eq!(request.url().as_str(), "http://127.0.0.1:4566/base/schedules/a%20b?groupName=g%2F1");
        assert_eq!((request.method().as_str(), header(&request, "content-type"), body(&request)), ("DELETE", None, ""));
        assert_signed(
            &request,
            "eu-central-1/scheduler",
            "host;x-amz-date",
            "fcf5a53271f4d4aeb921ea00a79a1387031c833f351766acd961956b1a040635",
        );

        let body = Some(json!({"State": "ENABLED"}));
        let input = Input::Rest { method: Method::Put, path: &["schedules", "undo"], query: &[], body };
        let call = Call { service: &SCHEDULER, operation: "UpdateSchedule", input, secrets: &[] };
        let request = signed(&call, "https://scheduler.eu-central-1.amazonaws.com", "eu-central-1", None);
        assert_signed(
            &request,
            "eu-central-1/scheduler",
            "content-type;host;x-amz-date",
            "16d52817555eeb6ed6b08dfce9c23b142e3e23997fb6b3ed4b0dcde00af8f5d4",
        );
    }

    #[test]
    fn the_signature_and_the_token_do_not_show() {
        let input = Input::Rest { method: Method::Get, path: &["schedules", "undo"], query: &[], body: None };
        let call = Call { service: &SCHEDULER, operation: "GetSchedule", input, secrets: &[] };
        let shown = format!("{:?}", signed(&call, "http://127.0.0.1:1", "eu-central-1", Some("the-token")));
        assert!(!shown.contains("the-token") && !shown.contains("Signature="), "{shown}");
    }

    #[test]
    fn what_is_no_endpoint_is_told() {
        let input = Input::Rest { method: Method::Get, path: &["schedules", "undo"], query: &[], body: None };
        let call = Call { service: &SCHEDULER, operation: "GetSchedule", input, secrets: &[] };
        let endpoint = Endpoint { url: "shop".to_owned(), region: "eu-central-1".to_owned() };
        let now = DateTime::UNIX_EPOCH;
        let error = Prepared::new(&call).sign(&SCHEDULER, &endpoint, credentials(None), now).unwrap_err();
        assert_eq!(error, "`shop` is not an endpoint: relative URL without a base");
    }
}
