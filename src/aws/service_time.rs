//! What time it is for AWS: the `Date` of an answer, next to our own clock.

use chrono::{DateTime, TimeDelta, Utc};

use super::AwsError;
use super::signed::{Call, Input, Service, Signed};

const STS: Service = Service { name: "sts", id: "STS", is_global: false };
/// How much of a second `Date` leaves out.
const DATE_STEP: TimeDelta = TimeDelta::seconds(1);

/// One reading of a service's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceTime {
    /// When the question was sent, by our clock.
    pub sent: DateTime<Utc>,
    /// The service's clock when it answered, cut to whole seconds.
    pub service: DateTime<Utc>,
    /// When the answer had come, by our clock.
    pub received: DateTime<Utc>,
}

impl ServiceTime {
    /// Asks with `sts:GetCallerIdentity`, which needs no permission.
    pub(super) async fn ask(signed: &Signed) -> Result<Self, AwsError> {
        let input = Input::Query { version: "2011-06-15", parameters: Vec::new() };
        let call = Call { service: &STS, operation: "GetCallerIdentity", input, secrets: &[] };
        let (sent, answer, received) = signed.timed(&call).await?;
        let service = answer.date().ok_or_else(|| answer.bad("the answer has no `Date`"))?;
        Ok(Self { sent, service, received })
    }

    /// The least by which our clock must be wrong, whatever part of the way the answer took: positive where ours is ahead,
    /// zero where both can be right. `Date` has whole seconds, so that an error below one second may not show.
    #[must_use]
    pub fn clock_error(&self) -> TimeDelta {
        let ahead = self.sent - (self.service + DATE_STEP);
        let behind = self.service - self.received;
        if ahead > TimeDelta::zero() {
            ahead
        } else if behind > TimeDelta::zero() {
            -behind
        } else {
            TimeDelta::zero()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    fn reading(sent_ms: i64, service_ms: i64, received_ms: i64) -> ServiceTime {
        let at = |ms| DateTime::UNIX_EPOCH + TimeDelta::milliseconds(ms);
        ServiceTime { sent: at(sent_ms), service: at(service_ms), received: at(received_ms) }
    }

    #[test]
    fn a_clock_is_wrong_by_what_neither_the_way_nor_the_cut_seconds_explain() {
        for (sent, service, received, error_ms) in [
            (5_100, 5_000, 5_200, 0),
            (5_900, 5_000, 6_300, 0),
            (6_500, 5_000, 6_600, 500),
            (9_000, 5_000, 9_100, 3_000),
            (1_000, 5_000, 1_200, -3_800),
            (1_000, 5_000, 5_000, 0),
        ] {
            assert_eq!(reading(sent, service, received).clock_error(), TimeDelta::milliseconds(error_ms));
        }
    }

    #[tokio::test]
    async fn an_answer_that_refuses_tells_the_time_too() {
        let refused = Reply::Answer {
            status: 403,
            headers: "date: Sun, 30 Aug 2015 12:36:10 GMT\r\n".to_owned(),
            body: "<ErrorResponse/>".to_owned(),
        };
        let server = Server::start([refused]).await;
        let time = ServiceTime::ask(&server.signed()).await.unwrap();
        assert_eq!(time.clock_error(), TimeDelta::seconds(-10));
        assert_eq!(server.only().body, "Action=GetCallerIdentity&Version=2011-06-15");

        let error = ServiceTime::ask(&Server::start([Reply::new(200, "")]).await.signed()).await.unwrap_err();
        assert_eq!(error.to_string(), "sts:GetCallerIdentity failed with BadAnswer: the answer has no `Date`");
    }
}
