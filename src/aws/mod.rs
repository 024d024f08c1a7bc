//! AWS, in our own words. The only room that imports the SDK; its types never leave.
//!
//! Owns: clients with timeouts, ports, errors. Must not know: faults, runs, scenarios.

mod cloudformation;
mod cloudwatch;
mod connect;
mod credentials_end;
mod dynamodb;
mod endpoint_override;
mod error;
mod events;
mod failpoint;
mod fis;
mod iam;
mod kinesis;
mod lambda;
mod loaded;
mod logs;
mod pace;
mod ports;
mod resign;
mod role;
mod scheduler;
mod service_time;
mod sign;
mod signed;
mod sns;
mod sqs;
mod ssm;
mod sts;
mod synthetics;
mod tag;
mod tagging;
mod xray;

pub use cloudformation::{ChangingStack, CloudFormation};
pub use cloudwatch::{
    ALARM_POLL_TIMEOUT, AlarmHistory, AlarmHistoryEntry, AlarmHistoryKind, AlarmList, AlarmQuery, AlarmReading,
    CloudWatch, DashboardList, METRICS_MAX, MetricQuery, MetricSeries, MetricSource, MuteList, MuteRule,
};
pub use connect::{Aws, Connection};
pub use credentials_end::CredentialsEnd;
pub use dynamodb::{DynamoDb, Table, TableStatus};
pub use endpoint_override::EndpointOverride;
pub use error::AwsError;
pub use events::{Events, Rule};
pub use fis::{ActionsMode, Experiment, ExperimentStatus, Fis, NewTemplate, ResolvedTarget, TemplateTarget};
pub use iam::{Decision, Iam, Simulated};
pub use kinesis::Kinesis;
pub use lambda::{
    Alias, EventSource, EventSourceUpdate, FunctionList, InvokeConfiguration, Lambda, ListedFunction, ListedSource,
    Provisioned, PublishedVersion, SourceList,
};
pub use loaded::{LoadedService, ServiceEndpoint};
pub use logs::{LogGroup, LogGroups, LogPage, LogRow, Logs, QueryPage, QueryStatus};
pub use pace::urgently;
pub use ports::{
    EnvironmentVariables, FunctionConfiguration, FunctionControl, FunctionState, FunctionUpdate, ParameterControl,
    ScheduleControl, UpdateProgress,
};
pub use resign::Resigner;
pub use role::Role;
pub use scheduler::{Schedule, Scheduled, Scheduler};
pub use service_time::ServiceTime;
pub use sign::Signer;
#[cfg(test)]
pub(crate) use signed::{Reply, Server};
pub use sns::{Sns, Subscriptions};
pub use sqs::{QueueSettings, Sqs};
pub use ssm::{Parameter, ParameterKind, Ssm};
pub use sts::Caller;
pub use synthetics::{CanaryRun, CanaryRuns, Synthetics};
pub use tagging::{TaggedResources, Tagging};
pub use xray::{RootCause, Trace, TraceDestination, TraceList, TraceSummary, Traces, XRay};
