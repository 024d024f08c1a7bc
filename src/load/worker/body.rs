//! What a request sends: made once where it is the same each time, else filled for each request.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use tokio_util::bytes::Bytes;

use super::encode::{Space, encode, encode_into};
use super::template::{JsonTemplate, Missing, Scope, Template};
use crate::load::plan::{PlannedBody, PlannedPart, PlannedPiece, Within};

/// A body.
#[derive(Debug)]
pub(super) enum BodyTemplate {
    /// The same each time; empty where there is none.
    Static(Bytes),
    Json(JsonTemplate),
    Text(Template),
    /// Fields with their names encoded.
    Form(Vec<(String, Template)>),
    /// Pieces that follow each other.
    Pieces(Vec<Piece>),
}

/// A piece of a body.
#[derive(Debug)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    Text(Template, Option<Within>),
    Body(BodyTemplate, Within),
}

impl Piece {
    fn of(planned: &PlannedPiece) -> Self {
        match planned {
            PlannedPiece::Plain(text) => Self::Bytes(text.clone().into_bytes()),
            PlannedPiece::Text { text, within } => match Template::new(text) {
                Template::Static(text) => Self::Bytes(within_bytes(text.into_bytes().into(), *within)),
                text @ Template::Dynamic(_) => Self::Text(text, Some(*within)),
            },
            PlannedPiece::Body { body, within } => match BodyTemplate::new(Some(body)).0 {
                BodyTemplate::Static(bytes) => Self::Bytes(within_bytes(bytes, *within)),
                body => Self::Body(body, *within),
            },
        }
    }

    fn fill_into(&self, whole: &mut Vec<u8>, scope: &mut Scope) -> Result<(), Missing> {
        match self {
            Self::Bytes(bytes) => whole.extend_from_slice(bytes),
            Self::Text(text, None) => whole.extend_from_slice(text.fill(scope)?.as_bytes()),
            Self::Text(text, Some(within)) => within_into(whole, text.fill(scope)?.as_bytes(), *within),
            Self::Body(body, within) => within_into(whole, &body.fill(scope)?, *within),
        }
        Ok(())
    }
}

fn within_bytes(bytes: Bytes, within: Within) -> Vec<u8> {
    let mut whole = Vec::with_capacity(bytes.len());
    within_into(&mut whole, &bytes, within);
    whole
}

/// Adds bytes as they stand in what is around them. Those that are no text are replaced, but in Base64.
fn within_into(whole: &mut Vec<u8>, bytes: &[u8], within: Within) {
    match within {
        Within::Json => {
            let quoted = serde_json::to_string(&String::from_utf8_lossy(bytes)).unwrap_or_default();
            whole.extend_from_slice(
                quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().as_bytes(),
            );
        }
        Within::Form => whole.extend_from_slice(encode(&String::from_utf8_lossy(bytes), Space::Plus).as_bytes()),
        Within::Base64 => whole.extend_from_slice(STANDARD.encode(bytes).as_bytes()),
    }
}

impl BodyTemplate {
    /// Takes a body apart; the header says what it is, where that goes without saying.
    pub(super) fn new(body: Option<&PlannedBody>) -> (Self, Option<HeaderValue>) {
        let constant = |text| Some(HeaderValue::from_static(text));
        match body {
            None => (Self::Static(Bytes::new()), None),
            Some(PlannedBody::Json(json)) => match JsonTemplate::new(json) {
                JsonTemplate::Static(bytes) => (Self::Static(bytes), constant("application/json")),
                json @ JsonTemplate::Dynamic(_) => (Self::Json(json), constant("application/json")),
            },
            Some(PlannedBody::Text(text)) => match Template::new(text) {
                Template::Static(text) => (Self::Static(text.into()), None),
                text @ Template::Dynamic(_) => (Self::Text(text), None),
            },
            Some(PlannedBody::Form(fields)) => (form(fields), constant("application/x-www-form-urlencoded")),
            Some(PlannedBody::File(bytes)) => {
                (Self::Static(bytes.0.clone().into()), constant("application/octet-stream"))
            }
            Some(PlannedBody::Multipart(parts)) => {
                let boundary = boundary(parts);
                let header = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"));
                (multipart(parts, &boundary), header.ok())
            }
            Some(PlannedBody::Pieces(pieces)) => (pieces_of(pieces.iter().map(Piece::of)), None),
        }
    }

