//! Attempts: how many, how long each may take, how long all may, and the pauses between them.

use std::time::Duration;

use aws_config::SdkConfig;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use crate::aws::AwsError;

/// The limits of one call, which are those of the SDK's clients of the same configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// How long one attempt may take, its answer's body included.
    pub(super) attempt: Duration,
    /// How long the call may take with all attempts and pauses.
    pub(super) operation: Duration,
    /// How many attempts there are, the first included.
    pub(super) attempts_max: u32,
    /// The longest pause after the first attempt; each further one may be twice as long.
    pub(super) pause_first: Duration,
    /// The longest pause at all.
    pub(super) pause_max: Duration,
}

/// What stands in for a limit that a configuration leaves out, so that no call waits for ever.
const ATTEMPT_DEFAULT: Duration = Duration::from_secs(8);
const OPERATION_DEFAULT: Duration = Duration::from_secs(30);

impl Limits {
    pub(super) fn of(configuration: &SdkConfig) -> Self {
        let timeouts = configuration.timeout_config();
        let retries = configuration.retry_config().cloned().unwrap_or_else(aws_config::retry::RetryConfig::standard);
        Self {
            attempt: timeouts.and_then(|limits| limits.operation_attempt_timeout()).unwrap_or(ATTEMPT_DEFAULT),
            operation: timeouts.and_then(|limits| limits.operation_timeout()).unwrap_or(OPERATION_DEFAULT),
            attempts_max: retries.max_attempts(),
            pause_first: retries.initial_backoff(),
            pause_max: retries.max_backoff(),
        }
    }

    /// How long to wait after the `attempt`th attempt (from 1): what the service asks for, else anything between nothing
    /// and a length that doubles, so that many clients do not come back at once.
    fn pause(&self, attempt: u32, asked: Option<Duration>, random: &mut ChaCha8Rng) -> Duration {
        let longest = self.pause_first.saturating_mul(2_u32.saturating_pow(attempt - 1)).min(self.pause_max);
        asked.map_or_else(|| random.random_range(Duration::ZERO..=longest), |asked| asked.min(self.pause_max))
    }
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) error: AwsError,
    /// Whether another attempt is made: throttling, failures of the service, connections that broke, and time that ran out.
    pub(super) is_retried: bool,
    /// How long the service asks to wait (`x-amz-retry-after`).
    pub(super) pause: Option<Duration>,
}

/// Makes attempts until one succeeds, one fails for good, or a limit is reached; then the last failure is the call's.
/// `attempt` is told how long it may take, and keeps to that itself.
pub(super) async fn persist<T, F>(
    limits: &Limits,
    random: &mut ChaCha8Rng,
    mut attempt: impl FnMut(Duration) -> F,
) -> Result<T, AwsError>
where
    F: Future<Output = Result<T, Failure>>,
{
    let deadline = Instant::now() + limits.operation;
    let mut attempts = 1;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let failure = match attempt(limits.attempt.min(left)).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let pause = limits.pause(attempts, failure.pause, random);
        if !failure.is_retried || attempts >= limits.attempts_max || Instant::now() + pause >= deadline {
            return Err(failure.error);
        }
        tokio::time::sleep(pause).await;
        attempts += 1;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    const LIMITS: Limits = Limits {
        attempt: Duration::from_secs(8),
        operation: Duration::from_secs(30),
        attempts_max: 4,
        pause_first: Duration::from_secs(1),
        pause_max: Duration::from_secs(20),
    };

    fn failure(is_retried: bool, pause: Option<Duration>) -> Failure {
        let error = AwsError {
            service: "ssm",
            operation: "GetParameter",
            code: "ThrottlingException".to_owned(),
            message: "slow down".to_owned(),
            retryable: true,
            request_id: None,
        };
        Failure { error, is_retried, pause }
    }

    /// Runs attempts that fail as `failures` say, then succeed, each after `duration`; how many there were, whether the
    /// last succeeded, and how long all took.
    async fn run(failures: &[Failure], duration: Duration) -> (usize, bool, Duration) {
        let start = Instant::now();
        let mut made = 0;
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let outcome = persist(&LIMITS, &mut random, |limit| {
            let result = failures.get(made).cloned().map_or(Ok(()), Err);
            made += 1;
            async move {
                tokio::time::sleep(duration.min(limit)).await;
                result
            }
        })
        .await;
        (made, outcome.is_ok(), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn four_attempts_are_made_and_no_more() {
        let retried = failure(true, None);
        assert_eq!(run(&[], Duration::ZERO).await, (1, true, Duration::ZERO));
        let (attempts, is_ok, _) = run(&vec![retried.clone(); 2], Duration::ZERO).await;
        assert_eq!((attempts, is_ok), (3, true));
        let (attempts, is_ok, took) = run(&vec![retried; 9], Duration::ZERO).await;
        assert_eq!((attempts, is_ok), (4, false));
        assert!(took <= Duration::from_secs(1 + 2 + 4), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_for_good_is_not_tried_again() {
        assert_eq!(run(&[failure(false, None)], Duration::ZERO).await, (1, false, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn the_service_says_how_long_to_wait() {
        let asked = failure(true, Some(Duration::from_millis(1500)));
        assert_eq!(run(&[asked], Duration::ZERO).await, (2, true, Duration::from_millis(1500)));
        let too_long = failure(true, Some(Duration::from_secs(3600)));
        assert_eq!(run(&[too_long], Duration::ZERO).await, (2, true, Duration::from_secs(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_has_its_time_and_the_call_has_its_own() {
        let slow = failure(true, Some(Duration::ZERO));
        let (attempts, is_ok, took) = run(&vec![slow; 9], Duration::from_secs(3600)).await;
        assert_eq!((attempts, is_ok, took), (4, false, Duration::from_secs(30)));
    }

    #[test]
    fn limits_are_those_of_the_configuration() {
        let configuration = SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .timeout_config(
                aws_config::timeout::TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(3)).build(),
            )
            .retry_config(aws_config::retry::RetryConfig::standard().with_max_attempts(2))
            .build();
        let limits = Limits::of(&configuration);
        assert_eq!(
            (limits.attempt, limits.operation, limits.attempts_max),
            (Duration::from_secs(3), OPERATION_DEFAULT, 2)
        );
    }
}
