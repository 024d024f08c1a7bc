//! `gameday.yaml`. Owns: its keys and what they must fulfil together.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Environment, EnvironmentSpec, Notify, ReportSpec, Waiver, functions};
use crate::document::{Decoder, Diagnostic, Place, SourceFile, Tree};
use crate::sandbox::{AlarmSpec, FunctionSpec};

/// The version of the file format that this program reads.
const FORMAT: u32 = 1;

/// `gameday.yaml`: environments, and defaults for all scenarios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The version of the file format: 1.
    pub gameday: u32,
    /// Where scenarios may run, by name. `sandbox` is the default.
    pub environments: BTreeMap<String, EnvironmentSpec>,
    /// What holds for scenarios that do not say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,
    /// Who is told of every run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
}

/// What holds for scenarios that do not say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// Which reports are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportSpec>,
}

/// Reads and checks `gameday.yaml`; code folders are looked for below `root`.
pub(super) fn read(
    source: &Arc<SourceFile>,
    root: Option<&Path>,
    problems: &mut Vec<Diagnostic>,
) -> Option<(Settings, BTreeMap<String, Environment>)> {
    let mut decoder = Decoder::new(Tree::parse(source, problems)?);
    decoder.map::<FunctionSpec>(&["environments", "*", "functions"]);
    decoder.map::<AlarmSpec>(&["environments", "*", "alarms"]);
    decoder.list::<Waiver>(&["environments", "*", "waivers"]);
    decoder.map::<EnvironmentSpec>(&["environments"]);
    let (settings, document, found) = decoder.finish::<Settings>();
    problems.extend(found);
    let settings = settings?;
    let place = document.root();
    problems.extend(check_format(place, settings.gameday));
    problems.extend(settings.notify.iter().flat_map(|notify| notify.problems(place.key("notify"))));
    let mut environments = BTreeMap::new();
    for (name, spec) in &settings.environments {
        let place = place.key("environments").key(name);
        if name.parse::<crate::unit::PersonId>().is_err() {
            let problem = place.name_error("invalid-value", format!("`{name}` is not a name for an environment"));
            problems.push(problem.with_help("use letters, digits, `-`, `_` and `.`"));
        }
        match spec.resolve(name) {
            Ok(environment) => {
                environments.insert(name.clone(), environment);
            }
            // A key that could not be read is not missing.
            Err(found) => problems.extend(
                found.into_iter().filter(|problem| !(problem.is_missing && place.has_problems())).map(|problem| {
                    place.key(problem.key).error("environment-binding", problem.message).with_help(problem.help)
                }),
            ),
        }
        let sandbox = spec.sandbox();
        problems.extend(functions::check(place, &sandbox));
        if let Some(root) = root {
            problems.extend(functions::check_folders(place, &sandbox, root, "`gameday.yaml`"));
        }
        problems.extend(check_window(place.key("window"), spec.window.as_ref()));
        for (waiver, place) in spec.waivers.iter().zip(place.key("waivers").items()) {
            let problem = waiver.problem();
            problems.extend(
                problem.map(|(key, help)| place.key(key).error("invalid-value", "nothing is said").with_help(help)),
            );
        }
    }
    Some((settings, environments))
}

/// The format's version must be the one that is read here.
pub(super) fn check_format(root: Place<'_>, version: u32) -> Option<Diagnostic> {
    (version != FORMAT).then(|| {
        root.key("gameday")
            .error("unknown-format", format!("this program reads version {FORMAT} of the format, not {version}"))
            .with_help(format!("write `gameday: {FORMAT}`"))
    })
}

fn check_window(place: Place<'_>, window: Option<&super::Window>) -> Vec<Diagnostic> {
    let problems = window.map(super::Window::problems).unwrap_or_default();
    problems
        .into_iter()
        .map(|found| {
            place.key(found.key).error("invalid-window", found.problem.problem).with_help(found.problem.remedy)
        })
        .collect()
}
