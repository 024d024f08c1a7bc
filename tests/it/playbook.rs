//! Playbooks: checked, and walked through in a terminal, with and without a living run.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use gameday::event::{EventKind, StepOutcome};
use gameday::playbook::{WalkEntry, WalkEvent};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use crate::support::{Workspace, gameday, has_ended, repository, wait_for};

/// A terminal in which a `gameday` runs, and what was on its screen.
struct Terminal {
    keys: File,
    child: Child,
    screen: Arc<Mutex<String>>,
    /// How much of the screen was looked at already.
    seen: usize,
}

impl Terminal {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&terminal).expect("granted");
        unlockpt(&terminal).expect("unlocked");
        let name = ptsname(&terminal, Vec::new()).expect("a name").into_string().expect("a path");
        let open = || -> Stdio {
            let file =
                std::fs::OpenOptions::new().read(true).write(true).open(&name).expect("the terminal's other side");
            Stdio::from(OwnedFd::from(file))
        };
        let mut command = Command::new("setsid");
        let program = gameday().get_program().to_owned();
        command.arg("--ctty").arg(program).args(arguments).current_dir(folder);
        command.env("NO_COLOR", "1").env("USER", "maria").stdin(open()).stdout(open()).stderr(open());
        let child = command.spawn().expect("setsid of util-linux");
        drop(command);
        let screen = Arc::new(Mutex::new(String::new()));
        let (mut output, kept) = (File::from(terminal.try_clone().expect("a copy")), Arc::clone(&screen));
        // Ends when the last program has closed the terminal.
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut chunk) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk[..count]));
            }
        });
        Self { keys: File::from(terminal), child, screen, seen: 0 }
    }

    /// Waits until a text comes on the screen, behind the one that was waited for last.
    fn see(&mut self, text: &str) {
        let seen = self.seen;
        let screen = Arc::clone(&self.screen);
        let find = || {
            let screen = screen.lock().unwrap();
            Some(seen + screen.get(seen..)?.find(text)? + text.len())
        };
        let what = format!("`{text}` on the screen");
        // What is on the screen says more than that it was waited for in vain.
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wait_for(&what, find)));
        self.seen = found.unwrap_or_else(|_| panic!("no {what}; it has\n{}", self.screen.lock().unwrap()));
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("keys");
    }

    /// Waits for a question, and answers it.
    fn answer(&mut self, question: &str, keys: &str) {
        self.see(question);
        self.press(keys);
    }

    fn wait(mut self) -> (ExitStatus, String) {
        let status = wait_for("the walk to end", || self.child.try_wait().expect("a status"));
        let screen = self.screen.lock().unwrap().clone();
        (status, screen)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

const WALK: &str = r#"---
id: pb-walk
title: Walk
---
# Walk

- [ ] Count the failed orders `id:count` `evidence:number`

```sh {name=mood readonly=true expect="^fine$"}
cat mood
```

```sh {name=change}
grep '"block":"change"' reports/playbooks/*.ndjson > seen
printf 'changed \033[31m%s' "$GREETING" | tee changed
```

- [ ] Close `id:close`
"#;

fn walk_workspace(playbook: &str) -> Workspace {
    let workspace = Workspace::empty();
    workspace.write(
        "gameday.yaml",
        "gameday: 1\nenvironments: {sandbox: {functions: {probe: {demo: probe, timeout: 20s}}}}\n",
    );
    workspace.write("playbooks/pb-walk.md", playbook);
    workspace
}

fn record(workspace: &Workspace) -> (PathBuf, Vec<WalkEvent>) {
    let mut files =
        std::fs::read_dir(workspace.reports().join("playbooks")).expect("records").map(|it| it.unwrap().path());
    let path = files.next().expect("a record");
    assert!(files.next().is_none(), "there is one record");
    let text = std::fs::read_to_string(&path).unwrap();
    let entries: Vec<WalkEntry> = text.lines().map(|line| serde_json::from_str(line).expect("an entry")).collect();
    assert!(entries.iter().enumerate().all(|(number, entry)| entry.seq == number as u64), "{text}");
    (path, entries.into_iter().map(|entry| entry.kind).collect())
}

#[test]
fn a_walk_runs_what_looks_by_a_key_and_what_changes_by_its_name_and_writes_it_down_before() {
    let workspace = walk_workspace(WALK);
    workspace.write("mood", "sad\n");
    let file = workspace.path().join("playbooks/pb-walk.md");
    let changed = workspace.path().join("changed");
    let mut terminal = Terminal::start(workspace.path(), &["playbook", "run", "pb-walk"]);
    terminal.see("no run is alive: written down in ");
    terminal.answer("done? [Return/s/q]", "\r");
    terminal.answer("a number: ", "many\r");
    terminal.see("`many` is not a number");
    terminal.answer("a number: ", "412\x7f\r");
    terminal.answer("run it? [Return/s/q]", "y");
    terminal.see("| sad");
    terminal.see("not ok: its output has nothing like `^fine$`");
    workspace.write("mood", "fine\n");
    terminal.answer("again? [Return/s/q]", "y");
    terminal.see("| fine");
    terminal.see("MAY CHANGE SOMETHING");
    terminal.answer("run it? [Return/s/q]", "\r");
    terminal.answer("type `change` to run it: ", "y\r");
    terminal.see("that is not its name: it was not run");
    assert!(!changed.exists());
    terminal.answer("run it? [Return/s/q]", "\r");
    terminal.answer("type `change` to run it: ", "change\r");
    terminal.see("| changed \\u{1b}[31m");
    terminal.answer("done? [Return/s/q]", "s");
    terminal.answer("why not? ", "no time\r");
    terminal.see("that was the last step");
    let (status, screen) = terminal.wait();
    assert_eq!(status.code(), Some(0), "{screen}");
    assert!(!screen.contains('\u{1b}'), "{screen:?}");

    let by = || Some("maria".to_owned());
    let (path, events) = record(&workspace);
    let [start, rest @ ..] = events.as_slice() else { panic!("{events:?}") };
    assert!(matches!(start, WalkEvent::WalkStarted { playbook, .. } if playbook.as_str() == "pb-walk"));
    let started = |block: &str, readonly| WalkEvent::BlockStarted { block: block.to_owned(), readonly, by: by() };
    let ended = |block: &str, why: Option<&str>| {
        let why = why.map(str::to_owned);
        WalkEvent::BlockEnded { block: block.to_owned(), ok: why.is_none(), why, by: by() }
    };
    let expected = [
        WalkEvent::StepDone { step: "count".parse().unwrap(), evidence: Some("41".to_owned()), by: by() },
        started("mood", true),
        ended("mood", Some("its output has nothing like `^fine$`")),
        started("mood", true),
        ended("mood", None),
        started("change", false),
        ended("change", None),
        WalkEvent::StepSkipped { step: "close".parse().unwrap(), why: Some("no time".to_owned()), by: by() },
        WalkEvent::WalkEnded { whole: true },
    ];
    assert_eq!(rest, expected);
    let seen = std::fs::read_to_string(workspace.path().join("seen")).unwrap();
    assert!(
        seen.contains("block_started") && !seen.contains("block_ended"),
        "before the change it was on disk: {seen}"
    );
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("sad") && !text.contains("changed"), "no output is written down: {text}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(file).unwrap(), WALK, "the playbook is as it was");

    let list = workspace.gameday(&["playbook", "list", "--json"]);
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list[0]["last_exercised"]["run"], path.file_stem().unwrap().to_str().unwrap(), "{list}");
    let check = workspace.gameday(&["playbook", "check"]);
    assert_eq!((check.code(), check.stdout.as_str()), (0, "1 file checked, 0 problems\n"), "{}", check.stderr);
}

