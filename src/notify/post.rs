//! Carrying a message to its receiver: one attempt, and what is tried again when.

use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::channel::Channel;
use super::notice::Notice;
use super::queue::{Letter, Queue};
use super::text::line;
use crate::unit::{error_chain, plural};

/// How long one attempt may take, connecting included.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a message is tried.
pub(super) const ATTEMPTS_MAX: u32 = 5;

/// The first wait between two attempts; it doubles, and half of it is left to chance.
const WAIT_MIN: Duration = Duration::from_millis(500);

/// How long a receiver may put a message off.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// The longest answer that is told.
const WORDS_CHARS_MAX: usize = 100;

/// The header with the signature of a message.
const SIGNATURE: &str = "x-gameday-signature";

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It was taken; what was said to it.
    Taken(String),
    /// It may be taken later: why not now, and after how long where the receiver says so.
    Later(String, Option<Duration>),
    /// It will not be taken: why.
    Refused(String),
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// How often it was tried.
    pub attempts: u32,
    /// What was said to it, or why it was not taken.
    pub result: Result<String, String>,
}

/// Carries a message once: over HTTP, or in a test.
#[async_trait]
pub(super) trait Carrier: Send + Sync {
    /// Carries it; it always comes back, if with a refusal.
    async fn carry(&self, letter: &Letter) -> Attempt;
}

/// Carries messages to a channel over HTTP.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    channel: Channel,
}

impl Http {
    /// A client for one channel.
    ///
    /// # Errors
    /// TLS can not be set up.
    pub(super) fn new(channel: Channel) -> Result<Self, String> {
        // A redirect would take what is told, and its signature, elsewhere.
        let builder = reqwest::Client::builder().timeout(ATTEMPT_TIMEOUT).redirect(reqwest::redirect::Policy::none());
        let builder = builder.user_agent(concat!("gameday/", env!("CARGO_PKG_VERSION")));
        let builder = if channel.is_here() { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| error_chain(&error.without_url()))?;
        Ok(Self { client, channel })
    }

    /// What a receiver says in short: Slack's `ok` or `invalid_payload`, and no page, since a page may repeat the address.
    fn words(&self, bytes: &[u8]) -> String {
        let text = line(&String::from_utf8_lossy(bytes));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | ',' | ':');
        let is_short = !text.is_empty() && text.chars().count() <= WORDS_CHARS_MAX && text.chars().all(is_plain);
        if is_short && !self.channel.gives_away(&text) {
            return format!(" ({text})");
        }
        match bytes.len() {
            0 => String::new(),
            ANSWER_BYTES_MAX => " (a long answer, which is not shown)".to_owned(),
            count => format!(" (an answer of {}, which is not shown)", plural(count, "byte", "bytes")),
        }
    }

    /// Why nothing came back, without the address.
    fn failure(&self, error: reqwest::Error) -> String {
        if error.is_timeout() {
            return format!("there was no answer within {} s", ATTEMPT_TIMEOUT.as_secs());
        }
        let text = line(&error_chain(&error.without_url()));
        if self.channel.gives_away(&text) { "nothing came back".to_owned() } else { text }
    }

    async fn answer(&self, response: Response) -> Attempt {
        let status = response.status();
        let put_off = retry_after(&response);
        let words = self.words(&start_of(response).await);
        match status {
            status if status.is_success() => Attempt::Taken(format!("{}{words}", status.as_u16())),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Attempt::Later(format!("it said {status}{words}"), put_off)
            }
            status if status.is_server_error() => Attempt::Later(format!("it said {status}{words}"), put_off),
            status if status.is_redirection() => Attempt::Refused(format!(
                "it said {status}, and no redirect is followed: set the variable to where it is now"
            )),
            status => Attempt::Refused(format!("it said {status}{words}")),
        }
    }
}