    /// The body as it is sent.
    pub(super) fn fill(&self, scope: &mut Scope) -> Result<Bytes, Missing> {
        Ok(match self {
            Self::Static(bytes) => bytes.clone(),
            Self::Json(json) => json.fill(scope)?,
            Self::Text(text) => text.fill(scope)?.into(),
            Self::Form(fields) => {
                let mut encoded = String::new();
                for (name, value) in fields {
                    if !encoded.is_empty() {
                        encoded.push('&');
                    }
                    encoded.push_str(name);
                    encoded.push('=');
                    encode_into(&mut encoded, &value.fill(scope)?, Space::Plus);
                }
                encoded.into()
            }
            Self::Pieces(pieces) => {
                let mut whole = Vec::new();
                for piece in pieces {
                    piece.fill_into(&mut whole, scope)?;
                }
                whole.into()
            }
        })
    }
}

fn form(fields: &BTreeMap<String, String>) -> BodyTemplate {
    let fields: Vec<(String, Template)> =
        fields.iter().map(|(name, value)| (encode(name, Space::Plus), Template::new(value))).collect();
    let is_static = fields.iter().all(|(_, value)| matches!(value, Template::Static(_)));
    let pairs = fields.iter().filter_map(|(name, value)| match value {
        Template::Static(value) => Some(format!("{name}={}", encode(value, Space::Plus))),
        Template::Dynamic(_) => None,
    });
    if is_static {
        BodyTemplate::Static(pairs.collect::<Vec<_>>().join("&").into())
    } else {
        BodyTemplate::Form(fields)
    }
}

/// A line that stands in no part that is known beforehand (RFC 2046, 5.1.1).
fn boundary(parts: &[PlannedPart]) -> String {
    let stands_in = |boundary: &str| {
        parts.iter().any(|part| {
            let bytes = match part {
                PlannedPart::Text { value, .. } => value.as_bytes(),
                PlannedPart::File { bytes, .. } => &bytes.0,
            };
            memchr::memmem::find(bytes, boundary.as_bytes()).is_some()
        })
    };
    let mut number = 0_u64;
    loop {
        let boundary = format!("gameday-{number:016x}");
        if !stands_in(&boundary) {
            return boundary;
        }
        number += 1;
    }
}

fn multipart(parts: &[PlannedPart], boundary: &str) -> BodyTemplate {
    let mut pieces = Vec::new();
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"").as_bytes());
        match part {
            PlannedPart::Text { field, value } => {
                bytes.extend_from_slice(format!("{}\"\r\n\r\n", quoted(field)).as_bytes());
                match Template::new(value) {
                    Template::Static(text) => bytes.extend_from_slice(text.as_bytes()),
                    text @ Template::Dynamic(_) => {
                        pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
                        pieces.push(Piece::Text(text, None));
                    }
                }
            }
            PlannedPart::File { field, name, media_type, bytes: file } => {
                let (field, name) = (quoted(field), quoted(name));
                bytes.extend_from_slice(
                    format!("{field}\"; filename=\"{name}\"\r\nContent-Type: {media_type}\r\n\r\n").as_bytes(),
                );
                bytes.extend_from_slice(&file.0);
            }
        }
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    pieces.push(Piece::Bytes(bytes));
    pieces_of(pieces)
}

/// The body of pieces, where what is always the same stands together.
fn pieces_of(pieces: impl IntoIterator<Item = Piece>) -> BodyTemplate {
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (joined.last_mut(), piece) {
            (Some(Piece::Bytes(before)), Piece::Bytes(bytes)) => before.extend(bytes),
            (_, piece) => joined.push(piece),
        }
    }
    match joined.pop() {
        Some(Piece::Bytes(bytes)) if joined.is_empty() => BodyTemplate::Static(bytes.into()),
        last => {
            joined.extend(last);
            BodyTemplate::Pieces(joined)
        }
    }
}