const SLOW: &str = r#"---
id: pb-walk
title: Slow
---
```sh {name=slow readonly=true timeout=1s}
sleep 1000 & echo $! > slow
wait
```

```sh {name=endless readonly=true timeout=10m}
sleep 1000 & echo $! > endless
wait
```

- [ ] Look `id:look`
"#;

#[test]
fn a_command_ends_with_all_that_it_started_at_its_time_or_at_ctrl_c_and_the_walk_goes_on() {
    let workspace = walk_workspace(SLOW);
    let child = |name: &str| -> u32 {
        let path = workspace.path().join(name);
        wait_for("the command to start", || std::fs::read_to_string(&path).ok()?.trim().parse().ok())
    };
    let mut terminal = Terminal::start(workspace.path(), &["playbook", "run", "pb-walk"]);
    terminal.answer("run it? [Return/s/q]", "\r");
    terminal.see("not ok: it did not end within 1s, and was killed with all that it started");
    let slow = child("slow");
    wait_for("the sleep to be gone", || has_ended(slow).then_some(()));
    terminal.answer("again? [Return/s/q]", "s");
    terminal.answer("run it? [Return/s/q]", "\r");
    let endless = child("endless");
    assert!(!has_ended(endless));
    terminal.press("\x03");
    terminal.see("not ok: it was stopped by Ctrl-C");
    wait_for("the sleep to be gone", || has_ended(endless).then_some(()));
    terminal.answer("again? [Return/s/q]", "s");
    terminal.answer("done? [Return/s/q]", "\x03");
    terminal.see("left before the end");
    let (status, screen) = terminal.wait();
    assert_eq!(status.code(), Some(0), "{screen}");
    let (_, events) = record(&workspace);
    assert_eq!(events.last(), Some(&WalkEvent::WalkEnded { whole: false }));
}

