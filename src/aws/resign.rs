//! Signing requests anew that were signed for the proxy's host, with the official signer.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningInstructions, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use chrono::{DateTime, Utc};

use super::signed::CredentialCache;
use crate::unit::{Clock, NotResigned, Resign, sha256_hex};

/// The one algorithm that is signed anew.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The last part of every credential scope.
const SCOPE_END: &str = "aws4_request";
/// What the digest says of a body that is framed in chunks without signatures.
const UNSIGNED_CHUNKS: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
/// Services that take paths as they are written. Source: AWS, "Create a signed AWS API request", canonical URI.
const VERBATIM_PATH_SERVICES: [&str; 4] = ["s3", "s3express", "s3-object-lambda", "s3-outposts"];

const AUTHORIZATION: &str = "authorization";
const CONTENT_SHA256: &str = "x-amz-content-sha256";
const DATE: &str = "x-amz-date";
const EXPRESS_SESSION: &str = "x-amz-s3session-token";
const HOST: &str = "host";
const SECURITY_TOKEN: &str = "x-amz-security-token";

/// Headers whose values the new signature decides, with the names under which they are added.
const REPLACED: [(&str, &str); 4] =
    [(HOST, "Host"), (AUTHORIZATION, "Authorization"), (DATE, "X-Amz-Date"), (SECURITY_TOKEN, "X-Amz-Security-Token")];

/// Signs requests anew with the credentials of one environment. Clones share them.
///
/// The old signature is not verified, since nobody here knows its secret: whoever reaches a proxy that signs anew may do what
/// these credentials may do. Such a proxy belongs on loopback or in a private network, and only where it was asked for; that a
/// web page can not use it is the proxy's part.
#[derive(Clone)]
pub struct Resigner {
    credentials: Arc<CredentialCache>,
}

impl Resigner {
    pub(super) fn new(credentials: Arc<CredentialCache>) -> Self {
        Self { credentials }
    }

    /// Signs with what the usual chain finds, or with a profile of the shared configuration. No call is made yet.
    pub async fn of_caller(profile: Option<&str>) -> Self {
        let loader = aws_config::defaults(BehaviorVersion::latest());
        let loader = match profile {
            Some(profile) => loader.profile_name(profile),
            None => loader,
        };
        let configuration = loader.load().await;
        Self::new(Arc::new(CredentialCache::new(configuration.credentials_provider())))
    }
}

impl Resigner {
    /// Looks for the credentials, as the first request would.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn find_credentials(&self) -> Result<(), String> {
        self.credentials.at(Clock::start().now()).await.map(drop).map_err(|none| none.why)
    }
}

impl fmt::Debug for Resigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Resigner")
    }
}

#[async_trait]
impl Resign for Resigner {
    async fn resign(&self, head: &[u8], host: &str, body_sha256: Option<&str>) -> Result<Vec<u8>, NotResigned> {
        let head = SignedHead::read(head)?;
        let digest = head.digest(body_sha256)?;
        let now = Clock::start().now();
        let credentials = self.credentials.at(now).await.map_err(|none| NotResigned::NoCredentials(none.why))?;
        head.sign(host, &digest, credentials, now)
    }
}

/// The head of a request that was signed.
struct SignedHead<'a> {
    method: &'a str,
    /// The path and the query.
    target: &'a str,
    version: &'a str,
    headers: Vec<Header<'a>>,
    region: &'a str,
    service: &'a str,
    /// In lower case.
    signed: Vec<String>,
}

struct Header<'a> {
    name: &'a str,
    value: &'a str,
    /// As it was written, without the end of the line.
    line: &'a str,
}

