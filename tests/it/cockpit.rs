//! The cockpit in real terminals: keys become events, a second terminal takes part, and every terminal is given back as it was.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gameday::event::{AbortCause, EventKind, StepOutcome};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use crate::support::{Workspace, gameday, wait_for};
use crate::tmux::Tmux;

const SCENARIO: &str = r#"
gameday: 1
id: flown
title: A drill that is flown
owner: team-shop
mode: drill
people: {facilitator: {who: maria}, ops: {who: ben}}
targets:
  checkout-fn: {lambda: {function: checkout-fn}}
  payments-fn: {lambda: {function: payments-fn}}
signals:
  health: {level: system, http: {get: "${checkout-fn.url}/health", every: 500ms}}
hypotheses:
  - {id: H1, severity: low, text: "The shop is there", expect: "mean(health) > 50% during broken"}
guardrails:
  - {id: G1, max_duration: 1h}
load:
  shoppers:
    base_url: "${checkout-fn.url}"
    journeys: [{name: look, think: 200ms, steps: [{name: browse, get: /items, expect: {status: 200}}]}]
    shape: [{hold: 30m, at: 2 users}]
faults:
  impatient-payments: {lambda_timeout: {target: payments-fn, timeout: 1s}, ttl: 20m}
timeline:
  - phase: broken
    for: 30m
    playbook: pb-flown
    do: [{at: 0s, load: shoppers}, {at: 0s, fault: impatient-payments}]
    checklist:
      - {id: claim, do: "Say that you are on it", owner: ops, within: 20m}
"#;

const PLAYBOOK: &str = "\
---
id: pb-flown
title: Orders are stuck
owner: team-shop
---
# Orders are stuck

## Look
- [ ] Read the age of the oldest message `id:age` `owner:ops` `evidence:number`
";

/// A terminal with a program in it, which stays when the program has ended.
struct Pty {
    master: File,
    shell: Child,
    screen: Arc<Mutex<vt100::Parser>>,
    /// Whether the cockpit was up at some time.
    was_alternate: Arc<AtomicBool>,
    modes_before: String,
}

/// A shell leads the session: when a leader ends, the kernel takes its terminal away, modes and all. It lives on after a Ctrl-C, and
/// does nothing that changes modes.
const SHELL: &str = r#"trap : INT TSTP; "$@"; echo "ENDED $?"; while read -r line; do echo "$line"; done"#;
/// One with jobs: what it is told goes to it once the program is stopped.
const SHELL_WITH_JOBS: &str =
    r#"set -m; "$@"; echo "STOPPED $?"; while read -r line; do eval "$line"; echo "DID $line"; done"#;

impl Pty {
    /// Runs `gameday ARGUMENTS` in a terminal of that size, in the workspace.
    fn start(workspace: &Workspace, arguments: &[&str], size: (u16, u16), variables: &[(&str, &str)]) -> Self {
        Self::start_under(SHELL, workspace, arguments, size, variables)
    }

