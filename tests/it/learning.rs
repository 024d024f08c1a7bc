//! What comes of runs: the evidence and whether it is what it was, runs held against each other, the debrief, and actions.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::peers::python;
use crate::support::Workspace;

const SCENARIO: &str = r#"
gameday: 1
id: probe-load
title: The probe answers
owner: me
environments: {allow: [sandbox]}
covers: {components: [payments], ops: [OPS8], risks: [RISK-1]}
targets: {probe: {lambda: {function: probe}}}
signals: {ok: {level: ux, load: {of: callers, stat: success_ratio}}}
hypotheses: [{id: H1, text: It answers, expect: "mean(ok) >= 100%"}]
load:
  callers:
    journeys: [{name: call, steps: [{invoke: probe, json: {do: WHAT}}]}]
    shape: [{hold: 3s, at: 5/s}]
timeline: [{phase: load, for: 4s, do: [{at: 0s, load: callers}]}]
report: {formats: [json, md, csv, journal]}
"#;

const WORKLOAD: &str = r#"
gameday: 1
purpose: Sell
teams: {shop: {contact: team-shop, members: [maria]}}
components: {payments: {owner: shop, value: money, lambda: {function: probe}}}
risks: {RISK-1: {component: payments, text: "it is slow", likelihood: 2, impact: 4}}
"#;

fn workspace() -> Workspace {
    let workspace = Workspace::empty();
    workspace.write(
        "gameday.yaml",
        "gameday: 1\nenvironments: {sandbox: {functions: {probe: {demo: probe, timeout: 20s}}}}\n",
    );
    workspace.write("workload.yaml", WORKLOAD);
    write_scenario(&workspace, "echo");
    workspace
}

fn write_scenario(workspace: &Workspace, what: &str) {
    workspace.write("scenarios/probe.yaml", &SCENARIO.replace("WHAT", what));
}

/// Runs the scenario. Where the machine was too busy to make the load, nothing was shown: it is run once more, and that run is forgotten.
fn run(workspace: &Workspace, code: i32) -> PathBuf {
    const INCONCLUSIVE: i32 = 6;
    let before = runs(workspace);
    let new = || runs(workspace).into_iter().find(|folder| !before.contains(folder)).expect("a run");
    for _ in 0..5 {
        let output = workspace.gameday(&["run", "scenarios/probe.yaml"]);
        if output.code() != INCONCLUSIVE {
            assert_eq!(output.code(), code, "{}{}", output.stdout, output.stderr);
            return new();
        }
        std::fs::remove_dir_all(new()).expect("its folder");
    }
    panic!("this machine is too busy for five requests a second");
}

fn runs(workspace: &Workspace) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(workspace.reports()).into_iter().flatten();
    entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.join("run.ndjson").is_file()).collect()
}

fn report(run: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(run.join("report.json")).expect("a report")).expect("JSON")
}

fn answer(workspace: &Workspace, arguments: &[&str]) -> Value {
    let output = workspace.gameday(arguments);
    assert_eq!(output.code(), 0, "{arguments:?}: {}", output.stderr);
    serde_json::from_str(&output.stdout).expect("JSON")
}