/// A name within quotes, as browsers write it (HTML, multipart form data).
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::load::plan::FileBytes;
    use crate::load::worker::template::tests::scope;

    fn sent(body: &PlannedBody) -> (bool, String, String) {
        let (template, header) = BodyTemplate::new(Some(body));
        let is_static = matches!(template, BodyTemplate::Static(_));
        let bytes = template.fill(&mut scope(json!({"id": 17, "name": "a b"}))).unwrap();
        let header = header.map(|header| header.to_str().unwrap().to_owned()).unwrap_or_default();
        (is_static, header, String::from_utf8_lossy(&bytes).into_owned())
    }

    fn form(fields: &[(&str, &str)]) -> PlannedBody {
        PlannedBody::Form(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_form_is_encoded_and_made_once_where_it_can_be() {
        let header = "application/x-www-form-urlencoded".to_owned();
        assert_eq!(sent(&form(&[("a b", "1&2"), ("c", "")])), (true, header.clone(), "a+b=1%262&c=".to_owned()));
        assert_eq!(
            sent(&form(&[("id", "${id}"), ("n", "<${name}>")])),
            (false, header, "id=17&n=%3Ca+b%3E".to_owned())
        );
    }

    #[test]
    fn a_body_of_several_parts_keeps_files_as_they_are() {
        let file = PlannedPart::File {
            field: "photo".to_owned(),
            name: "a\"b.png".to_owned(),
            media_type: "image/png".to_owned(),
            bytes: FileBytes(b"gameday-0000000000000000".to_vec()),
        };
        let text = PlannedPart::Text { field: "note".to_owned(), value: "no. ${id}".to_owned() };
        let (is_static, header, body) = sent(&PlannedBody::Multipart(vec![file.clone(), text]));
        assert_eq!((is_static, header.as_str()), (false, "multipart/form-data; boundary=gameday-0000000000000001"));
        let line = "--gameday-0000000000000001";
        assert_eq!(
            body,
            format!(
                "{line}\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a%22b.png\"\r\nContent-Type: image/png\r\n\r\n\
                 gameday-0000000000000000\r\n{line}\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nno. 17\r\n{line}--\r\n"
            )
        );
        assert!(sent(&PlannedBody::Multipart(vec![file])).0);
    }

    #[test]
    fn what_is_the_same_each_time_is_made_once() {
        assert!(sent(&PlannedBody::Text("a".to_owned())).0);
        assert!(sent(&PlannedBody::Json(json!({"a": 1}))).0);
        assert_eq!(sent(&PlannedBody::Json(json!({"a": "${id}"}))).2, r#"{"a":17}"#);
        assert_eq!(sent(&PlannedBody::File(FileBytes(b"x".to_vec()))).1, "application/octet-stream");
    }

    #[test]
    fn what_stands_in_something_else_is_written_as_that_wants_it() {
        let json = PlannedBody::Json(json!({"q": "\"${name}\""}));
        let body = |body: &PlannedBody, within| PlannedPiece::Body { body: Box::new(body.clone()), within };
        let plain = |text: &str| PlannedPiece::Plain(text.to_owned());
        let text = |text: &str, within| PlannedPiece::Text { text: text.to_owned(), within };
        let whole = |pieces: Vec<PlannedPiece>| sent(&PlannedBody::Pieces(pieces));
        let (is_static, _, filled) = whole(vec![plain("{\"m\":\""), body(&json, Within::Json), plain("\"}")]);
        assert!(!is_static);
        let outer: serde_json::Value = serde_json::from_str(&filled).unwrap();
        let inner: serde_json::Value = serde_json::from_str(outer["m"].as_str().unwrap()).unwrap();
        assert_eq!(inner, json!({"q": "\"a b\""}));
        let form = whole(vec![plain("m="), text("${name}&c=ü", Within::Form)]);
        assert_eq!(form.2, "m=a+b%26c%3D%C3%BC");
        let bytes = PlannedBody::File(FileBytes(vec![0, 255]));
        let (is_static, _, encoded) = whole(vec![plain("<"), body(&bytes, Within::Base64), plain(">")]);
        assert_eq!((is_static, encoded.as_str()), (true, "<AP8=>"));
    }
}
