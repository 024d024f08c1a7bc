//! What a sandbox runs, as it is written in `gameday.yaml` and in a file for `--functions`.
//!
//! Owns: the shape of the file and the ranges of its values. Must not know: how a function is run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cloudwatch::AlarmSpec;
use super::concurrency::{ACCOUNT_LIMIT, UNRESERVED_MIN};
use super::configuration::{environment_problem, layers_problem, memory_problem, timeout_problem};
use super::event_spec::{EventInvokeSpec, EventSourceSpec};
use super::fis::FisSpec;
use super::logs::{LogFormat, SystemLogLevel};
use super::name::{is_alias_name, is_name};
use crate::unit::{AlarmName, DurationText};

/// More functions than this are a mistake in the file.
const FUNCTIONS_MAX: usize = 200;
/// More alarms than this are a mistake in the file.
const ALARMS_MAX: usize = 200;
/// The longest `update_ms`: ten minutes.
const UPDATE_MS_MAX: u64 = 600_000;
/// The longest `cold_start_ms`: one minute.
const COLD_START_MS_MAX: u64 = 60_000;

/// The built-in functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Demo {
    /// The shop's HTTP front: lists items, fills baskets, checks out through `payments`.
    Checkout,
    /// Charges a card at the outside provider.
    Payments,
    /// Does what its event says (sleep, crash, …): for tries and tests of the sandbox.
    Probe,
}

impl Demo {
    /// The name in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Payments => "payments",
            Self::Probe => "probe",
        }
    }
}

/// One function of the sandbox. Exactly one of `demo`, `runtime` (with `code` and `handler`) and `command` says what it
/// runs; see [`FunctionSpec::kind`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionSpec {
    /// A built-in function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demo: Option<Demo>,
    /// `python3.11` or another Python 3; runs with `GAMEDAY_PYTHON`, else `python3`, which needs `awslambdaric`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// The folder with the function's code, relative to the file that names it. Only with `runtime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<PathBuf>,
    /// `module.function`. Only with `runtime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handler: Option<String>,
    /// A program that speaks the Lambda Runtime API, and its arguments, as a custom runtime's `bootstrap` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Environment variables. AWS: at most 4 KB, and none of Lambda's own, such as `AWS_REGION`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// How long an invocation may take: whole seconds from 1s to 15m (AWS's quota). Default: 3s.
    #[serde(default = "default_timeout")]
    pub timeout: DurationText,
    /// Memory in MB, 128 to 10240. Default: 128. The function is told; it is not held to it.
    #[serde(default = "default_memory")]
    pub memory: u32,
    /// Reserved concurrency; 0 stops every invocation. Default: none, the account's pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<u32>,
    /// ARNs of layer versions, at most five, in their order. They are told and can be changed; the sandbox mounts none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
    /// Aliases: name → number of a published version. Each such version has the configuration of this entry, for ever.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, u32>,
    /// Queues that feed the function, each named once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_sources: Vec<EventSourceSpec>,
    /// What becomes of asynchronous events. Default: Lambda's, two retries, six hours, no destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_invoke: Option<EventInvokeSpec>,
    /// The form of its log, `text` or `json`. Default: text.
    #[serde(default, skip_serializing_if = "is_default")]
    pub log_format: LogFormat,
    /// Which of Lambda's own lines the log has, with `log_format: json` only: `debug`, `info` or `warn`, which leaves out those about
    /// invocations that went well. Default: info.
    #[serde(default, skip_serializing_if = "is_default")]
    pub system_log_level: SystemLogLevel,
    /// How long an update of the configuration stays `InProgress`, one of an event source `Updating`, and
    /// provisioned concurrency `IN_PROGRESS`, in milliseconds, 0 to 600000. Default: 0.
    #[serde(default)]
    pub update_ms: u64,
    /// Time added to each cold start, in milliseconds, 0 to 60000. Default: 0.
    #[serde(default)]
    pub cold_start_ms: u64,
    /// Tags, as `ListTags` answers them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

fn default_timeout() -> DurationText {
    DurationText(Duration::from_secs(3))
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn default_memory() -> u32 {
    128
}

/// What a function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind<'a> {
    /// A built-in function.
    Demo(Demo),
    /// Python code.
    Python {
        /// The runtime's name, such as `python3.11`.
        runtime: &'a str,
        /// The folder with the code.
        code: &'a Path,
        /// `module.function`.
        handler: &'a str,
    },
    /// A program of the user's, and its arguments.
    Command {
        /// The program: a path, or a name that is looked for on `PATH`.
        program: &'a str,
        /// Its arguments.
        arguments: &'a [String],
    },
}

