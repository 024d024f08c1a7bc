use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Dashboard;
use super::body::{ALARMS_PER_WIDGET_MAX, COLUMNS, WIDGETS_MAX};
use crate::fault::{AwsResource, FaultSpec, LambdaTimeout};
use crate::plan::testing::{Sketch, expectation, variable};
use crate::plan::{
    AlarmPlan, ChangePlan, EnvironmentKind, GuardrailPlan, GuardrailRule, HypothesisPlan, Plan, TargetPlan,
};
use crate::scenario::{Mode, OnMissing};
use crate::unit::Severity;

/// A plan of an account with a target of each kind.
fn plan() -> Plan {
    let change = variable("slow", "shop", "DELAY");
    let timeout = LambdaTimeout { target: "shop".parse().unwrap(), timeout: "3s".parse().unwrap() };
    let spec = FaultSpec { lambda_timeout: Some(timeout), ..FaultSpec::default() };
    let change = ChangePlan { kind: "lambda_timeout".to_owned(), spec, ..change };
    let mut plan = Sketch::new(Mode::Drill).fault(change, Some(60), None).phase("fault", 600).plan();
    plan.environment.kind = EnvironmentKind::Account {
        account: "111122223333".to_owned(),
        region: "eu-west-1".to_owned(),
        profile: None,
        role: None,
    };
    let mut add = |id: &str, target: TargetPlan| plan.targets.insert(id.parse().unwrap(), target);
    let resource = TargetPlan::Resource;
    add("live", TargetPlan::Lambda { function: "pay".to_owned(), alias: Some("live".to_owned()), url: None });
    add("queue", resource(AwsResource::Queue("orders".to_owned())));
    add("table", resource(AwsResource::Table("stock".to_owned())));
    add("rule", resource(AwsResource::Rule { name: "nightly".to_owned(), bus: Some("shop".to_owned()) }));
    add("role", resource(AwsResource::Role("a".to_owned())));
    plan.signals.extend(
        serde_yaml::from_str::<std::collections::BTreeMap<_, _>>(
            "duration: {cloudwatch: {lambda: shop, metric: Duration, stat: p99, period: 30s}}\n\
             orders: {cloudwatch: {namespace: Shop, metric: Orders, stat: Sum, dimensions: {Stage: test}}}\n",
        )
        .unwrap(),
    );
    for (id, text) in
        [("H1", "max(duration) <= 800ms during fault"), ("H2", "min(orders) > 5"), ("H3", "sum(orders) > 500")]
    {
        plan.hypotheses.push(HypothesisPlan {
            id: id.parse().unwrap(),
            text: format!("{id} holds"),
            expect: expectation(text),
            severity: Severity::High,
            known_gap: None,
            faults: BTreeSet::new(),
        });
    }
    plan.guardrails.push(GuardrailPlan {
        id: "late".parse().unwrap(),
        rule: GuardrailRule::AbortIf(expectation("max(duration) > 5s")),
        on_missing: OnMissing::Ignore,
    });
    plan.alarms = Some(AlarmPlan {
        expected: vec!["shop errors".parse().unwrap()],
        patterns: BTreeSet::from(["pay-*".to_owned()]),
        ..AlarmPlan::default()
    });
    plan
}

fn widgets(dashboard: &Dashboard) -> &Vec<Value> {
    dashboard.body["widgets"].as_array().unwrap()
}

fn titled<'a>(dashboard: &'a Dashboard, title: &str) -> &'a Value {
    let found = widgets(dashboard).iter().find(|widget| widget["properties"]["title"] == title);
    &found.unwrap_or_else(|| panic!("{title}: {:#}", dashboard.body))["properties"]
}

#[test]
fn a_dashboard_says_what_it_is_about_and_shows_alarms_targets_and_signals() {
    let dashboard = Dashboard::of(&plan()).unwrap();
    let head = widgets(&dashboard)[0]["properties"]["markdown"].as_str().unwrap();
    assert!(head.starts_with("# A drill\n") && head.contains("- **H1** H1 holds: max(duration) \\<= 800ms"), "{head}");
    let arn = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:shop errors";
    assert_eq!(titled(&dashboard, "Alarms")["alarms"], json!([arn]));
    assert_eq!(dashboard.notes.len(), 1, "{:?}", dashboard.notes);
    assert!(dashboard.notes[0].contains("pay-*"));
    let invocations = titled(&dashboard, "shop-fn: invocations");
    assert_eq!(invocations["region"], "eu-west-1");
    assert_eq!(
        invocations["metrics"][2],
        json!(["AWS/Lambda", "Throttles", "FunctionName", "shop-fn", {"stat": "Sum", "label": "Throttles"}])
    );
    let alias = &titled(&dashboard, "pay:live: duration (ms)")["metrics"][1];
    assert_eq!(
        *alias,
        json!(["AWS/Lambda", "Duration", "FunctionName", "pay", "Resource", "pay:live", {"stat": "p99", "label": "Duration p99"}])
    );
    let rule = &titled(&dashboard, "nightly: failures")["metrics"][0];
    let label = json!({"stat": "Sum", "label": "FailedInvocations"});
    assert_eq!(*rule, json!(["AWS/Events", "FailedInvocations", "EventBusName", "shop", "RuleName", "nightly", label]));
    let search = &titled(&dashboard, "stock: throttled requests and errors")["metrics"][0][0]["expression"];
    assert!(search.as_str().unwrap().contains("TableName=\"stock\" MetricName=\"ThrottledRequests\""), "{search}");
}