#[test]
fn a_run_is_held_against_the_one_before_and_its_evidence_against_its_manifest() {
    let workspace = workspace();
    let first = run(&workspace, 0);
    assert_eq!(report(&first)["comparison"], Value::Null, "there was none before");
    write_scenario(&workspace, "fail");
    let second = run(&workspace, 3);
    let told = report(&second);
    assert_eq!(told["comparison"]["hypotheses"][0]["change"], "worse", "{told}");
    assert_eq!(told["comparison"]["cautions"][0], "the scenario's file was changed between them");
    assert_eq!(told["why"]["components"][0]["owner"], "shop");
    let refuted =
        told["findings"].as_array().expect("findings").iter().find(|row| row["kind"] == "refuted").expect("one");
    assert_eq!((refuted["rule"].as_str(), refuted["owner"].as_str()), (Some("F-05"), Some("shop")));
    let practice = |id: &str| {
        told["practices"].as_array().unwrap().iter().find(|row| row["question"] == id).unwrap()["state"].clone()
    };
    assert_eq!((practice("OPS7"), practice("OPS1")), ("gap".into(), "not_covered".into()));

    let compared = answer(&workspace, &["compare", "--json"]);
    assert_eq!(compared["hypotheses"], told["comparison"]["hypotheses"]);
    let page = workspace.path().join("compare.html");
    let worse = workspace.gameday(&["compare", "--html", page.to_str().unwrap(), "--fail-if-worse"]);
    assert!(worse.code() == 3 && page.is_file(), "{}", worse.stderr);
    let trend = answer(&workspace, &["trend", "probe-load", "--json"]);
    assert_eq!(trend["runs"].as_array().unwrap().len(), 2);
    let coverage = answer(&workspace, &["coverage", "--json"]);
    let last = |id: &str| {
        coverage["subjects"].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap()["scenarios"][0]["last"]["run"].clone()
    };
    let name = second.file_name().unwrap().to_str().unwrap();
    assert_eq!((last("OPS8"), last("payments")), (name.into(), name.into()));

    let verify = |run: &Path| workspace.gameday(&["report", "verify", run.to_str().unwrap()]);
    assert_eq!(verify(&second).code(), 0, "{}", verify(&second).stdout);
    // Made once more it is the same, and what changed since is told and not taken over.
    let again = || workspace.gameday(&["report", name, "--format", "json"]);
    assert_eq!((again().code(), verify(&second).code()), (0, 0));
    let frames = second.join("evidence/load-callers.csv");
    std::fs::write(&frames, "nothing").expect("a forged table");
    std::fs::remove_file(second.join("workload.yaml")).expect("a lost file");
    for _ in 0..2 {
        let found = verify(&second);
        assert_eq!(found.code(), 2);
        assert!(found.stdout.contains("changed   evidence/load-callers.csv"), "{}", found.stdout);
        assert!(found.stdout.contains("missing   workload.yaml"), "{}", found.stdout);
        again();
    }
    let kinds = report(&second)["findings"].to_string();
    assert!(kinds.contains("evidence_changed"), "{kinds}");
    let plan = second.join("plan.json");
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, text.replace("The probe answers", "The probe answers!")).unwrap();
    assert!(verify(&second).stdout.contains("`plan.json` is not the plan that the log names"));
    assert_eq!(verify(&first).code(), 0);
}

#[test]
fn what_people_write_into_the_debrief_stands_in_the_report() {
    let workspace = workspace();
    let folder = run(&workspace, 0);
    let (name, file) = (folder.file_name().unwrap().to_str().unwrap(), folder.join("debrief.yaml"));
    let made = workspace.gameday(&["debrief", name]);
    assert!(made.code() == 0 && file.is_file(), "{}", made.stderr);
    assert_eq!(report(&folder)["debrief"]["record"], Value::Null, "nobody has said anything");
    let text = "gameday: 1\nrun: RUN\nfactors: [\"the alarm's window\"]\n".replace("RUN", name);
    workspace.write(&format!("reports/{name}/debrief.yaml"), &text);
    assert_eq!(workspace.gameday(&["report", name]).code(), 0);
    assert_eq!(
        report(&folder)["debrief"]["record"]["factors"][0],
        "the alarm's window",
        "the report is made from the file"
    );
    let shown = workspace.gameday(&[
        "action",
        "new",
        "Add an alarm\u{1b}",
        "--owner",
        "shop",
        "--type",
        "detect",
        "--due",
        "2999-01-01",
    ]);
    assert!(shown.code() == 2 && shown.stderr.contains("do not show"), "{}", shown.stderr);
}

