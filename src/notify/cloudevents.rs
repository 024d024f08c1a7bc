//! A notice as an event of `CloudEvents` 1.0, for receivers that route by its attributes.

use percent_encoding::utf8_percent_encode;
use serde_json::{Value, json};

use super::notice::Notice;
use crate::unit::URI_SEGMENT;

/// The media type of one event in structured mode (`CloudEvents` 1.0.2, HTTP protocol binding).
pub(super) const CONTENT_TYPE: &str = "application/cloudevents+json";

/// The event. Its data is the notice as it is sent otherwise: no attribute tells more.
pub(super) fn message(notice: &Notice) -> Value {
    json!({
        "specversion": "1.0",
        "id": notice.id,
        "source": format!("/gameday/{}", utf8_percent_encode(&notice.place.environment, URI_SEGMENT)),
        "type": format!("dev.gameday.notice.{}.v1", notice.event),
        "subject": notice.run,
        "time": notice.at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        "datacontenttype": "application/json",
        "data": notice,
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::notify::test_notice;

    #[test]
    fn a_notice_is_the_data_of_an_event_whose_attributes_tell_no_more() {
        let notice = Notice { id: "run/7-start".to_owned(), ..test_notice("a b/c", "maria", DateTime::UNIX_EPOCH) };
        let event = message(&notice);
        assert_eq!(event["data"], serde_json::to_value(&notice).unwrap());
        assert_eq!(event["source"], "/gameday/a%20b%2Fc");
        let [id, kind, subject, time] = ["id", "type", "subject", "time"].map(|key| event[key].as_str().unwrap());
        assert_eq!((id, kind), ("run/7-start", "dev.gameday.notice.start.v1"));
        assert_eq!((subject, time), ("test", "1970-01-01T00:00:00Z"));
    }
}
