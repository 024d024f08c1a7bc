//! The ARNs of what a change is about, and the conditions under which it is asked for.

use serde_json::{Value, json};

use super::super::types::TargetPlan;
use crate::fault::{AwsResource, FaultKind, FisExperiment};

/// Where the resources are. What is not known is `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The Region: `eu-west-1`.
    pub region: String,
    /// Twelve digits.
    pub account: String,
}

impl Place {
    /// An account in a Region, whose name tells the partition.
    #[must_use]
    pub fn new(region: &str, account: &str) -> Self {
        Self { partition: partition(region).to_owned(), region: region.to_owned(), account: account.to_owned() }
    }

    fn arn(&self, service: &str, rest: &str) -> String {
        let Self { partition, region, account } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{rest}")
    }

    /// The ARN of a function.
    #[must_use]
    pub fn function(&self, name: &str) -> String {
        self.arn("lambda", &format!("function:{name}"))
    }

    /// The ARN of a topic.
    #[must_use]
    pub fn topic(&self, name: &str) -> String {
        self.arn("sns", name)
    }

    /// The ARN of a queue.
    #[must_use]
    pub fn queue(&self, name: &str) -> String {
        self.arn("sqs", name)
    }

    /// The ARN of a table.
    #[must_use]
    pub fn table(&self, name: &str) -> String {
        self.arn("dynamodb", &format!("table/{name}"))
    }

    /// The ARN of a bus.
    #[must_use]
    pub fn bus(&self, name: &str) -> String {
        self.arn("events", &format!("event-bus/{name}"))
    }

    /// The ARN of a stream.
    #[must_use]
    pub fn stream(&self, name: &str) -> String {
        self.arn("kinesis", &format!("stream/{name}"))
    }

    /// The ARN of an alarm.
    #[must_use]
    pub fn alarm(&self, name: &str) -> String {
        self.arn("cloudwatch", &format!("alarm:{name}"))
    }

    /// IAM is one for the whole partition.
    pub(super) fn role(&self, name_with_path: &str) -> String {
        format!("arn:{}:iam::{}:role/{name_with_path}", self.partition, self.account)
    }
}

/// AWS: the partition of a Region (AWS Fault Isolation Boundaries, "Partitions").
fn partition(region: &str) -> &'static str {
    const BY_PREFIX: &[(&str, &str)] = &[
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    BY_PREFIX.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
}

/// One resource on which an action is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The ARN, in which `*` stands for what is not known before the run; or `*` alone.
    pub resource: String,
    /// When alone it is needed.
    pub condition: Option<Condition>,
}

/// A condition of a policy: the key has one of the values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// The operator: `StringEquals`.
    pub operator: &'static str,
    /// The key: `iam:PassedToService`.
    pub key: &'static str,
    /// The values, one of which it must be; `*` stands for anything where the operator is `…Like`.
    pub values: Vec<String>,
}

impl Condition {
    fn new(operator: &'static str, key: &'static str, values: &[&str]) -> Self {
        Self { operator, key, values: values.iter().map(|value| (*value).to_owned()).collect() }
    }

    /// As policies write it.
    pub(super) fn json(&self) -> Value {
        let values: Value = match self.values.as_slice() {
            [only] => only.as_str().into(),
            several => several.into(),
        };
        json!({self.operator: {self.key: values}})
    }
}

/// What a change is about, and what else of the run a permission may be for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Subject<'a> {
    /// The target of a change.
    pub(super) target: Option<&'a TargetPlan>,
    /// What is done to it.
    pub(super) fault: Option<&'a FaultKind>,
    /// The ARN or the name of the role in which schedules undo.
    pub(super) scheduler_role: Option<&'a str>,
    /// The group of schedules in which the switches are kept.
    pub(super) scheduler_group: Option<&'a str>,
    /// A log group that belongs to no target.
    pub(super) log_group: Option<&'a str>,
    /// The name of the parameter that is the lock of the environment.
    pub(super) lock: Option<&'a str>,
}