#[test]
fn what_was_blacked_out_what_people_wrote_and_what_the_manifest_says_stays_so() {
    let workspace = workspace();
    let folder = run(&workspace, 0);
    let (name, file) = (folder.file_name().unwrap().to_str().unwrap(), folder.join("debrief.yaml"));
    let debrief = |arguments: &[&str]| workspace.gameday(&[&["debrief", name], arguments].concat());
    assert_eq!(debrief(&["--surprise", "ask maria@example.com"]).code(), 0);
    assert_eq!(workspace.gameday(&["report", name, "--format", "html,json"]).code(), 0);
    let texts = || ["report.html", "report.json"].map(|file| std::fs::read_to_string(folder.join(file)).unwrap());
    assert!(texts().iter().all(|text| text.contains("maria@example.com")));
    // In one format: the others were made before, and are made anew.
    assert_eq!(workspace.gameday(&["report", name, "--redact", "--format", "json"]).code(), 0);
    assert!(texts().iter().all(|text| !text.contains("maria@example.com") && text.contains("[e-mail]")));

    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("# mine\n{text}# the end\n")).unwrap();
    assert_eq!(debrief(&["--lucky", "jo@example.com was there"]).code(), 0);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# mine\n") && text.ends_with("# the end\n") && text.contains("jo@"), "{text}");
    assert!(texts().iter().all(|text| !text.contains("example.com")), "what is made later is blacked out as well");
    for (arguments, code, told) in [
        (["--summary", " "], 1, "`--summary` says nothing"),
        (["--present", ""], 1, "`--present` says nothing"),
        (["--lesson", "L-2999-001"], 1, "there is no lesson `L-2999-001`"),
        (["--action", "A-2999-001"], 1, "there is no action `A-2999-001`"),
    ] {
        let refused = debrief(&arguments);
        assert!(refused.code() == code && refused.stderr.contains(told), "{}", refused.stderr);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "nothing is written");
    }

    std::fs::write(folder.join("evidence/load-ghost.ndjson"), "{}\n").unwrap();
    for _ in 0..2 {
        let found = workspace.gameday(&["report", "verify", name]);
        assert!(found.code() == 2 && found.stdout.contains("unlisted  evidence/load-ghost.ndjson"), "{}", found.stdout);
        assert_eq!(workspace.gameday(&["report", name]).code(), 0);
    }
    std::fs::remove_file(folder.join("evidence/manifest.json")).unwrap();
    let anew = workspace.gameday(&["report", name]);
    assert!(anew.stderr.contains("manifest of the evidence was gone"), "{}", anew.stderr);
    let itself = workspace.gameday(&["compare", name]);
    assert!(itself.code() == 1 && itself.stderr.contains("is the later run itself"), "{}", itself.stderr);
}

#[test]
fn actions_are_written_listed_closed_and_told() {
    let workspace = workspace();
    let folder = run(&workspace, 0);
    let name = folder.file_name().unwrap().to_str().unwrap();
    let new = ["action", "new", "Add | an alarm <b>", "--owner", "shop", "--type", "detect", "--due", "2999-01-01"];
    let action = answer(
        &workspace,
        &[&new[..], &["--from", name, "--component", "payments", "--retest", "probe-load#H1", "--json"]].concat(),
    );
    let id = action["id"].as_str().expect("an id");
    let file = format!("actions/{id}.yaml");
    let text = std::fs::read_to_string(workspace.path().join(&file)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("created")).map(|line| line.replace("2999", "2020"));
    workspace.write(&file, &lines.map(|line| line + "\n").collect::<String>());
    let overdue = answer(&workspace, &["action", "list", "--overdue", "--json"]);
    assert_eq!((overdue[0]["id"].as_str(), overdue[0]["overdue"].as_bool()), (Some(id), Some(true)));
    let plan = workspace.gameday(&["plan", "scenarios/probe.yaml"]).stdout;
    assert!(plan.contains("actions that are overdue") && plan.contains(id), "{plan}");
    let said = [
        "--minutes",
        "30",
        "--present",
        "maria",
        "--surprise",
        "the <i>alarm</i> | is slow",
        "--answer",
        "1=the board",
    ];
    let debrief = workspace.gameday(&[&["debrief", name, "--action", id], &said[..]].concat());
    assert_eq!(debrief.code(), 0, "{}", debrief.stderr);
    let told = report(&folder);
    assert_eq!(told["debrief"]["record"]["surprises"][0], "the <i>alarm</i> | is slow");
    assert_eq!(
        (told["actions"][0]["id"].as_str(), told["actions"][0]["is_of_this_run"].as_bool()),
        (Some(id), Some(true))
    );
    let markdown = std::fs::read_to_string(folder.join("report.md")).unwrap();
    assert!(
        markdown.contains("Add \\| an alarm &lt;b&gt;")
            && markdown.contains("the &lt;i&gt;alarm&lt;/i&gt; \\| is slow"),
        "{markdown}"
    );
    let table = std::fs::read_to_string(folder.join("actions.csv")).unwrap();
    assert!(table.contains("Add | an alarm <b>"), "{table}");
    assert_eq!(
        workspace.gameday(&["report", "verify", name]).code(),
        0,
        "what people say is no evidence, and breaks none"
    );

    for wrong in [
        &["debrief", name, "--answer", "99=x"][..],
        &["debrief", name, "--answer", "x"],
        &["debrief", name, "--surprise", " "],
        &["debrief", "no-such-run"],
        &["action", "show", "A-1"],
        &["action", "close", id, "--dropped", "--why", " "],
        &["action", "new", "x", "--owner", "shop", "--type", "fix"],
    ] {
        assert_eq!(workspace.gameday(wrong).code(), 1, "{wrong:?}");
    }
    workspace.write(&format!("reports/{name}/debrief.yaml"), "gameday: 1\nrun: x\nroot_cause: Bob\n");
    let check = workspace.gameday(&["debrief", name, "--check"]);
    assert!(check.code() == 2 && check.stderr.contains("root_cause"), "{}", check.stderr);
    let closed = workspace.gameday(&["action", "close", id, "--done"]);
    assert_eq!(closed.code(), 0, "{}", closed.stderr);
    assert_eq!(workspace.gameday(&["action", "close", id, "--done"]).code(), 1, "it is closed already");
    assert_eq!(answer(&workspace, &["action", "list", "--status", "open", "--json"]), serde_json::json!([]));
    workspace
        .write("actions/A-9.yaml", "id: A-9\ntext: t\ntype: detect\nowner: nobody\ndue: 2999-01-01\nlesson: L-1\n");
    let check = workspace.gameday(&["check"]);
    for told in ["called `nobody`", "there is no lesson called `L-1`"] {
        assert!(check.stderr.contains(told), "{told}: {}", check.stderr);
    }
}

