//! What the account is asked: each thing once, shared by all checks; nothing is changed.
//!
//! Owns: which calls are made, how many at once, and for how long. Each answer is there or a reason why it is not. What takes a call for each
//! function is asked for the scenario's targets alone.

mod account;
mod alarm;
mod ask;
mod function;
mod metric;
mod scope;
mod telemetry;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

pub(crate) use self::alarm::is_topic;
use self::ask::Asker;
pub(crate) use self::function::{function_name, queue_name};
pub(crate) use self::scope::FunctionInScope;
pub use self::scope::Scope;
use super::outcome::{Known, Why};
use crate::aws::{
    AlarmHistory, AlarmList, CanaryRuns, ChangingStack, CredentialsEnd, FunctionList, InvokeConfiguration, LogGroups,
    MuteList, QueueSettings, SourceList, Subscriptions, TaggedResources, TraceDestination,
};
use crate::plan::Plan;
use crate::run::{Permissions, Survey};
use crate::unit::SignalId;
use crate::workspace::Environment;

/// How long all questions may take together.
const LOOK_TIME_MAX: Duration = Duration::from_secs(180);
/// For how many targets what takes a call for each is asked.
pub(crate) const TARGETS_MAX: usize = 20;

/// What an error says where nobody listens.
const UNREACHABLE: &str = " failed with Unreachable";

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What a run must know before it begins.
    Musts,
    /// All that there is to know.
    All,
}

/// What the account told.
#[derive(Debug)]
pub struct Look {
    /// When it was asked.
    pub(crate) now: DateTime<Utc>,
    /// The Region of the clients.
    pub(crate) region: String,
    /// The account in which the caller must be, and is; none where nobody asks.
    pub(crate) account: Known<Option<String>>,
    /// By how much this machine's clock is wrong at least; none where the environment is bound to no account.
    pub(crate) clock: Known<Option<TimeDelta>>,
    /// When the credentials end; none where the environment is bound to no account.
    pub(crate) credentials: Known<Option<CredentialsEnd>>,
    /// What IAM says; none for the embedded sandbox.
    pub(crate) permissions: Known<Option<Permissions>>,
    /// Whether the safety lever of FIS is engaged; none where the scenario has no experiment.
    pub(crate) lever: Known<Option<bool>>,
    pub(crate) stacks: Known<Vec<ChangingStack>>,
    pub(crate) tags: Known<TaggedResources>,
    pub(crate) functions: Known<FunctionList>,
    pub(crate) sources: Known<SourceList>,
    /// How many invocations may run at once.
    pub(crate) limit: Known<u32>,
    /// By function.
    pub(crate) invoke: BTreeMap<String, Known<Option<InvokeConfiguration>>>,
    /// The names of aliases and the number of published versions, by function.
    pub(crate) versions: BTreeMap<String, Known<(Vec<String>, usize)>>,
    /// By name.
    pub(crate) queues: BTreeMap<String, Known<QueueSettings>>,
    pub(crate) alarms: Known<AlarmList>,
    pub(crate) mutes: Known<MuteList>,
    /// By the topic's ARN.
    pub(crate) subscriptions: BTreeMap<String, Known<Subscriptions>>,
    /// Of expected alarms, by name.
    pub(crate) history: BTreeMap<String, Known<AlarmHistory>>,
    /// Bodies by name, and whether there are more.
    pub(crate) dashboards: Known<(BTreeMap<String, String>, bool)>,
    pub(crate) canaries: Known<CanaryRuns>,
    /// Whether CloudWatch has a recent value of a business signal, by signal.
    pub(crate) business: BTreeMap<SignalId, Known<bool>>,
    /// The highest p99 of a function's duration in the last day in milliseconds, by function; none where it was not invoked.
    pub(crate) durations: BTreeMap<String, Known<Option<f64>>>,
    pub(crate) log_groups: Known<LogGroups>,
    /// Lines of the last hour, by log group. They may hold secrets.
    pub(crate) samples: BTreeMap<String, Known<Vec<String>>>,
    /// How many traces arrived in the last minutes.
    pub(crate) traces: Known<usize>,
    pub(crate) destination: Known<TraceDestination>,
}

