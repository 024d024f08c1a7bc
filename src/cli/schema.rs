//! `gameday schema`: JSON Schemas of the files, for editors.

use clap::{Args, ValueEnum};
use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};

use serde_json::Value;

use super::{Exit, Failure, out};
use crate::debrief::Record;
use crate::notify::Notice;
use crate::report::Report;
use crate::sandbox::SandboxSpec;
use crate::scenario::Scenario;
use crate::workspace::{Settings, Workload};
use crate::{action, lesson};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Which file.
    #[arg(value_enum, default_value = "scenario")]
    file: File,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum File {
    /// `scenarios/*.yaml`.
    Scenario,
    /// `gameday.yaml`.
    Workspace,
    /// `workload.yaml`.
    Workload,
    /// `actions/*.yaml`.
    Action,
    /// The front matter of `lessons/*.md`.
    Lesson,
    /// The file for `sandbox up --functions`.
    Functions,
    /// `debrief.yaml` in the folder of a run.
    Debrief,
    /// `report.json`.
    Report,
    /// What a webhook is sent.
    Notice,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    out::json(&schema(arguments.file));
    Ok(Exit::Success)
}

/// The schema of a file, with a title that says which.
fn schema(file: File) -> Schema {
    let (title, mut schema) = match file {
        File::Scenario => ("A scenario of gameday", scenario()),
        File::Workspace => ("gameday.yaml", settings()),
        File::Workload => ("workload.yaml", of::<Workload>()),
        File::Action => ("An action of gameday", of::<action::Record>()),
        File::Lesson => ("The front matter of a lesson of gameday", of::<lesson::FrontMatter>()),
        File::Functions => ("Functions of a gameday sandbox", of::<SandboxSpec>()),
        File::Debrief => ("debrief.yaml", of::<Record>()),
        File::Report => ("report.json", told::<Report>()),
        File::Notice => ("A notice of gameday", told::<Notice>()),
    };
    schema.insert("title".to_owned(), title.into());
    schema
}

/// That of `gameday.yaml`.
pub(super) fn settings() -> Schema {
    of::<Settings>()
}

/// The schema of a type as it is written, draft 2020-12.
fn told<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

/// The schema of a type as files are read into it, draft 2020-12.
fn of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_deserialize().with_transform(RecursiveTransform(without_null));
    settings.into_generator().into_root_schema_for::<T>()
}

/// A key may be left out, but not be empty: `check` refuses a key with nothing after it.
fn without_null(schema: &mut Schema) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_mut_slice() {
            let only = only.take();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
        alternatives.retain(|alternative| alternative.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = alternatives.as_mut_slice() {
            let only = std::mem::take(only);
            schema.remove("anyOf");
            for (key, value) in only {
                schema.insert(key, value);
            }
        }
    }
}

/// The schema of scenarios, in which a variable may stand for any text that has a pattern.
pub(super) fn scenario() -> Schema {
    let mut schema = of::<Scenario>();
    let mut variables = RecursiveTransform(|schema: &mut Schema| {
        if let Some(Value::String(pattern)) = schema.get_mut("pattern") {
            *pattern = format!(r"({pattern})|\$\{{[^}}]+\}}");
        }
    });
    schemars::transform::Transform::transform(&mut variables, &mut schema);
    schema
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    #[test]
    fn titles_are_not_the_names_of_our_types() {
        for file in super::File::value_variants() {
            let schema = super::schema(*file);
            let title = schema.get("title").and_then(|title| title.as_str()).unwrap();
            assert!(title.contains("gameday") || title.contains('.'), "{title}");
        }
    }

    #[test]
    fn the_schema_of_scenarios_names_its_draft_and_takes_variables() {
        let schema = serde_json::to_value(super::scenario()).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["additionalProperties"], false);
        let pattern = schema["$defs"]["Duration"]["pattern"].as_str().unwrap();
        let text = schema.to_string();
        assert!(!text.contains(r#""null""#) && !text.contains(":null"), "a key with nothing after it is refused");
        assert!(pattern.ends_with(r"|\$\{[^}]+\}"), "{pattern}");
    }
}
