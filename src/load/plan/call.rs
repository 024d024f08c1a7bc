//! Calls of AWS as requests: what each service wants to be told, in its own protocol. Source: the API references of Lambda, SQS,
//! SNS, EventBridge and Kinesis, and Smithy 2.0, "AWS protocols".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PlannedBody;
use crate::load::call::{AwsAddress, Callee, InvocationType, SendSpec};
use crate::load::step::Method;
use crate::unit::SNS_API_VERSION;

/// What a request is signed for (Signature Version 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedSignature {
    /// The service's name in signatures: `lambda`.
    pub service: String,
    /// The Region.
    pub region: String,
}

/// Whose answer it is, and so where a failure may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// A server's of HTTP: its status says it.
    #[default]
    Http,
    /// A function's through Lambda: `X-Amz-Function-Error` says that it failed.
    Function,
    /// A service's of AWS: its error has a code.
    Service,
    /// EventBridge's: it tells of each entry.
    Entries,
}

/// A piece of a body that is put together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedPiece {
    /// What is always the same.
    Plain(String),
    /// A text that may hold placeholders.
    Text {
        /// The text.
        text: String,
        /// How it stands in the whole.
        within: Within,
    },
    /// A body of its own.
    Body {
        /// The body.
        body: Box<PlannedBody>,
        /// How it stands in the whole.
        within: Within,
    },
}

/// How a text stands in what is around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// Between the quotes of a JSON text.
    Json,
    /// As the value of a form's field.
    Form,
    /// As Base64 (RFC 4648, 4).
    Base64,
}

/// What a request sends, and whose answer comes back: one of HTTP as its step says, or a call of AWS.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<PlannedBody>,
    pub(super) sign: Option<PlannedSignature>,
    pub(super) answer: AnswerKind,
}

/// The version of Lambda's API, which stands in its paths.
const LAMBDA_API: &str = "2015-03-31";
/// The header that names an operation.
const TARGET: &str = "x-amz-target";
const CONTENT_TYPE: &str = "content-type";

impl Call {
    /// An invocation; none where the address is no function's. Its answer bears the end of its log where `tails_log`.
    pub(super) fn invocation(
        address: &AwsAddress,
        kind: InvocationType,
        tails_log: bool,
        event: Option<PlannedBody>,
    ) -> Option<Self> {
        let Callee::Function { function, qualifier } = &address.callee else { return None };
        // The colons of an ARN, as the SDK writes them.
        let function = function.replace(':', "%3A");
        let mut url = format!("{}/{LAMBDA_API}/functions/{function}/invocations", address.endpoint);
        qualifier.iter().for_each(|qualifier| url.extend(["?Qualifier=", qualifier]));
        let mut headers = fields(&[("x-amz-invocation-type", kind.header())]);
        if tails_log {
            headers.extend(fields(&[("x-amz-log-type", "Tail")]));
        }
        Some(Self::of_service("lambda", address, url, headers, event, AnswerKind::Function))
    }

    fn of_service(
        service: &str,
        address: &AwsAddress,
        url: String,
        headers: BTreeMap<String, String>,
        body: Option<PlannedBody>,
        answer: AnswerKind,
    ) -> Self {
        let sign = Some(PlannedSignature { service: service.to_owned(), region: address.region.clone() });
        Self { method: Method::Post, url, query: BTreeMap::new(), headers, body, sign, answer }
    }