/// What is looked at, and by whom.
pub(crate) struct Subject<'a> {
    pub(crate) survey: &'a Survey,
    pub(crate) plan: &'a Plan,
    pub(crate) scope: &'a Scope,
    pub(crate) asker: Asker,
    pub(crate) now: DateTime<Utc>,
    pub(crate) depth: Depth,
}

impl Look {
    /// Nothing was asked, and why.
    #[must_use]
    pub fn nothing(now: DateTime<Utc>, why: &str) -> Self {
        let why = Why::new(why);
        Self {
            now,
            region: String::new(),
            account: Err(why.clone()),
            clock: Err(why.clone()),
            credentials: Err(why.clone()),
            permissions: Err(why.clone()),
            lever: Err(why.clone()),
            stacks: Err(why.clone()),
            tags: Err(why.clone()),
            functions: Err(why.clone()),
            sources: Err(why.clone()),
            limit: Err(why.clone()),
            invoke: BTreeMap::new(),
            versions: BTreeMap::new(),
            queues: BTreeMap::new(),
            alarms: Err(why.clone()),
            mutes: Err(why.clone()),
            subscriptions: BTreeMap::new(),
            history: BTreeMap::new(),
            dashboards: Err(why.clone()),
            canaries: Err(why.clone()),
            business: BTreeMap::new(),
            durations: BTreeMap::new(),
            log_groups: Err(why.clone()),
            samples: BTreeMap::new(),
            traces: Err(why.clone()),
            destination: Err(why),
        }
    }

    /// At a table there is nobody to ask, and nothing that an account would have to tell.
    #[must_use]
    pub fn at_a_table(now: DateTime<Utc>) -> Self {
        let nothing = Self::nothing(now, "there is nobody to ask at a table");
        Self { account: Ok(None), clock: Ok(None), credentials: Ok(None), ..nothing }
    }

    /// Why nobody could be asked: the caller is in another account, or that is not known. None where the account was asked.
    #[must_use]
    pub fn not_asked(&self) -> Option<&str> {
        self.account.as_ref().err().map(|why| why.0.as_str())
    }

    /// Asks. A caller who is in the wrong account asks nothing, nor is more asked where nobody answers.
    pub async fn take(
        survey: &Survey,
        plan: &Plan,
        environment: &Environment,
        scope: &Scope,
        (depth, now): (Depth, DateTime<Utc>),
    ) -> Self {
        let subject = Subject { survey, plan, scope, asker: Asker::for_at_most(LOOK_TIME_MAX), now, depth };
        let mut look = Self::nothing(now, "is not asked before a run");
        look.region = survey.aws.region();
        subject.ask_caller(&mut look).await;
        if let Err(why) = &look.account {
            let (account, clock, credentials) = (Err(why.clone()), look.clock, look.credentials);
            let nothing = Self::nothing(now, &format!("nothing is asked: {why}"));
            return Self { account, clock, credentials, region: look.region, ..nothing };
        }
        if depth == Depth::All {
            look.functions = subject.asker.ask(survey.aws.lambda.functions()).await;
            if let Err(why) = &look.functions
                && why.0.contains(UNREACHABLE)
            {
                let (account, clock, credentials) = (look.account, look.clock, look.credentials);
                let nothing = Self::nothing(now, &why.0);
                return Self { account, clock, credentials, region: look.region, ..nothing };
            }
        }
        subject.ask_account(environment, &mut look).await;
        subject.ask_alarms(&mut look).await;
        if depth == Depth::All {
            subject.ask_functions(&mut look).await;
            subject.ask_telemetry(&mut look).await;
            subject.ask_metrics(&mut look).await;
        }
        look
    }
}