impl FunctionSpec {
    /// What the function runs.
    ///
    /// # Errors
    /// A text for a person: none or several of `demo`, `runtime` and `command`, or keys that do not belong together.
    pub fn kind(&self) -> Result<FunctionKind<'_>, String> {
        let alone = |key: &str| {
            if self.code.is_some() || self.handler.is_some() {
                Err(format!("`code` and `handler` belong to `runtime`, not to `{key}`"))
            } else {
                Ok(())
            }
        };
        match (self.demo, self.runtime.as_deref(), self.command.as_deref()) {
            (Some(demo), None, None) => alone("demo").map(|()| FunctionKind::Demo(demo)),
            (None, None, Some([program, arguments @ ..])) => {
                alone("command").map(|()| FunctionKind::Command { program, arguments })
            }
            (None, None, Some([])) => Err("`command` is empty; write a program, as in `[./bootstrap]`".to_owned()),
            (None, Some(runtime), None) => self.python(runtime),
            (None, None, None) => Err("one of `demo`, `runtime` and `command` is needed".to_owned()),
            _ => Err("only one of `demo`, `runtime` and `command` may be given".to_owned()),
        }
    }

    fn python<'a>(&'a self, runtime: &'a str) -> Result<FunctionKind<'a>, String> {
        let minor = runtime.strip_prefix("python3.").unwrap_or_default();
        if minor.is_empty() || !minor.chars().all(|c| c.is_ascii_digit()) {
            return Err(format!(
                "the sandbox does not run `{runtime}`; write `python3.11`, or start another runtime with `command`"
            ));
        }
        let (Some(code), Some(handler)) = (self.code.as_deref(), self.handler.as_deref()) else {
            return Err(format!("`runtime: {runtime}` needs `code` and `handler`"));
        };
        if !handler.contains('.') {
            return Err(format!("`{handler}` is not a handler; write `module.function`, as in `app.handler`"));
        }
        Ok(FunctionKind::Python { runtime, code, handler })
    }

    /// The timeout in whole seconds.
    pub(super) fn timeout_seconds(&self) -> u64 {
        self.timeout.as_secs()
    }

    /// Every value that is out of its range; the paths start at the function.
    #[must_use]
    pub fn problems(&self) -> Vec<SpecProblem> {
        let mut problems = Vec::new();
        let mut tell = |path: &[&str], text: String| problems.push(SpecProblem::new(path, text));
        if let Err(text) = self.kind() {
            tell(&[], text);
        }
        if self.timeout.subsec_nanos() != 0 {
            tell(&["timeout"], format!("`timeout: {}` is not a whole number of seconds", self.timeout));
        } else if timeout_problem(self.timeout_seconds()).is_some() {
            tell(&["timeout"], format!("`timeout: {}` is not between 1s and 15m", self.timeout));
        }
        if memory_problem(self.memory).is_some() {
            tell(&["memory"], format!("`memory: {}` is not between 128 and 10240", self.memory));
        }
        if let Some(text) = environment_problem(&self.environment) {
            tell(&["environment"], text);
        }
        if let Some(text) = layers_problem(&self.layers) {
            tell(&["layers"], text);
        }
        if self.log_format == LogFormat::Text && self.system_log_level != SystemLogLevel::default() {
            tell(&["system_log_level"], "`system_log_level` belongs to `log_format: json`".to_owned());
        }
        if let Some(reserved) = self.reserved.filter(|reserved| *reserved > ACCOUNT_LIMIT - UNRESERVED_MIN) {
            tell(&["reserved"], format!("`reserved: {reserved}` is more than {}", ACCOUNT_LIMIT - UNRESERVED_MIN));
        }
        for (name, version) in &self.aliases {
            if !is_alias_name(name) {
                let text = format!("`{name}` is not an alias; use letters, digits, `-` and `_`, not digits alone");
                tell(&["aliases", name], text);
            }
            if *version == 0 {
                tell(&["aliases", name], format!("alias `{name}` names version 0; published versions start at 1"));
            }
        }
        for text in self.event_sources.iter().flat_map(EventSourceSpec::problems) {
            tell(&["event_sources"], text);
        }
        for (key, text) in self.event_invoke.iter().flat_map(EventInvokeSpec::problems) {
            tell(&["event_invoke", key], text);
        }
        let queues: BTreeSet<&str> = self.event_sources.iter().map(|source| source.queue.as_str()).collect();
        if queues.len() < self.event_sources.len() {
            tell(&["event_sources"], "a queue is named twice; one event source a queue is enough".to_owned());
        }
        for (key, value, most) in
            [("update_ms", self.update_ms, UPDATE_MS_MAX), ("cold_start_ms", self.cold_start_ms, COLD_START_MS_MAX)]
        {
            if value > most {
                tell(&[key], format!("`{key}: {value}` is more than {most}"));
            }
        }
        problems
    }
}

