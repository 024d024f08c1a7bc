//! `exec`: programs of your own that inject, undo and check what gameday itself does not know.
//!
//! The undo's data holds the commands and the folder, so that a fresh process can run them. It runs only what
//! `gameday.yaml` permits.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::about::{About, Calls, Objection, Step};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError, Reverted, Revertible};
use super::command::Command;
use super::shell::word;
use super::target::{AwsResource, FaultTarget, TargetNeed};
use crate::unit::{DurationText, TargetId};

/// How long a command may take where the fault says nothing.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// The least and the most that it may say: an undo as a whole is given up soon after its 60 s.
const TIMEOUT: std::ops::RangeInclusive<DurationText> =
    DurationText(Duration::from_secs(1))..=DurationText(Duration::from_secs(60));
/// The exit code of `check` for what is as injected, also in part. Scripts that break end with 1 or 2, which say nothing.
const EXIT_INJECTED: u8 = 10;
/// The exit code of `check` for what somebody else has changed.
const EXIT_OTHER: u8 = 11;

/// Runs programs of yours, which `exec` of the environment in `gameday.yaml` must permit. Each runs in the workspace's folder
/// without standard input, with PATH, HOME, USER, LOGNAME, LANG, LC_ALL, TZ and TMPDIR of the caller's, with GAMEDAY_RUN,
/// GAMEDAY_FAULT, GAMEDAY_ENVIRONMENT, GAMEDAY_TARGET (its name here), GAMEDAY_RESOURCE (what it is called there) and
/// GAMEDAY_TOKEN (a name that no other change has), and with what reaches the environment: AWS_REGION, and AWS_ENDPOINT_URL
/// with made-up credentials, or AWS_PROFILE and the caller's AWS_*. Should gameday die, its commands are killed with all that
/// they started. Command lines are shown: no secrets in them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// What it is about, of any kind: `{other: {name: cache}}` for what is no other kind of target.
    #[schemars(example = &"cache")]
    pub target: TargetId,
    /// Makes the change: exit code 0 when it is made.
    pub inject: CommandLine,
    /// Undoes it: exit code 0 when it is undone. It is run again after a crash, and where nothing was injected or only a
    /// part, since a program may be killed at any moment: it must do no harm then.
    pub undo: CommandLine,
    /// Tells what is there, and changes nothing: exit code 0 as before, 10 as injected (also in part), 11 changed by somebody
    /// else, who is left alone. Any other is no answer. Without it nothing is compared and nothing is read back: the undo is
    /// always run, and its own exit code is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CommandLine>,
    /// How long each of them may take before it is killed with all that it started, 1s to 60s. Default 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"30s")]
    pub timeout: Option<DurationText>,
}

/// A program and its arguments, each as it is: no shell reads them, unless one is named: `[sh, -c, "…"]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(extend("minItems" = 1))]
pub struct CommandLine(Vec<String>);

impl<'de> Deserialize<'de> for CommandLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = CommandLine;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list with a program and its arguments")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<CommandLine, E> {
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./=@%+ ".contains(c);
                let list = if text.chars().all(is_plain) {
                    text.split_whitespace().collect::<Vec<_>>().join(", ")
                } else {
                    // What a shell would make of it is not ours to guess.
                    format!("sh, -c, {}", serde_json::Value::from(text))
                };
                Err(E::custom(format!("a command is a list, a program and its arguments; write `[{list}]`")))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<CommandLine, A::Error> {
                let mut line = Vec::new();
                while let Some(next) = words.next_element()? {
                    line.push(next);
                }
                Ok(CommandLine(line))
            }
        }
        deserializer.deserialize_any(Words)
    }
}

impl fmt::Display for CommandLine {
    /// As a shell reads it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.iter().map(|text| word(text)).collect::<Vec<_>>().join(" "))
    }
}

impl CommandLine {
    fn program(&self) -> &str {
        self.0.first().map(String::as_str).unwrap_or_default()
    }