    fn start_under(
        script: &str,
        workspace: &Workspace,
        arguments: &[&str],
        (columns, rows): (u16, u16),
        variables: &[(&str, &str)],
    ) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let size = |ws_col, ws_row| Winsize { ws_col, ws_row, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size(columns, rows)).expect("a size");
        let modes_before = format!("{:?}", tcgetattr(&master).expect("modes"));
        let name = ptsname(&master, Vec::new()).expect("a name").into_string().expect("a path");
        let open = || -> Stdio {
            let file =
                std::fs::OpenOptions::new().read(true).write(true).open(&name).expect("the terminal's other side");
            Stdio::from(OwnedFd::from(file))
        };
        let program = gameday().get_program().to_owned();
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg("sh").arg("-c").arg(script).arg("sh").arg(program).args(arguments);
        command.current_dir(workspace.path()).stdin(open()).stdout(open()).stderr(open());
        command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8").env("USER", "maria").env_remove("NO_COLOR");
        command.env("RUST_BACKTRACE", "0");
        command.envs(variables.iter().copied());
        let shell = command.spawn().expect("setsid of util-linux");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 1_000)));
        let mut reader = File::from(master.try_clone().expect("the terminal once more"));
        let parser = Arc::clone(&screen);
        let was_alternate = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&was_alternate);
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                let mut parser = parser.lock().unwrap_or_else(PoisonError::into_inner);
                // A cockpit may come and go within what is read at once; what takes the screen ends with this letter.
                for piece in bytes[..count].split_inclusive(|byte| *byte == b'h') {
                    parser.process(piece);
                    seen.fetch_or(parser.screen().alternate_screen(), Ordering::SeqCst);
                }
            }
        });
        Self { master: File::from(master), shell, screen, was_alternate, modes_before }
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen().contents()
    }

    fn is_alternate(&self) -> bool {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen().alternate_screen()
    }

    fn keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("keys");
    }

    fn wait_for(&self, text: &str) {
        wait_for_text(&self.screen, text);
    }

    fn resize(&self, columns: u16, rows: u16) {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen_mut().set_size(cells(rows), cells(columns));
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).expect("a size");
    }

    /// Waits until the program has ended so, with the terminal as it was.
    fn assert_ended(&self, code: i32) {
        self.wait_for("ENDED");
        let text = self.text();
        assert!(text.contains(&format!("ENDED {code}")), "{text}");
        self.assert_given_back();
    }

    fn assert_given_back(&self) {
        assert!(!self.is_alternate(), "{}", self.text());
        assert_eq!(format!("{:?}", tcgetattr(&self.master).expect("modes")), self.modes_before);
        assert!(
            !self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen().hide_cursor(),
            "the cursor is back"
        );
    }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a size")
}

fn wait_for_text(screen: &Mutex<vt100::Parser>, text: &str) {
    let contents = || screen.lock().unwrap_or_else(PoisonError::into_inner).screen().contents();
    // What was on the screen instead is worth more than that something was not.
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_for(text, || contents().contains(text).then_some(()));
    }));
    assert!(found.is_ok(), "`{text}` does not come; there is:\n{}", contents());
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It may have ended.
        self.shell.kill().ok();
        self.shell.wait().ok();
    }
}

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("scenarios/flown.yaml", SCENARIO);
    workspace.write("playbooks/pb-flown.md", PLAYBOOK);
    workspace
}

const RUN: [&str; 2] = ["run", "scenarios/flown.yaml"];

fn run_process(workspace: &Workspace) -> Pid {
    let process =
        wait_for("the run to say who it is", || Some(workspace.state().process).filter(|process| *process > 0));
    Pid::from_raw(i32::try_from(process).expect("a process id")).expect("a process id")
}

/// Waits until the fault is in.
fn wait_until_broken(pty: &Pty) {
    pty.wait_for("RUNNING");
    pty.wait_for("1 on");
    pty.wait_for("timeout");
}