/// All that a sandbox runs; also the shape of a file for `--functions`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SandboxSpec {
    /// The functions by name.
    pub functions: BTreeMap<String, FunctionSpec>,
    /// Where the demo shop's outside card provider listens, such as `127.0.0.1:18080`; port 0 stands for any free one.
    /// Default: none is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub card_provider: Option<SocketAddrV4>,
    /// Alarms that the sandbox's CloudWatch has from the start, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alarms: BTreeMap<String, AlarmSpec>,
    /// How experiments of the Fault Injection Service go. Default: as in AWS, but with half a second of propagation.
    #[serde(default, skip_serializing_if = "FisSpec::is_default")]
    pub fis: FisSpec,
}

/// A value of a [`SandboxSpec`] that is out of its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecProblem {
    /// The keys that lead to it: `["functions", "checkout-fn", "timeout"]`.
    pub path: Vec<String>,
    /// What is wrong; after a semicolon, how to write it.
    pub text: String,
}

impl SpecProblem {
    fn new(path: &[&str], text: String) -> Self {
        Self { path: path.iter().map(ToString::to_string).collect(), text }
    }
}

impl fmt::Display for SpecProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [first, function, ..] = self.path.as_slice()
            && first == "functions"
        {
            write!(formatter, "function `{function}`: ")?;
        } else if let [first, alarm, ..] = self.path.as_slice()
            && first == "alarms"
        {
            write!(formatter, "alarm `{alarm}`: ")?;
        }
        formatter.write_str(&self.text)
    }
}

impl SandboxSpec {
    /// Every value that is out of its range.
    #[must_use]
    pub fn problems(&self) -> Vec<SpecProblem> {
        let mut problems = Vec::new();
        for (name, function) in &self.functions {
            if !is_name(name) {
                let text = format!("`{name}` is not a function's name; use 1 to 64 letters, digits, `-` and `_`");
                problems.push(SpecProblem::new(&["functions", name], text));
            }
            problems.extend(function.problems().into_iter().map(|problem| {
                let path = ["functions".to_owned(), name.clone()].into_iter().chain(problem.path).collect();
                SpecProblem { path, text: problem.text }
            }));
        }
        let reserved: u64 = self.functions.values().filter_map(|function| function.reserved).map(u64::from).sum();
        if reserved > u64::from(ACCOUNT_LIMIT - UNRESERVED_MIN) {
            let most = ACCOUNT_LIMIT - UNRESERVED_MIN;
            let text = format!("the functions reserve {reserved} together; at most {most} of {ACCOUNT_LIMIT} may be");
            problems.push(SpecProblem::new(&["functions"], text));
        }
        if self.functions.len() > FUNCTIONS_MAX {
            problems.push(SpecProblem::new(&["functions"], format!("there are more than {FUNCTIONS_MAX} functions")));
        }
        if let Some(address) = self.card_provider.filter(|address| !address.ip().is_loopback()) {
            let text = format!("`card_provider: {address}` is not on this machine; write `127.0.0.1:PORT`");
            problems.push(SpecProblem::new(&["card_provider"], text));
        }
        problems.extend(self.alarm_problems());
        if let Some((key, text)) = self.fis.problem() {
            problems.push(SpecProblem::new(&["fis", key], text));
        }
        problems
    }

