//! `gameday load` as a user calls it: the load of a scenario alone, its summary, its exit code.

use gameday::event::EventKind;
use serde_json::Value;

use crate::support::Workspace;

fn scenario() -> String {
    std::fs::read_to_string(crate::support::repository().join("scenarios/load.yaml")).unwrap()
}

fn workspace(scenario: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("scenarios/load.yaml", scenario);
    workspace
}

#[test]
fn a_load_alone_is_made_summed_up_and_judged() {
    let workspace = workspace(&scenario());
    let output = workspace.gameday(&["load", "scenarios/load.yaml", "--rate", "20/s", "--for", "3s", "--json"]);
    let answer: Value = serde_json::from_str(&output.stdout).expect("standard output is JSON alone");
    let [load] = answer["loads"].as_array().unwrap().as_slice() else { panic!("one load: {answer}") };
    // A machine that is too busy to send in time says so, and is believed.
    let is_doubtful = load["seconds_doubtful"].as_u64().unwrap() > 0;
    assert!(output.code() == 0 || (output.code() == 6 && is_doubtful), "{output:#?}");
    assert_eq!(load["load"], "customers");
    assert_eq!(load["not_sent_count"], 0);
    assert!(load["all"]["ok_count"].as_u64().unwrap() >= 40, "{load}");
    assert!(load["all"]["response_ms"]["p99.9"].as_f64().unwrap() > 0.0, "{load}");
    let names: Vec<&str> =
        load["steps"].as_array().unwrap().iter().map(|step| step["name"][1].as_str().unwrap()).collect();
    assert!(names.contains(&"checkout") && names.contains(&"browse"), "{names:?}");
    assert_eq!(answer["hypotheses"].as_array().unwrap().len(), 2);
    let events = workspace.events();
    assert!(events.iter().all(|event| !matches!(event.kind, EventKind::FaultIntended { .. })));
    assert_eq!(load["journeys"].as_object().unwrap().keys().collect::<Vec<_>>(), ["buy", "look"]);
    let all = load["all"]["ok_count"].as_u64().unwrap() + load["all"]["failed_count"].as_u64().unwrap();
    let classes = load["classes"].as_object().unwrap().values();
    assert_eq!(classes.map(|class| class["count"].as_u64().unwrap()).sum::<u64>(), all);
    let folder = workspace.run_folder().unwrap();
    assert!(std::fs::metadata(folder.join("report.html")).is_ok_and(|file| file.len() > 100));
    let report: Value = serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap();
    let whole = &report["loads"][0]["windows"][0];
    assert_eq!((&whole["kind"], &whole["numbers"]["count"]), (&"whole_load".into(), &all.into()));
    assert_eq!(whole["numbers"]["p99_9_ms"], load["all"]["response_ms"]["p99.9"]);
    let listed = report["evidence"].as_array().unwrap();
    for file in ["evidence/load-customers.hlog", "evidence/load-customers.csv", "evidence/load-customers.ndjson"] {
        assert!(listed.iter().any(|it| it["file"] == file), "no {file} in {listed:?}");
    }
}

#[test]
fn the_summary_is_for_people_and_names_what_went_wrong() {
    let wrong = scenario().replace("get: /items, expect: {status: 200}", "get: /items, expect: {status: 204}");
    let workspace = workspace(&wrong);
    let output = workspace.gameday(&["load", "scenarios/load.yaml", "--rate", "10/s", "--for", "3s"]);
    let is_doubtful = output.stdout.contains("may tell of this machine");
    assert!(output.code() == 3 || (output.code() == 6 && is_doubtful), "{output:#?}");
    for text in ["customers", "req/s", "p99.9", "failed: status", "status 200", "report.html"] {
        assert!(output.stdout.contains(text), "no `{text}` in\n{}", output.stdout);
    }
}

#[test]
fn a_load_of_the_quickstart_leaves_out_what_is_about_its_faults() {
    let workspace = Workspace::new();
    let arguments = ["load", "scenarios/quickstart.yaml", "--only", "auditor", "--rate", "2 users", "--for", "2s"];
    let output = workspace.gameday(&arguments);
    assert_eq!(output.code(), 0, "{output:#?}");
    assert!(output.stderr.contains("left out: H1"), "{}", output.stderr);
    assert!(output.stdout.contains("auditor") && !output.stdout.contains("shoppers"), "{}", output.stdout);
}

#[test]
fn a_plan_tells_how_much_comes_and_where_it_goes() {
    let workspace = workspace(&scenario());
    let output = workspace.gameday(&["plan", "scenarios/load.yaml"]);
    assert_eq!(output.code(), 0, "{output:#?}");
    for text in ["load customers", "up to 20/s, 35s in all: buy, look", "goes to ${checkout-fn.url}"] {
        assert!(output.stdout.contains(text), "no `{text}` in\n{}", output.stdout);
    }
}

#[test]
fn what_can_not_be_made_is_told() {
    let workspace = workspace(&scenario());
    for (arguments, told) in [
        (["--only", "robots"], "the scenario has no load `robots`; it has `customers`"),
        (["--rate", "40"], "write a rate such as `40/s`"),
        (["--for", "5"], "`5` has no unit"),
    ] {
        let output = workspace.gameday(&[&["load", "scenarios/load.yaml"], arguments.as_slice()].concat());
        assert_eq!(output.code(), 1, "{output:#?}");
        assert!(output.stderr.contains(told), "{}", output.stderr);
    }
    assert!(workspace.run_folder().is_none(), "nothing was run");
}

#[test]
fn a_public_host_needs_the_leave_of_the_environment() {
    let scenario = scenario().replace("\"${checkout-fn.url}\"", "https://shop.example.com");
    let workspace = workspace(&scenario);
    let output = workspace.gameday(&["load", "scenarios/load.yaml"]);
    assert_eq!(output.code(), 7, "{output:#?}");
    let told = "load `customers` goes to `shop.example.com`, which environment `sandbox` does not permit";
    assert!(output.stderr.contains(told), "{}", output.stderr);
    assert!(workspace.run_folder().is_none(), "nothing was run");
}