    fn objections(&self, key: &str) -> Vec<Objection> {
        if self.program().is_empty() {
            let message = format!("`{key}` names no program");
            let help = "write a program and its arguments, such as `[./chaos/cache, flush]`";
            return vec![Objection::value(key, "invalid-value", message, help)];
        }
        let is_bad = |word: &&(usize, &String)| word.1.contains('\0');
        let bad = self.0.iter().enumerate().collect::<Vec<_>>();
        let of = |(index, _): &(usize, &String)| Objection {
            path: vec![Step::Key(key.to_owned()), Step::Item(*index)],
            is_about_key: false,
            code: "invalid-value",
            message: "no argument can hold a zero byte".to_owned(),
            help: Some("take it out".to_owned()),
        };
        bad.iter().filter(is_bad).map(of).collect()
    }
}

impl Exec {
    fn commands(&self) -> impl Iterator<Item = (&'static str, &CommandLine)> {
        [("inject", Some(&self.inject)), ("undo", Some(&self.undo)), ("check", self.check.as_ref())]
            .into_iter()
            .filter_map(|(key, line)| Some((key, line?)))
    }
}

impl Fault for Exec {
    type Change = ExecChange;
    const ABOUT: About = About {
        effect: "what your program `inject` does",
        undo: "your program `undo`, and `check` reads back where there is one; by hand, the same command",
        blast_radius: "whatever your programs change",
    };
    const TARGET: TargetNeed = TargetNeed::Any;
    /// Its programs may make calls of their own, of which gameday knows nothing.
    const CALLS: Calls = Calls { inject: &[], undo: &[] };

    fn objections(&self) -> Vec<Objection> {
        let mut objections: Vec<Objection> = self.commands().flat_map(|(key, line)| line.objections(key)).collect();
        objections.extend(self.timeout.and_then(|timeout| {
            let objection = Objection::out_of("timeout", timeout, &TIMEOUT, "a command")?;
            Some(Objection { help: Some("write a duration from `1s` to `60s`".to_owned()), ..objection })
        }));
        objections
    }

    fn programs(&self) -> Vec<(&'static str, &str)> {
        self.commands().map(|(key, line)| (key, line.program())).collect()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ExecChange, FaultError> {
        let target = environment.targets.get(&self.target).ok_or_else(|| FaultError::Target(self.target.clone()))?;
        let (on, resource, lives_there) = match target {
            FaultTarget::Function { name, .. } => (format!("function `{name}`"), name.clone(), true),
            FaultTarget::Proxy(name) | FaultTarget::RemoteProxy { name, .. } => {
                (format!("proxy `{name}`"), name.to_string(), false)
            }
            FaultTarget::Resource(resource) => match resource {
                AwsResource::Other(name) => (resource.to_string(), name.clone(), false),
                AwsResource::Role(name)
                | AwsResource::Queue(name)
                | AwsResource::Table(name)
                | AwsResource::Rule { name, .. }
                | AwsResource::Parameter(name)
                | AwsResource::Topic(name)
                | AwsResource::Bus(name)
                | AwsResource::Stream(name) => (resource.to_string(), name.clone(), true),
            },
        };
        let mut told = environment.commands.told.clone();
        told.insert("GAMEDAY_TARGET".to_owned(), self.target.to_string());
        told.insert("GAMEDAY_RESOURCE".to_owned(), resource);
        told.insert("GAMEDAY_TOKEN".to_owned(), environment.occasion.token.clone());
        let change = ExecChange {
            on,
            lives_there,
            directory: environment.commands.directory.clone(),
            told,
            inject: self.inject.clone(),
            undo: self.undo.clone(),
            check: self.check.clone(),
            timeout: self.timeout.unwrap_or(DurationText(TIMEOUT_DEFAULT)),
        };
        // What is injected must be sure to find its undo.
        for (role, line) in self.commands() {
            environment.commands.find(change.command(role, line))?;
        }
        match change.state(environment).await? {
            None | Some(State::AsBefore) => Ok(change),
            Some(State::Injected) => {
                Err(FaultError::not_safe(change.thing(), "`check` says that it is injected already"))
            }
            Some(State::Other) => Err(FaultError::not_safe(change.thing(), "`check` says that somebody changed it")),
        }
    }

    fn text(&self) -> ChangeText {
        let Self { target, inject, undo, check, .. } = self;
        text(&format!("`{target}`"), inject, undo, check.as_ref())
    }

    fn settings(&self) -> Vec<String> {
        // Nobody knows what of it they change: two of them on one target wait for each other.
        vec!["whatever commands change".to_owned()]
    }
}

fn text(on: &str, inject: &CommandLine, undo: &CommandLine, check: Option<&CommandLine>) -> ChangeText {
    let read_back = match check {
        Some(check) => format!("and `{check}` reads back"),
        None => "which is believed: there is no `check` that reads back".to_owned(),
    };
    ChangeText { change: format!("run `{inject}` on {on}"), undo: format!("run `{undo}`, {read_back}") }
}

/// What `check` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    AsBefore,
    Injected,
    Other,
}

