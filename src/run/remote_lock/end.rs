//! What becomes of a lock when its run is over, or is recovered: released where everything is undone, and otherwise marked, so
//! that other machines see that something is left.

use std::path::Path;

use super::super::ledger::Recorder;
use super::{Found, Held, expiry, moment, text, ticket};
use crate::aws::{AwsError, ParameterControl};
use crate::event::{EventKind, LockProgress};
use crate::unit::error_chain;

pub(super) fn failed(step: &str, error: &AwsError, by_hand: Vec<String>) -> EventKind {
    EventKind::LockFailed { step: step.to_owned(), error: error_chain(error), by_hand }
}

pub(super) fn by_hand(parameter: &str, shell: &str) -> Vec<String> {
    vec![shell.to_owned(), format!("aws ssm delete-parameter --name {parameter}")]
}

/// What is where the lock of that ticket should be.
pub(super) async fn found(parameters: &dyn ParameterControl, parameter: &str, ticket: &str) -> Result<Found, AwsError> {
    let Some(found) = parameters.read(parameter).await? else { return Ok(Found::Nothing) };
    Ok(match Held::read(found.value.reveal()) {
        Some(held) if held.ticket == ticket => Found::Ours(held, found.version),
        Some(held) => {
            Found::Other(format!("run `{}` of {} holds it since {}", held.run, held.holder, moment(held.since)))
        }
        None => Found::Other(format!("`{parameter}` is no lock any more")),
    })
}

/// Takes our own lock away, from whatever machine; another's is left alone.
pub(in super::super) async fn release(
    parameters: &dyn ParameterControl,
    parameter: &str,
    ticket: &str,
    shell: &str,
    recorder: &Recorder,
) {
    let released = match found(parameters, parameter, ticket).await {
        Ok(Found::Ours(..)) => parameters.remove(parameter).await.map(|()| EventKind::LockReleased),
        Ok(Found::Nothing) => Ok(EventKind::LockReleased),
        Ok(Found::Other(found)) => Ok(EventKind::LockLost { found }),
        Err(error) => Err(error),
    };
    recorder
        .record_anyway(released.unwrap_or_else(|error| failed("release the lock", &error, by_hand(parameter, shell))));
}

/// Marks our own lock, so that other machines see that something is left, and says that it stays.
pub(in super::super) async fn keep_dirty(
    parameters: &dyn ParameterControl,
    parameter: &str,
    ticket: &str,
    recorder: &Recorder,
) {
    mark_dirty(parameters, parameter, ticket, recorder).await;
    recorder.record_anyway(EventKind::LockKept);
}

/// A lock that somebody took away is left to them.
pub(super) async fn mark_dirty(parameters: &dyn ParameterControl, parameter: &str, ticket: &str, recorder: &Recorder) {
    let marked = match found(parameters, parameter, ticket).await {
        Ok(Found::Ours(held, _)) => {
            let dirty = Held { dirty: true, expires: expiry(), ..held };
            parameters.write(parameter, &text(&dirty), true).await.map(drop)
        }
        Ok(Found::Nothing | Found::Other(_)) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = marked {
        recorder.record_anyway(failed("mark the lock as dirty", &error, Vec::new()));
    }
}

/// Why a run is not recovered from a copy of its folder.
#[derive(Debug, thiserror::Error)]
pub enum HolderError {
    /// Its lock was renewed not long ago.
    #[error(
        "this folder is a copy, and run `{run}` may be alive: its lock `{parameter}` was renewed by {holder} and lasts until {}; \
         end it there, wait, or say that it died with `--run-is-dead`", moment(*expires)
    )]
    Alive {
        /// The run.
        run: String,
        /// The parameter.
        parameter: String,
        /// Who started it.
        holder: String,
        /// When the lock expires.
        expires: chrono::DateTime<chrono::Utc>,
    },
    /// Nobody can say whether it lives.
    #[error(
        "this folder is a copy, and whether its run lives is not known, since its lock `{parameter}` cannot be read; \
         say that it died with `--run-is-dead`"
    )]
    Unknown {
        /// The parameter.
        parameter: String,
        /// Why.
        #[source]
        source: Box<AwsError>,
    },
}

/// Refuses a copy of a run's folder while its lock says that the run lives. In the folder itself the lock on its log says so.
pub(in super::super) async fn check_holder(
    parameters: &dyn ParameterControl,
    lock: &LockProgress,
    (run, folder): (&str, &Path),
) -> Result<(), HolderError> {
    let parameter = || lock.parameter.clone();
    if !lock.may_be_ours() || ticket(folder, run) == lock.ticket {
        return Ok(());
    }
    let found = found(parameters, &lock.parameter, &lock.ticket).await;
    match found.map_err(|error| HolderError::Unknown { parameter: parameter(), source: Box::new(error) })? {
        Found::Ours(held, _) if !held.dirty && !held.is_expired() => {
            let Held { holder, expires, .. } = held;
            Err(HolderError::Alive { run: run.to_owned(), parameter: parameter(), holder, expires })
        }
        Found::Ours(..) | Found::Nothing | Found::Other(_) => Ok(()),
    }
}