#[test]
fn a_run_is_flown_from_one_terminal_and_a_second_one_takes_part() {
    let workspace = workspace();
    let mut pilot = Pty::start(&workspace, &RUN, (100, 30), &[]);
    wait_until_broken(&pilot);
    assert!(pilot.is_alternate());
    pilot.wait_for("shoppers 2 users");
    pilot.wait_for("G1 ");
    let is_done = |kind: &EventKind, id: &str, seen: Option<&str>| {
        matches!(kind, EventKind::StepClosed { step, outcome: StepOutcome::Done, by, evidence }
            if step.as_str() == id && by.as_deref() == Some("maria") && evidence.as_deref() == seen)
    };
    pilot.keys(" ");
    workspace.wait_for_event("a step to be ticked", |kind| is_done(kind, "claim", None));
    pilot.wait_for("done maria");
    pilot.keys(" many\r");
    pilot.wait_for("`many` is not a number");
    pilot.keys("\x15");
    pilot.keys("42s\r");
    workspace.wait_for_event("a step with evidence", |kind| is_done(kind, "age", Some("42s")));
    pilot.keys("d");
    pilot.wait_for("mark detected by maria");
    pilot.keys("nq is no key in a note: 支払い\r");
    pilot.wait_for("note by maria: q is no key in a note: 支払い");
    // Drawn anew, and nothing asked of the terminal that nobody answers.
    pilot.keys("\x0c");
    // What is pasted is no key, whatever stands in it.
    pilot.keys("\x1b[200~xabort\r\x1b[201~");
    pilot.wait_for("a pasted text is no key");

    let mut second = Pty::start(&workspace, &["attach", "--by", "ben", "--role", "ops"], (120, 40), &[]);
    second.wait_for("mark detected by maria");
    pilot.wait_for("ops is here by ben");
    second.keys("m");
    pilot.wait_for("mark mitigated by ben");
    second.wait_for("mark mitigated by ben");
    second.keys("p");
    pilot.wait_for("PAUSED");
    pilot.resize(60, 12);
    pilot.wait_for("needs 80 columns");
    pilot.resize(90, 28);
    pilot.wait_for("PAUSED");
    pilot.keys("p");
    second.wait_for("RUNNING");
    second.keys("q");
    second.assert_ended(0);
    assert!(second.text().contains("left; the run goes on"), "{}", second.text());

    pilot.keys("\x1a");
    pilot.wait_for("a run does not stop for Ctrl-Z");
    pilot.keys("q");
    pilot.wait_for("end the run?");
    pilot.keys("abort we have seen enough\r");
    pilot.assert_ended(5);
    let text = pilot.text();
    for told in ["aborted by maria: we have seen enough", "undone, and read back as before", "aborted by a person"] {
        assert!(text.contains(told), "{told} is not in the scrollback:\n{text}");
    }
    let why = Some("we have seen enough".to_owned());
    assert_eq!(workspace.state().abort, Some(AbortCause::Person { why, by: Some("maria".to_owned()) }));
    assert_eq!(workspace.state().outstanding().count(), 0);
    let over = workspace.gameday(&["attach", &workspace.state().run]);
    assert_eq!(over.code(), 1);
    assert!(over.stderr.contains("that run is over"), "{over:#?}");
}

#[test]
fn a_blind_participant_attaches_to_a_view_that_gives_nothing_away() {
    let workspace = workspace();
    let blind = SCENARIO.replace("ops: {who: ben}", "ops: {who: ben, blind: true}");
    workspace.write("scenarios/flown.yaml", &blind);
    let mut pilot = Pty::start(&workspace, &RUN, (100, 30), &[]);
    wait_until_broken(&pilot);
    let mut player = Pty::start(&workspace, &["attach", "--view", "participant", "--by", "ben"], (100, 30), &[]);
    player.wait_for("participant");
    player.wait_for("part-1");
    player.keys("p");
    player.wait_for("is the facilitator's");
    for secret in ["impatient", "shoppers", "G1", "broken"] {
        assert!(!player.text().contains(secret), "{secret}:\n{}", player.text());
    }
    pilot.keys("R\r");
    player.wait_for("impatient-payments");
    player.keys("\x03");
    player.assert_ended(0);
    // By lines the same holds, and a signal ends only the view.
    let lines = Pty::start(&workspace, &["attach", "--plain", "--by", "ben"], (100, 30), &[]);
    lines.wait_for("everything is revealed by maria");
    assert!(!lines.is_alternate());
    // The kernel makes a signal of it, also while the cockpit is up.
    pilot.keys("\x03");
    pilot.assert_ended(5);
    lines.wait_for("the run is over: it was aborted");
    assert_eq!(workspace.state().abort, Some(AbortCause::Signal { signal: "SIGINT".to_owned() }));
}