/// Commands that inject, undo and check, with everything that a fresh process needs to run them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecChange {
    /// What they work on, in words.
    on: String,
    /// Whether it is a part of the environment's account, and gone with an embedded sandbox.
    lives_there: bool,
    /// The workspace's folder.
    directory: PathBuf,
    /// `GAMEDAY_…`.
    told: BTreeMap<String, String>,
    inject: CommandLine,
    undo: CommandLine,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<CommandLine>,
    timeout: DurationText,
}

impl ExecChange {
    /// What it is about, without the marks that it has in texts.
    fn thing(&self) -> &str {
        self.on.trim_matches('`')
    }

    fn command<'c>(&'c self, role: &'static str, line: &'c CommandLine) -> Command<'c> {
        Command { role, words: &line.0, directory: &self.directory, told: &self.told, timeout: self.timeout.0 }
    }

    /// What `check` says; none where there is no check.
    async fn state(&self, environment: &FaultEnvironment) -> Result<Option<State>, FaultError> {
        let Some(check) = &self.check else { return Ok(None) };
        match environment.commands.run(self.command("check", check)).await {
            Ok(_) => Ok(Some(State::AsBefore)),
            Err((_, Some(EXIT_INJECTED))) => Ok(Some(State::Injected)),
            Err((_, Some(EXIT_OTHER))) => Ok(Some(State::Other)),
            Err((error, None)) => Err(error.of_repeatable().into()),
            Err((mut error, Some(_))) => {
                error
                    .what
                    .push_str(", which says neither as before (0), as injected (10) nor changed by somebody else (11)");
                Err(error.of_repeatable().into())
            }
        }
    }

    fn drift(&self) -> Reverted {
        Reverted::Drift(vec![format!("{}: `check` says that somebody else changed it", self.on)])
    }

    fn not_applied(&self, found: &str) -> FaultError {
        FaultError::NotApplied { target: self.on.clone(), found: found.to_owned() }
    }
}

impl Revertible for ExecChange {
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError> {
        match self.state(environment).await? {
            Some(State::Injected) => return Ok(()),
            Some(State::Other) => return Err(FaultError::changed_meanwhile(&self.on)),
            Some(State::AsBefore) | None => {}
        }
        // It may have done a part of its work: it is not run again, and the undo will be.
        environment.commands.run(self.command("inject", &self.inject)).await.map_err(|(error, _)| error)?;
        match self.state(environment).await? {
            None | Some(State::Injected) => Ok(()),
            Some(State::AsBefore) => Err(self.not_applied("`check` says that it is as before")),
            Some(State::Other) => Err(FaultError::not_safe(self.thing(), "`check` says that somebody changed it")),
        }
    }

    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError> {
        if environment.is_embedded && self.lives_there {
            // An embedded sandbox is gone with its run, and so is everything in it.
            environment.aws.caller_account().await?;
        }
        match self.state(environment).await {
            Ok(Some(State::AsBefore)) if *restoring => return Ok(Reverted::Restored),
            Ok(Some(State::AsBefore)) => return Ok(Reverted::AsBefore),
            Ok(Some(State::Other)) => return Ok(self.drift()),
            // A check that cannot tell may be a part of what is broken: the undo does no harm, and may mend it.
            Ok(Some(State::Injected) | None) | Err(_) => {}
        }
        *restoring = true;
        let undone = environment.commands.run(self.command("undo", &self.undo)).await;
        undone.map_err(|(error, _)| error.of_repeatable())?;
        match self.state(environment).await? {
            None => Ok(Reverted::NotReadBack),
            Some(State::AsBefore) => Ok(Reverted::Restored),
            Some(State::Injected) => Err(self.not_applied("`check` says that it is still injected")),
            Some(State::Other) => Ok(self.drift()),
        }
    }

