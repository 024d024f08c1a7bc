//! Actions as files: written, listed, checked, closed, and named where a plan touches what they are about.

use serde_json::Value;

use crate::support::Workspace;

const SCENARIO: &str = r#"gameday: 1
id: probe-load
title: The probe answers
owner: shop
covers: {components: [payments]}
environments: {allow: [sandbox]}
targets: {probe: {lambda: {function: probe}}}
signals: {ok: {level: ux, load: {of: callers, stat: success_ratio}}}
hypotheses: [{id: H1, text: It answers, expect: "mean(ok) >= 100%"}]
load:
  callers:
    journeys: [{name: call, steps: [{invoke: probe, json: {do: echo}}]}]
    shape: [{hold: 3s, at: 3/s}]
timeline: [{phase: load, for: 4s, do: [{at: 0s, load: callers}]}]
"#;

const SAMPLE: &str = "id: A-2026-031\ntext: Shorten the payment p99 alarm's period from 5 minutes to 60 seconds\n\
                      type: detect                    # prevent | detect | mitigate | process\nowner: team-payments\n\
                      due: 2026-04-15\nstatus: open                    # open | done | dropped\n\
                      found_in: 2026-03-10-100000-checkout-payment-slow\nlesson: L-2026-004\nretest: probe-load#H1\n\
                      component: payments\ntracker: https://example.com/issues/31\n";

pub(crate) fn workspace() -> Workspace {
    let workspace = Workspace::empty();
    workspace.write(
        "gameday.yaml",
        "gameday: 1\nenvironments: {sandbox: {functions: {probe: {demo: probe, timeout: 1s}}}}\n",
    );
    workspace.write(
        "workload.yaml",
        "gameday: 1\npurpose: Sell\nteams: {shop: {}, team-payments: {}}\ncomponents: {payments: {owner: shop}, checkout: {owner: shop}}\n",
    );
    workspace.write("scenarios/probe.yaml", SCENARIO);
    workspace.write(
        "lessons/L-2026-004.md",
        "---\nid: L-2026-004\ntitle: The alarm is slower than the customer\nregression: probe-load#H1\n\
         created: 2026-03-10\nactions: [A-2026-031]\n---\nText.\n",
    );
    workspace.write("actions/A-2026-031.yaml", SAMPLE);
    workspace
}

fn said(workspace: &Workspace, arguments: &[&str]) -> String {
    let output = workspace.gameday(arguments);
    assert_eq!(output.code(), 0, "{arguments:?}: {}{}", output.stdout, output.stderr);
    output.stdout
}

fn answer(workspace: &Workspace, arguments: &[&str]) -> Value {
    serde_json::from_str(&said(workspace, arguments)).expect("JSON")
}

#[test]
fn an_action_is_written_listed_checked_and_closed() {
    let workspace = workspace();
    let new = ["action", "new", "Queue after the first timeouts", "--type", "mitigate", "--owner", "shop"];
    let rest = ["--due", "2999-01-01", "--lesson", "L-2026-004", "--component", "checkout", "--json"];
    let made = answer(&workspace, &[&new[..], &rest[..]].concat());
    let id = made["id"].as_str().unwrap();
    let list = said(&workspace, &["action", "list"]);
    assert!(list.find("A-2026-031") < list.find(id), "the overdue one first: {list}");
    assert!(list.contains("overdue since 2026-04-15"), "{list}");
    for (filter, count) in [
        (&["--overdue"][..], 1),
        (&["--owner", "shop"], 1),
        (&["--component", "payments"], 1),
        (&["--status", "open"], 2),
        (&["--status", "done,dropped"], 0),
    ] {
        let found = answer(&workspace, &[&["action", "list", "--json"], filter].concat());
        assert_eq!(found.as_array().unwrap().len(), count, "{filter:?}");
    }
    let check = workspace.gameday(&["action", "check"]);
    assert_eq!((check.code(), check.stderr.as_str()), (0, ""), "{}", check.stdout);
    assert!(said(&workspace, &["plan", "scenarios/probe.yaml"]).contains("A-2026-031"), "it is overdue there");

    let closed = answer(&workspace, &["action", "close", "A-2026-031", "--done", "--on", "2021-04-14", "--json"]);
    assert_eq!((&closed["status"], &closed["done_on"]), (&"done".into(), &"2021-04-14".into()));
    let text = std::fs::read_to_string(workspace.path().join("actions/A-2026-031.yaml")).unwrap();
    let expected = SAMPLE.replace("status: open ", "status: done ");
    assert_eq!(text, format!("{expected}done_on: 2021-04-14\n"), "comments and layout stay");
    assert!(!said(&workspace, &["plan", "scenarios/probe.yaml"]).contains("A-2026-031"));
    let again = workspace.gameday(&["action", "close", "A-2026-031", "--dropped", "--why", "It is gone"]);
    assert_eq!(again.code(), 1);
    assert!(again.stderr.contains("is done already"), "{}", again.stderr);
    said(&workspace, &["action", "close", id, "--dropped", "--why", "The queue: \"gone\" # for good"]);
    let shown = said(&workspace, &["action", "show", id]);
    assert!(shown.contains("dropped") && shown.contains("The queue: \"gone\" # for good"), "{shown}");
}