/// Which resources an action is asked for. One that the change does not have gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// `*`: AWS has no permission on single resources.
    Everything,
    /// `*`: with less, composite alarms are not told (AWS: DescribeAlarms, DescribeAlarmHistory).
    Alarms,
    /// Every mute rule of alarms.
    MuteRules,
    /// The function.
    Function,
    /// The alias through which the traffic comes, or the function where there is none.
    Alias,
    /// Every version and alias of a function with an alias.
    Versions,
    /// Event source mappings of the function, whose ids are not known before they are read.
    Mappings,
    /// Layers of whatever account: the function may have some already, and they are written back.
    LayerVersions,
    /// The role, whatever its path.
    Role,
    /// The role in which FIS acts.
    RoleForFis,
    /// The role in which schedules undo.
    RoleForScheduler,
    /// The role that FIS makes for itself at the first experiment of an account.
    ServiceRoleOfFis,
    /// The queue.
    Queue,
    /// The table.
    Table,
    /// The topic.
    Topic,
    /// The bus.
    Bus,
    /// The stream.
    Stream,
    /// The rule.
    Rule,
    /// The parameter.
    Parameter,
    /// The parameter that is the lock.
    Lock,
    /// The action of FIS.
    Action,
    /// A template that is made, with our tag.
    NewTemplate,
    /// A template that was made, known by our tag.
    OurTemplate,
    /// The template that the scenario names.
    GivenTemplate,
    /// An experiment that is started, with our tag.
    NewExperiment,
    /// An experiment that was started, known by our tag.
    OurExperiment,
    /// Experiments, to be read.
    Experiments,
    /// The safety lever.
    SafetyLever,
    /// Schedules with our names.
    Schedule,
    /// The log group that Lambda makes for the function, or the one that the run names.
    LogGroup,
}

/// The tags that everything of ours in FIS carries: `gameday: gameday-RUN-CHANGE`.
const OUR_TAG: &str = "gameday-*";

impl Scope {
    /// The resources in a place.
    pub(super) fn grants(self, place: &Place, subject: Subject<'_>) -> Vec<Grant> {
        let here = Here { place, subject };
        let some = |resource: Option<String>, condition: Option<Condition>| {
            resource.map(|resource| Grant { resource, condition }).into_iter().collect()
        };
        match self {
            Self::Everything | Self::Alarms => some(Some("*".to_owned()), None),
            Self::MuteRules => some(Some(place.arn("cloudwatch", "alarm-mute-rule:*")), None),
            Self::Function => some(here.function(|_| Some(String::new())), None),
            Self::Alias => {
                some(here.function(|alias| Some(alias.map(|it| format!(":{it}")).unwrap_or_default())), None)
            }
            Self::Versions => some(here.function(|alias| alias.map(|_| ":*".to_owned())), None),
            Self::Mappings => here.mappings(),
            Self::LayerVersions => {
                let everywhere = Place { account: "*".to_owned(), ..place.clone() };
                some(here.function(|_| Some(String::new())).map(|_| everywhere.arn("lambda", "layer:*:*")), None)
            }
            Self::Role
            | Self::Queue
            | Self::Table
            | Self::Topic
            | Self::Bus
            | Self::Stream
            | Self::Rule
            | Self::Parameter => {
                let Some(TargetPlan::Resource(resource)) = subject.target else { return Vec::new() };
                let arns = self.of_resource(place, resource).into_iter();
                arns.map(|resource| Grant { resource, condition: None }).collect()
            }
            Self::RoleForFis => {
                let role = here.experiment().filter(|it| it.action.is_some()).and_then(|it| it.role.as_deref());
                some(role.map(|role| role_arn(place, role)), Some(passed_to("fis.amazonaws.com")))
            }
            Self::ServiceRoleOfFis => {
                let role = place.role("aws-service-role/fis.amazonaws.com/AWSServiceRoleForFIS");
                let service = Condition::new("StringEquals", "iam:AWSServiceName", &["fis.amazonaws.com"]);
                some(here.experiment().map(|_| role), Some(service))
            }
            Self::Action => {
                let action = here.experiment().and_then(|it| it.action.as_ref());
                some(action.map(|action| place.arn("fis", &format!("action/{}", action.id))), None)
            }
            Self::NewTemplate => some(here.own_template(), Some(ours("aws:RequestTag/gameday"))),
            Self::OurTemplate => some(here.own_template(), Some(ours("aws:ResourceTag/gameday"))),
            Self::GivenTemplate => {
                let id = here.experiment().and_then(|it| it.template.as_deref());
                some(id.map(|id| place.arn("fis", &format!("experiment-template/{id}"))), None)
            }
            Self::NewExperiment => some(here.experiments(), Some(ours("aws:RequestTag/gameday"))),
            Self::OurExperiment => some(here.experiments(), Some(ours("aws:ResourceTag/gameday"))),
            Self::Experiments => some(here.experiments(), None),
            Self::SafetyLever => some(here.experiment().map(|_| place.arn("fis", "safety-lever/*")), None),
            Self::RoleForScheduler => {
                let role = subject.scheduler_role.map(|role| role_arn(place, role));
                some(role, Some(passed_to("scheduler.amazonaws.com")))
            }
            Self::Schedule => {
                let ours = |group| place.arn("scheduler", &format!("schedule/{group}/gameday-*"));
                some(subject.scheduler_group.map(ours), None)
            }
            Self::LogGroup => {
                let group = here.log_group().map(|group| place.arn("logs", &format!("log-group:{group}:*")));
                some(group, None)
            }
            Self::Lock => some(subject.lock.map(|name| parameter_arn(place, name)), None),
        }
    }

