//! What must be given before a run begins: consent, a pass elsewhere, the hour, a word about production.

use gameday::event::EventKind;

use crate::support::{Output, Workspace};

const SETTINGS: &str = r#"
gameday: 1
environments:
  sandbox: {functions: {orders: {demo: checkout}}}
  guarded:
    functions: {orders: {demo: checkout}}
    approvals: {need: 2, from: [owner, oncall, sre]}
  customers: {functions: {orders: {demo: checkout}}, class: production}
  closed: {functions: {orders: {demo: checkout}}, window: {days: DAY, from: "00:00", to: "00:01"}}
"#;

const SCENARIO: &str = r#"
gameday: 1
id: careful
title: A fault that many agree to
owner: team-shop
environments: {pass_first: {customers: sandbox}}
targets: {orders: {lambda: {function: orders}}}
signals: {health: {level: system, http: {get: "${orders.url}/health", every: 200ms}}}
hypotheses:
  - {id: H1, severity: low, text: "Something answers", expect: "count(health) > 0"}
faults:
  impatient: {lambda_timeout: {target: orders, timeout: 2s}}
timeline:
  - {phase: broken, for: 1s, do: [{at: 0s, fault: impatient}]}
"#;

const FILE: &str = "scenarios/careful.yaml";

/// A workspace with a window that is not open today.
fn workspace() -> Workspace {
    let workspace = Workspace::empty();
    let now = gameday::unit::Clock::start().now();
    let day = ["WED", "THU", "FRI", "SAT", "SUN", "MON", "TUE"];
    let far = day[chrono::Datelike::weekday(&now).num_days_from_monday() as usize];
    workspace.write("gameday.yaml", &SETTINGS.replace("DAY", far));
    workspace.write(FILE, SCENARIO);
    workspace
}

fn run(workspace: &Workspace, environment: &str, more: &[&str]) -> Output {
    workspace.gameday(&[&["run", FILE, "--env", environment], more].concat())
}

fn rewrite_settings(workspace: &Workspace, from: &str, to: &str) {
    let path = workspace.path().join("gameday.yaml");
    let text = std::fs::read_to_string(&path).expect("settings");
    let rewritten = text.replace(from, to);
    assert_ne!(text, rewritten);
    std::fs::write(path, rewritten).expect("settings");
}

fn approve(workspace: &Workspace, role: &str, by: &str) -> Output {
    let arguments = ["approve", FILE, "--env", "guarded", "--as", role, "--by", by, "--note", "looks good"];
    workspace.gameday(&arguments)
}

#[track_caller]
fn assert_refused(output: &Output, words: &[&str]) {
    assert_eq!(output.code(), 7, "{output:#?}");
    for word in words {
        assert!(output.stderr.contains(word), "{word}: {}", output.stderr);
    }
}

#[test]
fn a_run_begins_when_enough_people_have_agreed_to_exactly_this_plan() {
    let workspace = workspace();
    let command = "gameday approve scenarios/careful.yaml --env guarded --as ROLE";
    assert_refused(&run(&workspace, "guarded", &[]), &["has that of 0", "`owner` (not yet given)", "`sre`", command]);
    assert!(workspace.run_folder().is_none(), "nothing was begun");

    let stranger = approve(&workspace, "stranger", "maria");
    assert_eq!(stranger.code(), 1);
    assert!(
        stranger.stderr.contains("environment `guarded` asks owner, oncall, sre, and not `stranger`"),
        "{stranger:?}"
    );
    assert_eq!(approve(&workspace, "owner", "maria").code(), 0);
    assert_eq!(approve(&workspace, "sre", "Maria").code(), 0);
    assert_refused(&run(&workspace, "guarded", &[]), &["has that of 1", "Maria can not agree for two roles"]);
    let output = approve(&workspace, "oncall", "aiko");
    assert!(output.stdout.contains("wrote approvals/careful/guarded/oncall.yaml: commit it"), "{output:?}");

    let plan = workspace.gameday(&["plan", FILE, "--env", "guarded"]);
    assert!(plan.stdout.contains("✓ owner agreed: maria") && plan.stdout.contains("✓ oncall agreed: aiko"), "{plan:?}");
    let passed = run(&workspace, "guarded", &[]);
    assert_eq!(passed.code(), 0, "{passed:#?}");
    let agreed: Vec<(String, String, Option<String>)> = workspace
        .events()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::RunApproved { role, by, note, .. } => Some((role.to_string(), by, note)),
            _ => None,
        })
        .collect();
    let of = |role: &str, by: &str| (role.to_owned(), by.to_owned(), Some("looks good".to_owned()));
    assert_eq!(agreed, [of("owner", "maria"), of("oncall", "aiko")]);
    let folder = workspace.run_folder().expect("a run");
    let report = std::fs::read_to_string(folder.join("report.md")).expect("a report");
    assert!(report.contains("agreed by maria on"), "{report}");

    // What the environment allows is agreed to as well.
    rewrite_settings(&workspace, "    approvals: {", "    exec: ['*']\n    approvals: {");
    let void = "that of maria does not hold: the scenario, its playbooks or its environment have changed since";
    assert_refused(&run(&workspace, "guarded", &[]), &["has that of 0", void]);
    rewrite_settings(&workspace, "    exec: ['*']\n", "");
    assert_eq!(run(&workspace, "guarded", &[]).code(), 0);

    // Any change makes it void, and so does a file that somebody spoilt.
    workspace.write(FILE, &SCENARIO.replace("for: 1s", "for: 2s"));
    workspace.write("approvals/careful/guarded/sre.yaml", "gameday: 1\nby: me\n");
    assert_refused(&run(&workspace, "guarded", &[]), &["has that of 0", void, "`sre` (its file can not be read"]);
}

#[test]
fn customers_come_after_a_pass_elsewhere_and_a_word() {
    let workspace = workspace();
    let refused = run(&workspace, "customers", &[]);
    let command = "gameday run scenarios/careful.yaml --env sandbox";
    assert_refused(&refused, &["say that you know with `--production customers`", "must pass in `sandbox`", command]);
    assert_refused(&run(&workspace, "customers", &["--production", "sandbox"]), &["`--production customers`"]);
    assert_eq!(run(&workspace, "sandbox", &[]).code(), 0);
    let plan = workspace.gameday(&["plan", FILE, "--env", "customers"]);
    assert!(plan.stdout.contains("✓ it passed in `sandbox`: run `"), "{plan:?}");
    let passed = run(&workspace, "customers", &["--production", "customers"]);
    assert_eq!(passed.code(), 0, "{passed:#?}");

    // The newest run counts: what passed once and fails now is no pass.
    rewrite_settings(
        &workspace,
        "sandbox: {functions: {orders: {demo: checkout}}}",
        "sandbox: {functions: {orders: {command: ['./none']}}}",
    );
    assert_ne!(run(&workspace, "sandbox", &[]).code(), 0);
    assert_refused(&run(&workspace, "customers", &["--production", "customers"]), &["` did not pass"]);
    workspace.write(FILE, &SCENARIO.replace("timeout: 2s", "timeout: 3s"));
    let changed = run(&workspace, "customers", &["--production", "customers"]);
    assert_refused(&changed, &["the scenario has changed since run `"]);
}

#[test]
fn a_window_that_is_closed_says_when_it_opens() {
    let workspace = workspace();
    assert_refused(&run(&workspace, "closed", &[]), &["it opens next on ", " at 00:00 UTC"]);
}