#[test]
fn a_walk_that_is_killed_takes_its_command_with_it() {
    let workspace = walk_workspace(SLOW);
    let mut terminal = Terminal::start(workspace.path(), &["playbook", "run", "pb-walk"]);
    terminal.answer("run it? [Return/s/q]", "s");
    terminal.answer("run it? [Return/s/q]", "\r");
    let path = workspace.path().join("endless");
    let sleeper: u32 = wait_for("the command", || std::fs::read_to_string(&path).ok()?.trim().parse().ok());
    terminal.child.kill().unwrap();
    wait_for("the sleep to be gone", || has_ended(sleeper).then_some(()));
    let (_, events) = record(&workspace);
    assert!(matches!(events.last(), Some(WalkEvent::BlockStarted { block, .. }) if block == "endless"), "{events:?}");
}

#[test]
fn without_a_terminal_nothing_is_asked_and_nothing_is_run() {
    let workspace = walk_workspace(WALK);
    let output = workspace.gameday(&["playbook", "run", "pb-walk"]);
    assert_eq!(output.code(), 1);
    assert!(output.stderr.contains("this is no terminal; `gameday playbook show pb-walk`"), "{}", output.stderr);
    assert!(!workspace.reports().exists());
    let output = workspace.gameday(&["playbook", "show", "pb-wlk"]);
    assert!(output.stderr.contains("there is no playbook `pb-wlk`; did you mean `pb-walk`?"), "{}", output.stderr);
    let shown = workspace.gameday(&["playbook", "show", "pb-walk"]);
    assert!(shown.stdout.lines().all(|line| line.chars().count() <= 80), "{}", shown.stdout);
    let json: Value =
        serde_json::from_str(&workspace.gameday(&["playbook", "show", "pb-walk", "--json"]).stdout).unwrap();
    let [step, command] = [&json["steps"][0], &json["commands"][0]];
    assert_eq!((&step["id"], &step["evidence"]), (&"count".into(), &"number".into()), "{json}");
    assert_eq!((&command["expect"], &command["timeout"]), (&"^fine$".into(), &"30s".into()), "{json}");
    assert!(shown.stdout.contains("[ ] Count the failed orders\n      note a number, `count`\n"), "{}", shown.stdout);
}

const SCENARIO: &str = r#"
gameday: 1
id: drill
title: A drill with a playbook
owner: me
mode: drill
environments: {allow: [sandbox]}
people: {responder: {who: maria}}
targets: {probe: {lambda: {function: probe}}}
signals: {ok: {level: ux, load: {of: callers, stat: success_ratio}}}
hypotheses: [{id: H1, text: It answers, expect: "mean(ok) >= 100%"}]
load:
  callers:
    journeys: [{name: call, steps: [{invoke: probe, json: {do: echo}}]}]
    shape: [{hold: 30m, at: 1/s}]
timeline:
  - {phase: walk, for: 30m, playbook: pb-walk, do: [{at: 0s, load: callers}]}
"#;

const LIVING: &str = r#"---
id: pb-walk
title: Walk
---
- [ ] Look `id:look` `evidence:text`

```sh {name=change}
grep block_started reports/*/run.ndjson > seen
```

- [ ] Close `id:close`
- [ ] Never `id:never`
"#;

