//! The guard at every change and every undo: the caller must be in the account to which the environment is bound.
//!
//! Owns: when AWS is asked, and what its answer or its silence means. Must not know: where credentials come from.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::aws::{Aws, AwsError, urgently};

/// How long AWS is waited for where the key is known already: an undo must not hang on a question whose answer it has.
const ASK_AGAIN_WAIT: Duration = Duration::from_secs(5);
/// How long AWS is waited for otherwise: as long as a call with all its attempts may take.
const ASK_WAIT: Duration = Duration::from_secs(30);

/// Why nothing may be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The caller is in another account.
    #[error(
        "the caller is in account `{found}`, and environment `{environment}` is bound to account `{expected}`: nothing is \
         touched; use credentials of account `{expected}` (`profile` or `role_arn` of the environment)"
    )]
    Wrong {
        /// The environment.
        environment: String,
        /// Its account.
        expected: String,
        /// The caller's.
        found: String,
    },
    /// Nobody says in which account the caller is.
    #[error(
        "AWS does not say in which account we are, and environment `{environment}` is bound to account `{expected}`: \
         nothing is touched"
    )]
    Unknown {
        /// The environment.
        environment: String,
        /// Its account.
        expected: String,
        /// Why not.
        #[source]
        source: Box<AwsError>,
    },
}

impl AccountError {
    /// Whether the same question may be answered later.
    pub(super) fn is_retryable(&self) -> bool {
        match self {
            Self::Wrong { .. } => false,
            // Credentials that have expired are fetched anew for the next question.
            Self::Unknown { source, .. } => source.retryable || source.is_expired(),
        }
    }
}

/// The account that an environment is bound to, and the keys that were found to be in it. Clones share them.
#[derive(Debug, Clone)]
pub struct AccountGuard(Arc<Guarded>);

#[derive(Debug)]
struct Guarded {
    environment: String,
    account: String,
    known: Mutex<BTreeSet<String>>,
}

impl AccountGuard {
    /// Guards `environment`, which is bound to `account`.
    #[must_use]
    pub fn new(environment: &str, account: &str) -> Self {
        let known = Mutex::default();
        Self(Arc::new(Guarded { environment: environment.to_owned(), account: account.to_owned(), known }))
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.0.account
    }

    /// Asks AWS in which account the caller is, each time anew. Where it can not answer (unreachable, throttled), a key that
    /// this process has asked about before is good still: an access key belongs to one account for ever.
    ///
    /// # Errors
    /// The caller is in another account, or nobody says in which.
    pub async fn check(&self, aws: &Aws) -> Result<(), AccountError> {
        let access_key = aws.access_key().await.map_err(|source| self.unknown(source))?;
        let is_known = self.known().contains(&access_key);
        // Our own queue of calls must not be taken for an STS that is silent.
        match urgently(aws.caller_within(if is_known { ASK_AGAIN_WAIT } else { ASK_WAIT })).await {
            Ok(caller) if caller.account == self.0.account => {
                self.known().insert(caller.access_key);
                Ok(())
            }
            Ok(caller) => Err(AccountError::Wrong {
                environment: self.0.environment.clone(),
                expected: self.0.account.clone(),
                found: caller.account,
            }),
            Err(error) if error.retryable && is_known && self.is_still(aws, &access_key).await => Ok(()),
            Err(source) => Err(self.unknown(source)),
        }
    }

    /// Whether the next call is signed with this key.
    async fn is_still(&self, aws: &Aws, access_key: &str) -> bool {
        aws.access_key().await.is_ok_and(|now| now == access_key)
    }

    fn unknown(&self, source: AwsError) -> AccountError {
        let Guarded { environment, account, .. } = &*self.0;
        AccountError::Unknown { environment: environment.clone(), expected: account.clone(), source: Box::new(source) }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        // A set that a panic left behind is whole.
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FakeFunctions, FunctionState, GET_CONFIGURATION, armed};
    use super::super::{FaultEnvironment, FaultError, FaultSpec, LambdaTimeout, Reverted};
    use super::*;
    use crate::aws::{Reply, Server};

    const OURS: &str = "111122223333";