    /// A message that is sent; none where the address takes none.
    pub(super) fn message(address: &AwsAddress, send: &SendSpec, message: Option<PlannedBody>) -> Option<Self> {
        let message = message.unwrap_or_else(|| PlannedBody::Text(String::new()));
        let json = |operation, version| {
            fields(&[(TARGET, operation), (CONTENT_TYPE, &format!("application/x-amz-json-{version}"))])
        };
        let (service, headers, body, answer) = match &address.callee {
            Callee::Function { .. } => return None,
            Callee::Queue { url } => {
                ("sqs", json("AmazonSQS.SendMessage", "1.0"), queue_body(url, send, message), AnswerKind::Service)
            }
            Callee::Topic { arn } => {
                let form = fields(&[(CONTENT_TYPE, "application/x-www-form-urlencoded")]);
                ("sns", form, topic_body(arn, send, message), AnswerKind::Service)
            }
            Callee::Bus { bus } => {
                ("events", json("AWSEvents.PutEvents", "1.1"), bus_body(bus, send, message), AnswerKind::Entries)
            }
            Callee::Stream { stream } => {
                let headers = json("Kinesis_20131202.PutRecord", "1.1");
                ("kinesis", headers, stream_body(stream, send, message), AnswerKind::Service)
            }
        };
        let url = format!("{}/", address.endpoint);
        let body = Some(PlannedBody::Pieces(body.0));
        Some(Self::of_service(service, address, url, headers, body, answer))
    }
}

fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// SQS: SendMessage.
fn queue_body(url: &str, send: &SendSpec, message: PlannedBody) -> Pieces {
    let mut pieces = Pieces::default();
    pieces.plain(&format!("{{\"QueueUrl\":{},\"MessageBody\":\"", Value::from(url)));
    pieces.body(message, Within::Json);
    pieces.plain("\"");
    pieces.json_field("MessageGroupId", send.group.as_deref());
    pieces.json_field("MessageDeduplicationId", send.deduplication.as_deref());
    if !send.attributes.is_empty() {
        let mut before = ",\"MessageAttributes\":{";
        for (name, value) in &send.attributes {
            pieces
                .plain(&format!("{before}{}:{{\"DataType\":\"String\",\"StringValue\":\"", Value::from(name.as_str())));
            pieces.text(value, Within::Json);
            pieces.plain("\"}");
            before = ",";
        }
        pieces.plain("}");
    }
    pieces.plain("}");
    pieces
}

/// SNS: Publish, as a form.
fn topic_body(arn: &str, send: &SendSpec, message: PlannedBody) -> Pieces {
    let mut pieces = Pieces::default();
    pieces.plain(&format!("Action=Publish&Version={SNS_API_VERSION}&TopicArn="));
    pieces.text(arn, Within::Form);
    pieces.plain("&Message=");
    pieces.body(message, Within::Form);
    for (name, text) in
        [("Subject", &send.subject), ("MessageGroupId", &send.group), ("MessageDeduplicationId", &send.deduplication)]
    {
        if let Some(text) = text {
            pieces.plain(&format!("&{name}="));
            pieces.text(text, Within::Form);
        }
    }
    for (number, (name, value)) in (1..).zip(&send.attributes) {
        let entry = format!("MessageAttributes.entry.{number}");
        pieces.plain(&format!("&{entry}.Name="));
        pieces.text(name, Within::Form);
        pieces.plain(&format!("&{entry}.Value.DataType=String&{entry}.Value.StringValue="));
        pieces.text(value, Within::Form);
    }
    pieces
}

/// EventBridge: PutEvents with one entry.
fn bus_body(name: &str, send: &SendSpec, message: PlannedBody) -> Pieces {
    let mut pieces = Pieces::default();
    pieces.plain(&format!("{{\"Entries\":[{{\"EventBusName\":{}", Value::from(name)));
    pieces.json_field("Source", send.source.as_deref());
    pieces.json_field("DetailType", send.detail_type.as_deref());
    pieces.plain(",\"Detail\":\"");
    pieces.body(message, Within::Json);
    pieces.plain("\"}]}");
    pieces
}

/// Kinesis: PutRecord.
fn stream_body(name: &str, send: &SendSpec, message: PlannedBody) -> Pieces {
    let mut pieces = Pieces::default();
    let key = if name.starts_with("arn:") { "StreamARN" } else { "StreamName" };
    pieces.plain(&format!("{{\"{key}\":{}", Value::from(name)));
    pieces.json_field("PartitionKey", Some(send.key.as_deref().unwrap_or("${uuid}")));
    pieces.plain(",\"Data\":\"");
    pieces.body(message, Within::Base64);
    pieces.plain("\"}");
    pieces
}

