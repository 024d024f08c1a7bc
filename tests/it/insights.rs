//! Insights from real invocations on the sandbox: what the logs of a function say by rules, and an action that names one.

use serde_json::Value;

use crate::support::Workspace;

const SETTINGS: &str = r"
gameday: 1
environments:
  sandbox:
    functions:
      shop: {demo: probe, timeout: 1s}
";

const WORKLOAD: &str = r##"
gameday: 1
purpose: Sell
teams: {team-shop: {contact: "#shop", members: [maria]}}
components: {storefront: {owner: team-shop, value: money, lambda: {function: shop}}}
"##;

/// Slow calls take nine tenths of the timeout, where the machine is fast enough; the others end their process.
const SCENARIO: &str = r#"
gameday: 1
id: seen
title: What the logs say by themselves
owner: team-days
mode: drill
targets: {shop: {lambda: {function: shop}}}
signals: {ok: {load: {of: slow, stat: success_ratio}}}
hypotheses: [{id: H1, severity: low, text: "Some calls are answered", expect: "mean(ok) >= 0% during calls"}]
load:
  slow:
    journeys: [{name: call, steps: [{invoke: shop, json: {do: sleep, ms: 900}}]}]
    shape: [{hold: 5s, at: 6/s}]
  breaking:
    journeys: [{name: call, steps: [{invoke: shop, json: {do: crash, code: 3}}]}]
    shape: [{hold: 5s, at: 2/s}]
evidence: {metrics: false}
timeline: [{phase: calls, for: 7s, do: [{at: 0s, load: slow}, {at: 0s, load: breaking}]}]
"#;

fn json(workspace: &Workspace, arguments: &[&str]) -> Value {
    let output = workspace.gameday(arguments);
    assert_eq!(output.code(), 0, "{arguments:?}: {}", output.stderr);
    serde_json::from_str(&output.stdout).expect("JSON")
}

/// The insights of a component, by rule.
fn of_component<'v>(insights: &'v Value, component: &str, rule: &str) -> Option<&'v Value> {
    let groups = insights["groups"].as_array().expect("groups");
    let group = groups.iter().find(|group| group["component"] == component)?;
    group["insights"].as_array().expect("insights").iter().find(|insight| insight["rule"] == rule)
}

fn request_ids(list: &Value) -> Vec<&str> {
    let ids = list.as_array().expect("a list").iter().map(|it| it["request_id"].as_str().expect("an id"));
    ids.collect()
}

#[test]
fn a_function_that_fails_and_is_slow_is_named_with_requests_that_stand_in_its_logs() {
    let workspace = Workspace::empty();
    workspace.write("gameday.yaml", SETTINGS);
    workspace.write("workload.yaml", WORKLOAD);
    workspace.write("scenarios/seen.yaml", SCENARIO);
    let output = workspace.gameday(&["run", "scenarios/seen.yaml"]);
    // A slow machine leaves the load in doubt; what the logs say is no less true for that.
    assert!([0, 6].contains(&output.code()), "{output:#?}");

    let insights = json(&workspace, &["insights", "--json"]);
    let of =
        |rule: &str| of_component(&insights, "storefront", rule).unwrap_or_else(|| panic!("no {rule}: {insights:#}"));
    let folder = workspace.run_folder().expect("a run");
    let logs = std::fs::read_to_string(folder.join("evidence/logs/shop.json")).expect("evidence");
    let logs: Value = serde_json::from_str(&logs).expect("its form");
    for (rule, list) in [("I-16", "slowest"), ("I-17", "failed")] {
        let told = request_ids(&of(rule)["executions"]);
        assert!(!told.is_empty() && told.len() <= 5, "{rule}: {told:?}");
        let kept = request_ids(&logs[list]);
        assert!(told.iter().all(|id| kept.contains(id)), "{rule}: {told:?} are not in {kept:?}");
        assert_eq!((&of(rule)["level"], &of(rule)["owner"]), (&"execution".into(), &"team-shop".into()));
    }
    let near = of("I-05");
    assert!(near["text"].as_str().expect("a text").contains("of its timeout of 1 s"), "{near:#}");
    assert_eq!((&near["evidence"], &near["about"]), (&"evidence/logs/shop.json".into(), &"shop".into()));
    assert!(of("I-01")["text"].as_str().expect("a text").contains("ended badly"));

    // No metrics were kept: the rules over them are not known, and none of them has passed.
    let is_told = |gap: &Value| gap["rules"].to_string().contains("I-13") && gap["about"][0] == "shop";
    assert!(insights["unknown"].as_array().expect("a list").iter().any(is_told), "{insights:#}");

    let report = std::fs::read_to_string(folder.join("report.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["insights"], insights, "the report tells the same");
    assert_eq!(workspace.gameday(&["report", "verify"]).code(), 0);

    let high = json(&workspace, &["insights", "--json", "--severity", "high"]);
    assert!(of_component(&high, "storefront", "I-01").is_some() && of_component(&high, "storefront", "I-16").is_none());
    let text = workspace.gameday(&["insights"]).stdout;
    assert!(text.contains("storefront, for team-shop") && text.contains("Not known"), "{text}");

    let action = |finding: &str| {
        let what = ["action", "new", "Shorten its timeouts", "--type", "mitigate", "--owner", "team-shop"];
        workspace.gameday(&[&what[..], &["--due", "2027-02-01", "--from", "latest", "--finding", finding]].concat())
    };
    let taken = action("I-05");
    assert_eq!(taken.code(), 0, "{}", taken.stderr);
    let refused = action("I-13");
    assert!(refused.code() != 0 && refused.stderr.contains("no finding of the kind `I-13`"), "{}", refused.stderr);
}
