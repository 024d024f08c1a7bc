//! Faults: what each changes, how it is undone, and with which calls. One file a kind.
//!
//! Owns: the specs, [`Undo`] data, inject and revert. Must not know: phases, the timeline, hypotheses.

mod about;
mod account;
mod change;
mod command;
mod configuration;
mod dynamodb_throttle;
mod event_rule;
mod exec;
mod fis_action;
mod fis_experiment;
mod fis_preview;
mod iam_deny;
mod lambda_async;
mod lambda_canary;
mod lambda_concurrency;
mod lambda_endpoint;
mod lambda_environment;
mod lambda_event_source;
mod lambda_function_url;
mod lambda_layer;
mod lambda_memory;
mod lambda_provisioned_concurrency;
mod lambda_proxy;
mod lambda_timeout;
#[cfg(test)]
mod owed;
mod policy;
#[cfg(test)]
mod property;
mod proxy_aws_error;
mod proxy_bandwidth;
mod proxy_change;
mod proxy_corrupt;
mod proxy_down;
mod proxy_headers;
mod proxy_http_error;
mod proxy_latency;
mod proxy_limit_data;
mod proxy_part;
mod proxy_refuse;
mod proxy_reset;
mod proxy_site;
mod proxy_slicer;
mod proxy_slow_body;
mod proxy_slow_close;
mod proxy_standing;
mod proxy_timeout;
mod proxy_tls;
mod proxy_truncate;
mod rule;
mod settings;
mod shell;
mod spec;
mod sqs_deny;
mod ssm_parameter;
mod switch;
mod target;
#[cfg(test)]
pub(crate) mod testing;
mod toxic;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::change::{Backoff, Fault as _, INJECT_BUDGET, REVERT_BUDGET, Revertible as _};
use self::configuration::Configuration;
use self::dynamodb_throttle::OnDemandMaximum;
use self::event_rule::RuleState;
use self::exec::ExecChange;
use self::fis_experiment::ExperimentChange;
use self::iam_deny::InlinePolicy;
use self::lambda_async::Asynchronous;
use self::lambda_canary::CanaryChange;
use self::lambda_concurrency::Reservation;
use self::lambda_event_source::Mapping;
use self::lambda_function_url::FunctionUrl;
use self::lambda_provisioned_concurrency::Warm;
use self::proxy_change::ProxyChange;
use self::proxy_standing::StandingChange;
use self::proxy_tls::TlsChange;
use self::rule::RuleChange;
use self::settings::SettingsChange;
use self::spec::fault_kinds;
use self::sqs_deny::QueueStatement;
use self::ssm_parameter::ParameterValue;
use self::toxic::ToxicChange;
use crate::event::Armed;
use crate::unit::{DurationText, TargetId};

pub use about::{About, Calls, Objection, Step};
pub use account::{AccountError, AccountGuard};
pub use change::{ChangeText, FaultEnvironment, FaultError, Occasion, Renewed, Reverted};
pub use command::{CommandError, CommandPlace, Permits};
pub use configuration::obstacle;
pub use dynamodb_throttle::DynamodbThrottle;
pub use event_rule::EventRule;
pub use exec::{CommandLine, Exec};
pub use fis_experiment::{FisAction, FisExperiment};
pub use fis_preview::{ExperimentPreview, PreviewedResource};
pub use iam_deny::IamDeny;
pub use lambda_async::{LambdaAsync, OnFailureChange};
pub use lambda_canary::{FaultyConfiguration, LambdaCanary};
pub use lambda_concurrency::LambdaConcurrency;
pub use lambda_endpoint::LambdaEndpoint;
pub use lambda_environment::{LambdaEnvironment, variable_problem};
pub use lambda_event_source::LambdaEventSource;
pub use lambda_function_url::{LambdaFunctionUrl, UrlAuth};
pub use lambda_layer::LambdaLayer;
pub use lambda_memory::LambdaMemory;
pub use lambda_provisioned_concurrency::LambdaProvisionedConcurrency;
pub use lambda_proxy::LambdaProxy;
pub use lambda_timeout::LambdaTimeout;
pub use proxy_aws_error::ProxyAwsError;
pub use proxy_bandwidth::ProxyBandwidth;
pub use proxy_corrupt::ProxyCorrupt;
pub use proxy_down::ProxyDown;
pub use proxy_headers::ProxyHeaders;
pub use proxy_http_error::ProxyHttpError;
pub use proxy_latency::ProxyLatency;
pub use proxy_limit_data::ProxyLimitData;
pub use proxy_refuse::ProxyRefuse;
pub use proxy_reset::ProxyReset;
pub use proxy_site::{REMOTE_COVER, REMOTE_TTL};
pub use proxy_slicer::ProxySlicer;
pub use proxy_slow_body::ProxySlowBody;
pub use proxy_slow_close::ProxySlowClose;
pub use proxy_timeout::ProxyTimeout;
pub use proxy_tls::ProxyTls;
pub use proxy_truncate::ProxyTruncate;
pub use spec::{Entry, Variables};
pub use sqs_deny::{QueueAction, SqsDeny};
pub use ssm_parameter::SsmParameter;
pub use switch::{Cover, Switch, SwitchCall};
pub use target::{AwsResource, FaultTarget, TargetNeed};

