//! The lock that other machines see: a Systems Manager parameter that is there while a run may change its environment.
//!
//! Owns: taking it (without overwriting), renewing it. What becomes of it after is in `end.rs`, and what a person may do about it in
//! `unlock.rs`. One that has expired is taken from nobody: that its holder was not heard of for long means that it died, and perhaps
//! left its faults on.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use uuid::Uuid;

pub use end::HolderError;
use end::{by_hand, failed, mark_dirty};
pub(super) use end::{check_holder, keep_dirty, release};
pub use unlock::{UnlockError, unlock};

use super::ledger::Recorder;
use crate::aws::{AwsError, ParameterControl, urgently};
use crate::event::{EventKind, LockProgress, LogError};
use crate::unit::{Clock, RunId, error_chain};

mod end;
mod unlock;

/// The version of what the parameter holds.
const LOCK_FORMAT: u32 = 1;
/// For how long a lock is worth something after its holder was last heard of.
const LASTS: Duration = Duration::from_secs(15 * 60);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(4 * 60);
/// How soon a renewal that did not get through is tried again.
const RENEWAL_RETRY: Duration = Duration::from_secs(30);
/// How often it is looked whether this machine slept.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);
/// How late a renewal is when this machine must have slept.
const LATE: TimeDelta = TimeDelta::seconds(30);
/// How long an end of a run may wait for AWS to take the lock back.
const END_WAIT: Duration = Duration::from_secs(20);

/// What the parameter holds, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The version of the format: 1.
    pub format: u32,
    /// The run.
    pub run: RunId,
    /// Who started it: `maria@laptop`.
    pub holder: String,
    /// What tells the run from every other one, on whatever machine.
    pub ticket: String,
    /// When it was taken.
    pub since: DateTime<Utc>,
    /// When its holder has not been heard of for too long.
    pub expires: DateTime<Utc>,
    /// Whether the run has ended and something is not undone.
    #[serde(default)]
    pub dirty: bool,
}

impl Held {
    fn read(text: &str) -> Option<Self> {
        let held: Self = serde_json::from_str(text).ok()?;
        // Whoever may write the parameter may write anything, and it is shown.
        let holder = crate::unit::printable(&held.holder).to_string();
        (held.format == LOCK_FORMAT).then_some(Self { holder, ..held })
    }

    /// Whether its holder has not been heard of for too long.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.expires < Clock::start().now()
    }

    /// Who holds it, since when, and what to do about it.
    #[must_use]
    pub fn told(&self, environment: &str) -> String {
        let Self { run, holder, since, expires, dirty, .. } = self;
        let since = moment(*since);
        let recover = format!(
            "`gameday recover {run}` where its folder is releases it, or, from a copy of it, with `--despite-lock`"
        );
        let state = match (dirty, self.is_expired()) {
            (true, _) => format!("it has ended, and something is NOT undone. {recover}"),
            (false, false) => format!("wait for its end. If it died, {recover}"),
            (false, true) => format!(
                "it was not heard of any more, expired at {}, and may have left its faults on. {recover}",
                moment(*expires)
            ),
        };
        let unlock = format!(
            "; only who knows that nothing is left may take it away: `gameday recover --env {environment} --unlock {run}`"
        );
        let unlock = if self.is_expired() { unlock } else { String::new() };
        format!("run `{run}` of {holder} holds it since {since}; {state}{unlock}")
    }
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Why the lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RemoteLockError {
    /// Another run has it.
    #[error("environment `{environment}` is locked by the parameter `{parameter}`: {}", held.told(environment))]
    Held {
        /// The environment.
        environment: String,
        /// The parameter.
        parameter: String,
        /// What it holds.
        held: Box<Held>,
    },
    /// The parameter is something else.
    #[error("the parameter `{0}` is there, and is no lock that this version of gameday made")]
    Foreign(String),
    /// The call failed.
    #[error("failed to lock the environment by the parameter `{parameter}`")]
    Aws {
        /// The parameter.
        parameter: String,
        /// Why.
        #[source]
        source: Box<AwsError>,
    },
    /// That there may be a lock could not be written down.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl RemoteLockError {
    /// Whether nothing of ours is left for certain.
    fn is_without_lock(&self) -> bool {
        match self {
            // What is there is not ours.
            Self::Held { .. } | Self::Foreign(_) => true,
            // An attempt before a refusal that got through would have made it a conflict.
            Self::Aws { source, .. } => !source.retryable && source.operation == "PutParameter",
            Self::Log(_) => false,
        }
    }
}

