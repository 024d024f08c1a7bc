//! What `gameday explain` shows as an example passes `gameday check` where it is written.

use std::path::Path;
use std::process::{Command, Output};

use serde_yaml::Value;

use crate::support::{Workspace, repository};

/// An example and the key that it belongs to: `faults.exec.timeout` of a scenario, or `environments.rate` of gameday.yaml.
#[derive(Debug)]
struct Example {
    is_setting: bool,
    path: String,
    text: String,
}

fn gameday(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gameday"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program starts")
}

fn explain(arguments: &[&str]) -> String {
    let output = gameday(repository(), &[&["explain"], arguments].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Every example behind a dash: ``  timeout    How long it may take. — `30s` ``.
fn examples() -> Vec<Example> {
    let topics: Vec<String> = serde_json::from_str(&explain(&["--json"])).expect("a list");
    let mut found = Vec::new();
    for topic in &topics {
        let text = explain(&[topic]);
        let (mut is_setting, mut path) = (false, topic.as_str());
        for line in text.lines() {
            // A name may stand for several topics, each with a title of its own.
            let title = line.split_once(": ").map(|(title, _)| title);
            if let Some(setting) = title.and_then(|title| title.strip_suffix(" in gameday.yaml")) {
                (is_setting, path) = (true, setting);
            } else if let Some(title) = title.filter(|title| topics.iter().any(|it| it == title)) {
                (is_setting, path) = (false, title);
            }
            let example = line.rsplit_once(" — `").and_then(|(_, rest)| rest.strip_suffix('`'));
            if let (Some(example), Some(key)) = (example, line.split_whitespace().next()) {
                found.push(Example { is_setting, path: format!("{path}.{key}"), text: example.to_owned() });
            }
        }
    }
    found
}

/// The expectations in the words of the grammar: what stands in backticks, has parentheses and is no rule of it.
fn expectations() -> Vec<String> {
    let text = explain(&["expectation"]);
    let code = text.split('`').skip(1).step_by(2);
    let is_whole = |code: &&str| code.starts_with("mark(") || code.contains(") is ") || code.contains("= ");
    code.filter(|code| code.contains('(') && is_whole(code) && !code.starts_with("agg(")).map(str::to_owned).collect()
}

/// Puts a value where a path leads, through maps and lists whose entries the path does not name; false where it leads nowhere.
fn put(within: &mut Value, path: &[&str], value: &Value) -> bool {
    let Some((key, rest)) = path.split_first() else {
        *within = value.clone();
        return true;
    };
    match within {
        Value::Mapping(map) => {
            map.get_mut(*key).is_some_and(|inner| put(inner, rest, value))
                || map.iter_mut().any(|(_, inner)| put(inner, path, value))
        }
        Value::Sequence(list) => list.iter_mut().any(|inner| put(inner, path, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => false,
    }
}

/// A workspace, and settings and a scenario for it that have one of everything.
fn workspace() -> (Workspace, [Value; 2]) {
    let workspace = Workspace::empty();
    let fixtures = repository().join("tests/fixtures");
    let read = |path: &str| std::fs::read_to_string(fixtures.join(path)).expect(path);
    for path in ["playbooks/pb-payment-latency.md", "lessons/L-2026-004.md"] {
        workspace.write(path, &read(&format!("workspace/{path}")));
    }
    workspace.write("holidays.ics", &read("explain/holidays.ics"));
    // Only their ids are looked at here, by a scenario that keeps away from them.
    for id in ["nightly", "checkout-payment-slow"] {
        workspace.write(&format!("scenarios/{id}.yaml"), &format!("id: {id}\n"));
    }
    workspace.write("playbooks/playbook.md", &read("explain/playbook.md"));
    let files = ["explain/gameday.yaml", "explain/scenario.yaml"];
    (workspace, files.map(|path| serde_yaml::from_str(&read(path)).expect("YAML")))
}

/// What `check` says against settings and a scenario; nothing where they pass.
fn problems(workspace: &Workspace, [settings, scenario]: &[Value; 2]) -> Option<String> {
    workspace.write("gameday.yaml", &serde_yaml::to_string(settings).expect("YAML"));
    workspace.write("scenarios/everything.yaml", &serde_yaml::to_string(scenario).expect("YAML"));
    let output = gameday(workspace.path(), &["check", "scenarios/everything.yaml"]);
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn every_example_of_explain_passes_check() {
    let (workspace, files) = workspace();
    assert_eq!(problems(&workspace, &files), None, "the files that the examples are put into");
    let mut examples = examples();
    assert!(examples.len() > 50, "{examples:#?}");
    let expectations = expectations();
    assert!(expectations.len() >= 7, "{expectations:?}");
    let in_hypothesis = |text| Example { is_setting: false, path: "hypotheses.expect".to_owned(), text };
    examples.extend(expectations.into_iter().map(in_hypothesis));
    let mut wrong = Vec::new();
    for Example { is_setting, path, text } in examples {
        let mut files = files.clone();
        let [settings, scenario] = &mut files;
        let file = if is_setting { settings } else { scenario };
        let value = Value::String(text.clone());
        if !put(file, &path.split('.').collect::<Vec<&str>>(), &value) {
            wrong.push(format!("{path}: the file of the fixture has no such key"));
        } else if let Some(problems) = problems(&workspace, &files) {
            wrong.push(format!("{path}: `{text}`\n{problems}"));
        }
    }
    assert!(wrong.is_empty(), "{} examples do not pass:\n\n{}", wrong.len(), wrong.join("\n"));
}
