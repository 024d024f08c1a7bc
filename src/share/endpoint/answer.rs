//! What an endpoint says of what it was sent. What is not understood is not taken for a yes.

use serde_json::Value;

/// What an endpoint of OTLP has taken of the spans that it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// All of them.
    All,
    /// All of them, and it has something to say (OTLP: a partial success that rejects none is a warning).
    Warned(String),
    /// Not all of them. They are not sent again (OTLP: a partial success must not be retried).
    Partly {
        /// How many it did not take.
        rejected: u64,
        /// Why, in its words.
        why: String,
    },
    /// Nobody knows: its answer is none of OTLP.
    Unknown(String),
}

/// Reads `ExportTraceServiceResponse` as JSON. An answer without a byte says that there is nothing to say.
#[must_use]
pub fn accepted_spans(bytes: &[u8]) -> Accepted {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Accepted::All;
    }
    let answer = match serde_json::from_slice(bytes) {
        Ok(Value::Object(answer)) => answer,
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) | Err(_) => {
            return Accepted::Unknown(
                "its answer is no answer of OTLP: is this the address of a collector?".to_owned(),
            );
        }
    };
    let Some(partial) = answer.get("partialSuccess").or_else(|| answer.get("partial_success")) else {
        return Accepted::All;
    };
    let of = |name: &str, other: &str| partial.get(name).or_else(|| partial.get(other));
    let why = of("errorMessage", "error_message").and_then(Value::as_str).unwrap_or_default().to_owned();
    // A 64-bit number is text in OTLP's JSON, and some write it as one.
    let rejected = match of("rejectedSpans", "rejected_spans") {
        None | Some(Value::Null) => Some(0),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64(),
    };
    match rejected {
        Some(0) if why.is_empty() => Accepted::All,
        Some(0) => Accepted::Warned(why),
        Some(rejected) => Accepted::Partly { rejected, why },
        None => Accepted::Unknown("it does not say how many spans it has taken".to_owned()),
    }
}

/// What a refusal says in words: the `message` of a status (OTLP/HTTP: failures), or a short text. A page is none.
pub(super) fn message(bytes: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => {
            let said = value.get("message").or_else(|| value.pointer("/partialSuccess/errorMessage"));
            said.and_then(Value::as_str).map(str::to_owned)
        }
        Err(_) => {
            let text = std::str::from_utf8(bytes).ok()?.trim();
            (!text.contains('<')).then(|| text.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_none_of_otlp_is_not_taken_for_a_yes() {
        for text in ["", "{}", " \n", r#"{"partialSuccess":{}}"#, r#"{"partialSuccess":{"rejectedSpans":"0"}}"#] {
            assert_eq!(accepted_spans(text.as_bytes()), Accepted::All, "{text}");
        }
        let partly = Accepted::Partly { rejected: 3, why: "too old".to_owned() };
        for text in [
            r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#,
            r#"{"partial_success":{"rejected_spans":3,"error_message":"too old"}}"#,
        ] {
            assert_eq!(accepted_spans(text.as_bytes()), partly, "{text}");
        }
        let warned = br#"{"partialSuccess":{"errorMessage":"use gzip"}}"#;
        assert_eq!(accepted_spans(warned), Accepted::Warned("use gzip".to_owned()));
        for text in ["<html>login</html>", "ok", "[]", "null", r#"{"partialSuccess":{"rejectedSpans":"many"}}"#] {
            assert!(matches!(accepted_spans(text.as_bytes()), Accepted::Unknown(_)), "{text}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_its_words_and_a_page_is_not() {
        assert_eq!(message(br#"{"code":3,"message":"no such tenant"}"#).as_deref(), Some("no such tenant"));
        assert_eq!(
            message(br#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"bad id"}}"#).as_deref(),
            Some("bad id")
        );
        assert_eq!(message(b" try later\n").as_deref(), Some("try later"));
        assert_eq!(message(b"<!doctype html><title>502</title>"), None);
        assert_eq!(message(&[0xff, 0xfe]), None);
    }
}