/// A lock that is ours.
#[derive(Clone)]
pub(super) struct RemoteLock {
    parameters: Arc<dyn ParameterControl>,
    parameter: String,
    held: Held,
    shell: String,
    /// Whether it is over, and not to be renewed any more; held while it is renewed.
    is_over: Arc<Mutex<bool>>,
}

/// What was found where our lock should be.
enum Found {
    /// Ours, and the version of the parameter.
    Ours(Held, u64),
    Nothing,
    /// Somebody else's.
    Other {
        /// In words.
        told: String,
        /// Whether its run was heard of not long ago, and has not ended.
        is_live: bool,
    },
}

impl RemoteLock {
    /// Takes the lock, or says who has it. From the first event on a recovery of the run releases it.
    pub(super) async fn take(
        parameters: Arc<dyn ParameterControl>,
        (environment, parameter): (&str, &str),
        shell: &str,
        recorder: &Recorder,
    ) -> Result<Self, RemoteLockError> {
        let run = recorder.recording().state().run.clone();
        let run: RunId = run.parse().expect("invariant: a run's first event holds its id");
        let now = Clock::start().now().trunc_subsecs(0);
        let holder = holder();
        let ticket = Uuid::new_v4().simple().to_string();
        let expires = expiry();
        let held = Held { format: LOCK_FORMAT, run, holder, ticket, since: now, expires, dirty: false };
        let lock = Self {
            parameters,
            parameter: parameter.to_owned(),
            held,
            shell: shell.to_owned(),
            is_over: Arc::default(),
        };
        recorder.record(EventKind::LockIntended {
            parameter: parameter.to_owned(),
            ticket: lock.held.ticket.clone(),
            holder: lock.held.holder.clone(),
            folder: end::identity(recorder.log().directory()),
        })?;
        match lock.try_take(environment).await {
            Ok(()) => {
                recorder.record_anyway(EventKind::LockTaken { expires_at: expires });
                Ok(lock)
            }
            Err(error) => {
                if error.is_without_lock() {
                    recorder.record_anyway(EventKind::LockReleased);
                }
                Err(error)
            }
        }
    }