#[async_trait]
impl Carrier for Http {
    async fn carry(&self, letter: &Letter) -> Attempt {
        let request = self.client.post(self.channel.url().clone());
        let mut request = request.header(CONTENT_TYPE, HeaderValue::from_static(self.channel.content_type()));
        if let Some(signature) = self.channel.signature(letter.body.as_bytes()) {
            request = request.header(SIGNATURE, signature);
        }
        match request.body(letter.body.clone()).send().await {
            Ok(response) => self.answer(response).await,
            Err(error) => Attempt::Later(self.failure(error), None),
        }
    }
}

/// How long a receiver puts a message off, in whole seconds (RFC 9110, 10.2.3); a date is not waited for.
fn retry_after(response: &Response) -> Option<Duration> {
    let after = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    after.trim().parse().ok().map(Duration::from_secs)
}

/// The first bytes of an answer, whose end nobody waits for.
async fn start_of(mut response: Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What is not read well says nothing; the status has said what counts.
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= ANSWER_BYTES_MAX {
            bytes.truncate(ANSWER_BYTES_MAX);
            break;
        }
    }
    bytes
}

/// How long to wait after an attempt that is to be repeated: what the receiver says, up to a limit, or twice as long each time.
fn wait_after(attempt: u32, put_off: Option<Duration>, random: &mut ChaCha8Rng) -> Duration {
    match put_off {
        Some(put_off) => put_off.min(RETRY_AFTER_MAX),
        None => {
            let longest = WAIT_MIN * 2_u32.saturating_pow(attempt.saturating_sub(1));
            longest.mul_f64(random.random_range(0.5..1.0))
        }
    }
}

/// Delivers a letter of a queue, with retries. What nobody must act on is given up for what somebody must, and, once the run is over,
/// where the channel did not work before.
pub(super) async fn deliver(
    carrier: &dyn Carrier,
    letter: &Letter,
    (queue, is_well): (&Queue, bool),
    random: &mut ChaCha8Rng,
) -> Delivered {
    let is_critical = letter.event.is_critical();
    let mut news = queue.news();
    if !is_critical && !is_well && news.borrow().is_closed {
        let why = "it was not tried: the run is over, and the one before did not go through".to_owned();
        return Delivered { attempts: 0, result: Err(why) };
    }
    let mut attempts = 0;
    loop {
        attempts += 1;
        let (why, put_off) = match carrier.carry(letter).await {
            Attempt::Taken(words) => return Delivered { attempts, result: Ok(words) },
            Attempt::Refused(why) => return Delivered { attempts, result: Err(why) },
            Attempt::Later(why, put_off) => (why, put_off),
        };
        if attempts == ATTEMPTS_MAX {
            return Delivered { attempts, result: Err(why) };
        }
        let wait = wait_after(attempts, put_off, random);
        let must_give_way = news.wait_for(|news| !is_critical && (news.is_urgent || (news.is_closed && !is_well)));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // The queue lives as long as this does.
            _ = must_give_way => return Delivered { attempts, result: Err(why) },
        }
    }
}

/// Sends one notice to one channel, once and without a queue, and says what came back.
pub async fn try_once(channel: &Channel, notice: &Notice) -> Result<String, String> {
    let letter = Letter { event: notice.event, body: channel.body(notice) };
    match Http::new(channel.clone())?.carry(&letter).await {
        Attempt::Taken(words) => Ok(words),
        Attempt::Later(why, _) | Attempt::Refused(why) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn waits_double_with_half_of_each_left_to_chance_and_a_receiver_is_heard_up_to_a_limit() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for (attempt, longest_ms) in [(1, 500), (2, 1_000), (3, 2_000), (4, 4_000)] {
            let longest = Duration::from_millis(longest_ms);
            for _ in 0..100 {
                let wait = wait_after(attempt, None, &mut random);
                assert!(wait >= longest / 2 && wait < longest, "{wait:?} after attempt {attempt}");
            }
        }
        assert_eq!(wait_after(1, Some(Duration::from_secs(7)), &mut random), Duration::from_secs(7));
        assert_eq!(wait_after(1, Some(Duration::from_secs(86_400)), &mut random), RETRY_AFTER_MAX);
    }
}