    fn of_resource(self, place: &Place, resource: &AwsResource) -> Vec<String> {
        match (self, resource) {
            // A role's name is unique in its account, and its path is not known before it is read.
            (Self::Role, AwsResource::Role(name)) => vec![place.role(name), place.role(&format!("*/{name}"))],
            (Self::Queue, AwsResource::Queue(name)) => vec![place.queue(name)],
            (Self::Table, AwsResource::Table(name)) => vec![place.table(name)],
            (Self::Rule, AwsResource::Rule { name, bus }) => {
                // The ARN of a rule leaves the default bus out (AWS: `rule-on-default-event-bus`).
                let bus = bus.as_deref().filter(|bus| *bus != "default");
                let bus = bus.map(|bus| format!("{bus}/")).unwrap_or_default();
                vec![place.arn("events", &format!("rule/{bus}{name}"))]
            }
            (Self::Topic, AwsResource::Topic(name)) => vec![place.topic(name)],
            (Self::Bus, AwsResource::Bus(name)) => vec![place.bus(name)],
            (Self::Stream, AwsResource::Stream(name)) => vec![place.stream(name)],
            (Self::Parameter, AwsResource::Parameter(name)) => vec![parameter_arn(place, name)],
            _ => Vec::new(),
        }
    }
}

/// A place, and what a permission is for there.
struct Here<'a> {
    place: &'a Place,
    subject: Subject<'a>,
}

impl<'a> Here<'a> {
    /// The function's ARN with what `qualifier` makes of its alias.
    fn function(&self, qualifier: impl FnOnce(Option<&str>) -> Option<String>) -> Option<String> {
        let Some(TargetPlan::Lambda { function, alias, .. }) = self.subject.target else { return None };
        let qualifier = qualifier(alias.as_deref())?;
        Some(format!("{}{qualifier}", self.place.function(function)))
    }

    fn log_group(&self) -> Option<String> {
        let of_function = |target: &TargetPlan| match target {
            TargetPlan::Lambda { function, .. } => Some(format!("/aws/lambda/{function}")),
            TargetPlan::Resource(_) | TargetPlan::Proxy(_) | TargetPlan::RemoteProxy { .. } => None,
        };
        self.subject.log_group.map(str::to_owned).or_else(|| self.subject.target.and_then(of_function))
    }

    fn mappings(&self) -> Vec<Grant> {
        let Some(function) = self.function(|_| Some(String::new())) else { return Vec::new() };
        // A mapping may lead to an alias or a version of the function.
        let condition = Condition::new("ArnLike", "lambda:FunctionArn", &[&function, &format!("{function}:*")]);
        let resource = self.place.arn("lambda", "event-source-mapping:*");
        vec![Grant { resource, condition: Some(condition) }]
    }

    fn experiment(&self) -> Option<&'a FisExperiment> {
        match self.subject.fault {
            Some(FaultKind::FisExperiment(experiment)) => Some(experiment),
            _ => None,
        }
    }

    /// The template that is made for an action.
    fn own_template(&self) -> Option<String> {
        self.experiment()?.action.as_ref().map(|_| self.place.arn("fis", "experiment-template/*"))
    }

    fn experiments(&self) -> Option<String> {
        self.experiment().map(|_| self.place.arn("fis", "experiment/*"))
    }
}

fn ours(key: &'static str) -> Condition {
    Condition::new("StringLike", key, &[OUR_TAG])
}

fn passed_to(service: &str) -> Condition {
    Condition::new("StringEquals", "iam:PassedToService", &[service])
}

/// A role by its ARN, or by its name with its path.
fn role_arn(place: &Place, role: &str) -> String {
    if role.starts_with("arn:") { role.to_owned() } else { place.role(role) }
}

/// AWS leaves out the leading slash of a name (Systems Manager, resource `parameter`).
fn parameter_arn(place: &Place, name: &str) -> String {
    place.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))
}