impl Header<'_> {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl<'a> SignedHead<'a> {
    fn read(head: &'a [u8]) -> Result<Self, NotResigned> {
        let text = std::str::from_utf8(head).map_err(|_| malformed("its head is not UTF-8"))?;
        let text = text.strip_suffix("\r\n\r\n").ok_or_else(|| malformed("its head has no end"))?;
        let mut lines = text.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (first.next(), first.next(), first.next(), first.next())
        else {
            return Err(malformed("its first line is not HTTP/1"));
        };
        let headers = lines.map(header).collect::<Result<Vec<_>, _>>()?;
        let target = path_and_query(target)?;
        let Some(authorization) = only(&headers, AUTHORIZATION)? else {
            return Err(if is_presigned(target) { NotResigned::Presigned } else { NotResigned::Unsigned });
        };
        let (region, service, signed) = read_authorization(authorization)?;
        if service == "s3express" || only(&headers, EXPRESS_SESSION)?.is_some() {
            return Err(NotResigned::ExpressSession);
        }
        Ok(Self { method, target, version, headers, region, service, signed })
    }

    /// What the signature says of the body: its digest, or that it is not covered.
    fn digest(&self, given: Option<&str>) -> Result<String, NotResigned> {
        if let Some(said) = only(&self.headers, CONTENT_SHA256)? {
            let is_signed = said.starts_with("STREAMING-") && said != UNSIGNED_CHUNKS;
            return if is_signed { Err(NotResigned::SignedChunks) } else { Ok(said.to_owned()) };
        }
        if let Some(given) = given {
            return Ok(given.to_owned());
        }
        let has_body = self.headers.iter().any(|header| {
            header.is("transfer-encoding")
                || (header.is("content-length") && header.value.bytes().any(|byte| byte != b'0'))
        });
        if has_body { Err(NotResigned::BodyNeeded) } else { Ok(sha256_hex(b"")) }
    }

    /// The head for `host`, signed at `now`.
    fn sign(
        &self,
        host: &str,
        digest: &str,
        credentials: Credentials,
        now: DateTime<Utc>,
    ) -> Result<Vec<u8>, NotResigned> {
        let is_covered = |header: &&Header<'_>| self.signed.iter().any(|name| header.is(name));
        let is_kept = |header: &&Header<'_>| !REPLACED.iter().any(|(name, _)| header.is(name));
        let kept = self.headers.iter().filter(is_covered).filter(is_kept).map(|header| (header.name, header.value));
        let headers = kept.chain([(HOST, host)]);
        let body = SignableBody::Precomputed(digest.to_owned());
        let request = SignableRequest::new(self.method, format!("http://{host}{}", self.target), headers, body)
            .map_err(|_| malformed("the signer does not take it"))?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(SystemTime::from(now))
            .settings(self.settings())
            .build()
            .expect("invariant: every parameter is given")
            .into();
        let signed = sign(request, &parameters).map_err(|_| malformed("the signer does not sign it"))?;
        Ok(self.write(host, &signed.into_parts().0))
    }

    fn settings(&self) -> SigningSettings {
        let mut settings = settings_of(self.service);
        // What was signed is signed again, whatever the signer itself would leave out.
        settings.excluded_headers = None;
        let has_digest = self.headers.iter().any(|header| header.is(CONTENT_SHA256));
        settings.payload_checksum_kind =
            if has_digest { PayloadChecksumKind::XAmzSha256 } else { PayloadChecksumKind::NoHeader };
        settings
    }

    /// The lines in their order, with what the signature brings in the place of what was there, or else at the end.
    fn write(&self, host: &str, signature: &SigningInstructions) -> Vec<u8> {
        let new = |name: &str| match name {
            HOST => Some(host),
            _ => signature.headers().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value),
        };
        let mut text = format!("{} {} {}\r\n", self.method, self.target, self.version);
        for header in &self.headers {
            let replaced = REPLACED.iter().find(|(name, _)| header.is(name));
            match replaced.map(|(name, _)| new(name)) {
                None => text.extend([header.line, "\r\n"]),
                Some(Some(value)) => text.extend([header.name, ": ", value, "\r\n"]),
                Some(None) => {}
            }
        }
        let is_missing = |name: &str| !self.headers.iter().any(|header| header.is(name));
        for (name, written) in REPLACED.iter().filter(|(name, _)| is_missing(name)) {
            if let Some(value) = new(name) {
                text.extend([written, ": ", value, "\r\n"]);
            }
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

/// How requests of a service are signed.
pub(super) fn settings_of(service: &str) -> SigningSettings {
    let mut settings = SigningSettings::default();
    if VERBATIM_PATH_SERVICES.contains(&service) {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}

/// Why is never the request's own text.
fn malformed(why: &'static str) -> NotResigned {
    NotResigned::Malformed(why)
}

fn header(line: &str) -> Result<Header<'_>, NotResigned> {
    let (name, value) = line.split_once(':').ok_or_else(|| malformed("a header line has no colon"))?;
    if name.is_empty() || name.contains([' ', '\t']) {
        return Err(malformed("a header has no name"));
    }
    Ok(Header { name, value: value.trim_matches([' ', '\t']), line })
}

/// The value of a header that may stand there once.
fn only<'a>(headers: &[Header<'a>], name: &str) -> Result<Option<&'a str>, NotResigned> {
    let mut values = headers.iter().filter(|header| header.is(name)).map(|header| header.value);
    let value = values.next();
    if values.next().is_some() {
        return Err(malformed("a header that may stand there once is given twice"));
    }
    Ok(value)
}