fault_kinds! {
    /// Reserved concurrency of a function: 0 throttles every invocation.
    lambda_concurrency: LambdaConcurrency => SettingsChange<Reservation>,
    /// The time after which Lambda kills an invocation.
    lambda_timeout: LambdaTimeout => SettingsChange<Configuration>,
    /// Environment variables of a function, set or taken away.
    lambda_environment: LambdaEnvironment => SettingsChange<Configuration>,
    /// A function's calls of one AWS service, led to another address.
    lambda_endpoint: LambdaEndpoint => SettingsChange<Configuration>,
    /// A function's HTTPS, led through a proxy.
    lambda_proxy: LambdaProxy => SettingsChange<Configuration>,
    /// A faulty version for a share of an alias's traffic.
    lambda_canary: LambdaCanary => CanaryChange,
    /// The memory of a function, and with it its share of a CPU.
    lambda_memory: LambdaMemory => SettingsChange<Configuration>,
    /// A layer of a function, added or taken away.
    lambda_layer: LambdaLayer => SettingsChange<Configuration>,
    /// An event source of a function, paused or slowed down.
    lambda_event_source: LambdaEventSource => SettingsChange<Mapping>,
    /// What becomes of asynchronous events that fail.
    lambda_async: LambdaAsync => SettingsChange<Asynchronous>,
    /// Environments of an alias that are kept warm.
    lambda_provisioned_concurrency: LambdaProvisionedConcurrency => SettingsChange<Warm>,
    /// Who may call a function URL.
    lambda_function_url: LambdaFunctionUrl => SettingsChange<FunctionUrl>,
    /// Actions that a role is denied.
    iam_deny: IamDeny => SettingsChange<InlinePolicy>,
    /// The use of a queue, denied.
    sqs_deny: SqsDeny => SettingsChange<QueueStatement>,
    /// A maximum of what an on-demand table takes in a second.
    dynamodb_throttle: DynamodbThrottle => SettingsChange<OnDemandMaximum>,
    /// An EventBridge rule, disabled.
    event_rule: EventRule => SettingsChange<RuleState>,
    /// Another value of a Systems Manager parameter.
    ssm_parameter: SsmParameter => SettingsChange<ParameterValue>,
    /// Answers of a proxied dependency come late.
    proxy_latency: ProxyLatency => ProxyChange,
    /// A proxied dependency goes silent: a black hole.
    proxy_timeout: ProxyTimeout => ProxyChange,
    /// A proxied dependency's bytes come slowly.
    proxy_bandwidth: ProxyBandwidth => ToxicChange,
    /// Connections to a proxied dependency are reset, also at a stage of a request.
    proxy_reset: ProxyReset => ProxyChange,
    /// A proxied dependency is down: its connections are closed, and new ones refused.
    proxy_down: ProxyDown => StandingChange,
    /// A proxied dependency refuses new connections; open ones go on.
    proxy_refuse: ProxyRefuse => StandingChange,
    /// Connections to a proxied dependency close late.
    proxy_slow_close: ProxySlowClose => ToxicChange,
    /// A proxied dependency's bytes come in small pieces.
    proxy_slicer: ProxySlicer => ToxicChange,
    /// Connections to a proxied dependency close after a number of bytes.
    proxy_limit_data: ProxyLimitData => ToxicChange,
    /// Requests to a proxied dependency are answered with another status.
    proxy_http_error: ProxyHttpError => RuleChange,
    /// Calls of an AWS service through the proxy fail as that service would tell it.
    proxy_aws_error: ProxyAwsError => RuleChange,
    /// The bodies of a proxied dependency's answers break off.
    proxy_truncate: ProxyTruncate => RuleChange,
    /// The bodies of a proxied dependency's answers trickle.
    proxy_slow_body: ProxySlowBody => RuleChange,
    /// The bodies of a proxied dependency's answers are others.
    proxy_corrupt: ProxyCorrupt => RuleChange,
    /// The headers of a proxied dependency's answers are others.
    proxy_headers: ProxyHeaders => RuleChange,
    /// A proxied dependency's certificate is bad, or its handshakes stall.
    proxy_tls: ProxyTls => TlsChange,
    /// An experiment of AWS FIS: a template of yours, or a single action.
    fis_experiment: FisExperiment => ExperimentChange,
    /// Programs of yours that inject and undo what gameday itself does not know.
    exec: Exec => ExecChange,
}