    fn text(&self) -> ChangeText {
        let Self { on, inject, undo, check, .. } = self;
        text(on, inject, undo, check.as_ref())
    }

    fn by_hand(&self, _undo: &Path) -> Vec<String> {
        let folder = word(&self.directory.display().to_string());
        let told = self.told.iter().map(|(name, value)| format!("{name}={}", word(value)));
        vec![format!("cd {folder} && env {} {}", told.collect::<Vec<_>>().join(" "), self.undo)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(yaml: &str) -> Exec {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[test]
    fn a_command_is_a_list_with_a_program() {
        let paths = |fault: Exec| fault.objections().into_iter().map(|it| (it.path, it.code)).collect::<Vec<_>>();
        let key = |name: &str| Step::Key(name.to_owned());
        assert_eq!(paths(fault("{target: cache, inject: [./a], undo: [./b, x], timeout: 60s}")), []);
        let bad = fault(r#"{target: cache, inject: [], undo: [''], check: [./c, "a\0b"], timeout: 61s}"#);
        assert_eq!(
            paths(bad),
            [
                (vec![key("inject")], "invalid-value"),
                (vec![key("undo")], "invalid-value"),
                (vec![key("check"), Step::Item(1)], "invalid-value"),
                (vec![key("timeout")], "out-of-range"),
            ]
        );
        for (text, expected) in [
            ("./chaos/cache flush", "write `[./chaos/cache, flush]`"),
            ("echo $HOME; rm x", r#"write `[sh, -c, "echo $HOME; rm x"]`"#),
        ] {
            let error = serde_json::from_value::<CommandLine>(text.into()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let line: CommandLine = serde_json::from_value(serde_json::json!(["sh", "-c", "a b"])).unwrap();
        assert_eq!(serde_json::to_value(&line).unwrap(), serde_json::json!(["sh", "-c", "a b"]));
        assert!(serde_json::from_value::<CommandLine>(5.into()).is_err());
    }

    #[test]
    fn what_is_typed_by_hand_is_the_undo_in_its_folder() {
        let line = |words: &[&str]| CommandLine(words.iter().map(|word| (*word).to_owned()).collect());
        let change = ExecChange {
            on: "`the cache`".to_owned(),
            lives_there: false,
            directory: "/srv/my shop".into(),
            told: [("GAMEDAY_RESOURCE".to_owned(), "the cache".to_owned())].into(),
            inject: line(&["./chaos/cache", "flush"]),
            undo: line(&["sh", "-c", "warm 'all' > log"]),
            check: None,
            timeout: DurationText(TIMEOUT_DEFAULT),
        };
        let by_hand = change.by_hand(Path::new("undo.json"));
        let expected = r"cd '/srv/my shop' && env GAMEDAY_RESOURCE='the cache' sh -c 'warm '\''all'\'' > log'";
        assert_eq!(by_hand, [expected]);
        assert_eq!(change.text().change, "run `./chaos/cache flush` on `the cache`");
        assert!(change.text().undo.ends_with("there is no `check` that reads back"));
        let json = serde_json::to_string(&change).unwrap();
        assert_eq!(serde_json::from_str::<ExecChange>(&json).unwrap(), change);
    }
}