#[test]
fn names_of_nothing_are_told_in_both_directions() {
    let workspace = workspace();
    let wrong = SAMPLE.replace("L-2026-004", "L-2026-005").replace("team-payments", "team-payment");
    workspace.write("actions/A-2026-032.yaml", &wrong.replace("A-2026-031", "A-2026-032").replace("#H1", "#H2"));
    std::fs::remove_file(workspace.path().join("actions/A-2026-031.yaml")).unwrap();
    let check = workspace.gameday(&["check"]);
    assert_eq!(check.code(), 0, "{}", check.stderr);
    for told in [
        "there is no action called `A-2026-031`",
        "did you mean `A-2026-032`?",
        "there is no lesson called `L-2026-005`",
        "did you mean `team-payments`?",
        "there is no hypothesis of `probe-load` called `H2`",
    ] {
        assert!(check.stderr.contains(told), "{told}: {}", check.stderr);
    }
    let one = workspace.gameday(&["check", "actions/A-2026-032.yaml"]);
    assert!(one.stderr.contains("actions/A-2026-032.yaml:8:9"), "{}", one.stderr);
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_nothing_is_written() {
    let workspace = workspace();
    let wrong = "id: A-2026-033\ntext: ''\ntype: detekt\nowner: shop\ndue: 2026-02-30\nstatus: droped\ntracker: javascript:x\nnote: x\n";
    workspace.write("actions/A-2026-033.yaml", wrong);
    let check = workspace.gameday(&["action", "check", "--json"]);
    assert_eq!(check.code(), 2, "{}", check.stderr);
    let told: Value = serde_json::from_str(&check.stdout).unwrap();
    assert_eq!(told["problems"], 4, "what can not be read hides what it means: {told}");
    std::fs::remove_file(workspace.path().join("actions/A-2026-033.yaml")).unwrap();

    let new = ["action", "new", "t", "--type", "detect", "--owner", "shop"];
    for (arguments, code, told) in [
        (&["--due", "soon"][..], 1, "write it as `2026-12-15`"),
        (&["--due", "2020-01-01"], 2, "it is due before it was written"),
        (&["--due", "2999-01-01", "--tracker", "file:///etc/passwd"], 2, "the tracker is no URL"),
        (&["--due", "2999-01-01", "--retest", "probe-load"], 1, "write both, as in"),
        (&["--due", "2999-01-01", "--from", "nothing"], 1, "there is no run `nothing`"),
    ] {
        let output = workspace.gameday(&[&new[..], arguments].concat());
        assert_eq!(output.code(), code, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(told), "{arguments:?}: {}", output.stderr);
        if code == 2 {
            for told in ["(as it would have been written)", "nothing was written"] {
                assert!(output.stderr.contains(told), "{arguments:?}: {}", output.stderr);
            }
        }
    }
    for (on, told) in [("2999-01-01", "2999-01-01 is still to come"), ("2019-01-01", "was written on 2020-05-05")] {
        workspace.write("actions/A-2026-031.yaml", &format!("{SAMPLE}created: 2020-05-05\n"));
        let output = workspace.gameday(&["action", "close", "A-2026-031", "--done", "--on", on]);
        assert_eq!(output.code(), 1, "{}", output.stderr);
        assert!(output.stderr.contains(told), "{}", output.stderr);
    }
    for (arguments, told) in [
        (&["action", "new", "t", "--type", "fix", "--owner", "shop", "--due", "2999-01-01"][..], "prevent, detect"),
        (&["action", "close", "A-2026-031", "--dropped"], "--why"),
        (&["action", "close", "A-2026-031"], "--done"),
        (&["action", "close", "A-2026-013", "--done"], "did you mean `A-2026-031`?"),
        (&["action", "list", "--status", "closed"], "open, done, dropped"),
    ] {
        let output = workspace.gameday(arguments);
        assert_eq!(output.code(), 1, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(told), "{arguments:?}: {}", output.stderr);
    }
    let files = std::fs::read_dir(workspace.path().join("actions")).unwrap().count();
    assert_eq!(files, 1);
}
