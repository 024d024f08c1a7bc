//! CloudWatch through `aws-sdk-cloudwatch`: alarms with their settings and history, mute rules, dashboards, and metrics.
//!
//! Owns: calls in pages, and what an answer lacks. Must not know: who asks, or what an alarm or a number means to a run.

mod alarm;
mod dashboard;
mod history;
mod metric;
mod mute;
mod setting;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::operation::RequestId;
use aws_sdk_cloudwatch::primitives::DateTime as SdkTime;
use chrono::{DateTime, Utc};

pub use self::alarm::{AlarmList, AlarmQuery, AlarmReading};
pub use self::dashboard::DashboardList;
pub use self::history::{AlarmHistory, AlarmHistoryEntry, AlarmHistoryKind};
pub use self::metric::{METRICS_MAX, MetricQuery, MetricSeries, MetricSource};
pub use self::mute::{MuteList, MuteRule};
use super::AwsError;
use super::failpoint::AroundCalls;
use crate::unit::Failpoints;

const SERVICE: &str = "cloudwatch";
/// How long the one attempt of a call of a poll may take: the next poll is its retry, so that polling never gets in the way of an undo.
pub const ALARM_POLL_TIMEOUT: Duration = Duration::from_secs(4);

/// CloudWatch of one Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct CloudWatch {
    client: Client,
}

impl CloudWatch {
    pub(super) fn new(configuration: &aws_config::SdkConfig, failpoints: Failpoints) -> Self {
        let builder = aws_sdk_cloudwatch::config::Builder::from(configuration);
        Self { client: Client::from_conf(builder.interceptor(AroundCalls(failpoints)).build()) }
    }

    /// The same for polling: one attempt of at most 4 s a call, and no part of what a crash test counts, since polls come by
    /// the clock.
    pub(super) fn for_polling(configuration: &aws_config::SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ALARM_POLL_TIMEOUT)
            .operation_timeout(ALARM_POLL_TIMEOUT)
            .build();
        let builder = aws_sdk_cloudwatch::config::Builder::from(configuration);
        let configuration = builder.retry_config(RetryConfig::disabled()).timeout_config(timeouts).build();
        Self { client: Client::from_conf(configuration) }
    }
}

fn failed<E>(operation: &'static str, error: &SdkError<E>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    SdkError<E>: RequestId,
{
    AwsError::from_sdk(SERVICE, operation, error)
}

fn bad_answer(operation: &'static str, message: String) -> AwsError {
    AwsError { service: SERVICE, operation, code: "BadAnswer".to_owned(), message, retryable: true, request_id: None }
}

/// A moment as AWS tells it; none for one that is out of range.
fn time(time: &SdkTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.secs(), time.subsec_nanos())
}

/// A moment as AWS is asked for it.
fn sdk_time(time: DateTime<Utc>) -> SdkTime {
    SdkTime::from_millis(time.timestamp_millis())
}

/// The token of the next page; AWS may also answer an empty one at the end.
fn next(token: Option<&str>) -> Option<String> {
    token.filter(|token| !token.is_empty()).map(str::to_owned)
}