#[test]
fn in_a_living_run_a_walk_is_a_part_of_its_log() {
    let workspace = walk_workspace(LIVING);
    workspace.write("scenarios/drill.yaml", SCENARIO);
    let run = workspace.start(&["run", "scenarios/drill.yaml"]);
    workspace.wait_for_event(
        "the steps",
        |kind| matches!(kind, EventKind::StepOpened { step, .. } if step.as_str() == "never"),
    );
    let id = workspace.state().run;
    let mut terminal = Terminal::start(workspace.path(), &["playbook", "run", "pb-walk", "--by", "joonas"]);
    terminal.see(&format!("written down in run {id}"));
    terminal.answer("done? [Return/s/q]", "\r");
    terminal.answer("a text: ", "all red\r");
    terminal.answer("run it? [Return/s/q]", "\r");
    terminal.answer("type `change` to run it: ", "change\r");
    terminal.see("  ok");
    // Somebody else is faster.
    let done = workspace.gameday(&["step", "done", "close", "--by", "aiko"]);
    assert_eq!(done.code(), 0, "{done:?}");
    terminal.answer("done? [Return/s/q]", "\r");
    terminal.see("not ticked: ");
    terminal.answer("done? [Return/s/q]", "q");
    terminal.see("left before the end");
    terminal.wait();

    let by = Some("joonas".to_owned());
    let kinds: Vec<EventKind> = workspace.events().into_iter().map(|event| event.kind).collect();
    let place =
        |is_it: &dyn Fn(&EventKind) -> bool| kinds.iter().position(is_it).unwrap_or_else(|| panic!("{kinds:#?}"));
    let look = place(&|kind| {
        matches!(kind, EventKind::StepClosed { step, outcome: StepOutcome::Done, by: who, evidence }
            if step.as_str() == "look" && *who == by && evidence.as_deref() == Some("all red"))
    });
    let started = place(&|kind| {
        matches!(kind, EventKind::BlockStarted { playbook, block, readonly: false, by: who }
            if playbook.as_str() == "pb-walk" && block == "change" && *who == by)
    });
    let ended =
        place(&|kind| matches!(kind, EventKind::BlockEnded { block, ok: true, why: None, .. } if block == "change"));
    assert!(look < started && started < ended);
    let seen = std::fs::read_to_string(workspace.path().join("seen")).unwrap();
    assert!(seen.contains("\"block\":\"change\""), "before the change it was on disk: {seen}");
    assert!(!workspace.reports().join("playbooks").exists(), "the run's log is the record");
    // The run ends in the midst of a walk, which goes on with a record of its own.
    let mut terminal = Terminal::start(workspace.path(), &["playbook", "run", "pb-walk", "--run", &id]);
    terminal.see("`look` is not open in the run: there is nothing to tick");
    assert_eq!(workspace.gameday(&["abort"]).code(), 0);
    run.wait();
    terminal.answer("go on? [Return/q]", "\r");
    terminal.answer("run it? [Return/s/q]", "\r");
    terminal.answer("type `change` to run it: ", "change\r");
    terminal.see("the run can not be reached any more");
    terminal.see("  ok");
    terminal.answer("done? [Return/s/q]", "q");
    terminal.wait();
    let (_, events) = record(&workspace);
    let blocks =
        events.iter().filter(|event| matches!(event, WalkEvent::BlockStarted { .. } | WalkEvent::BlockEnded { .. }));
    assert_eq!(blocks.count(), 2, "{events:?}");
    let list: Value = serde_json::from_str(&workspace.gameday(&["playbook", "list", "--json"]).stdout).unwrap();
    assert_eq!(list[0]["last_exercised"]["run"], id.as_str(), "{list}");
}

#[test]
fn every_doubt_about_playbooks_is_told_word_for_word() {
    let folder = repository().join("tests/fixtures/bad-playbooks");
    let check = |arguments: &[&str]| {
        let output = gameday().args(["playbook", "check"]).args(arguments).current_dir(&folder).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, _, told) = check(&[]);
    assert_eq!(code, Some(2), "{told}");
    let golden = folder.join("playbook-check.stderr");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&golden, &told).unwrap();
    }
    assert_eq!(told, std::fs::read_to_string(&golden).unwrap_or_default(), "BLESS=1 rewrites it");
    let (code, sarif, _) = check(&["--sarif"]);
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    let rules: Vec<&str> =
        sarif["runs"][0]["results"].as_array().unwrap().iter().filter_map(|it| it["ruleId"].as_str()).collect();
    for rule in [
        "unknown-team",
        "unknown-alarm",
        "unknown-component",
        "unknown-role",
        "dead-link",
        "invalid-command",
        "unknown-language",
        "readonly-command-changes",
        "not-exercised",
        "alarm-without-playbook",
    ] {
        assert!(rules.contains(&rule), "{rule} is not among {rules:?}");
    }
    assert_eq!(code, Some(2));
    let (code, json, _) = check(&["playbooks/pb-orders.md", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let codes: Vec<&str> =
        json["diagnostics"].as_array().unwrap().iter().filter_map(|it| it["code"].as_str()).collect();
    assert!(code == Some(2) && !codes.contains(&"alarm-without-playbook"), "of one file alone: {codes:?}");
}

#[test]
fn the_playbooks_of_this_repository_have_no_problem_but_that_nobody_may_have_walked_them_here() {
    let output = gameday().args(["playbook", "check", "--json"]).current_dir(repository()).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told:#}");
    let found = told["diagnostics"].as_array().unwrap();
    let others: Vec<&Value> = found.iter().filter(|found| found["code"] != "not-exercised").collect();
    assert!(others.is_empty(), "{others:#?}");
    assert!(told["files"].as_array().unwrap().len() >= 6, "{told}");
}
