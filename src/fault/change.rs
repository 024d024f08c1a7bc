//! What every kind of fault does: prepare, inject, revert. And the environment in which it does it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::about::{About, Calls, Objection};
use super::account::{AccountError, AccountGuard};
use super::command::{CommandError, CommandPlace, Permits};
use super::switch::{Cover, NO_CALL, Switch};
use super::target::{AwsResource, FaultTarget, TargetNeed};
use crate::aws::{Aws, AwsError};
use crate::proxy::{AdminClient, AdminError, AdminUrl, PartStats};
use crate::unit::{ProxyName, TargetId};

/// How long an injection may go on trying through throttling and conflicts. A try that is under way may wait longer for AWS to
/// carry out an update: a minute for a function, three for an event source.
pub(super) const INJECT_BUDGET: Duration = Duration::from_secs(30);
/// How long an undo may go on trying; its last try, too, may wait longer.
pub(super) const REVERT_BUDGET: Duration = Duration::from_secs(60);
/// The first wait between two tries; it doubles.
const RETRY_WAIT_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two tries.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(2);

/// Where faults work: the control planes and the targets' names.
#[derive(Clone)]
pub struct FaultEnvironment {
    /// The control planes of AWS.
    pub aws: Aws,
    /// Asks for the caller's account before every change and every undo; none where the environment is bound to none.
    pub account: Option<AccountGuard>,
    /// The admin API of the run's own fault proxy; none where no target needs it.
    pub proxy: Option<AdminClient>,
    /// Whether the fault proxies behind an admin API that is not on this machine may be driven, by a workspace's folder.
    pub proxies: Permits,
    /// The targets by their names in the scenario.
    pub targets: BTreeMap<TargetId, FaultTarget>,
    /// What a shell must say before `aws` works in the same place.
    pub shell: String,
    /// Whether the control plane lives in the run's own process: nobody home then means that it is gone for good.
    pub is_embedded: bool,
    /// Which change of which run is made.
    pub occasion: Occasion,
    /// Where commands of a user's are run, and which may be.
    pub commands: CommandPlace,
}

/// What makes a change one of its own, for faults that put something of a name into the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occasion {
    /// A name that no other change has: `gameday-2026-11-10-1000-shop-002-deny`.
    pub token: String,
    /// How long the change will last at most; what expires by itself expires some minutes later.
    pub lasts: Duration,
}

impl Default for Occasion {
    /// For looks and undos, which name nothing.
    fn default() -> Self {
        Self { token: "gameday".to_owned(), lasts: Duration::from_secs(3_600) }
    }
}

/// Why a fault could not be prepared, injected or undone.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The caller is not in the environment's account, or nobody says so.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The fault proxy did not do it.
    #[error("failed to drive the fault proxy")]
    Proxy(#[from] AdminError),
    /// A command of the user's did not do what it is for.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The environment does not let this fault proxy be driven.
    #[error(
        "the fault proxy at {0} is sent no token: `proxies` of the environment in `gameday.yaml`, in the workspace from which it \
         was run, does not permit it"
    )]
    ForeignProxy(AdminUrl),
    /// The target can not do what the fault asks for.
    #[error("`{target}` can not do it: {why}")]
    Unfit {
        /// The proxy.
        target: String,
        /// Why not, and what to do.
        why: String,
    },
    /// The environment has no such target, or one of another kind.
    #[error("target `{0}` is not one that this fault can work on")]
    Target(TargetId),
    /// An undo would not be certain.
    #[error("`{target}` is not in a state that can be restored for certain: {why}")]
    Unsafe {
        /// The function, or what else the fault works on.
        target: String,
        /// What is in the way.
        why: &'static str,
    },
    /// The change was made, and reading back shows something else.
    #[error("`{target}` does not show the change: {found}")]
    NotApplied {
        /// The function, the proxy, or what else the fault works on.
        target: String,
        /// What was found.
        found: String,
    },
    /// The change came to an end that no other try changes.
    #[error("`{target}` does not show the change, and will not: {found}")]
    Ended {
        /// What the fault works on.
        target: String,
        /// What it came to.
        found: String,
    },
    /// An update does not end.
    #[error("an update of `{target}` is still under way after {}", crate::unit::format_duration(*waited))]
    StillUpdating {
        /// The function or the table.
        target: String,
        /// How long it was waited for.
        waited: Duration,
    },
}

