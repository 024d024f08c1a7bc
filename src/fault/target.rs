//! What a fault works on, resolved to what the environment calls it, and what kind of thing each fault needs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::proxy::RemoteProxy;
use crate::unit::ProxyName;

/// What a change touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultTarget {
    /// A function.
    Function {
        /// Its name.
        name: String,
        /// The alias through which its traffic comes; none is `$LATEST`.
        alias: Option<String>,
    },
    /// A dependency behind the run's own proxy, by the proxy's name.
    Proxy(ProxyName),
    /// A dependency behind a proxy that somebody else runs.
    RemoteProxy {
        /// What the run calls it.
        name: ProxyName,
        /// Where it is driven.
        at: RemoteProxy,
    },
    /// Something else in the account.
    Resource(AwsResource),
}

/// A thing in the environment's account, by its name there and never by an ARN: the account is the environment's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AwsResource {
    /// An IAM role.
    Role(String),
    /// An SQS queue.
    Queue(String),
    /// A DynamoDB table.
    Table(String),
    /// An EventBridge rule.
    Rule {
        /// Its name.
        name: String,
        /// The event bus; none is `default`.
        bus: Option<String>,
    },
    /// An SSM parameter.
    Parameter(String),
    /// An SNS topic.
    Topic(String),
    /// An EventBridge bus.
    Bus(String),
    /// A Kinesis data stream.
    Stream(String),
    /// Anything else, in words.
    Other(String),
}

impl fmt::Display for AwsResource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(name) => write!(formatter, "role `{name}`"),
            Self::Queue(name) => write!(formatter, "queue `{name}`"),
            Self::Table(name) => write!(formatter, "table `{name}`"),
            Self::Rule { name, bus: None } => write!(formatter, "rule `{name}`"),
            Self::Rule { name, bus: Some(bus) } => write!(formatter, "rule `{name}` of bus `{bus}`"),
            Self::Parameter(name) => write!(formatter, "parameter `{name}`"),
            Self::Topic(name) => write!(formatter, "topic `{name}`"),
            Self::Bus(name) => write!(formatter, "bus `{name}`"),
            Self::Stream(name) => write!(formatter, "stream `{name}`"),
            Self::Other(name) => write!(formatter, "`{name}`"),
        }
    }
}

/// What kind of target a fault can work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetNeed {
    /// A function; the fault holds for all its versions.
    Function,
    /// A function without an alias in front: published versions never change.
    Latest,
    /// A function with an alias in front.
    Alias,
    /// A dependency behind the fault proxy.
    Proxy,
    /// An IAM role.
    Role,
    /// An SQS queue.
    Queue,
    /// A DynamoDB table.
    Table,
    /// An EventBridge rule.
    Rule,
    /// An SSM parameter.
    Parameter,
    /// Any kind at all.
    Any,
}

impl TargetNeed {
    /// The kind of target, as a file writes it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Function | Self::Latest | Self::Alias => "lambda",
            Self::Proxy => "proxy",
            Self::Role => "role",
            Self::Queue => "queue",
            Self::Table => "table",
            Self::Rule => "rule",
            Self::Parameter => "parameter",
            Self::Any => "other",
        }
    }

    /// The kind of target in words.
    #[must_use]
    pub fn things(self) -> &'static str {
        match self {
            Self::Function | Self::Latest | Self::Alias => "functions",
            Self::Proxy => "proxied dependencies",
            Self::Role => "IAM roles",
            Self::Queue => "SQS queues",
            Self::Table => "DynamoDB tables",
            Self::Rule => "EventBridge rules",
            Self::Parameter => "SSM parameters",
            Self::Any => "anything",
        }
    }
}