/// A body that is put together.
#[derive(Default)]
struct Pieces(Vec<PlannedPiece>);

impl Pieces {
    fn plain(&mut self, text: &str) {
        self.0.push(PlannedPiece::Plain(text.to_owned()));
    }

    fn text(&mut self, text: &str, within: Within) {
        self.0.push(PlannedPiece::Text { text: text.to_owned(), within });
    }

    fn body(&mut self, body: PlannedBody, within: Within) {
        self.0.push(PlannedPiece::Body { body: Box::new(body), within });
    }

    /// A field of a JSON object that is not its first; none is left out.
    fn json_field(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.plain(&format!(",\"{name}\":\""));
            self.text(text, Within::Json);
            self.plain("\"");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(callee: Callee) -> AwsAddress {
        AwsAddress { endpoint: "https://a.example".to_owned(), region: "eu-central-1".to_owned(), callee }
    }

    #[test]
    fn an_invocation_goes_through_the_alias() {
        let function = |qualifier: Option<&str>| {
            address(Callee::Function { function: "orders".to_owned(), qualifier: qualifier.map(str::to_owned) })
        };
        let event = Some(PlannedBody::Text("{}".to_owned()));
        let call = Call::invocation(&function(Some("live")), InvocationType::Event, false, event.clone()).unwrap();
        assert_eq!(call.url, "https://a.example/2015-03-31/functions/orders/invocations?Qualifier=live");
        assert_eq!(call.headers, fields(&[("x-amz-invocation-type", "Event")]));
        assert_eq!((call.body, call.answer), (event, AnswerKind::Function));
        let expected = PlannedSignature { service: "lambda".to_owned(), region: "eu-central-1".to_owned() };
        assert_eq!(call.sign, Some(expected));
        let plain = Call::invocation(&function(None), InvocationType::RequestResponse, false, None).unwrap();
        assert_eq!(plain.url, "https://a.example/2015-03-31/functions/orders/invocations");
    }

    #[test]
    fn what_can_not_be_called_so_is_no_call() {
        let send: SendSpec = serde_yaml::from_str("{to: a}").unwrap();
        let function = address(Callee::Function { function: "f".to_owned(), qualifier: None });
        assert!(Call::message(&function, &send, None).is_none());
        let bus = address(Callee::Bus { bus: "b".to_owned() });
        assert!(Call::invocation(&bus, InvocationType::Event, false, None).is_none());
    }

    #[test]
    fn what_is_bound_to_an_account_is_called_by_its_arn() {
        let arn = "arn:aws:lambda:eu-central-1:111122223333:function:orders";
        let function = address(Callee::Function { function: arn.to_owned(), qualifier: None });
        let call = Call::invocation(&function, InvocationType::RequestResponse, false, None).unwrap();
        let encoded = "arn%3Aaws%3Alambda%3Aeu-central-1%3A111122223333%3Afunction%3Aorders";
        assert_eq!(call.url, format!("https://a.example/2015-03-31/functions/{encoded}/invocations"));
        let send: SendSpec = serde_yaml::from_str("{to: a}").unwrap();
        let first = |callee| match Call::message(&address(callee), &send, None).unwrap().body {
            Some(PlannedBody::Pieces(pieces)) => pieces.first().cloned(),
            other => panic!("{other:?}"),
        };
        let stream = |name: &str| first(Callee::Stream { stream: name.to_owned() });
        assert_eq!(stream("arn:a"), Some(PlannedPiece::Plain(r#"{"StreamARN":"arn:a""#.to_owned())));
        assert_eq!(stream("clicks"), Some(PlannedPiece::Plain(r#"{"StreamName":"clicks""#.to_owned())));
    }
}