/// The target without scheme and host, which proxies are told (RFC 9112, 3.2.2).
fn path_and_query(target: &str) -> Result<&str, NotResigned> {
    let path = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => {
            rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or("/")
        }
        _ => target,
    };
    if path.starts_with('/') && !path.contains('#') { Ok(path) } else { Err(malformed("its target is no path")) }
}

/// Whether the signature stands in the query: Signature Version 4 or 2.
fn is_presigned(target: &str) -> bool {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|pair| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        name.eq_ignore_ascii_case("X-Amz-Signature") || name == "AWSAccessKeyId"
    })
}

/// Region, service and the signed headers of `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.
fn read_authorization(value: &str) -> Result<(&str, &str, Vec<String>), NotResigned> {
    let (algorithm, fields) = value.split_once(' ').unwrap_or((value, ""));
    if algorithm != ALGORITHM {
        let is_of_aws = algorithm == "AWS" || algorithm.starts_with("AWS4-");
        return Err(if is_of_aws { NotResigned::Algorithm } else { NotResigned::Unsigned });
    }
    let field = |name: &str| {
        let mut fields = fields.split(',').filter_map(|field| field.trim().split_once('='));
        let value = fields.find(|(it, _)| *it == name).map(|(_, value)| value);
        value.ok_or_else(|| malformed("a part of its `Authorization` is missing"))
    };
    let mut scope = field("Credential")?.rsplit('/');
    let (Some(SCOPE_END), Some(service), Some(region), Some(_date), Some(_key)) =
        (scope.next(), scope.next(), scope.next(), scope.next(), scope.next())
    else {
        return Err(malformed("its `Credential` has no scope"));
    };
    let signed = field("SignedHeaders")?.split(';').map(str::to_ascii_lowercase).collect();
    Ok((region, service, signed))
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::SharedCredentialsProvider;

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const PROXY: &str = "127.0.0.1:18474";
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn ours(token: Option<&str>) -> Credentials {
        Credentials::new("AKIDEXAMPLE", SECRET, token.map(str::to_owned), None, "published example")
    }

    fn theirs(token: Option<&str>) -> Credentials {
        Credentials::new("ASIACALLER", "another secret", token.map(str::to_owned), None, "the caller's")
    }

    fn then() -> DateTime<Utc> {
        DateTime::from_timestamp(1_440_938_160, 0).unwrap()
    }

    /// A request as a program has it signed by the official signer.
    struct Request {
        method: &'static str,
        target: &'static str,
        service: &'static str,
        headers: Vec<(&'static str, &'static str)>,
        body: SignableBody<'static>,
    }

    impl Request {
        fn s3(method: &'static str, target: &'static str, body: SignableBody<'static>) -> Self {
            let headers = vec![("content-length", "0"), ("x-amz-meta-note", "two  words")];
            Self { method, target, service: "s3", headers, body }
        }

        fn json(body: &'static [u8]) -> Self {
            let headers = vec![
                ("content-type", "application/x-amz-json-1.1"),
                ("x-amz-target", "AmazonSSM.GetParameter"),
                ("content-length", "43"),
            ];
            Self { method: "POST", target: "/", service: "ssm", headers, body: SignableBody::Bytes(body) }
        }

        fn signed(&self, host: &str, credentials: Credentials, now: DateTime<Utc>) -> String {
            let mut settings = SigningSettings::default();
            if self.service == "s3" {
                settings.percent_encoding_mode = PercentEncodingMode::Single;
                settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
                settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            }
            let url = format!("http://{host}{}", self.target);
            let request = SignableRequest::new(self.method, url, self.headers.iter().copied(), self.body.clone());
            let identity = credentials.into();
            let parameters = v4::SigningParams::builder()
                .identity(&identity)
                .region("eu-central-1")
                .name(self.service)
                .time(SystemTime::from(now))
                .settings(settings)
                .build()
                .unwrap()
                .into();
            let (instructions, _) = sign(request.unwrap(), &parameters).unwrap().into_parts();
            let mut headers: Vec<(&str, &str)> = vec![("host", host), ("user-agent", "a program/1.0")];
            headers.extend(self.headers.iter().copied());
            headers.extend(instructions.headers());
            let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            format!("{} {} HTTP/1.1\r\n{lines}\r\n", self.method, self.target)
        }
    }

    fn resigned(head: &str, host: &str, digest: Option<&str>, credentials: Credentials) -> Result<String, NotResigned> {
        let head = SignedHead::read(head.as_bytes())?;
        let digest = head.digest(digest)?;
        Ok(String::from_utf8(head.sign(host, &digest, credentials, then())?).unwrap())
    }

    /// What was signed for the proxy by somebody else an hour ago is, byte for byte, what we would have signed ourselves.
    #[track_caller]
    fn assert_as_if_signed_for(host: &str, request: &Request, digest: Option<&str>, token: Option<&str>) {
        let an_hour_ago = then() - chrono::TimeDelta::hours(1);
        let caller = theirs(token.map(|_| "the caller's token"));
        let head = request.signed(PROXY, caller, an_hour_ago);
        assert_eq!(
            resigned(&head, host, digest, ours(token)).unwrap(),
            request.signed(host, ours(token), then()),
            "{head}"
        );
    }

    #[test]
    fn a_request_is_what_the_official_signer_would_have_made_it() {
        let body = br#"{"Name":"/shop/mode","WithDecryption":true}"#;
        let digest = sha256_hex(body);
        for token in [None, Some("token/+=")] {
            let host = "ssm.eu-central-1.amazonaws.com";
            assert_as_if_signed_for(host, &Request::json(body), Some(&digest), token);
            let host = "s3.eu-central-1.amazonaws.com";
            for target in ["/bucket/a//b/../c%20d%2Be?versionId=x&acl", "/bucket?list-type=2&prefix=a%2Fb%20c", "/"] {
                assert_as_if_signed_for(host, &Request::s3("GET", target, SignableBody::Bytes(b"")), None, token);
                let put = Request::s3("PUT", target, SignableBody::UnsignedPayload);
                assert_as_if_signed_for(host, &put, None, token);
                let chunked = Request::s3("PUT", target, SignableBody::StreamingUnsignedPayloadTrailer);
                assert_as_if_signed_for(host, &chunked, None, token);
            }
        }
        let rest = Request { service: "lambda", ..Request::json(b"") };
        let rest = Request { method: "GET", target: "/2015-03-31/functions/a%20b/../c?Marker=1", ..rest };
        assert_as_if_signed_for("127.0.0.1:4566", &rest, Some(EMPTY), None);
    }

    /// The signature is botocore 1.43.106's, as in `signed/request.rs`.
    #[test]
    fn a_request_is_what_botocore_would_have_made_it() {
        let body = br#"{"Name":"/shop/mode","WithDecryption":true}"#;
        let head = Request::json(body).signed(PROXY, theirs(None), then());
        // Botocore signs no length.
        let head = head.replace("content-length;", "");
        let host = "ssm.eu-central-1.amazonaws.com";
        let head = resigned(&head, host, Some(&sha256_hex(body)), ours(Some("token/+="))).unwrap();
        let authorization = "authorization: AWS4-HMAC-SHA256 \
             Credential=AKIDEXAMPLE/20150830/eu-central-1/ssm/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, \
             Signature=9badd5aeadb7bbffa5d32900cbb191b317c044297596d920228feb5d695d8670\r\n";
        assert!(head.contains(authorization), "{head}");
    }

    #[test]
    fn a_token_comes_and_goes_with_the_credentials() {
        let request = Request::s3("GET", "/b", SignableBody::Bytes(b""));
        let with = request.signed(PROXY, theirs(Some("old")), then());
        let without = resigned(&with, "h", None, ours(None)).unwrap();
        assert!(!without.contains("security-token") && !without.contains("old"), "{without}");
        let with = resigned(&without, "h", None, ours(Some("new"))).unwrap();
        assert!(with.ends_with("X-Amz-Security-Token: new\r\n\r\n"), "{with}");
    }

    #[test]
    fn what_is_not_signed_keeps_its_bytes_and_its_place() {
        let head = "GET http://127.0.0.1:18474/b?x HTTP/1.1\r\nHOST:   127.0.0.1:18474\r\nX-Odd:  a  b \t\r\n\
                    Authorization: AWS4-HMAC-SHA256 Credential=a/b/20150830/eu-central-1/s3/aws4_request,\
                    SignedHeaders=host;X-Amz-Date,Signature=00\r\nAccept:*/*\r\n\r\n";
        let text = resigned(head, "s3.test:9000", None, ours(None)).unwrap();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!((lines[0], lines[1], lines[2]), ("GET /b?x HTTP/1.1", "HOST: s3.test:9000", "X-Odd:  a  b \t"));
        assert!(lines[3].starts_with(
            "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/s3/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature="
        ));
        assert_eq!(&lines[4..], ["Accept:*/*", "X-Amz-Date: 20150830T123600Z", "", ""]);
    }

    #[track_caller]
    fn assert_left_alone(head: &str, why: &NotResigned) {
        assert_eq!(resigned(head, "h", None, ours(None)).as_ref(), Err(why), "{head}");
    }

    fn head(headers: &str) -> String {
        format!("GET /b HTTP/1.1\r\nhost: a\r\n{headers}\r\n")
    }

    const SIGNED: &str = "authorization: AWS4-HMAC-SHA256 \
        Credential=a/20150830/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n";

    #[test]
    fn what_can_not_be_signed_anew_is_left_alone_with_a_reason() {
        assert_left_alone(&head(""), &NotResigned::Unsigned);
        assert_left_alone(&head("authorization: Bearer x\r\n"), &NotResigned::Unsigned);
        for query in ["x=1&X-Amz-Signature=00", "AWSAccessKeyId=a&Signature=b"] {
            assert_left_alone(&format!("GET /b?{query} HTTP/1.1\r\nhost: a\r\n\r\n"), &NotResigned::Presigned);
        }
        for algorithm in ["AWS4-ECDSA-P256-SHA256", "AWS"] {
            assert_left_alone(&head(&format!("authorization: {algorithm} a:b\r\n")), &NotResigned::Algorithm);
        }
        for kind in ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"] {
            let head = head(&format!("{SIGNED}x-amz-content-sha256: {kind}\r\n"));
            assert_left_alone(&head, &NotResigned::SignedChunks);
        }
        assert_left_alone(&head(&format!("{SIGNED}x-amz-s3session-token: t\r\n")), &NotResigned::ExpressSession);
        assert_left_alone(&head(&SIGNED.replace("/s3/", "/s3express/")), &NotResigned::ExpressSession);
        for body in ["content-length: 10", "transfer-encoding: chunked"] {
            assert_left_alone(&head(&format!("{SIGNED}{body}\r\n")), &NotResigned::BodyNeeded);
        }
    }

    #[test]
    fn a_head_that_nobody_signed_like_this_is_malformed() {
        let twice = format!("{SIGNED}{SIGNED}");
        for broken in [
            head(&twice),
            head(&SIGNED.replace("/aws4_request", "")),
            head(&SIGNED.replace("SignedHeaders", "Headers")),
            head(&format!("{SIGNED}no colon\r\n")),
            head(&format!("{SIGNED} folded: line\r\n")),
            head(SIGNED).replace("/b", "*"),
            head(SIGNED).replace("/b", "/b#c"),
            head(SIGNED).replace(" HTTP/1.1", ""),
            head(SIGNED).trim_end().to_owned(),
        ] {
            let outcome = resigned(&broken, "h", None, ours(None));
            assert!(matches!(outcome, Err(NotResigned::Malformed(_))), "{broken}\n{outcome:?}");
        }
        assert!(matches!(resigned(&head(SIGNED), "a b", None, ours(None)), Err(NotResigned::Malformed(_))));
        assert!(matches!(resigned(&head(SIGNED), "", None, ours(None)), Err(NotResigned::Malformed(_))));
    }

    #[tokio::test]
    async fn credentials_are_those_of_the_chain_and_none_are_asked_for_in_vain() {
        let resigner = |provider| Resigner::new(Arc::new(CredentialCache::new(provider)));
        let provider = SharedCredentialsProvider::new(ours(None));
        let text = resigner(Some(provider)).resign(head(SIGNED).as_bytes(), "h", None).await.unwrap();
        assert!(String::from_utf8(text).unwrap().contains("Credential=AKIDEXAMPLE/"));
        let none = resigner(None);
        let error = none.resign(head(SIGNED).as_bytes(), "h", None).await.unwrap_err();
        assert_eq!(error, NotResigned::NoCredentials("there are no credentials".to_owned()));
        assert_eq!(none.resign(head("").as_bytes(), "h", None).await, Err(NotResigned::Unsigned));
    }
}
