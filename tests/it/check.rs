//! `gameday check` as users call it: good files pass, and each bad file is told word for word as its golden says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proptest::prelude::*;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

fn gameday(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gameday"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("NO_COLOR")
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program writes UTF-8")
}

/// The bad files: everything in the folder but its own workspace and the goldens.
fn bad_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Files for `sandbox up` are no scenarios, and have a test of their own.
        if path.is_dir() && !path.ends_with("playbooks") && !path.ends_with("functions") {
            files.extend(bad_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "md") {
            files.push(path);
        }
    }
    files.retain(|path| *path != Path::new(FIXTURES).join("bad/gameday.yaml"));
    files.sort();
    files
}

#[test]
fn every_bad_file_is_told_as_its_golden_says() {
    let folder = Path::new(FIXTURES).join("bad");
    let files = bad_files(&folder);
    assert!(files.len() >= 24, "only {} bad files were found", files.len());
    assert_goldens(&folder, &files, &["check"]);
}

#[test]
fn every_bad_file_of_functions_is_told_as_its_golden_says_before_anything_is_started() {
    let folder = Path::new(FIXTURES).join("bad/functions");
    let files = bad_files(&folder);
    assert!(files.len() >= 5, "only {} bad files were found", files.len());
    assert_goldens(&folder, &files, &["sandbox", "up", "--functions"]);
}