#[test]
fn a_bound_is_a_line_in_the_metrics_own_unit_on_its_forbidden_side() {
    let dashboard = Dashboard::of(&plan()).unwrap();
    let duration = titled(&dashboard, "duration: Duration p99");
    assert_eq!(duration["period"], 30);
    assert_eq!(
        duration["annotations"]["horizontal"],
        json!([
            {"label": "H1: max(duration) <= 800ms", "value": 800.0, "fill": "above"},
            {"label": "guardrail late: max(duration) > 5s", "value": 5000.0, "fill": "above"},
        ])
    );
    let orders = titled(&dashboard, "orders: Orders Sum");
    // A sum over a window bounds no point of it.
    assert_eq!(
        orders["annotations"]["horizontal"],
        json!([{"label": "H2: min(orders) > 5", "value": 5.0, "fill": "below"}])
    );
    let of_fault = &titled(&dashboard, "shop-fn: duration (ms)")["annotations"]["horizontal"];
    assert_eq!(*of_fault, json!([{"label": "timeout while slow is in", "value": 3000.0}]));
    assert!(titled(&dashboard, "pay:live: duration (ms)").get("annotations").is_none());
}

#[test]
fn a_blind_drills_dashboard_gives_neither_its_aim_nor_its_faults_away() {
    let mut plan = plan();
    plan.scenario.people.insert(
        "operator".parse().unwrap(),
        crate::scenario::Person { who: "maria".to_owned(), required: true, blind: true },
    );
    let dashboard = Dashboard::of(&plan).unwrap();
    let text = dashboard.body.to_string();
    for secret in ["A drill", "H1", "annotations", "slow", "guardrail"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(dashboard.notes[0].contains("hidden"), "{:?}", dashboard.notes);
}

#[test]
fn no_widget_lies_on_another_and_none_is_too_many() {
    let mut plan = plan();
    for number in 0..300 {
        let target = TargetPlan::Lambda { function: format!("f{number}"), alias: None, url: None };
        plan.targets.insert(format!("f{number}").parse().unwrap(), target);
    }
    let alarms = plan.alarms.as_mut().unwrap();
    alarms.tolerated = (0..250).map(|number| format!("alarm {number}").parse().unwrap()).collect();
    let dashboard = Dashboard::of(&plan).unwrap();
    let widgets = widgets(&dashboard);
    assert_eq!(widgets.len(), WIDGETS_MAX);
    assert!(dashboard.notes.iter().any(|note| note.contains("left out")), "{:?}", dashboard.notes);
    let mut taken = BTreeSet::new();
    for widget in widgets {
        let of = |key: &str| usize::try_from(widget[key].as_u64().unwrap()).unwrap();
        assert!(of("x") + of("width") <= COLUMNS && of("height") >= 1, "{widget}");
        for y in of("y")..of("y") + of("height") {
            for x in of("x")..of("x") + of("width") {
                assert!(taken.insert((x, y)), "{widget}");
            }
        }
        let alarms = widget["properties"]["alarms"].as_array().map_or(0, Vec::len);
        assert!(alarms <= ALARMS_PER_WIDGET_MAX);
    }
}

#[test]
fn what_a_scenario_says_is_text_and_neither_a_link_nor_the_end_of_a_search() {
    let mut plan = plan();
    plan.scenario.title = "[click](https://evil)\n# <b>big</b>".to_owned();
    let hostile = "a\" OR MetricName=\"x".to_owned();
    plan.targets.insert("table".parse().unwrap(), TargetPlan::Resource(AwsResource::Table(hostile)));
    let dashboard = Dashboard::of(&plan).unwrap();
    let head = widgets(&dashboard)[0]["properties"]["markdown"].as_str().unwrap();
    assert!(head.starts_with("# \\[click\\](https://evil) \\# \\<b\\>big\\</b\\>\n"), "{head}");
    assert!(!dashboard.body.to_string().contains("SEARCH"));
    let mut local = plan;
    local.environment.kind = EnvironmentKind::Sandbox;
    assert_eq!(Dashboard::of(&local), None);
}
