//! Lessons: written, found, checked, and tested again by runs.

use serde_json::Value;

use crate::support::{Workspace, gameday};

fn scenario(expect: &str) -> String {
    format!(
        r#"
gameday: 1
id: probe-load
title: The probe answers
owner: me
environments: {{allow: [sandbox]}}
covers: {{components: [payments]}}
targets: {{probe: {{lambda: {{function: probe}}}}}}
signals: {{ok: {{level: ux, load: {{of: callers, stat: success_ratio}}}}}}
hypotheses: [{{id: H1, text: It answers, expect: "{expect}"}}]
load:
  callers:
    journeys: [{{name: call, steps: [{{invoke: probe, json: {{do: echo}}}}]}}]
    shape: [{{hold: 3s, at: 3/s}}]
timeline: [{{phase: load, for: 4s, do: [{{at: 0s, load: callers}}]}}]
"#
    )
}

fn workspace() -> Workspace {
    let workspace = Workspace::empty();
    workspace.write(
        "gameday.yaml",
        "gameday: 1\nenvironments: {sandbox: {functions: {probe: {demo: probe, timeout: 20s}}}}\n",
    );
    workspace.write("workload.yaml", "gameday: 1\npurpose: Sell\nteams: {shop: {}}\ncomponents: {payments: {owner: shop}, checkout: {owner: shop}}\n");
    workspace.write("scenarios/probe.yaml", &scenario("mean(ok) >= 100%"));
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
fn a_lesson_is_written_found_and_checked() {
    let workspace = workspace();
    let title = "The payment alarm is slower than the customer";
    let new = ["lesson", "new", title, "--component", "payments", "--fault", "proxy_latency", "--severity", "high"];
    let first = said(&workspace, &[&new[..], &["--regression", "probe-load#H1", "--retest-by", "2999-01-01"]].concat());
    assert!(first.trim_end().ends_with("001.md"), "{first}");
    let twin = answer(&workspace, &["lesson", "new", "An alarm slower than any payment customer", "--json"]);
    assert_eq!(twin["similar"][0]["lesson"]["title"], title, "{twin}");
    let [one, two] = [first.trim(), twin["file"].as_str().unwrap()]
        .map(|file| file.rsplit('/').next().unwrap().trim_end_matches(".md").to_owned());
    assert_ne!(one, two);

    let list = said(&workspace, &["lesson", "list"]);
    assert!(list.find(&one) < list.find(&two), "the more severe first: {list}");
    let path = format!("lessons/{one}.md");
    let text = std::fs::read_to_string(workspace.path().join(&path)).unwrap();
    workspace.write(&path, &text.replace("2999-01-01", "2020-01-01"));
    let check = workspace.gameday(&["lesson", "check"]);
    assert_eq!(check.code(), 2, "{}", check.stderr);
    assert!(check.stderr.contains("it is to be tested again before it was written"), "{}", check.stderr);
    workspace.write(&path, &text.replace("<!-- write it here -->", "Words of zebras."));
    let check = workspace.gameday(&["check"]);
    assert_eq!(check.code(), 0, "{}", check.stderr);
    for told in ["the lesson is not written yet", "nothing tests this lesson again"] {
        assert!(check.stderr.contains(told), "of the other one: {}", check.stderr);
    }
    let found = answer(&workspace, &["lesson", "search", "zebra", "--json"]);
    assert_eq!((found.as_array().unwrap().len(), found[0]["lesson"]["id"].as_str()), (1, Some(one.as_str())));
    let shown = said(&workspace, &["lesson", "show", &one]);
    assert!(shown.contains("probe-load#H1") && shown.contains("Words of zebras."), "{shown}");
    assert!(said(&workspace, &["lesson", "digest"]).contains(&format!("- **{one}** {title} (high)")));
    said(&workspace, &["lesson", "new", "Ask jo@example.com of 111122223333"]);
    let (posted, whole) =
        (said(&workspace, &["lesson", "digest"]), said(&workspace, &["lesson", "digest", "--no-redact"]));
    assert!(!posted.contains("example.com") && !posted.contains("111122223333"), "{posted}");
    assert!(whole.contains("example.com") && whole.contains("111122223333"), "{whole}");
    assert!(
        said(&workspace, &["plan", "scenarios/probe.yaml"]).contains(&format!("{one} ")),
        "what nobody has settled"
    );
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_written() {
    let workspace = workspace();
    for (arguments, told) in [
        (&["lesson", "new", " "][..], "the title is empty"),
        (&["lesson", "new", "t", "--fault", "proxy_latncy"], "did you mean `proxy_latency`?"),
        (&["lesson", "new", "t", "--severity", "huge"], "write low, medium, high or critical"),
        (&["lesson", "new", "t", "--regression", "probe-load"], "write both, as in"),
        (&["lesson", "new", "t", "--from", "nothing"], "there is no run `nothing`"),
        (&["lesson", "list", "--status", "done"], "write one of regressed, open, mitigated, verified, retired"),
        (&["lesson", "show", "L-2026-001"], "there is no lesson `L-2026-001`"),
    ] {
        let output = workspace.gameday(arguments);
        assert_eq!(output.code(), 1, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(told), "{arguments:?}: {}", output.stderr);
    }
    for (arguments, told) in [
        (["lesson", "new", "t", "--retest-by", "2020-01-01"], "it is to be tested again before it was written"),
        (["lesson", "new", "t", "--factor", " "], "an item of `factors` is empty"),
        (["lesson", "new", "t", "--owner", "a\nb"], "the owner is longer than a line"),
    ] {
        let output = workspace.gameday(&arguments);
        assert_eq!(output.code(), 2, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(told), "{arguments:?}: {}", output.stderr);
    }
    assert!(!workspace.path().join("lessons").exists());
    let nowhere = Workspace::empty();
    let action = ["action", "new", "t", "--type", "detect", "--owner", "shop", "--due", "2999-01-01"];
    for arguments in [&["lesson", "new", "t"][..], &action] {
        let output = nowhere.gameday(arguments);
        assert_eq!(output.code(), 1, "{}", output.stderr);
        assert!(output.stderr.contains("there is no workspace here"), "{}", output.stderr);
    }
    assert!(!nowhere.path().join("lessons").exists() && !nowhere.path().join("actions").exists());
    assert!(said(&workspace, &["lesson", "list"]).contains("there is no lesson yet"));
    workspace.write(
        "lessons/L-2026-001.md",
        "---\nid: L-2026-001\ntitle: t\ncomponents: [paiments]\nregression: probe-load#H7\ncreated: 2026-01-01\n---\nText.\n",
    );
    let check = workspace.gameday(&["check", "lessons/L-2026-001.md"]);
    assert_eq!(check.code(), 0, "{}", check.stderr);
    for told in ["did you mean `payments`?", "there is no hypothesis of `probe-load` called `H7`"] {
        assert!(check.stderr.contains(told), "{}", check.stderr);
    }
}

/// What does not come to its end shows nothing, and what nobody has mended is not verified.
#[test]
fn a_run_that_is_aborted_changes_no_lesson_and_an_open_one_stays_open() {
    let workspace = workspace();
    let lesson = |id: &str, status: &str| {
        let text = format!(
            "---\nid: {id}\ntitle: It answers\nstatus: {status}\nregression: probe-load#H1\ncreated: 2026-01-01\n---\nText.\n"
        );
        workspace.write(&format!("lessons/{id}.md"), &text);
        text
    };
    let elsewhere = "mitigated\nfound_in: 2026-01-01-100000-gone";
    let texts =
        [("L-1", "mitigated"), ("L-2", "open"), ("L-3", elsewhere)].map(|(id, status)| (id, lesson(id, status)));
    let assert_untouched = || {
        for (id, text) in &texts {
            assert_eq!(std::fs::read_to_string(workspace.path().join(format!("lessons/{id}.md"))).unwrap(), *text);
        }
    };
    let guarded =
        format!("{}guardrails: [{{id: G1, abort_if: \"mean(ok) >= 0% for 1s\"}}]\n", scenario("mean(ok) <= 1%"));
    workspace.write("scenarios/probe.yaml", &guarded);
    let output = workspace.gameday(&["run", "scenarios/probe.yaml", "--yes"]);
    assert_eq!(output.code(), 4, "{}", output.stderr);
    assert_untouched();
    workspace.write("lessons/L-1.md", &texts[0].1.replace("mitigated", "retired"));
    workspace.write("scenarios/probe.yaml", &scenario("mean(ok) >= 100%"));
    let output = workspace.gameday(&["run", "scenarios/probe.yaml", "--yes"]);
    assert_eq!(output.code(), 0, "{}", output.stderr);
    assert!(output.stderr.contains("lesson L-2 held, and is open"), "{}", output.stderr);
    for told in
        ["lesson L-3 stays mitigated: in which environment it was found can not be told", "2026-01-01-100000-gone"]
    {
        assert!(output.stderr.contains(told), "{}", output.stderr);
    }
    workspace.write("lessons/L-1.md", &texts[0].1);
    assert_untouched();
}

/// A run in an account does not begin past a critical lesson that came back, is late, and is on what it touches.
#[test]
fn a_critical_lesson_that_is_late_keeps_runs_in_an_account_from_beginning() {
    let workspace = workspace();
    workspace.write(
        "gameday.yaml",
        "gameday: 1\nenvironments:\n  sandbox: {functions: {probe: {demo: probe, timeout: 20s}}}\n  \
         staging: {account: '111122223333', region: eu-west-1, class: nonproduction}\n",
    );
    let file = "scenarios/probe.yaml";
    workspace.write(
        file,
        &format!(
            "{}guardrails: [{{id: G1, max_duration: 5m}}]\n",
            scenario("mean(ok) >= 100%").replace("allow: [sandbox]", "allow: [sandbox, staging]")
        ),
    );
    let lesson = "---\nid: L-1\ntitle: It fell\nstatus: regressed\nseverity: critical\ncomponents: [payments]\n\
                  regression: other#H1\ntested_in: 2020-01-02-100000-other\ncreated: 2020-01-01\nretest_by: 2020-02-01\n---\nText.\n";
    let call = |arguments: &[&str]| {
        let mut command = gameday();
        // There is nobody to ask for credentials.
        command.args(arguments).env("AWS_EC2_METADATA_DISABLED", "true").env_remove("AWS_ACCESS_KEY_ID");
        workspace.start_command(&mut command).wait()
    };
    let is_barred = || said(&workspace, &["plan", file, "--env", "staging"]).contains("✗ a lesson stands in its way");
    assert!(!is_barred(), "there is no lesson");
    workspace.write("lessons/L-1.md", lesson);
    assert!(is_barred());
    let refused = call(&["run", file, "--env", "staging"]);
    assert_eq!(refused.code(), 7, "{}", refused.stderr);
    for told in [
        "this may not be run yet",
        "lesson L-1 “It fell” is critical and regressed, and its `retest_by` (2020-02-01) is over",
        "let `other#H1` test it again, or set it to `mitigated` or `retired`",
        "--override",
    ] {
        assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
    }
    let ready = call(&["readiness", file, "--env", "staging", "--permissions"]);
    assert_eq!(ready.code(), 7, "{}", ready.stderr);
    assert!(ready.stdout.starts_with("failed   must  lesson L-1 "), "{}", ready.stdout);
    let overridden = call(&["run", file, "--env", "staging", "--override", "we look at it now"]);
    assert!(overridden.stderr.contains("note: set aside: lesson L-1 "), "{}", overridden.stderr);
    assert!(!overridden.stderr.contains("this may not be run yet"), "{}", overridden.stderr);
    assert!(!said(&workspace, &["plan", file]).contains("stands in its way"), "the sandbox hurts nobody");
    for (from, to, is_still) in [
        ("other#H1", "probe-load#H1", false),
        ("status: regressed", "status: mitigated", false),
        ("severity: critical", "severity: high", false),
        ("retest_by: 2020-02-01", "retest_by: 2999-01-01", false),
        ("2020-01-02-100000-other", "2020-03-01-100000-other", true),
        ("other#H1", "probe-load#H99", true),
        ("severity: critical", "severity: high\nno-key: 1", true),
        ("components: [payments]", "components: [checkout]", false),
        ("status: regressed", "status: open", true),
    ] {
        workspace.write("lessons/L-1.md", &lesson.replace(from, to));
        assert_eq!(is_barred(), is_still, "{to}");
    }
}

#[test]
fn a_run_verifies_a_lesson_and_the_next_one_sees_it_regress() {
    let workspace = workspace();
    let path = "lessons/L-2026-001.md";
    let lesson = "---\nid: L-2026-001\ntitle: It answers\nstatus: mitigated # a comment\nregression: probe-load#H1\n\
                  created: 2026-01-01\n---\nText.\n";
    workspace.write(path, lesson);
    // Where the machine was too busy to make the load, nothing was shown, and no lesson is touched.
    let run_once = || workspace.gameday(&["run", "scenarios/probe.yaml", "--yes", "--json"]);
    let run = || (0..5).map(|_| run_once()).find(|output| output.code() != 6).expect("a machine that is not too busy");
    let status = || answer(&workspace, &["lesson", "show", "L-2026-001", "--json"]);
    let output = run();
    assert_eq!(output.code(), 0, "{}", output.stderr);
    assert!(output.stderr.contains("lesson L-2026-001 was mitigated and is verified now"), "{}", output.stderr);
    let verified = status();
    assert_eq!(verified["status"], "verified");
    assert!(verified["tested_in"].as_str().is_some_and(|run| run.ends_with("probe-load")), "{verified}");
    assert!(std::fs::read_to_string(workspace.path().join(path)).unwrap().contains("status: verified # a comment\n"));

    workspace.write("scenarios/probe.yaml", &scenario("mean(ok) <= 1%"));
    let output = run();
    assert_eq!(output.code(), 3, "{}", output.stderr);
    assert!(output.stderr.contains("lesson L-2026-001 was verified and is regressed now"), "{}", output.stderr);
    let taught = answer(
        &workspace,
        &["lesson", "new", "It does not", "--text", "Words.", "--from", "latest", "--hypothesis", "H1", "--json"],
    );
    let action =
        ["action", "new", "t", "--type", "detect", "--owner", "shop", "--due", "2999-01-01", "--from", "latest"];
    for (arguments, told) in [
        (
            &["lesson", "new", "t", "--from", "latest", "--hypothesis", "H9"][..],
            "has no hypothesis `H9`; did you mean `H1`?",
        ),
        (&[&action[..], &["--finding", "refutd"]].concat(), "did you mean `refuted`?"),
    ] {
        let output = workspace.gameday(arguments);
        assert_eq!(output.code(), 1, "{}", output.stderr);
        assert!(output.stderr.contains(told), "{}", output.stderr);
    }
    let id = taught["id"].as_str().unwrap();
    let new = answer(&workspace, &["lesson", "show", id, "--json"]);
    assert_eq!(new["text"], "Words.");
    assert_eq!((&new["regression"], &new["components"][0]), (&"probe-load#H1".into(), &"payments".into()), "{new}");
    assert!(said(&workspace, &["plan", "scenarios/probe.yaml"]).contains("regressed"));
}

/// Three game days: what was mended holds, comes back, and is mended again.
#[test]
fn a_lesson_is_verified_comes_back_and_is_verified_again() {
    let workspace = workspace();
    let lesson = "---\nid: L-2026-001\ntitle: It answers\nstatus: mitigated\nseverity: high\nregression: probe-load#H1\n\
                  created: 2026-01-01\n---\nText.\n";
    workspace.write("lessons/L-2026-001.md", lesson);
    // Two seconds of load. Where the machine was too busy to make it, nothing was shown, and it is asked once more.
    let short = |expect: &str| {
        let text = scenario(expect).replace("hold: 3s", "hold: 2s").replace("for: 4s", "for: 3s");
        text + "report: {formats: [json, md]}\n"
    };
    let latest = || answer(&workspace, &["lesson", "show", "L-2026-001", "--json"]);
    let mut before = "mitigated";
    for (expect, code, after) in
        [("mean(ok) >= 100%", 0, "verified"), ("mean(ok) <= 1%", 3, "regressed"), ("mean(ok) >= 100%", 0, "verified")]
    {
        workspace.write("scenarios/probe.yaml", &short(expect));
        let run_once = || workspace.gameday(&["run", "scenarios/probe.yaml", "--yes"]);
        let output =
            (0..5).map(|_| run_once()).find(|output| output.code() != 6).expect("a machine that is not too busy");
        assert_eq!(output.code(), code, "{}", output.stderr);
        let shown = latest();
        assert_eq!(shown["status"], after, "{shown}");
        let folder = workspace.reports().join(shown["tested_in"].as_str().expect("the run that tested it"));
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of the report");
        let report: Value = serde_json::from_str(&read("report.json")).expect("JSON");
        let row = &report["lessons"][0];
        assert_eq!((&row["before"], &row["after"]), (&before.into(), &after.into()), "{row}");
        let findings = report["findings"].as_array().expect("findings");
        let came_back = findings.iter().find(|finding| finding["kind"] == "lesson_regressed");
        assert_eq!(came_back.is_some(), after == "regressed", "{findings:#?}");
        if let Some(finding) = came_back {
            assert_eq!((&finding["about"], &finding["severity"]), (&"L-2026-001".into(), &"high".into()));
            let (rule, text) = (finding["rule"].as_str().unwrap(), finding["text"].as_str().unwrap());
            assert!(rule == "F-38" && read("report.md").contains(rule), "{finding}");
            assert!(text.contains("Lesson L-2026-001 came back"), "{text}");
        }
        before = after;
    }
    assert_eq!(said(&workspace, &["lesson", "list", "--status", "verified"]).matches("L-2026-001").count(), 1);
}