#[test]
fn a_terminal_is_given_back_by_a_run_that_is_told_to_end_and_by_one_that_panics() {
    let told = workspace();
    let pty = Pty::start(&told, &RUN, (100, 30), &[]);
    wait_until_broken(&pty);
    kill_process(run_process(&told), Signal::TERM).expect("a signal");
    pty.assert_ended(5);
    assert!(pty.text().contains("ended by SIGTERM"), "{}", pty.text());
    assert_eq!(told.state().outstanding().count(), 0);

    // Late enough for the cockpit to be up, and long before anybody ends the run.
    let broken = workspace();
    let pty = Pty::start(&broken, &RUN, (100, 30), &[("GAMEDAY_FAILPOINT", "panic:120")]);
    pty.wait_for("ENDED");
    pty.assert_given_back();
    let text = pty.text();
    assert!(text.contains("failpoint 120"), "the panic is told on the terminal as it was:\n{text}");
    assert!(pty.was_alternate.load(Ordering::SeqCst), "the cockpit was up before:\n{text}");
    // The lines take over where the cockpit had to give way.
    assert!(text.contains("everything is as it was before"), "{text}");
}

/// A run whose only undo takes a minute.
fn slow_workspace() -> Workspace {
    let workspace = Workspace::empty();
    let program = "#!/bin/sh\ncase \"$1\" in inject) touch injected ;; undo) touch undoing; sleep 55; touch undone ;; \
                   check) [ ! -e injected ] || exit 10 ;; esac\n";
    workspace.write("chaos/mode", program);
    std::fs::set_permissions(workspace.path().join("chaos/mode"), PermissionsExt::from_mode(0o755)).expect("a program");
    workspace.write("gameday.yaml", "gameday: 1\nenvironments: {sandbox: {exec: [\"./chaos/*\"]}}\n");
    let scenario = r#"
gameday: 1
id: flown
title: A program that undoes nothing
owner: team-shop
targets: {cache: {other: {name: the cache}}}
hypotheses: [{id: H1, text: "Somebody looks", expect: "mark(seen)"}]
faults:
  cold: {exec: {target: cache, inject: [./chaos/mode, inject], undo: [./chaos/mode, undo], check: [./chaos/mode, check], timeout: 60s}}
timeline: [{phase: broken, for: 30m, do: [{at: 0s, fault: cold}]}]
"#;
    workspace.write("scenarios/flown.yaml", scenario);
    workspace
}

#[test]
fn the_first_ctrl_c_undoes_the_second_tells_what_is_left_and_the_third_leaves_at_once() {
    let workspace = slow_workspace();
    let arguments = [&RUN[..], &["--no-watchdog"]].concat();
    let mut pty = Pty::start(&workspace, &arguments, (100, 30), &[]);
    workspace.wait_for_event("the fault to be in", |kind| matches!(kind, EventKind::FaultApplied { .. }));
    pty.wait_for("1 on");
    pty.keys("\x03");
    wait_for("the undo to be under way", || workspace.path().join("undoing").exists().then_some(()));
    pty.keys("\x03");
    pty.wait_for("Ctrl-C again leaves it undone");
    assert!(pty.is_alternate(), "{}", pty.text());
    // The third one counts only soon after the second: on a slow machine it is pressed again.
    wait_for("the third to leave", || {
        pty.keys("\x03");
        pty.text().contains("ENDED").then_some(())
    });
    // 8 is dirty.
    pty.assert_ended(8);
    assert!(!workspace.path().join("undone").exists(), "it does not wait for the undo");
    assert_eq!(workspace.state().outstanding().count(), 1);
}