    fn identity(account: &str) -> Reply {
        Reply::new(
            200,
            &format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                 <Arn>arn:aws:iam::{account}:user/a</Arn><UserId>a</UserId><Account>{account}</Account>\
                 </GetCallerIdentityResult></GetCallerIdentityResponse>"
            ),
        )
    }

    fn silent() -> Reply {
        Reply::new(503, "")
    }

    fn kind() -> super::super::FaultKind {
        let fault = LambdaTimeout { target: "checkout".parse().unwrap(), timeout: Duration::from_secs(1).into() };
        FaultSpec { lambda_timeout: Some(fault), ..FaultSpec::default() }.kind().unwrap()
    }

    /// An environment whose STS answers so, one reply a question, the last for ever.
    async fn bound(replies: impl Into<Vec<Reply>>) -> (std::sync::Arc<FakeFunctions>, FaultEnvironment, Server) {
        let fake = FakeFunctions::checkout(FunctionState::with(&[]));
        fake.updates_take(Duration::ZERO);
        let server = Server::start(replies).await;
        let aws = Aws::made_up_at(&server, fake.clone());
        let environment =
            FaultEnvironment { aws, account: Some(AccountGuard::new("staging", OURS)), ..fake.environment() };
        (fake, environment, server)
    }

    #[tokio::test]
    async fn aws_is_asked_before_every_look_every_change_and_every_undo() {
        let (fake, environment, server) = bound([identity(OURS)]).await;
        let undo = kind().prepare(&environment).await.unwrap();
        assert_eq!(server.recorded().len(), 1);
        undo.inject(&environment, &armed()).await.unwrap();
        assert_eq!((server.recorded().len(), fake.state().timeout_seconds), (2, 1));
        assert_eq!(undo.revert(&environment).await.unwrap(), Reverted::Restored);
        assert_eq!(server.recorded().len(), 3);
        assert!(server.recorded().iter().all(|it| it.body.contains("Action=GetCallerIdentity")));
    }

    #[tokio::test]
    async fn in_another_account_nothing_is_read_changed_or_undone() {
        let (fake, environment, server) = bound([identity("999999999999")]).await;
        let refused = kind().prepare(&environment).await.unwrap_err();
        let expected = "the caller is in account `999999999999`, and environment `staging` is bound to account \
                        `111122223333`: nothing is touched";
        assert!(refused.to_string().starts_with(expected), "{refused}");

        // What was prepared in the right one is neither injected nor undone in another.
        let elsewhere = fake.environment();
        let undo = kind().prepare(&elsewhere).await.unwrap();
        let (reads, asked) = (fake.calls(GET_CONFIGURATION), server.recorded().len());
        for outcome in [undo.inject(&environment, &armed()).await, undo.revert(&environment).await.map(drop)] {
            assert!(matches!(outcome, Err(FaultError::Account(AccountError::Wrong { .. }))), "{outcome:?}");
        }
        assert_eq!((fake.calls(GET_CONFIGURATION), fake.changing_calls()), (reads, 0));
        assert_eq!(server.recorded().len(), asked + 2, "a wrong account is not asked for again and again");
    }

    #[tokio::test]
    async fn a_key_that_is_known_is_good_while_aws_does_not_answer_and_no_other_is() {
        let (fake, environment, _server) = bound([identity(OURS), identity(OURS), silent()]).await;
        let undo = kind().prepare(&environment).await.unwrap();
        undo.inject(&environment, &armed()).await.unwrap();
        assert_eq!(undo.revert(&environment).await.unwrap(), Reverted::Restored);
        assert_eq!(fake.state().timeout_seconds, 30);

        // Another process has asked nobody yet.
        let (_, unknown, _server) = bound([silent()]).await;
        let error = unknown.check_account().await.unwrap_err();
        assert!(matches!(error, FaultError::Account(AccountError::Unknown { .. })), "{error:?}");
        assert!(error.to_string().contains("`staging` is bound to account `111122223333`"), "{error}");
    }

    #[tokio::test]
    async fn a_known_key_does_not_go_before_an_answer() {
        let (_, environment, _server) = bound([identity(OURS), identity("999999999999"), silent()]).await;
        environment.check_account().await.unwrap();
        assert!(matches!(environment.check_account().await, Err(FaultError::Account(AccountError::Wrong { .. }))));
    }

    #[tokio::test]
    async fn an_undo_waits_for_aws_to_say_who_we_are() {
        let throttled = Reply::new(400, "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>");
        // Four attempts of one question, and the next question is answered.
        let replies = [vec![throttled; 4], vec![identity(OURS)]].concat();
        let (fake, environment, _server) = bound(replies).await;
        let undo = kind().prepare(&fake.environment()).await.unwrap();
        assert_eq!(undo.revert(&environment).await.unwrap(), Reverted::AsBefore);
    }
}
