//! An error in the form in which the called service would tell it.

use ciborium::Value as Cbor;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::{AwsCall, Protocol, code, service};
use crate::proxy::http::message::Answer;

/// What went wrong, whatever the protocol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AwsFailure<'a> {
    pub(crate) code: &'a str,
    pub(crate) status: u16,
    pub(crate) message: &'a str,
}

impl AwsFailure<'_> {
    fn is_server_side(&self) -> bool {
        self.status >= 500
    }
}

/// The answer that tells a failure of a call.
pub(crate) fn answer(failure: AwsFailure<'_>, call: &AwsCall, generator: &mut ChaCha8Rng) -> Answer {
    let id = request_id(generator);
    let answer = match call.protocol {
        Protocol::Json10 => json_answer(failure, call, "application/x-amz-json-1.0", &id),
        Protocol::Json11 => json_answer(failure, call, "application/x-amz-json-1.1", &id),
        Protocol::RestJson => rest_json_answer(failure, &id),
        Protocol::RpcCbor => cbor_answer(failure, call, &id),
        Protocol::S3Xml => s3_answer(failure, &id, generator),
        Protocol::Query | Protocol::RestXml => query_answer(failure, &id),
        Protocol::Ec2Query => ec2_answer(failure, &id),
    };
    let was_query = service::find(&call.service).is_some_and(|service| service.was_query);
    match call.protocol {
        Protocol::Json10 | Protocol::Json11 | Protocol::RpcCbor if was_query => {
            let fault = if failure.is_server_side() { "Receiver" } else { "Sender" };
            answer.with("x-amzn-query-error", &format!("{};{fault}", code::query_name(failure.code)))
        }
        _ => answer,
    }
}

fn json_answer(failure: AwsFailure<'_>, call: &AwsCall, content_type: &str, id: &str) -> Answer {
    let body = json!({"__type": qualified(failure, call), "message": failure.message});
    Answer::new(failure.status, body.to_string().into_bytes())
        .with("Content-Type", content_type)
        .with("x-amzn-RequestId", id)
}

fn rest_json_answer(failure: AwsFailure<'_>, id: &str) -> Answer {
    let side = if failure.is_server_side() { "Service" } else { "User" };
    let body = json!({"Type": side, "message": failure.message});
    Answer::new(failure.status, body.to_string().into_bytes())
        .with("Content-Type", "application/json")
        .with("x-amzn-ErrorType", failure.code)
        .with("x-amzn-RequestId", id)
}

fn cbor_answer(failure: AwsFailure<'_>, call: &AwsCall, id: &str) -> Answer {
    let text = |text: &str| Cbor::Text(text.to_owned());
    let body = Cbor::Map(vec![
        (text("__type"), Cbor::Text(qualified(failure, call))),
        (text("message"), text(failure.message)),
    ]);
    let mut bytes = Vec::new();
    ciborium::into_writer(&body, &mut bytes).expect("invariant: a map of texts is CBOR, and memory takes it");
    Answer::new(failure.status, bytes)
        .with("Content-Type", "application/cbor")
        .with("smithy-protocol", "rpc-v2-cbor")
        .with("x-amzn-RequestId", id)
}

fn s3_answer(failure: AwsFailure<'_>, id: &str, generator: &mut ChaCha8Rng) -> Answer {
    // S3's ids: 16 capitals and digits, and a longer text without a meaning to others.
    let short: String = id.chars().filter(char::is_ascii_alphanumeric).take(16).collect::<String>().to_uppercase();
    let host_id = format!("{:032x}{:032x}", generator.random::<u128>(), generator.random::<u128>());
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message><RequestId>{short}</RequestId>\
         <HostId>{host_id}</HostId></Error>",
        escape(failure.code),
        escape(failure.message)
    );
    Answer::new(failure.status, body.into_bytes())
        .with("Content-Type", "application/xml")
        .with("x-amz-request-id", &short)
        .with("x-amz-id-2", &host_id)
}

fn query_answer(failure: AwsFailure<'_>, id: &str) -> Answer {
    let side = if failure.is_server_side() { "Receiver" } else { "Sender" };
    let body = format!(
        "<ErrorResponse><Error><Type>{side}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{id}</RequestId>\
         </ErrorResponse>",
        escape(code::query_name(failure.code)),
        escape(failure.message)
    );
    Answer::new(failure.status, body.into_bytes()).with("Content-Type", "text/xml").with("x-amzn-RequestId", id)
}

fn ec2_answer(failure: AwsFailure<'_>, id: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error>\
         </Errors><RequestID>{id}</RequestID></Response>",
        escape(failure.code),
        escape(failure.message)
    );
    Answer::new(failure.status, body.into_bytes()).with("Content-Type", "text/xml").with("x-amzn-RequestId", id)
}

/// A code with a name space, as services of the JSON protocols write it; clients take what follows the `#`.
fn qualified(failure: AwsFailure<'_>, call: &AwsCall) -> String {
    format!("com.amazonaws.{}#{}", call.service, failure.code)
}

fn request_id(generator: &mut ChaCha8Rng) -> String {
    uuid::Builder::from_random_bytes(generator.random()).into_uuid().to_string()
}

fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn told(service: &str, protocol: Protocol, code: &str, status: u16) -> String {
        let call = AwsCall { service: service.to_owned(), operation: None, protocol };
        let failure = AwsFailure { code, status, message: "a < b" };
        let answer = answer(failure, &call, &mut ChaCha8Rng::seed_from_u64(1));
        String::from_utf8_lossy(&answer.bytes(false, false)).into_owned()
    }

    #[test]
    fn each_protocol_tells_the_code_where_its_clients_look_for_it() {
        let json = told("dynamodb", Protocol::Json10, "ThrottlingException", 400);
        assert!(
            json.starts_with("HTTP/1.1 400 Bad Request\r\n") && json.contains("application/x-amz-json-1.0"),
            "{json}"
        );
        assert!(json.contains(r#""__type":"com.amazonaws.dynamodb#ThrottlingException""#), "{json}");
        let rest = told("lambda", Protocol::RestJson, "TooManyRequestsException", 429);
        assert!(rest.contains("x-amzn-ErrorType: TooManyRequestsException\r\n"), "{rest}");
        let s3 = told("s3", Protocol::S3Xml, "SlowDown", 503);
        assert!(s3.contains("<Error><Code>SlowDown</Code><Message>a &lt; b</Message>"), "{s3}");
        let query = told("sns", Protocol::Query, "Throttling", 400);
        assert!(query.contains("<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>"), "{query}");
        let ec2 = told("ec2", Protocol::Ec2Query, "RequestLimitExceeded", 503);
        assert!(ec2.contains("<Errors><Error><Code>RequestLimitExceeded</Code>"), "{ec2}");
        let cbor = told("monitoring", Protocol::RpcCbor, "InternalServiceFault", 500);
        assert!(cbor.contains("smithy-protocol: rpc-v2-cbor\r\n"), "{cbor}");
        assert!(cbor.contains("x-amzn-query-error: InternalServiceError;Receiver\r\n"), "{cbor}");
    }

    #[test]
    fn a_service_that_spoke_query_once_names_the_old_code_too() {
        let sqs = told("sqs", Protocol::Json10, "QueueDoesNotExist", 400);
        assert!(sqs.contains("x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender\r\n"), "{sqs}");
        assert!(!told("states", Protocol::Json10, "ThrottlingException", 400).contains("query-error"));
    }
}