#[test]
fn a_viewer_that_is_suspended_gives_the_terminal_back_and_goes_on_in_front() {
    let workspace = workspace();
    let mut pilot = Pty::start(&workspace, &RUN, (100, 30), &[]);
    wait_until_broken(&pilot);
    let arguments = ["attach", "--by", "ben"];
    let start = || Pty::start_under(SHELL_WITH_JOBS, &workspace, &arguments, (100, 30), &[]);
    let mut viewer = start();
    wait_until_broken(&viewer);
    viewer.keys("\x1a");
    viewer.wait_for("STOPPED");
    viewer.assert_given_back();
    // In the background it draws nothing and takes no keys, and does not stop for them either.
    viewer.keys("bg %1\r");
    viewer.wait_for("DID bg");
    pilot.keys("nfirst\r");
    pilot.wait_for("note by maria: first");
    viewer.keys("jobs\r");
    viewer.wait_for("DID jobs");
    assert!(viewer.text().contains("Running"), "{}", viewer.text());
    viewer.assert_given_back();
    viewer.keys("fg %1\r");
    viewer.wait_for("note by maria: first");
    assert!(viewer.is_alternate());
    viewer.keys("d");
    pilot.wait_for("mark detected by ben");
    viewer.keys("q");
    viewer.wait_for("left; the run goes on");
    viewer.assert_given_back();

    // One that is continued to end takes nothing.
    let mut viewer = start();
    wait_until_broken(&viewer);
    viewer.keys("\x1a");
    viewer.wait_for("STOPPED");
    viewer.keys("kill -TERM %1; kill -CONT %1; wait %1; echo OVER\r");
    viewer.wait_for("DID kill");
    viewer.assert_given_back();
    pilot.keys("\x03");
    pilot.assert_ended(5);
}

#[test]
fn a_run_whose_cockpit_loses_its_terminal_undoes_everything() {
    let workspace = workspace();
    let pty = Pty::start(&workspace, &RUN, (100, 30), &[]);
    wait_until_broken(&pty);
    let process = run_process(&workspace).as_raw_nonzero().get().unsigned_abs();
    // The leader's end takes the terminal away from all that are in it.
    drop(pty);
    wait_for("the run to end", || crate::support::has_ended(process).then_some(()));
    assert_eq!(workspace.state().outstanding().count(), 0);
    assert_eq!(workspace.state().abort, Some(AbortCause::Signal { signal: "SIGHUP".to_owned() }));
}

#[test]
fn plain_lines_small_screens_and_dumb_terminals_have_no_cockpit() {
    let workspace = workspace();
    let short = SCENARIO.replace("for: 30m", "for: 2s").replace("hold: 30m", "hold: 2s");
    workspace.write("scenarios/flown.yaml", &short);
    let plain = ["run", "scenarios/flown.yaml", "--plain", "--yes"];
    for (size, arguments, term) in [
        ((100, 30), &plain[..], "xterm-256color"),
        ((79, 30), &[&RUN[..], &["--yes"]].concat()[..], "xterm-256color"),
        ((100, 30), &[&RUN[..], &["--yes"]].concat()[..], "dumb"),
    ] {
        let pty = Pty::start(&workspace, arguments, size, &[("TERM", term)]);
        pty.wait_for("phase broken");
        assert!(!pty.is_alternate(), "{}", pty.text());
        pty.wait_for("ENDED");
        pty.assert_given_back();
    }
}

#[test]
fn it_flies_in_tmux() {
    let workspace = workspace();
    let program = gameday().get_program().to_string_lossy().into_owned();
    let script = format!("'{program}' run scenarios/flown.yaml --by maria; echo ENDED $?; stty -a; read -r line");
    let Some(tmux) = Tmux::start(&workspace, (100, 30), &script) else { return };
    tmux.wait_for("RUNNING");
    tmux.wait_for("1 on");
    tmux.key("d");
    tmux.wait_for("mark detected by maria");
    tmux.key("Down");
    tmux.key("s");
    tmux.wait_for("skip age: why?");
    tmux.text("nobody has the link");
    tmux.wait_for("skipped maria");
    tmux.resize(160, 45);
    tmux.wait_for("log ──");
    tmux.key("x");
    tmux.wait_for("end the run?");
    tmux.text("abort");
    let text = tmux.wait_for("ENDED 5");
    assert!(text.contains("aborted by a person"), "{text}");
    let modes = tmux.wait_for("isig icanon");
    assert!(modes.contains(" echo ") && modes.contains("icrnl"), "{modes}");
}
