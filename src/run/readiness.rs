//! What must hold before anything is changed, beside what the targets are: the account, the clock, the credentials.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::place::PlaceError;
use crate::aws::{Aws, AwsError, CredentialsEnd};
use crate::fault::AccountGuard;
use crate::plan::Plan;
use crate::unit::format_duration;

/// How wrong this machine's clock may be. AWS refuses requests that are five minutes off; what is written down about people
/// and alarms is of no use long before.
pub const CLOCK_ERROR_MAX: TimeDelta = TimeDelta::seconds(2);
/// How long credentials must last longer than the timeline: the undo of every kind of fault may wait for minutes.
pub const UNDO_MARGIN: Duration = Duration::from_secs(5 * 60);

/// Why nothing may be changed now.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// Nothing may be done there.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// This machine's clock is wrong.
    #[error(
        "this machine's clock is at least {:.1} s {} AWS's, and may be off by 2 s: set it (`timedatectl set-ntp true`), or \
         AWS refuses calls, and times in the log mean nothing",
        seconds(*error), if *error > TimeDelta::zero() { "ahead of" } else { "behind" }
    )]
    Clock {
        /// By how much at least; positive is ahead.
        error: TimeDelta,
    },
    /// Nobody knows whether this machine's clock is right.
    #[error("AWS does not tell the time, so that nobody knows whether this machine's clock is right")]
    NoTime(#[source] Box<AwsError>),
    /// There are no credentials.
    #[error("there are no credentials")]
    NoCredentials(#[source] Box<AwsError>),
    /// They end too soon.
    #[error(
        "the credentials end at {}, and the run needs them until {} ({} of timeline and settling, and {} to undo): renew \
         them, or use a `profile` that renews itself",
        end.format(TIME_FORMAT), needed.format(TIME_FORMAT), format_duration(*lasts), format_duration(UNDO_MARGIN)
    )]
    CredentialsEnd {
        /// When they end.
        end: DateTime<Utc>,
        /// Until when they are needed.
        needed: DateTime<Utc>,
        /// How long the run lasts.
        lasts: Duration,
    },
}

/// What was looked at: a line for each thing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    /// What is as it should be.
    pub(super) passed: Vec<String>,
    /// What nobody can know, and which is no reason to refuse.
    pub(super) unknown: Vec<String>,
}

/// Makes sure that the caller is the one to whom the environment is bound, now and until everything is undone.
pub(super) async fn check_caller(
    aws: &Aws,
    guard: &AccountGuard,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<Looked, CallerError> {
    // A clock that is wrong makes every other answer a riddle.
    let time = aws.service_time().await;
    if let Ok(time) = &time
        && time.clock_error().abs() > CLOCK_ERROR_MAX
    {
        return Err(CallerError::Clock { error: time.clock_error() });
    }
    guard.check(aws).await.map_err(PlaceError::from)?;
    time.map_err(|source| CallerError::NoTime(Box::new(source)))?;
    let end = aws.credentials_end().await.map_err(|source| CallerError::NoCredentials(Box::new(source)))?;
    let mut looked = check_end(end, plan, now)?;
    looked.passed.push(format!("the caller is in account {}", guard.account()));
    looked.passed.push("this machine's clock is that of AWS, give or take 2 s".to_owned());
    Ok(looked)
}

/// Whether the credentials last until everything is undone.
fn check_end(end: CredentialsEnd, plan: &Plan, now: DateTime<Utc>) -> Result<Looked, CallerError> {
    let lasts = plan.length() + plan.settle.as_ref().map_or(Duration::ZERO, |settle| settle.within.0);
    let needed = now + TimeDelta::from_std(lasts + UNDO_MARGIN).unwrap_or(TimeDelta::MAX);
    let passed = |line: String| Looked { passed: vec![line], unknown: Vec::new() };
    match end {
        CredentialsEnd::At(end) if end < needed => Err(CallerError::CredentialsEnd { end, needed, lasts }),
        CredentialsEnd::At(end) => Ok(passed(format!("the credentials last until {}", end.format(TIME_FORMAT)))),
        CredentialsEnd::Never => Ok(passed("the credentials do not end".to_owned())),
        CredentialsEnd::Renewed => Ok(passed("the credentials are renewed before they end".to_owned())),
        CredentialsEnd::Unknown => {
            let needed = needed.format(TIME_FORMAT);
            let text = format!(
                "nobody knows when the session of the credentials ends, and they are needed until {needed}: an undo after \
                 their end would be stuck"
            );
            Ok(Looked { passed: Vec::new(), unknown: vec![text] })
        }
    }
}

/// A time of day, as AWS's own consoles show it.
const TIME_FORMAT: &str = "%H:%M:%S UTC";

/// Seconds without a sign.
fn seconds(error: TimeDelta) -> f64 {
    error.abs().as_seconds_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Reply, Server};
    use crate::fault::testing::{FakeFunctions, FunctionState};
    use crate::plan::testing::Sketch;
    use crate::scenario::Mode;
    use crate::unit::Clock;

    fn plan() -> Plan {
        Sketch::new(Mode::Drill).phase("broken", 600).plan()
    }

    #[test]
    fn credentials_last_until_everything_is_undone_or_are_refused() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let after = |minutes: i64| CredentialsEnd::At(now + TimeDelta::minutes(minutes));
        let error = check_end(after(14), &plan(), now).unwrap_err().to_string();
        let expected = "the credentials end at 08:14:00 UTC, and the run needs them until 08:15:00 UTC (10m of timeline and \
                        settling, and 5m to undo)";
        assert!(error.starts_with(expected), "{error}");
        for end in [after(15), CredentialsEnd::Never, CredentialsEnd::Renewed] {
            let looked = check_end(end, &plan(), now).unwrap();
            assert_eq!((looked.passed.len(), looked.unknown.len()), (1, 0), "{end:?}");
        }
        let looked = check_end(CredentialsEnd::Unknown, &plan(), now).unwrap();
        assert_eq!((looked.passed.len(), looked.unknown.len()), (0, 1));
    }

    /// The answer says nothing about the account: the clock is told first, since it spoils all other answers.
    #[tokio::test]
    async fn a_clock_that_is_wrong_is_refused_with_how_wrong_it_is() {
        let now = Clock::start().now();
        for (offset, words) in [(60, " s behind AWS's"), (-60, " s ahead of AWS's")] {
            let date = (now + TimeDelta::seconds(offset)).format("%a, %d %b %Y %H:%M:%S GMT");
            let headers = format!("date: {date}\r\n");
            let server =
                Server::start([Reply::Answer { status: 403, headers, body: "<ErrorResponse/>".to_owned() }]).await;
            let aws = Aws::made_up_at(&server, FakeFunctions::checkout(FunctionState::with(&[])));
            let guard = AccountGuard::new("staging", "111122223333");
            let error = check_caller(&aws, &guard, &plan(), now).await.unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("timedatectl"), "{error}");
            let told: f64 = error.split(' ').find_map(|word| word.parse().ok()).unwrap();
            assert!((50.0..70.0).contains(&told), "{error}");
        }
    }
}
