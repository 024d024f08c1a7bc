//! `gameday explain`: what may stand in a scenario and in `gameday.yaml`, from the descriptions of their schemas and from nothing
//! else.

use std::fmt::Write as _;

use clap::Args;
use serde_json::Value;

use super::{Exit, Failure, out, schema};
use crate::fault::FaultSpec;
use crate::unit::nearest;

/// How wide the column of names is.
const NAME_COLUMNS: usize = 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A key or a kind: `faults`, `proxy_latency`, `signals.http`, `expectation`, `scheduler_role`; default a list of all.
    kind: Option<String>,
    /// Print the JSON Schema of it instead of text.
    #[arg(long)]
    json: bool,
}

/// Something that can be explained: its path in its file, and its schema there.
#[derive(Clone)]
struct Topic<'r> {
    file: &'static str,
    /// The schema of the whole file, to which others refer.
    root: &'r Value,
    path: String,
    schema: &'r Value,
}

const SCENARIO: &str = "scenario";
const SETTINGS: &str = "gameday.yaml";

impl Topic<'_> {
    /// Its description up to the first full stop, for a list.
    fn brief(&self) -> &str {
        let text = description(self.root, self.schema);
        let paragraph = text.split("\n\n").next().unwrap_or_default();
        paragraph.split_once(". ").map_or(paragraph, |(first, _)| first).trim_end_matches('.')
    }
}

/// The maps whose entries have kinds, and what their kinds are called.
const KINDS: [(&str, &str); 3] = [("faults", "Faults"), ("signals", "Signals"), ("targets", "Targets")];

/// Keys whose own keys are explained though they stand further down.
const DEEPER: [&str; 2] = ["load.journeys", STEPS];

/// The keys of a load's steps stand below this one.
const STEPS: &str = "load.journeys.steps";

/// The grammar of expectations stands in the description of this key.
const EXPECTATION: &str = "hypotheses.expect";

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let value = |schema: schemars::Schema| Value::from(schema);
    let (scenario, settings) = (value(schema::scenario()), value(schema::settings()));
    let topics = [topics(SCENARIO, &scenario), topics(SETTINGS, &settings)].concat();
    let Some(kind) = &arguments.kind else {
        if arguments.json {
            out::json(&topics.iter().map(|topic| &topic.path).collect::<Vec<_>>());
        } else {
            out::line(list(&scenario, &topics).trim_end());
        }
        return Ok(Exit::Success);
    };
    let wanted = if kind == "expectation" || kind == "expectations" { EXPECTATION } else { kind };
    let found: Vec<&Topic> =
        topics.iter().filter(|topic| topic.path == wanted || topic.path.rsplit('.').next() == Some(wanted)).collect();
    if found.is_empty() {
        let names: Vec<&str> = topics.iter().filter_map(|topic| topic.path.rsplit('.').next()).collect();
        let help = nearest(kind, names).map_or_else(
            || "`gameday explain` lists what there is".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(Failure::new(Exit::Failure, format_args!("nothing is called `{kind}`; {help}")));
    }
    for (index, topic) in found.iter().enumerate() {
        if arguments.json {
            out::json(topic.schema);
            continue;
        }
        if index > 0 {
            out::line("");
        }
        out::line(describe(topic).trim_end());
    }
    Ok(Exit::Success)
}