impl FaultError {
    /// What the fault is about to change is not what was read: the undo would put a value back that nobody wants any more.
    pub(super) fn changed_meanwhile(target: &str) -> Self {
        Self::not_safe(target, "somebody else changed it since it was read")
    }

    /// The target is in a state from which it could not be restored for certain.
    pub(super) fn not_safe(target: &str, why: &'static str) -> Self {
        Self::Unsafe { target: target.to_owned(), why }
    }

    /// A proxy can not do what the fault asks for.
    pub(super) fn unfit(proxy: &ProxyName, why: String) -> Self {
        Self::Unfit { target: proxy.to_string(), why }
    }

    /// Whether nothing was heard of a fault proxy for as long as it was tried.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Proxy(error) if error.is_silence())
    }

    /// Whether the same step may go through later.
    fn is_retryable(&self) -> bool {
        match self {
            Self::Aws(error) => error.retryable || error.is_stale(),
            Self::Account(error) => error.is_retryable(),
            Self::Proxy(error) => error.is_retryable(),
            Self::Command(error) => error.is_retryable,
            Self::NotApplied { .. } => true,
            Self::Target(_)
            | Self::ForeignProxy(_)
            | Self::Unfit { .. }
            | Self::Unsafe { .. }
            | Self::StillUpdating { .. }
            | Self::Ended { .. } => false,
        }
    }
}

/// How an undo ended well, or why it was left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reverted {
    /// It was as injected, was restored and read back.
    Restored,
    /// It was as before already.
    AsBefore,
    /// It was undone, says what undid it; there is nothing that could read it back.
    NotReadBack,
    /// Its own time was over before anybody could be asked.
    Expired,
    /// The target is gone.
    Gone,
    /// Somebody else changed it: one line for each field, without secrets.
    Drift(Vec<String>),
}

/// What became of putting off the end of a change that is over by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// It stays until it is undone.
    Needless,
    /// It was put off.
    Held,
    /// It is not there any more: somebody else took it away, or its time was over.
    Lost,
}

/// A change and its undo, one line each, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeText {
    /// The change.
    pub change: String,
    /// Its undo.
    pub undo: String,
}

/// A kind of fault.
pub(super) trait Fault {
    /// What it becomes once the target was read.
    type Change: Revertible;
    /// What it says of itself.
    const ABOUT: About;
    /// What kind of target it works on.
    const TARGET: TargetNeed;
    /// The API calls of the change and of its undo, as IAM names them.
    const CALLS: Calls;
    /// Whether a fault proxy counts how often it does it to a caller, which is proof of its effect.
    const IS_COUNTED: bool = false;

    /// What kind of target it works on, with these parameters.
    fn need(&self) -> TargetNeed {
        Self::TARGET
    }

    /// What of its parameters has no effect, or is something that AWS would not take.
    fn objections(&self) -> Vec<Objection> {
        Vec::new()
    }

    /// The programs of the user's that it runs, each with the key of its command.
    fn programs(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }

    /// Whether it is about single requests, which a proxy of `protocol: tcp` does not know.
    fn is_on_requests(&self) -> bool {
        false
    }

    /// Where it leads its function, which a file may write as a target's address: `${target.url}`.
    fn url(&self) -> Option<&str> {
        None
    }

    /// Leads its function somewhere else; without effect for a fault that leads it nowhere.
    fn set_url(&mut self, _url: String) {}

    /// Reads the target. Changes nothing.
    async fn prepare(&self, environment: &FaultEnvironment) -> Result<Self::Change, FaultError>;

    /// The change in words, before the target was read.
    fn text(&self) -> ChangeText;

    /// The settings of the target that it changes: two faults on the same one at once cannot both be undone for certain.
    fn settings(&self) -> Vec<String>;

    /// Whether it ends by itself in AWS, or by one call there, when nobody of ours is left.
    fn cover(&self) -> Cover {
        Cover::None(NO_CALL)
    }
}

/// A change as data: what was there, and what is put there.
pub(super) trait Revertible {
    /// Tries once to make the change and to read it back.
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError>;

    /// Tries once to compare, restore and read back. `restoring` is set before anything is written, and stays set over
    /// tries: what is found as before then was restored by us, though an answer was lost.
    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError>;

    /// Puts off its end, where it is over by itself unless somebody does.
    async fn try_renew(&self, _environment: &FaultEnvironment) -> Result<Renewed, FaultError> {
        Ok(Renewed::Needless)
    }