#[test]
fn a_report_is_what_its_schema_says() {
    let workspace = workspace();
    let folder = run(&workspace, 0);
    let schema = workspace.gameday(&["schema", "report"]).stdout;
    workspace.write("schema.json", &schema);
    let Some(mut peer) = python("report.json against its schema, by jsonschema") else { return };
    let program = "import json, sys, jsonschema; jsonschema.Draft202012Validator.check_schema(json.load(open(sys.argv[1]))); \
        jsonschema.validate(json.load(open(sys.argv[2])), json.load(open(sys.argv[1])))";
    let checked = peer.args(["-c", program]).arg(workspace.path().join("schema.json")).arg(folder.join("report.json"));
    let output = checked.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("the peer");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sarif = answer(&workspace, &["check", "--sarif"]);
    assert_eq!(sarif["version"], "2.1.0");
    let journal: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("journal.json")).unwrap()).unwrap();
    assert_eq!((journal["status"].as_str(), journal["deviated"].as_bool()), (Some("completed"), Some(false)));
}

#[test]
fn the_briefing_of_participants_gives_nothing_away() {
    let workspace = workspace();
    let read = |more: &[&str]| {
        let output = workspace.gameday(&[&["brief", "scenarios/probe.yaml"], more].concat());
        assert_eq!(output.code(), 0, "{}", output.stderr);
        output.stdout
    };
    let (all, blind) = (read(&[]), read(&["--for", "participant"]));
    for text in ["## Rules", "Anybody may end it"] {
        assert!(all.contains(text) && blind.contains(text), "{text}: {blind}");
    }
    assert!(all.contains("payments, shop (team-shop)"), "{all}");
    for text in ["# Game day\n", "shop: team-shop", "host: me", "takes 4s"] {
        assert!(blind.contains(text), "{text}: {blind}");
    }
    for secret in ["callers", "It answers", "mean(ok)", "0s load", "The probe answers", "probe", "payments", "load"] {
        assert!(!blind.contains(secret), "{secret}: {blind}");
    }
    assert!(all.contains("The probe answers") && all.contains("mean(ok)") && all.contains("callers"), "{all}");
    let shop = Workspace::new();
    assert_eq!(shop.gameday(&["new", "lambda-throttle"]).code(), 0);
    let blind =
        shop.gameday(&["brief", "scenarios/lambda-throttle.yaml", "--for", "participant"]).stdout.to_lowercase();
    assert!(blind.starts_with("# game day\n"), "{blind}");
    let of_title_and_aim = ["survives", "throttle", "payment", "reserved", "campaign", "429"];
    let of_hypotheses = ["stays up", "hear at once", "paying", "within 10", "browse_ok", "p95"];
    let of_faults_and_phases = ["lambda", "checkout-fn", "concurrency", "baseline", "recovery", "shoppers"];
    for word in [of_title_and_aim, of_hypotheses, of_faults_and_phases].concat() {
        assert!(!blind.contains(word), "{word}: {blind}");
    }
}