    async fn try_take(&self, environment: &str) -> Result<(), RemoteLockError> {
        let parameter = || self.parameter.clone();
        let fail = |source| RemoteLockError::Aws { parameter: parameter(), source: Box::new(source) };
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.parameters.write(&self.parameter, &text(&self.held), false).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_already_there() => {}
                Err(error) => return Err(fail(error)),
            }
            match self.parameters.read(&self.parameter).await.map_err(fail)? {
                Some(found) => match Held::read(found.value.reveal()) {
                    // An answer was lost.
                    Some(held) if held.ticket == self.held.ticket => return Ok(()),
                    Some(held) => {
                        let (environment, held) = (environment.to_owned(), Box::new(held));
                        return Err(RemoteLockError::Held { environment, parameter: parameter(), held });
                    }
                    None => return Err(RemoteLockError::Foreign(parameter())),
                },
                // It was released this very moment.
                None if attempts == 1 => {}
                None => return Err(RemoteLockError::Foreign(parameter())),
            }
        }
    }

    /// Renews the lock until it is dropped. Where it is not ours any more, `lost` is told once: another run may be under way.
    pub(super) async fn keep(self, recorder: Recorder, lost: impl Fn(String) + Send) {
        let (mut wait, mut is_told, mut expires_at) = (RENEWAL, false, self.held.expires);
        loop {
            sleep_or_wake(wait, expires_at).await;
            let is_over = self.is_over.lock().await;
            if *is_over {
                return;
            }
            let renewed = urgently(self.renew()).await;
            drop(is_over);
            match renewed {
                Ok(Ok(renewed_until)) => {
                    expires_at = renewed_until;
                    recorder.record_anyway(EventKind::LockTaken { expires_at });
                    (wait, is_told) = (RENEWAL, false);
                }
                Ok(Err(found)) => {
                    recorder.record_anyway(EventKind::LockLost { found: found.clone() });
                    return lost(found);
                }
                Err(error) if Clock::start().now() >= expires_at => {
                    let found = format!(
                        "it ended at {}, and could not be renewed: {}",
                        moment(expires_at),
                        error_chain(&error)
                    );
                    recorder.record_anyway(EventKind::LockLost { found: found.clone() });
                    return lost(found);
                }
                Err(error) => {
                    wait = RENEWAL_RETRY;
                    if !is_told {
                        recorder.record_anyway(failed("renew the lock", &error, Vec::new()));
                        is_told = true;
                    }
                }
            }
        }
    }

    /// Puts the expiry off. Between the look and the write somebody could take the lock away, who would have to believe that we
    /// are dead: the version tells that it happened, and the next look who it was.
    async fn renew(&self) -> Result<Result<DateTime<Utc>, String>, AwsError> {
        let expires = expiry();
        let text = text(&Held { expires, ..self.held.clone() });
        match self.found().await? {
            // A recovery elsewhere took this run for dead, and left something.
            Found::Ours(held, _) if held.dirty => {
                return Ok(Err(format!("`{}` was marked as dirty by a recovery of this run", self.parameter)));
            }
            Found::Ours(_, version) => {
                let written = self.parameters.write(&self.parameter, &text, true).await?;
                // AWS counts from 1 again where a parameter was deleted and made anew.
                if written <= version {
                    return Ok(Err(format!("somebody wrote to `{}` at the same moment", self.parameter)));
                }
            }
            Found::Nothing => match self.parameters.write(&self.parameter, &text, false).await {
                Ok(_) => {}
                Err(error) if error.is_already_there() => {
                    return Ok(Err(format!("`{}` was taken away and taken by another run", self.parameter)));
                }
                Err(error) => return Err(error),
            },
            Found::Other { told, .. } => return Ok(Err(told)),
        }
        Ok(Ok(expires))
    }

    async fn found(&self) -> Result<Found, AwsError> {
        end::found(&*self.parameters, &self.parameter, &self.held.ticket).await
    }

    /// The run is over. Where everything is undone the lock is released, and otherwise marked: other machines then see that
    /// something is left. A lock that somebody took away is left to them.
    pub(super) async fn end(&self, recorder: &Recorder, is_clean: bool) {
        if !recorder.recording().state().lock.as_ref().is_some_and(LockProgress::may_be_ours) {
            return;
        }
        let (parameters, held) = (&*self.parameters, &self.held);
        let ending = urgently(async {
            // A renewal that is under way must not come after the release, and make the parameter anew.
            *self.is_over.lock().await = true;
            if is_clean {
                release(parameters, &self.parameter, &held.ticket, &self.shell, recorder).await;
                return;
            }
            mark_dirty(parameters, &self.parameter, held, recorder).await;
        });
        if tokio::time::timeout(END_WAIT, ending).await.is_err() {
            let error = format!("AWS did not answer within {}", crate::unit::format_duration(END_WAIT));
            let (step, by_hand) = match is_clean {
                true => ("release the lock", by_hand(&self.parameter, &self.shell)),
                // Something is left: whoever took the lock away would let another run in.
                false => ("mark the lock as dirty", Vec::new()),
            };
            recorder.record_anyway(EventKind::LockFailed { step: step.to_owned(), error, by_hand });
            if !is_clean {
                recorder.record_anyway(EventKind::LockKept);
            }
        }
    }
}

/// Waits for the next renewal, or until the lock is about to end: this process's own clock stands still while the machine
/// sleeps, and that of other machines does not.
async fn sleep_or_wake(wait: Duration, expires_at: DateTime<Utc>) {
    let renewal = TimeDelta::from_std(LASTS - RENEWAL).unwrap_or(TimeDelta::zero());
    let due = tokio::time::Instant::now() + wait;
    loop {
        let now = tokio::time::Instant::now();
        let is_late = wait > RENEWAL_RETRY && Clock::start().now() > expires_at - renewal + LATE;
        if now >= due || is_late {
            return;
        }
        tokio::time::sleep(LOOK_INTERVAL.min(due - now)).await;
    }
}

fn expiry() -> DateTime<Utc> {
    let lasts = TimeDelta::from_std(LASTS).unwrap_or(TimeDelta::MAX);
    (Clock::start().now() + lasts).trunc_subsecs(0)
}

fn text(held: &Held) -> String {
    serde_json::to_string(held).expect("invariant: a lock serialises to JSON")
}

/// Who runs this program, and where.
fn holder() -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    let user = user.unwrap_or_else(|| format!("user {}", rustix::process::getuid().as_raw()));
    let system = rustix::system::uname();
    crate::unit::printable(&format!("{user}@{}", system.nodename().to_string_lossy())).to_string()
}

#[cfg(test)]
mod tests;