    fn alarm_problems(&self) -> Vec<SpecProblem> {
        let mut problems = Vec::new();
        for (name, alarm) in &self.alarms {
            if let Err(error) = name.parse::<AlarmName>() {
                problems.push(SpecProblem::new(&["alarms", name], error.to_string()));
            }
            let function = self.functions.get(&alarm.function);
            let aliases = function.map(|function| function.aliases.keys().map(String::as_str).collect());
            let found = alarm.problems(aliases.as_ref()).into_iter();
            problems.extend(found.map(|(key, text)| SpecProblem::new(&["alarms", name, key], text)));
        }
        if self.alarms.len() > ALARMS_MAX {
            problems.push(SpecProblem::new(&["alarms"], format!("there are more than {ALARMS_MAX} alarms")));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> FunctionSpec {
        serde_yaml::from_str(text).expect(text)
    }

    #[test]
    fn a_function_is_a_demo_or_python_or_a_command() {
        assert_eq!(spec("{demo: checkout}").kind(), Ok(FunctionKind::Demo(Demo::Checkout)));
        assert_eq!(
            spec("{runtime: python3.11, code: functions/orders, handler: app.handler}").kind(),
            Ok(FunctionKind::Python {
                runtime: "python3.11",
                code: Path::new("functions/orders"),
                handler: "app.handler"
            })
        );
        assert_eq!(
            spec("{command: [./bootstrap, -v]}").kind(),
            Ok(FunctionKind::Command { program: "./bootstrap", arguments: &["-v".to_owned()] })
        );
    }

    #[test]
    fn every_other_mix_of_kinds_is_refused_with_a_text() {
        for text in [
            "{}",
            "{demo: checkout, command: [x]}",
            "{demo: checkout, handler: app.handler}",
            "{command: []}",
            "{command: [x], code: y}",
            "{runtime: nodejs20.x, code: x, handler: a.b}",
            "{runtime: python3., code: x, handler: a.b}",
            "{runtime: python3.11, handler: a.b}",
            "{runtime: python3.11, code: x, handler: handler}",
        ] {
            assert!(spec(text).kind().is_err(), "{text}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_lambda() {
        let spec = spec("{demo: checkout}");
        assert_eq!((spec.timeout_seconds(), spec.memory, spec.reserved), (3, 128, None));
        assert_eq!(spec.problems(), []);
    }

    #[test]
    fn each_value_out_of_range_is_named() {
        for (text, part) in [
            ("{demo: probe, timeout: 901s}", "`timeout: 15m1s`"),
            ("{demo: probe, timeout: 500ms}", "`timeout: 500ms`"),
            ("{demo: probe, memory: 64}", "`memory: 64`"),
            ("{demo: probe, reserved: 901}", "`reserved: 901`"),
            ("{demo: probe, environment: {AWS_REGION: x}}", "AWS_REGION"),
            ("{demo: probe, layers: [x]}", "Value 'x' at 'layers'"),
            ("{demo: probe, aliases: {live: 0}}", "alias `live`"),
            ("{demo: probe, aliases: {'1': 1}}", "`1` is not an alias"),
            ("{demo: probe, event_sources: [{queue: a b}]}", "`a b` is not a queue's name"),
            ("{demo: probe, event_sources: [{queue: a, batch_size: 11}]}", "`batch_size: 11`"),
            ("{demo: probe, event_sources: [{queue: a, maximum_concurrency: 1}]}", "`maximum_concurrency: 1`"),
            ("{demo: probe, event_sources: [{queue: a}, {queue: a}]}", "a queue is named twice"),
            ("{demo: probe, event_invoke: {retries: 3}}", "`retries: 3`"),
            ("{demo: probe, event_invoke: {maximum_age: 59s}}", "`maximum_age: 59s`"),
            ("{demo: probe, event_invoke: {on_failure: a b}}", "`a b` is not a queue's name"),
            ("{demo: probe, update_ms: 600001}", "`update_ms: 600001`"),
            ("{demo: probe, cold_start_ms: 60001}", "`cold_start_ms: 60001`"),
        ] {
            let problems = spec(text).problems();
            assert!(problems.len() == 1 && problems[0].text.contains(part), "{text}: {problems:?}");
            let key = problems[0].path.first().expect("a key");
            assert!(text.contains(&format!("{key}: ")), "{text}: {problems:?}");
        }
    }

    #[test]
    fn a_problem_is_told_with_the_keys_that_lead_to_it() {
        let paths = |text: &str| {
            let spec: SandboxSpec = serde_yaml::from_str(text).expect(text);
            spec.problems().into_iter().map(|problem| problem.path.join("/")).collect::<Vec<_>>()
        };
        let text = "functions:\n  a: {demo: probe, memory: 1, aliases: {x: 0}}\n  b: {demo: probe}\n  c: {}\n";
        assert_eq!(paths(text), ["functions/a/memory", "functions/a/aliases/x", "functions/c"]);
        assert_eq!(paths("functions: {a: {demo: probe}}\ncard_provider: 127.0.0.1:18080\n"), Vec::<String>::new());
        assert_eq!(paths("functions: {}\ncard_provider: 10.0.0.1:80\n"), ["card_provider"]);
    }

    #[test]
    fn reservations_of_all_functions_leave_a_hundred() {
        let text = "functions: {a: {demo: probe, reserved: 500}, b: {demo: probe, reserved: 401}}";
        let spec: SandboxSpec = serde_yaml::from_str(text).expect(text);
        let told: Vec<String> = spec.problems().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["the functions reserve 901 together; at most 900 of 1000 may be"]);
    }
}