/// Each file is refused with exit code 2 and the words of its golden.
fn assert_goldens(folder: &Path, files: &[PathBuf], command: &[&str]) {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for path in files {
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
        let output = gameday(folder, &[command, &[name]].concat());
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {told}");
        assert!(told.chars().all(|c| c == '\n' || !c.is_control()), "{name} reaches the terminal raw: {told:?}");
        let golden = path.with_extension("stderr");
        if bless {
            std::fs::write(&golden, &told).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if told != expected {
            wrong.push(format!("== {name}\n-- expected\n{expected}\n-- told\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "BLESS=1 rewrites the goldens\n{}", wrong.join("\n"));
}

#[test]
fn a_role_of_a_playbook_that_nobody_has_is_a_warning_where_the_phase_names_the_playbook() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(gameday(folder.path(), &["init"]).status.code(), Some(0));
    let path = folder.path().join("scenarios/quickstart.yaml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, good.replace("people:\n  responder: {who: me}", "people:\n  lead: {who: me}")).unwrap();
    let output = gameday(folder.path(), &["check", "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = answer["diagnostics"].as_array().unwrap();
    let role = found.iter().find(|found| found["code"] == "unknown-role").expect("a warning about the role");
    assert_eq!(role["severity"], "warning");
    assert_eq!(role["message"], "`pb-slow-checkout` has steps for `responder`, and nobody in `people` has that role");
    let line = good.lines().position(|line| line.contains("playbook: pb-slow-checkout")).unwrap() + 1;
    assert_eq!(role["line"], line);
}

#[test]
fn the_sample_workspace_passes_with_every_environment() {
    let folder = Path::new(FIXTURES).join("workspace");
    for arguments in [&["check"][..], &["check", "--env", "sandbox"], &["check", "--env", "staging"]] {
        let output = gameday(&folder, arguments);
        let summary = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(summary.starts_with("7 files checked, 0 problems"), "{summary}");
    }
    let output = gameday(&folder, &["check", "--env", "stagin"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("did you mean `staging`?"));
}

/// A folder with these files.
fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

const SETTINGS: &str = "gameday: 1\nenvironments: {sandbox: {functions: {probe: {demo: probe}}}}\n";

const WORKLOAD: &str = "gameday: 1\npurpose: Sell\nteams: {team-shop: {members: [maria]}}\n\
                        components: {payments: {owner: team-shop}}\n";

const SCENARIO: &str = r#"gameday: 1
id: probe-load
title: The probe answers
owner: team-shop
covers: {components: [payments]}
targets: {probe: {lambda: {function: probe}}}
signals: {ok: {level: ux, load: {of: callers, stat: success_ratio}}}
hypotheses: [{id: H1, text: It answers, expect: "mean(ok) >= 100%"}]
load:
  callers:
    journeys: [{name: call, steps: [{invoke: probe, json: {do: echo}}]}]
    shape: [{hold: 3s, at: 3/s}]
timeline: [{phase: load, for: 4s, do: [{at: 0s, load: callers}]}]
"#;

#[test]
fn the_sandbox_that_stands_in_for_settings_is_told_once() {
    let scenario = SCENARIO.replace("covers: {components: [payments]}\n", "");
    let folder = folder_with(&[("scenarios/a.yaml", &scenario), ("scenarios/b.yaml", &scenario)]);
    let told = "there is no `gameday.yaml`";
    for arguments in [&["check"][..], &["check", "scenarios/a.yaml"]] {
        let output = gameday(folder.path(), arguments);
        assert_eq!(text(&output.stderr).matches(told).count(), 1, "{arguments:?}: {}", text(&output.stderr));
    }
    let plan = text(&gameday(folder.path(), &["plan", "scenarios/a.yaml"]).stderr);
    assert_eq!(plan.matches(told).count(), 1, "{plan}");
    std::fs::write(folder.path().join("gameday.yaml"), "gameday: 1\nenvironments: {sandbox: {}}\n").unwrap();
    let output = gameday(folder.path(), &["check"]);
    assert!(!text(&output.stderr).contains(told), "an empty sandbox that is meant");
}

#[test]
fn a_workload_that_is_wrong_is_there() {
    for (settings, workload) in [(SETTINGS, "gameday: 1\npurposee: x\n"), ("gameday: 1\nenvs: {}\n", WORKLOAD)] {
        let files = [("gameday.yaml", settings), ("workload.yaml", workload), ("scenarios/a.yaml", SCENARIO)];
        let output = gameday(folder_with(&files).path(), &["check"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(!text(&output.stderr).contains("no-workload"), "{}", text(&output.stderr));
    }
    let files = [("gameday.yaml", SETTINGS), ("scenarios/a.yaml", SCENARIO)];
    assert!(text(&gameday(folder_with(&files).path(), &["check"]).stderr).contains("no-workload"));
}

#[test]
fn a_file_that_is_not_there_is_named_with_the_one_that_was_meant() {
    let folder = folder_with(&[("gameday.yaml", SETTINGS), ("scenarios/quickstart.yaml", SCENARIO), ("docs/a.md", "")]);
    for command in ["run", "plan", "brief", "load", "check"] {
        for name in ["quickstart", "quickstrat", "scenario/quickstart.yaml"] {
            let output = gameday(folder.path(), &[command, name]);
            let told = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{told}");
            assert!(told.contains(&format!("there is no file `{name}`")), "{told}");
            assert!(told.contains("did you mean `scenarios/quickstart.yaml`?"), "{told}");
        }
    }
    let told = text(&gameday(folder.path(), &["check", "docs"]).stderr);
    assert!(told.contains("`docs` is a folder"), "{told}");
}

#[test]
fn only_files_that_were_asked_for_are_counted() {
    let files = [("gameday.yaml", SETTINGS), ("workload.yaml", WORKLOAD), ("scenarios/a.yaml", SCENARIO)];
    let folder = folder_with(&files);
    let summary = |arguments: &[&str]| text(&gameday(folder.path(), arguments).stdout);
    assert!(summary(&["check", "scenarios/a.yaml"]).starts_with("1 file checked, 0 problems"));
    assert!(summary(&["check"]).starts_with("3 files checked, 0 problems"));
}

#[test]
fn a_schedule_that_never_comes_and_a_team_that_is_none_are_doubts() {
    let scenario = SCENARIO.replace("owner: team-shop", "owner: team-shpo\nschedule: {cron: '0 10 30 2 *'}")
        + "people: {scribe: {who: mariaa}, facilitator: {who: the pager rota}}\n";
    let files = [("gameday.yaml", SETTINGS), ("workload.yaml", WORKLOAD), ("scenarios/a.yaml", &scenario)];
    let output = gameday(folder_with(&files).path(), &["check"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for text in ["warning[never-met]", "the pattern has no date", "did you mean `team-shop`?", "did you mean `maria`?"]
    {
        assert!(told.contains(text), "{text}: {told}");
    }
    assert!(!told.contains("called `the pager rota`"), "a rota may be called as it likes: {told}");
}

#[test]
fn front_matter_that_is_open_or_has_a_tab_is_told_so() {
    let keys = "---\nid: L-1\ntitle: x\ncreated: 2026-01-01\n";
    for (lesson, told) in [
        (format!("{keys}Text.\n"), "the front matter has no closing `---`\n --> lessons/L-1.md:1:1"),
        (format!("{keys}\tstatus: open\n---\nText.\n"), "a tab stands in the indentation\n --> lessons/L-1.md:5:1"),
        (format!("{keys}faults:\n\t- a\n---\nText.\n"), "a tab stands in the indentation\n --> lessons/L-1.md:6:1"),
        ("Text.\n".to_owned(), "does not start with front matter"),
    ] {
        let folder = folder_with(&[("gameday.yaml", SETTINGS), ("lessons/L-1.md", &lesson)]);
        let output = gameday(folder.path(), &["check"]);
        assert!(text(&output.stderr).contains(told), "{told}: {}", text(&output.stderr));
    }
    let folder = folder_with(&[("gameday.yaml", SETTINGS), ("scenarios/a.yaml", "}\n")]);
    let output = gameday(folder.path(), &["check"]);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("scenarios/a.yaml:1:1"), "the first line");
}

#[test]
fn a_time_in_utc_is_told_once_and_no_time_is_told_by_its_option() {
    let scenario = SCENARIO.replace("owner: team-shop", "owner: team-shop\nschedule: {cron: '0 10 * * MON'}");
    let folder = folder_with(&[("gameday.yaml", SETTINGS), ("scenarios/a.yaml", &scenario)]);
    let next = text(&gameday(folder.path(), &["schedule", "next"]).stdout);
    assert_eq!(next.matches("10:00 UTC").count(), 1, "{next}");
    let none = text(&gameday(folder.path(), &["schedule", "list", "--for", "0d"]).stderr);
    assert!(none.contains("`--for` is no time at all"), "{none}");
}

#[test]
fn one_mistake_is_told_once() {
    let scenario = SCENARIO.replace(
        "for: 4s, do: [{at: 0s, load: callers}]",
        "for: 4s, do: [{at: 0, load: callers}, {at: 3s, undo: callers}]",
    );
    let files = [("gameday.yaml", SETTINGS), ("workload.yaml", WORKLOAD), ("scenarios/a.yaml", &scenario)];
    let told = text(&gameday(folder_with(&files).path(), &["check"]).stderr);
    assert!(told.contains("write its unit: `0s`") && !told.contains("never-started"), "{told}");
    assert_eq!(told.matches("error[").count(), 1, "{told}");
}

#[test]
fn an_environment_that_a_scenario_does_not_allow_is_told() {
    let folder = Path::new(FIXTURES).join("workspace");
    let output = gameday(&folder, &["check", "--env", "production", "scenarios/checkout-payment-slow.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("environment-not-allowed"), "{}", text(&output.stderr));
}

#[test]
fn what_functions_in_an_account_can_not_reach_is_told_of_an_account_alone() {
    let folder = Path::new(FIXTURES).join("bad");
    let told = |arguments: &[&str]| {
        let output = gameday(&folder, &[arguments, &["loopback-in-account.yaml"]].concat());
        (output.status.code(), text(&output.stderr).matches("error[loopback-in-account]").count())
    };
    assert_eq!(told(&["check", "--env", "sandbox"]), (Some(0), 0));
    assert_eq!(told(&["check", "--env", "staging"]), (Some(2), 5));
    assert_eq!(told(&["plan", "--env", "staging"]), (Some(2), 5));
}

#[test]
fn a_file_of_ten_megabytes_is_refused_by_its_size() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("large.yaml"), vec![b'#'; 10 * 1024 * 1024]).unwrap();
    let output = gameday(folder.path(), &["check", "large.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    assert!(
        told.contains("file-too-large") && told.contains("the file has 10485760 bytes; the limit is 4194304"),
        "{told}"
    );
}

#[test]
fn json_names_file_place_code_and_help() {
    let folder = Path::new(FIXTURES).join("bad");
    let output = gameday(&folder, &["check", "--json", "unknown-key.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let first = &answer["diagnostics"][0];
    assert_eq!(first["file"], "unknown-key.yaml");
    assert_eq!((&first["line"], &first["column"]), (&5.into(), &1.into()));
    assert_eq!((&first["code"], &first["severity"]), (&"unknown-key".into(), &"error".into()));
    assert_eq!(first["help"], "did you mean `hypotheses`?");
    assert_eq!(answer["problems"], answer["diagnostics"].as_array().unwrap().len());
}

#[test]
fn a_new_workspace_passes_check_and_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(gameday(folder.path(), &["init", "shop"]).status.code(), Some(0));
    let shop = folder.path().join("shop");
    let output = gameday(&shop, &["check"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert_eq!(text(&output.stdout), "4 files checked, 0 problems\n");
    assert!(std::fs::read_to_string(shop.join(".gitignore")).unwrap().contains("reports/*/undo/"));

    std::fs::write(shop.join("workload.yaml"), "mine").unwrap();
    std::fs::remove_file(shop.join("gameday.yaml")).unwrap();
    let output = gameday(folder.path(), &["init", "shop"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("`workload.yaml`"));
    assert_eq!(std::fs::read_to_string(shop.join("workload.yaml")).unwrap(), "mine");
    assert!(!shop.join("gameday.yaml").exists(), "nothing is written where anything is there");
}

#[test]
fn a_new_workspace_in_a_repository_adds_to_its_gitignore() {
    let folder = tempfile::tempdir().unwrap();
    let ignored = || std::fs::read_to_string(folder.path().join(".gitignore")).unwrap();
    std::fs::write(folder.path().join(".gitignore"), "/target").unwrap();
    assert_eq!(gameday(folder.path(), &["init"]).status.code(), Some(0));
    assert!(ignored().starts_with("/target\n") && ignored().ends_with('\n'), "{}", ignored());
    for private in ["reports/*/undo/", "reports/*/predictions/", "reports/*/control-room.json"] {
        assert!(ignored().lines().any(|line| line == private), "{}", ignored());
    }
}

#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.yaml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let output = gameday(folder.path(), &["check", "pipe.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no regular file"), "{}", text(&output.stderr));
}

#[test]
fn a_scenario_from_a_template_passes_check_and_compiles_to_a_plan_under_its_own_id() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(gameday(folder.path(), &["init"]).status.code(), Some(0));
    for template in templates() {
        let id = format!("my-{template}");
        assert_eq!(gameday(folder.path(), &["new", &template, "--id", &id]).status.code(), Some(0));
        let path = format!("scenarios/{id}.yaml");
        assert!(std::fs::read_to_string(folder.path().join(&path)).unwrap().contains(&format!("\nid: {id}\n")));
        let output = gameday(folder.path(), &["check", &path]);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{template}");
        let output = gameday(folder.path(), &["plan", &path, "--json"]);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{template}");
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(plan["scenario"]["id"], id);
        assert_eq!(plan["not_carried_out"], serde_json::json!([]), "{template} asks for what is not there yet");
        assert_eq!(gameday(folder.path(), &["new", &template, "--id", &id]).status.code(), Some(1), "written over");
    }
}

/// What `gameday new --list` names.
fn templates() -> Vec<String> {
    let list = text(&gameday(Path::new("."), &["new", "--list"]).stdout);
    let names: Vec<String> = list.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    assert_eq!(names, ["lambda-throttle", "load-test", "slow-dependency"]);
    names
}

#[test]
fn explain_knows_every_fault_signal_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let list = text(&gameday(folder.path(), &["explain"]).stdout);
    for name in [
        "cold_starts",
        "invoke",
        "send",
        "lambda_concurrency",
        "proxy_timeout",
        "cloudwatch",
        "hypotheses",
        "schedule",
        "expectation",
    ] {
        assert!(list.contains(&format!("  {name} ")), "{name} is not in {list}");
        let output = gameday(folder.path(), &["explain", name]);
        assert_eq!(output.status.code(), Some(0), "{name}");
    }
    for name in ["scheduler_role", "require_tags", "defaults"] {
        assert!(list.contains(&format!("  {name} ")), "{name} is not in {list}");
    }
    let rate = text(&gameday(folder.path(), &["explain", "rate"]).stdout);
    assert!(rate.starts_with("environments.rate in gameday.yaml: How many control calls"), "{rate}");
    let exec = text(&gameday(folder.path(), &["explain", "exec"]).stdout);
    assert!(exec.contains("1s to 60s. Default 30s. — `30s`"), "the example of the key, not of its type: {exec}");
    let output = gameday(folder.path(), &["explain", "proxy_latncy"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("did you mean `proxy_latency`?"));
}

/// A good scenario of ten thousand actions in one phase, in ten thousand phases, or all wrong.
fn large_scenario(phases: impl Iterator<Item = String>) -> String {
    let head = "gameday: 1\nid: large\ntitle: x\nowner: me\npeople: {me: {who: me}}\ninjects: {t: {to: me, text: x}}\n\
                targets: {f: {lambda: {function: fn}}}\nfaults: {z: {lambda_concurrency: {target: f, reserved: 0}, \
                effect_if: mark(x)}}\nhypotheses: [{id: H1, text: x, expect: mark(seen)}]\ntimeline:\n  \
                - {phase: start, for: 1m, do: [{at: 0s, fault: z}, {at: 1s, inject: t}]}\n";
    phases.fold(head.to_owned(), |text, phase| text + &phase)
}

#[test]
fn a_scenario_of_ten_thousand_steps_is_checked_in_seconds_however_it_is_cut_and_however_wrong_it_is() {
    /// A debug build on a busy machine takes a second or two; a quadratic check takes minutes.
    const SECONDS_MAX: u64 = 60;
    let workspace = gameday::workspace::Workspace::read(tempfile::tempdir().unwrap().path()).unwrap();
    let actions = |key: &str| (0..10_000).map(|n| format!("      - {{at: {n}s, {key}: t}}\n")).collect::<String>();
    let one_phase = |key: &str| format!("  - phase: all\n    for: 9h\n    do:\n{}", actions(key));
    let clock = gameday::unit::Clock::start();
    for (text, is_good) in [
        (large_scenario(std::iter::once(one_phase("inject"))), true),
        (large_scenario((0..10_000).map(|n| format!("  - {{phase: p{n}, for: 1m, until: mark(m{n})}}\n"))), true),
        (large_scenario(std::iter::once(one_phase("injekt"))), false),
        (large_scenario((0..10_000).map(|n| format!("  - {{phase: p{n}, for: 1m, playbook: x{n}}}\n"))), false),
        (large_scenario((0..10_000).map(|n| format!("  - {{phase: p, for: 1m, until: mak(m{n})}}\n"))), false),
    ] {
        let source = std::sync::Arc::new(gameday::document::SourceFile::new("large.yaml", text));
        match gameday::scenario::check(&source, &workspace, None) {
            Ok(_) => assert!(is_good),
            Err(problems) => {
                assert!(!is_good, "{}", problems.iter().map(|p| p.render(false)).collect::<String>());
                assert!(problems.len() <= gameday::document::PROBLEMS_MAX);
            }
        }
    }
    assert!(clock.elapsed().as_secs() < SECONDS_MAX, "{:?}", clock.elapsed());
}

/// A change of one place of a file: bytes taken out, put in or doubled.
#[derive(Debug, Clone)]
enum Mutation {
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
}

fn mutations() -> impl Strategy<Value = Mutation> {
    let place = 0_usize..10_000;
    let telling = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        "- ",
        "\n",
        "\t",
        "\"",
        "'",
        "&a ",
        "*a",
        "!!x ",
        "|\n",
        "${",
        "${x}",
        "#",
        "---\n",
        "\u{feff}",
        "é",
        "\u{1b}",
        "%",
        "? ",
        "<<: ",
        "~",
        "-",
        "9999999999999999999999",
        "\r\n",
    ]);
    prop_oneof![
        (place.clone(), 1_usize..20).prop_map(|(at, count)| Mutation::Remove(at, count)),
        (place.clone(), prop::collection::vec(any::<u8>(), 1..5)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (place.clone(), telling).prop_map(|(at, text)| Mutation::Insert(at, text.as_bytes().to_vec())),
        (place, 1_usize..200).prop_map(|(at, count)| Mutation::Repeat(at, count)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    let length = bytes.len().max(1);
    match mutation {
        Mutation::Remove(at, count) => {
            let at = at % length;
            bytes.drain(at.min(bytes.len())..(at + count).min(bytes.len()));
        }
        Mutation::Insert(at, inserted) => {
            let at = (at % length).min(bytes.len());
            bytes.splice(at..at, inserted.iter().copied());
        }
        Mutation::Repeat(at, count) => {
            let at = (at % length).min(bytes.len());
            let part = bytes[at..(at + count).min(bytes.len())].to_vec();
            bytes.splice(at..at, part);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_good_file_makes_the_check_panic(
        which in 0_usize..4,
        mutations in prop::collection::vec(mutations(), 1..6),
    ) {
        let folder = Path::new(FIXTURES).join("workspace");
        let names = [
            "scenarios/checkout-payment-slow.yaml",
            "scenarios/orders-slow.yaml",
            "playbooks/pb-payment-latency.md",
            "gameday.yaml",
        ];
        let mut bytes = std::fs::read(folder.join(names[which])).unwrap();
        for mutation in &mutations {
            mutate(&mut bytes, mutation);
        }
        let changed = tempfile::tempdir().unwrap();
        let path = changed.path().join("gameday.yaml");
        std::fs::write(&path, &bytes).unwrap();
        let told = match which {
            2 => gameday::playbook::load(&path).err().unwrap_or_default(),
            3 => gameday::workspace::Workspace::read(changed.path()).err().unwrap_or_default(),
            _ => {
                let workspace = gameday::workspace::Workspace::without_settings(&folder);
                gameday::scenario::load(&path, &workspace, None).err().unwrap_or_default()
            }
        };
        for problem in told {
            prop_assert!(problem.source.text().get(problem.span.clone()).is_some(), "{:?}", problem.span);
            let text = problem.render(false);
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
            let coloured = problem.render(true);
            prop_assert!(!coloured.is_empty());
        }
    }
}
