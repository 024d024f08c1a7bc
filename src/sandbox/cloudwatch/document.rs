//! Answers before they are put on the wire: CBOR's values, of which JSON's are the part without tags.
//!
//! Owns: how a time is written. A CBOR client wants a tag before it; a JSON client has a plain number.

use chrono::{DateTime, TimeDelta, Utc};
use ciborium::Value;

/// CBOR's tag for seconds since 1970.
const EPOCH_TAG: u64 = 1;

/// A structure under construction; absent members are left out.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<(Value, Value)>);

impl Members {
    /// Adds a member.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// Adds a member where there is a value.
    pub(super) fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a list of texts.
    pub(super) fn with_texts(self, name: &str, texts: &[String]) -> Self {
        let texts: Vec<Value> = texts.iter().map(|text| text.as_str().into()).collect();
        self.with(name, texts)
    }
}

impl From<Members> for Value {
    fn from(members: Members) -> Self {
        Self::Map(members.0)
    }
}

/// A time as the API writes it.
pub(super) fn time(at: DateTime<Utc>) -> Value {
    Value::Tag(EPOCH_TAG, Box::new(Value::Float(seconds(at))))
}

/// A whole second since 1970 as a time.
pub(super) fn second(second: i64) -> Value {
    time(DateTime::from_timestamp(second, 0).unwrap_or_default())
}

/// Seconds since 1970, to the millisecond; 0 for a time before.
pub(super) fn seconds(at: DateTime<Utc>) -> f64 {
    let since = (at - DateTime::UNIX_EPOCH).to_std().unwrap_or_default();
    std::time::Duration::from_millis(crate::unit::elapsed_ms(since)).as_secs_f64()
}

/// The time that a number of seconds since 1970 is. `None`: before 1970, or not a time at all.
pub(super) fn time_of(seconds: f64) -> Option<DateTime<Utc>> {
    let since = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    DateTime::UNIX_EPOCH.checked_add_signed(TimeDelta::from_std(since).ok()?)
}

/// The JSON form: tags are left out.
pub(super) fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Integer(number) => i64::try_from(*number).map_or(serde_json::Value::Null, Into::into),
        Value::Float(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bool(flag) => (*flag).into(),
        Value::Tag(_, inner) => to_json(inner),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Map(members) => {
            let text = |key: &Value| key.as_text().map(str::to_owned).unwrap_or_default();
            members.iter().map(|(key, value)| (text(key), to_json(value))).collect::<serde_json::Map<_, _>>().into()
        }
        // There are no blobs in this API.
        _ => serde_json::Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_tagged_number_in_cbor_and_a_plain_one_in_json() {
        let at = DateTime::from_timestamp(1_700_000_000, 123_456_789).expect("a time");
        let value: Value = Members::default().with("At", time(at)).with_some("Not", None::<&str>).into();
        assert_eq!(to_json(&value), serde_json::json!({"At": 1_700_000_000.123}));
        let mut bytes = Vec::new();
        ciborium::into_writer(&value, &mut bytes).expect("CBOR");
        assert_eq!(bytes.get(..6), Some(&[0xa1, 0x62, b'A', b't', 0xc1, 0xfb][..]));
    }

    #[test]
    fn a_number_of_seconds_is_a_time_and_back() {
        assert_eq!(time_of(1.5).map(seconds), Some(1.5));
        assert_eq!((time_of(-1.0), time_of(f64::NAN), time_of(1e300)), (None, None, None));
    }
}