    /// Whether it is over by itself soon after nobody puts it off any more: sooner than its undo gives up.
    fn expires(&self) -> bool {
        false
    }

    /// Whether it put what a fault proxy tells of: a toxic, a rule or a TLS fault, on the proxy of that name.
    fn has_put(&self, _proxy: &ProxyName, _part: &PartStats<'_>) -> bool {
        false
    }

    /// The change in words, without secrets.
    fn text(&self) -> ChangeText;

    /// Commands that undo it by hand, without secrets; those stand in the private file at `undo` alone.
    fn by_hand(&self, undo: &Path) -> Vec<String>;

    /// What undoes it when nobody of ours is left. It never carries a secret.
    fn switch(&self) -> Switch {
        Switch::None(NO_CALL)
    }
}

impl FaultEnvironment {
    /// Makes sure that what is done next is done in the account to which the environment is bound.
    pub(super) async fn check_account(&self) -> Result<(), FaultError> {
        match &self.account {
            Some(guard) => Ok(guard.check(&self.aws).await?),
            None => Ok(()),
        }
    }

    pub(super) fn function(&self, target: &TargetId) -> Result<&str, FaultError> {
        match self.targets.get(target) {
            Some(FaultTarget::Function { name, .. }) => Ok(name),
            Some(FaultTarget::Proxy(_) | FaultTarget::RemoteProxy { .. } | FaultTarget::Resource(_)) | None => {
                Err(FaultError::Target(target.clone()))
            }
        }
    }

    /// A function, and the alias through which its traffic comes.
    pub(super) fn qualified(&self, target: &TargetId) -> Result<(&str, Option<&str>), FaultError> {
        match self.targets.get(target) {
            Some(FaultTarget::Function { name, alias }) => Ok((name, alias.as_deref())),
            Some(FaultTarget::Proxy(_) | FaultTarget::RemoteProxy { .. } | FaultTarget::Resource(_)) | None => {
                Err(FaultError::Target(target.clone()))
            }
        }
    }

    /// Asks for a function, or its alias, so that one that is gone is an error that says so.
    pub(super) async fn exists(&self, function: &str, qualifier: Option<&str>) -> Result<(), FaultError> {
        let name = qualifier.map_or_else(|| function.to_owned(), |qualifier| format!("{function}:{qualifier}"));
        self.aws.functions.configuration(&name).await?;
        Ok(())
    }

    pub(super) fn resource(&self, target: &TargetId) -> Result<&AwsResource, FaultError> {
        match self.targets.get(target) {
            Some(FaultTarget::Resource(resource)) => Ok(resource),
            Some(FaultTarget::Proxy(_) | FaultTarget::RemoteProxy { .. } | FaultTarget::Function { .. }) | None => {
                Err(FaultError::Target(target.clone()))
            }
        }
    }

    /// Whether an error says that the target is gone for good, so that there is nothing left to undo.
    pub(super) fn is_gone(&self, error: &FaultError) -> bool {
        match error {
            FaultError::Aws(error) => error.is_not_found() || (self.is_embedded && error.is_unreachable()),
            FaultError::Proxy(error) => matches!(error, AdminError::Gone { .. }),
            FaultError::Account(_)
            | FaultError::Target(_)
            | FaultError::Command(_)
            | FaultError::ForeignProxy(_)
            | FaultError::Unfit { .. }
            | FaultError::Unsafe { .. }
            | FaultError::NotApplied { .. }
            | FaultError::StillUpdating { .. }
            | FaultError::Ended { .. } => false,
        }
    }
}

/// The pauses between tries of one injection or undo, until its budget is spent.
pub(super) struct Backoff {
    deadline: tokio::time::Instant,
    wait: Duration,
}

impl Backoff {
    pub(super) fn within(budget: Duration) -> Self {
        Self { deadline: tokio::time::Instant::now() + budget, wait: RETRY_WAIT_MIN }
    }

    /// Waits and answers true, where another try may go through: after throttling, conflicts, failures of the service.
    pub(super) async fn again(&mut self, environment: &FaultEnvironment, error: &FaultError) -> bool {
        let is_worth_it = error.is_retryable() && !environment.is_gone(error);
        if !is_worth_it || tokio::time::Instant::now() + self.wait >= self.deadline {
            return false;
        }
        tokio::time::sleep(self.wait).await;
        self.wait = (self.wait * 2).min(RETRY_WAIT_MAX);
        true
    }
}