/// Everything of a file that can be explained: its keys, those one level below them, and below [`DEEPER`].
fn topics<'r>(file: &'static str, root: &'r Value) -> Vec<Topic<'r>> {
    let of = |(key, schema): (&String, &'r Value)| with_those_below(Topic { file, root, path: key.clone(), schema });
    properties(root).flat_map(of).collect()
}

/// A topic, and those of the keys below it.
fn with_those_below(topic: Topic<'_>) -> Vec<Topic<'_>> {
    let Topic { file, root, ref path, schema } = topic;
    let below = properties(entry(root, schema)).flat_map(|(key, schema)| {
        let topic = Topic { file, root, path: format!("{path}.{key}"), schema };
        let is_deeper = file == SCENARIO && DEEPER.contains(&topic.path.as_str());
        if is_deeper { with_those_below(topic) } else { vec![topic] }
    });
    let below: Vec<Topic<'_>> = below.collect();
    [vec![topic], below].concat()
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// What a reference, an optional value or a list of alternatives stands for.
fn resolve<'v>(root: &'v Value, schema: &'v Value) -> &'v Value {
    if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
        let target = path.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(schema, |target| resolve(root, target));
    }
    let alternatives = schema.get("anyOf").and_then(Value::as_array);
    let some = alternatives.and_then(|all| all.iter().find(|one| one.get("type") != Some(&Value::from("null"))));
    some.map_or(schema, |one| resolve(root, one))
}

/// What an entry of a list or map is; anything else is its own entry.
fn entry<'v>(root: &'v Value, schema: &'v Value) -> &'v Value {
    let schema = resolve(root, schema);
    let by_name =
        schema.get("patternProperties").and_then(Value::as_object).and_then(|patterns| patterns.values().next());
    let inner = schema.get("items").or(by_name).or_else(|| schema.get("additionalProperties"));
    let inner = inner.filter(|inner| inner.is_object());
    inner.map_or(schema, |inner| resolve(root, inner))
}

/// The description of a key, else of its type.
fn description<'v>(root: &'v Value, schema: &'v Value) -> &'v str {
    let own = schema.get("description").or_else(|| resolve(root, schema).get("description"));
    own.and_then(Value::as_str).unwrap_or_default()
}

fn row(text: &mut String, name: &str, note: &str) {
    let note = note.replace('\n', " ");
    writeln!(text, "  {name:NAME_COLUMNS$} {note}").expect("invariant: writing to a string does not fail");
}

fn list(scenario: &Value, all: &[Topic<'_>]) -> String {
    let mut text = format!("{}\n\nKeys\n", description(scenario, scenario));
    let topics = || all.iter().filter(|topic| topic.file == SCENARIO);
    for topic in topics().filter(|topic| !topic.path.contains('.')) {
        row(&mut text, &topic.path, topic.brief());
    }
    for (key, title) in KINDS {
        text.push_str(&format!("\n{title}\n"));
        for topic in topics() {
            // Kinds are the keys that hold a map of their own; the others hold for every kind.
            let name = topic.path.strip_prefix(key).and_then(|rest| rest.strip_prefix('.'));
            if let Some(name) = name.filter(|_| resolve(scenario, topic.schema).get("properties").is_some()) {
                row(&mut text, name, topic.brief());
            }
        }
    }
    text.push_str("\nSteps of a load\n");
    for topic in topics() {
        if let Some(name) = topic.path.strip_prefix(STEPS).and_then(|rest| rest.strip_prefix('.')) {
            row(&mut text, name, topic.brief());
        }
    }
    text.push_str("\nExpectations\n");
    row(&mut text, "expectation", topics().find(|topic| topic.path == EXPECTATION).map_or("", Topic::brief));
    let settings = || all.iter().filter(|topic| topic.file == SETTINGS);
    text.push_str("\nKeys of gameday.yaml\n");
    for topic in settings().filter(|topic| !topic.path.contains('.')) {
        row(&mut text, &topic.path, topic.brief());
    }
    text.push_str("\nAn environment in gameday.yaml\n");
    for topic in settings() {
        if let Some(name) = topic.path.strip_prefix("environments.") {
            row(&mut text, name, topic.brief());
        }
    }
    text.push_str("\n`gameday explain NAME` tells more of each.\n");
    text
}

fn describe(topic: &Topic<'_>) -> String {
    let root = topic.root;
    let schema = resolve(root, topic.schema);
    let own = description(root, topic.schema);
    let of_type = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let mut text = match topic.file {
        SCENARIO => format!("{}: {own}\n", topic.path),
        file => format!("{} in {file}: {own}\n", topic.path),
    };
    if !of_type.is_empty() && of_type != own {
        text.push_str(&format!("{of_type}\n"));
    }
    let entry = entry(root, topic.schema);
    let required: Vec<&str> =
        entry.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (index, (key, schema)) in properties(entry).enumerate() {
        if index == 0 {
            text.push('\n');
        }
        let needed = if required.contains(&key.as_str()) { " (needed)" } else { "" };
        // That of the key goes before that of its type.
        let own = schema.pointer("/examples/0").or_else(|| resolve(root, schema).pointer("/examples/0"));
        let example = own.and_then(Value::as_str);
        let example = example.map(|example| format!(" — `{example}`")).unwrap_or_default();
        row(&mut text, key, &format!("{}{needed}{example}", description(root, schema)));
    }
    for (word, note) in words(entry) {
        row(&mut text, word, note);
    }
    if topic.file != SCENARIO {
        return text;
    }
    let of_kind = topic.path.strip_prefix("faults.");
    for kind in FaultSpec::catalogue() {
        if topic.path == "faults" {
            text.push_str(&format!("\n{}\n", kind.key));
        } else if of_kind != Some(kind.key) {
            continue;
        } else {
            text.push('\n');
        }
        row(&mut text, "works on", kind.need.things());
        row(&mut text, "effect", kind.about.effect);
        row(&mut text, "undo", kind.about.undo);
        row(&mut text, "blast radius", kind.about.blast_radius);
        let calls = kind.calls.inject.join(", ");
        row(&mut text, "calls", if calls.is_empty() { "none of gameday's own" } else { &calls });
    }
    if topic.path == "faults" {
        text.push_str(
            "\nThe best control of the blast radius in Lambda is `lambda_canary`: a share of one alias's traffic.\n",
        );
    }
    text
}

/// The words of an enumeration with what each means.
fn words(schema: &Value) -> Vec<(&str, &str)> {
    let variants = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    variants
        .filter_map(|variant| {
            let word = variant.get("const").and_then(Value::as_str)?;
            Some((word, variant.get("description").and_then(Value::as_str)?))
        })
        .collect()
}
