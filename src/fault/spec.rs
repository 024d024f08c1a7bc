//! What a scenario says of a fault: its kind and that kind's parameters.

use std::collections::BTreeMap;

use super::about::{About, Calls};
use super::target::TargetNeed;

/// A kind of fault in the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The key that names it in a file.
    pub key: &'static str,
    /// What kind of target it works on.
    pub need: TargetNeed,
    /// What it says of itself.
    pub about: About,
    /// The API calls that it needs.
    pub calls: Calls,
}

/// Declares the kinds of fault once, each with the data of its change: the enums, the one-key-a-kind fields that a file
/// is read into, and the names.
macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $key:ident: $kind:ident => $change:ty),+ $(,)?) => {
        /// A fault of one kind with its parameters.
        #[derive(Debug, Clone, PartialEq)]
        pub enum FaultKind {
            $($(#[$doc])* $kind($kind),)+
        }

        /// A fault as a file has it: exactly one of the kinds, and what all kinds share.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct FaultSpec {
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $key: Option<$kind>,)+
            /// The longest that the fault may last; it ends sooner by an `undo` or at the end of the timeline.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub ttl: Option<DurationText>,
            /// An expectation that proves that the fault is real, looked at from the injection on.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub effect_if: Option<String>,
            /// What its card says at the table; default the change in one line.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub card: Option<String>,
        }

        impl FaultSpec {
            /// The keys that name a kind, as files write them.
            pub const KINDS: &[&str] = &[$(stringify!($key)),+];

            /// What each kind says of itself, in the order of [`Self::KINDS`].
            #[must_use]
            pub fn catalogue() -> Vec<Entry> {
                vec![$(Entry {
                    key: stringify!($key),
                    need: <$kind as self::change::Fault>::TARGET,
                    about: <$kind as self::change::Fault>::ABOUT,
                    calls: <$kind as self::change::Fault>::CALLS,
                }),+]
            }

            /// The one kind.
            ///
            /// # Errors
            /// The kinds that were given, where there is not exactly one.
            pub fn kind(&self) -> Result<FaultKind, Vec<&'static str>> {
                let mut given = Vec::new();
                let mut kind = None;
                $(if let Some(parameters) = &self.$key {
                    given.push(stringify!($key));
                    kind = Some(FaultKind::$kind(parameters.clone()));
                })+
                match (kind, given.len()) {
                    (Some(kind), 1) => Ok(kind),
                    _ => Err(given),
                }
            }

            /// Leads the function of a fault that leads it somewhere to `url`.
            pub fn set_url(&mut self, url: &str) {
                $(if let Some(fault) = &mut self.$key {
                    fault.set_url(url.to_owned());
                })+
            }

            /// Whether a fault proxy counts how often it does it to a caller, which is proof of its effect.
            #[must_use]
            pub fn is_counted(&self) -> bool {
                [$((self.$key.is_some(), <$kind as self::change::Fault>::IS_COUNTED)),+].contains(&(true, true))
            }
        }

        /// A change that was or will be made, as data: enough for a fresh process to undo it. It is written down before
        /// the change is made; its values may be secrets, and it stands in a private file only.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Undo {
            $($(#[$doc])* $kind($change),)+
        }

        impl Undo {
            /// Makes the change and reads it back.
            ///
            /// # Errors
            /// It could not be made in its time; it may be there in part, and is to be reverted.
            pub async fn inject(&self, environment: &FaultEnvironment, _armed: &Armed) -> Result<(), FaultError> {
                let mut backoff = Backoff::within(INJECT_BUDGET);
                loop {
                    let outcome = match environment.check_account().await {
                        Err(error) => Err(error),
                        Ok(()) => match self {
                            $(Self::$kind(change) => change.try_inject(environment).await,)+
                        },
                    };
                    match outcome {
                        Err(error) if backoff.again(environment, &error).await => {}
                        outcome => return outcome,
                    }
                }
            }

            /// Compares, restores, reads back. It can be asked again and again. Its calls go past the client's rate.
            ///
            /// # Errors
            /// It could not be done in its time.
            pub async fn revert(&self, environment: &FaultEnvironment) -> Result<Reverted, FaultError> {
                crate::aws::urgently(self.revert_within_budget(environment)).await
            }

            async fn revert_within_budget(&self, environment: &FaultEnvironment) -> Result<Reverted, FaultError> {
                let mut backoff = Backoff::within(REVERT_BUDGET);
                let mut restoring = false;
                loop {
                    let outcome = match environment.check_account().await {
                        Err(error) => Err(error),
                        Ok(()) => match self {
                            $(Self::$kind(change) => change.try_revert(environment, &mut restoring).await,)+
                        },
                    };
                    match outcome {
                        Err(error) if environment.is_gone(&error) => return Ok(Reverted::Gone),
                        Err(error) if backoff.again(environment, &error).await => {}
                        // It was tried for longer than a change that nobody puts off can last.
                        Err(error) if error.is_silence() && self.expires() => return Ok(Reverted::Expired),
                        outcome => return outcome,
                    }
                }
            }

            /// Puts off the end of a change that is over by itself unless somebody does.
            ///
            /// # Errors
            /// It could not be done this once.
            pub async fn renew(&self, environment: &FaultEnvironment) -> Result<Renewed, FaultError> {
                match self {
                    $(Self::$kind(change) => change.try_renew(environment).await,)+
                }
            }

            fn expires(&self) -> bool {
                match self {
                    $(Self::$kind(change) => self::change::Revertible::expires(change),)+
                }
            }

            /// Whether it put what a fault proxy tells of, a toxic, a rule or a TLS fault, on the proxy of that name.
            #[must_use]
            pub fn has_put(&self, proxy: &crate::unit::ProxyName, part: &crate::proxy::PartStats<'_>) -> bool {
                match self {
                    $(Self::$kind(change) => change.has_put(proxy, part),)+
                }
            }

            /// The change and its undo in words, without secrets.
            #[must_use]
            pub fn text(&self) -> ChangeText {
                match self {
                    $(Self::$kind(change) => change.text(),)+
                }
            }

            /// Commands that undo the change by hand, without secrets, which they read from the private undo file at `undo`;
            /// none where only `gameday recover` can.
            #[must_use]
            pub fn by_hand(&self, undo: &Path) -> Vec<String> {
                match self {
                    $(Self::$kind(change) => change.by_hand(undo),)+
                }
            }

            /// What undoes the change in AWS itself when nobody of ours is left. It never carries a secret.
            #[must_use]
            pub fn switch(&self) -> Switch {
                match self {
                    $(Self::$kind(change) => change.switch(),)+
                }
            }
        }

        impl FaultKind {
            /// Reads what the target is now, and so what the undo will be. Changes nothing.
            ///
            /// # Errors
            /// The target cannot be read, or is in a state in which the undo would not be certain.
            pub async fn prepare(&self, environment: &FaultEnvironment) -> Result<Undo, FaultError> {
                environment.check_account().await?;
                match self {
                    $(Self::$kind(fault) => fault.prepare(environment).await.map(Undo::$kind),)+
                }
            }

            /// The change and its undo in words, as far as they are known before the target is read.
            #[must_use]
            pub fn text(&self) -> ChangeText {
                match self {
                    $(Self::$kind(fault) => fault.text(),)+
                }
            }

            /// The settings of the target that it changes, in words: `timeout`, `variable PROVIDER_URL`. Two faults that
            /// change the same one must not be in place at the same time.
            #[must_use]
            pub fn settings(&self) -> Vec<String> {
                match self {
                    $(Self::$kind(fault) => fault.settings(),)+
                }
            }

            /// Whether it ends by itself in AWS, or by one call there, when nobody of ours is left.
            #[must_use]
            pub fn cover(&self) -> Cover {
                match self {
                    $(Self::$kind(fault) => fault.cover(),)+
                }
            }

            /// The API calls that it and its undo need, as IAM names them.
            #[must_use]
            pub fn calls(&self) -> Calls {
                match self {
                    $(Self::$kind(_) => <$kind as self::change::Fault>::CALLS,)+
                }
            }

            /// What kind of target it works on, with these parameters.
            #[must_use]
            pub fn need(&self) -> TargetNeed {
                match self {
                    $(Self::$kind(fault) => fault.need(),)+
                }
            }

            /// Whether it is about single requests, which a proxy of `protocol: tcp` does not know.
            #[must_use]
            pub fn is_on_requests(&self) -> bool {
                match self {
                    $(Self::$kind(fault) => fault.is_on_requests(),)+
                }
            }

            /// Where it leads its function.
            #[must_use]
            pub fn url(&self) -> Option<&str> {
                match self {
                    $(Self::$kind(fault) => fault.url(),)+
                }
            }

            /// The programs of the user's that it runs, each with the key of its command.
            #[must_use]
            pub fn programs(&self) -> Vec<(&'static str, &str)> {
                match self {
                    $(Self::$kind(fault) => fault.programs(),)+
                }
            }

            /// What of its parameters has no effect, or is something that AWS would not take.
            #[must_use]
            pub fn objections(&self) -> Vec<Objection> {
                match self {
                    $(Self::$kind(fault) => fault.objections(),)+
                }
            }

            /// The key that names the kind in a file: `lambda_concurrency`.
            #[must_use]
            pub fn key(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => stringify!($key),)+
                }
            }

            /// The target that the fault works on.
            #[must_use]
            pub fn target(&self) -> &TargetId {
                match self {
                    $(Self::$kind(parameters) => &parameters.target,)+
                }
            }
        }
    };
}

/// Environment variables by name.
pub type Variables = BTreeMap<String, String>;

pub(super) use fault_kinds;
