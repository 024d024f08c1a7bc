//! What becomes of a lock when its run is over, or is recovered: released where everything is undone, and otherwise marked, so
//! that other machines see that something is left.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::super::ledger::Recorder;
use super::{Found, Held, LOCK_FORMAT, expiry, moment, text};
use crate::aws::{AwsError, ParameterControl};
use crate::event::{EventKind, LockProgress};
use crate::unit::{Clock, error_chain, sha256_hex};

pub(super) fn failed(step: &str, error: &AwsError, by_hand: Vec<String>) -> EventKind {
    EventKind::LockFailed { step: step.to_owned(), error: error_chain(error), by_hand }
}

pub(super) fn by_hand(parameter: &str, shell: &str) -> Vec<String> {
    vec![shell.to_owned(), format!("aws ssm delete-parameter --name {parameter}")]
}

/// How much of a digest tells a folder from every other one.
const IDENTITY_CHARACTERS: usize = 16;

/// What is where the lock of that ticket should be.
pub(super) async fn found(parameters: &dyn ParameterControl, parameter: &str, ticket: &str) -> Result<Found, AwsError> {
    let Some(found) = parameters.read(parameter).await? else { return Ok(Found::Nothing) };
    Ok(match Held::read(found.value.reveal()) {
        Some(held) if held.ticket == ticket => Found::Ours(held, found.version),
        Some(held) => {
            let is_live = !held.dirty && !held.is_expired();
            let told = format!("run `{}` of {} holds it since {}", held.run, held.holder, moment(held.since));
            Found::Other { told, is_live }
        }
        None => Found::Other { told: format!("`{parameter}` is no lock any more"), is_live: false },
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
        Ok(Found::Other { told: found, .. }) => Ok(EventKind::LockLost { found }),
        Err(error) => Err(error),
    };
    recorder
        .record_anyway(released.unwrap_or_else(|error| failed("release the lock", &error, by_hand(parameter, shell))));
}

/// Marks the lock of a run that a recovery did not undo as a whole.
pub(in super::super) async fn keep_dirty(
    parameters: &dyn ParameterControl,
    lock: &LockProgress,
    run: &str,
    recorder: &Recorder,
) {
    let now = Clock::start().now();
    let held = Held {
        format: LOCK_FORMAT,
        run: run.parse().expect("invariant: a run's first event holds its id"),
        holder: lock.holder.clone(),
        ticket: lock.ticket.clone(),
        since: now,
        expires: now,
        dirty: true,
    };
    mark_dirty(parameters, &lock.parameter, &held, recorder).await;
}

/// Marks our own lock, so that other machines see that something is left; where it was taken away, and nobody has taken it since,
/// it is made anew. Somebody else's is left to them.
pub(super) async fn mark_dirty(parameters: &dyn ParameterControl, parameter: &str, held: &Held, recorder: &Recorder) {
    let dirty = |held: Held| text(&Held { dirty: true, expires: expiry(), ..held });
    let marked = match found(parameters, parameter, &held.ticket).await {
        Ok(Found::Ours(there, _)) => parameters.write(parameter, &dirty(there), true).await,
        Ok(Found::Nothing) => parameters.write(parameter, &dirty(held.clone()), false).await,
        Ok(Found::Other { told: found, .. }) => return recorder.record_anyway(EventKind::LockLost { found }),
        Err(error) => Err(error),
    };
    match marked {
        Ok(_) => {}
        Err(error) if error.is_already_there() => {
            let found = format!("`{parameter}` was taken away and taken by another run");
            return recorder.record_anyway(EventKind::LockLost { found });
        }
        Err(error) => recorder.record_anyway(failed("mark the lock as dirty", &error, Vec::new())),
    }
    recorder.record_anyway(EventKind::LockKept);
}

/// What tells a run's folder from a copy of it, also on another machine.
pub(super) fn identity(folder: &Path) -> String {
    // Not every system has one.
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let system = rustix::system::uname();
    let folder = std::fs::metadata(folder).map_or_else(|_| folder.display().to_string(), |it| it.ino().to_string());
    let own = format!("{} {} {folder}", machine.trim(), system.nodename().to_string_lossy());
    sha256_hex(own.as_bytes()).chars().take(IDENTITY_CHARACTERS).collect()
}

/// Why a run is not recovered from here and now.
#[derive(Debug, thiserror::Error)]
pub enum HolderError {
    /// Its lock was renewed not long ago, and this is not where it was.
    #[error(
        "run `{run}` may be alive: this folder is a copy, or its machine was renamed, and its lock `{parameter}` was renewed by \
         {holder} and lasts until {}; end it there, wait, or say that it died with `--despite-lock`", moment(*expires)
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
    /// Another run works in the environment, which must not be undone behind its back.
    #[error(
        "the environment is locked by `{parameter}` for another run: {found}; wait for its end, or say that it died with \
         `--despite-lock`"
    )]
    Taken {
        /// The parameter.
        parameter: String,
        /// Who has it.
        found: String,
    },
    /// Nobody can say whether it lives.
    #[error(
        "this folder is a copy, or its machine was renamed, and whether its run lives is not known, since its lock \
         `{parameter}` cannot be read; say that it died with `--despite-lock`"
    )]
    Unknown {
        /// The parameter.
        parameter: String,
        /// Why.
        #[source]
        source: Box<AwsError>,
    },
}

/// Refuses to recover where another run has the lock, and in a copy of a run's folder while the lock says that the run lives. In
/// the folder itself the lock on its log says so, and what the parameter cannot say keeps nobody from undoing.
pub(in super::super) async fn check_holder(
    parameters: &dyn ParameterControl,
    lock: &LockProgress,
    (run, folder): (&str, &Path),
) -> Result<(), HolderError> {
    let parameter = lock.parameter.clone();
    let is_here = identity(folder) == lock.folder;
    match found(parameters, &parameter, &lock.ticket).await {
        Ok(Found::Ours(Held { holder, expires, dirty: false, .. }, _))
            if !is_here && expires >= Clock::start().now() =>
        {
            Err(HolderError::Alive { run: run.to_owned(), parameter, holder, expires })
        }
        Ok(Found::Other { told: found, is_live: true }) => Err(HolderError::Taken { parameter, found }),
        Err(error) if !is_here => Err(HolderError::Unknown { parameter, source: Box::new(error) }),
        Ok(Found::Ours(..) | Found::Nothing | Found::Other { .. }) | Err(_) => Ok(()),
    }
}
