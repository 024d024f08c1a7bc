//! What is drawn, in golden files (`BLESS=1` writes them), and what keys do to it.

mod drill;

use std::time::Duration;

use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Rect;
use ratatui::style::Color;
use tokio::time::Instant;

use drill::{Drill, LOOK, text};

use super::app::Reaction;
use super::input::Key;
use super::look::Look;
use super::{FRAME_INTERVAL, Pace, draw};
use crate::event::{AbortCause, Command, CommandAnswer, EventKind, StepAsks, StepOutcome};
use crate::ui::board::View;
use crate::unit::AlarmState;

#[test]
fn a_run_that_starts() {
    Drill::new(View::Facilitator, false).matches_golden("start", LOOK);
}

#[test]
fn a_run_with_a_fault_and_a_step_that_is_overdue() {
    Drill::new(View::Facilitator, false).under_way().matches_golden("running", LOOK);
}

#[test]
fn a_run_that_is_paused() {
    let mut drill = Drill::new(View::Facilitator, false).under_way();
    drill.at(181_000, EventKind::RunPaused { by: Some("maria".to_owned()) });
    drill.now_ms = 201_000;
    drill.matches_golden("paused", LOOK);
}

#[test]
fn a_poll() {
    let mut drill = Drill::new(View::Facilitator, false).under_way();
    drill.poll();
    assert_eq!(drill.press("jjv"), Reaction::Nothing);
    drill.matches_golden("poll", LOOK);
}

#[test]
fn a_run_that_is_aborted_and_the_question_before() {
    let mut drill = Drill::new(View::Facilitator, false).under_way();
    drill.press("xno");
    drill.press("\n");
    drill.matches_golden("abort-asked", LOOK);
    drill.key(Key::Escape);
    let cause = AbortCause::Person { why: Some("customers complain".to_owned()), by: Some("maria".to_owned()) };
    drill.at(190_000, EventKind::RunAborted { cause });
    drill.matches_golden("aborting", LOOK);
    let last: Vec<String> = drill.cockpit.last_lines().into_iter().map(|line| line.text).collect();
    assert_eq!(last.len(), 1, "{last:?}");
}

#[test]
fn a_blind_participant_sees_neither_fault_nor_load_nor_names() {
    let drill = Drill::new(View::Participant, true).under_way();
    drill.matches_golden("blind", LOOK);
    for (width, height) in [(80, 24), (200, 60)] {
        let shown = drill.text(width, height);
        for secret in ["slow", "shoppers", "LAG", "G1", "baseline", "Checkout with", "1240", "p99", "H1"] {
            assert!(!shown.contains(secret), "{secret} is shown:\n{shown}");
        }
        assert!(shown.contains("OVERDUE"), "{shown}");
    }
}

#[test]
fn without_colours_and_in_ascii_everything_is_still_told() {
    let drill = Drill::new(View::Facilitator, false).under_way();
    let poor = Look { has_colours: false, has_many_colours: false, has_unicode: false };
    drill.matches_golden("no-color", poor);
    let buffer = drill.draw(poor, 120, 40);
    assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    assert!(text(&buffer).is_ascii());
    assert!(text(&buffer).contains("x OVER") && text(&buffer).contains("x OVERDUE"));
}

#[test]
fn no_colour_is_used_that_some_can_not_tell_apart() {
    let mut drill = Drill::new(View::Facilitator, false).under_way();
    drill.poll();
    let buffer = drill.draw(LOOK, 200, 60);
    let colours = [Color::Reset, Color::Indexed(208), Color::Indexed(75)];
    assert!(buffer.content.iter().all(|cell| colours.contains(&cell.fg) && colours.contains(&cell.bg)));
}

#[test]
fn the_help_and_the_keys_are_those_of_the_viewer() {
    let mut drill = Drill::new(View::Facilitator, false).under_way();
    drill.press("?");
    drill.matches_golden("help", LOOK);
    drill.key(Key::Escape);
    assert!(!drill.text(80, 24).contains("any other key closes"));
    let mut participant = Drill::new(View::Participant, true);
    participant.press("?");
    let shown = participant.text(120, 40);
    assert!(!shown.contains("inject") && !shown.contains("reveal") && shown.contains("the run goes on"), "{shown}");
}

fn by() -> Option<String> {
    Some("maria".to_owned())
}

#[test]
fn keys_become_commands() {
    let mut drill = Drill::new(View::Facilitator, false).under_way();
    let mark = |name: &str, component: Option<&str>| {
        let component = component.map(|name| name.parse().unwrap());
        Reaction::Send(Command::Mark { name: name.to_owned(), fault: None, component, text: None, by: by() })
    };
    for (key, name) in
        [("d", "detected"), ("m", "mitigated"), ("r", "recovered"), ("e", "escalated"), ("!", "surprised")]
    {
        assert_eq!(drill.press(key), mark(name, None));
    }
    assert_eq!(drill.press("a"), Reaction::Send(Command::Ack { by: by() }));
    assert_eq!(drill.press("g2\n"), mark("diagnosed", Some("payments")));
    assert_eq!(drill.press("g\n"), mark("diagnosed", None));
    assert_eq!(
        drill.press("nq is a letter\n"),
        Reaction::Send(Command::Note { text: "q is a letter".to_owned(), by: by() })
    );
    assert_eq!(drill.press("p"), Reaction::Send(Command::Pause { by: by() }));
    drill.at(181_000, EventKind::RunPaused { by: None });
    assert_eq!(drill.press("p"), Reaction::Send(Command::Resume { by: by() }));
    assert_eq!(drill.press("i\n"), Reaction::Send(Command::Inject { inject: "ticket".parse().unwrap(), by: by() }));
    assert_eq!(drill.press("hj\n"), Reaction::Send(Command::Hint { hint: Some("h2".parse().unwrap()), by: by() }));
    assert_eq!(drill.press("R\n"), Reaction::Send(Command::Reveal { fault: None, by: by() }));
    let fault = Some("slow-provider".parse().unwrap());
    assert_eq!(drill.press("R2\n"), Reaction::Send(Command::Reveal { fault, by: by() }));
    assert_eq!(drill.press("J1\n"), Reaction::Send(Command::Join { role: "dev".parse().unwrap(), by: by() }));
    assert_eq!(drill.press("xabort\n"), Reaction::Send(Command::Abort { why: None, by: by() }));
    assert_eq!(
        drill.press("qabort\n"),
        Reaction::Send(Command::Abort { why: None, by: by() }),
        "it does not just leave"
    );
    assert_eq!(drill.key(Key::Control('l')), Reaction::Redraw);
    assert_eq!(drill.key(Key::Control('z')), Reaction::Nothing, "the kernel has it");
}

#[test]
fn steps_are_chosen_ticked_and_skipped() {
    let mut drill = Drill::new(View::Facilitator, false).under_way();
    assert_eq!(drill.press(" "), Reaction::Nothing, "the first open step asks for evidence");
    let done = |step: &str, evidence: Option<&str>| {
        let (step, evidence) = (step.parse().unwrap(), evidence.map(str::to_owned));
        Reaction::Send(Command::StepDone { step, evidence, by: by() })
    };
    assert_eq!(drill.press("42s\n"), done("age", Some("42s")));
    drill.key(Key::Down);
    assert_eq!(drill.key(Key::Char(' ')), done("tell", None));
    drill.key(Key::Down);
    let why = Some("nobody is there".to_owned());
    let skipped = Command::StepSkipped { step: "tell".parse().unwrap(), why, by: by() };
    assert_eq!(drill.press("snobody is there\n"), Reaction::Send(skipped));
    let (step, outcome) = ("tell".parse().unwrap(), StepOutcome::Skipped { why: None });
    drill.at(181_000, EventKind::StepClosed { step, outcome, by: None, evidence: None });
    assert_eq!(drill.cockpit.chosen_step(181_000).map(|step| step.step).as_deref(), Some("age"));
}

#[test]
fn a_poll_is_answered_for_ones_own_role_at_once() {
    let mut drill = Drill::new(View::Facilitator, false).under_way();
    drill.poll();
    let vote = |role: &str, go: bool, why: Option<&str>| {
        let (step, role, why) = ("go".parse().unwrap(), role.parse().unwrap(), why.map(str::to_owned));
        Reaction::Send(Command::Vote { step, role, go, why, by: by() })
    };
    assert_eq!(drill.press("v3\n2\nnot yet\n"), vote("dev", false, Some("not yet")));
    drill.cockpit.sitter.role = Some("facilitator".parse().unwrap());
    assert_eq!(drill.press("v\n\n"), vote("facilitator", true, None));
    drill.press("jj");
    assert_eq!(drill.press(" \n\n"), vote("facilitator", true, None), "a poll is ticked by a vote");
}

#[test]
fn what_is_the_facilitators_is_refused_to_participants_and_leaving_ends_nothing() {
    let mut drill = Drill::new(View::Participant, true).under_way();
    for key in ["p", "i", "h", "R"] {
        assert_eq!(drill.press(key), Reaction::Nothing);
        assert!(drill.cockpit.prompt.is_none());
        let status = drill.cockpit.status(drill.now_ms).unwrap();
        assert!(status.text.contains("is the facilitator's"), "{}", status.text);
    }
    for key in "dmre!a".chars() {
        match drill.press(&key.to_string()) {
            Reaction::Send(command) => assert!(command.is_for_participants()),
            other => panic!("{key}: {other:?}"),
        }
    }
    assert_eq!(drill.press("g"), Reaction::Nothing);
    assert!(drill.cockpit.prompt.as_ref().unwrap().choices.is_empty(), "no name gives anything away");
    drill.key(Key::Escape);
    assert_eq!(drill.press("q"), Reaction::Leave);
    assert_eq!(drill.key(Key::Control('c')), Reaction::Leave);
    assert_eq!(drill.key(Key::Control('z')), Reaction::Suspend);
}

#[test]
fn a_refused_command_says_why_for_a_while() {
    let mut drill = Drill::new(View::Facilitator, false).under_way();
    drill.cockpit.answered(&CommandAnswer::Refused { why: "step `x` is not open".to_owned() }, drill.now_ms);
    assert!(drill.text(80, 24).contains("✗ refused: step `x` is not open"));
    drill.now_ms += 60_000;
    assert!(!drill.text(80, 24).contains("refused"));
    let text = "still undoing: set LAG; Ctrl-C again leaves it undone".to_owned();
    drill.at(drill.now_ms, EventKind::Noted { text, by: Some("gameday".to_owned()) });
    assert!(drill.text(80, 24).contains("! still undoing"), "what the program has to say is not lost in the log");
    let mut blind = Drill::new(View::Participant, true).under_way();
    let text = "still undoing: set LAG=slow-provider".to_owned();
    blind.at(blind.now_ms, EventKind::Noted { text, by: Some("gameday".to_owned()) });
    assert!(blind.cockpit.status(blind.now_ms).is_none(), "what gives something away is not said");
}

#[test]
fn an_alarm_and_an_unread_one_are_shown() {
    let mut drill = Drill::new(View::Facilitator, false).under_way();
    assert_eq!(drill.cockpit.board.state().alarms.values().filter(|state| **state == AlarmState::Alarm).count(), 1);
    drill.at(181_000, EventKind::AlarmsUnread { since_ms: 180_000, why: "no route to host".to_owned() });
    let shown = drill.text(120, 40);
    assert!(shown.contains("◉ checkout-latency") && shown.contains("! can not be read: no route"), "{shown}");
}

#[test]
fn a_screen_that_changes_its_size_is_laid_out_anew() {
    let drill = Drill::new(View::Facilitator, false).under_way();
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).unwrap();
    for (width, height) in [(200, 60), (80, 24), (40, 10), (120, 40), (80, 24)] {
        terminal.backend_mut().resize(width, height);
        terminal.resize(Rect::new(0, 0, width, height)).unwrap();
        let area = Rect::new(0, 0, width, height);
        let draw = |frame: &mut ratatui::Frame<'_>| {
            draw::frame(&drill.cockpit, LOOK, drill.now_ms, area, frame.buffer_mut());
        };
        terminal.draw(draw).unwrap();
        assert_eq!(text(terminal.backend().buffer()), drill.text(width, height), "nothing of another size is left");
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_events_is_one_frame_and_news_is_seen_at_once() {
    let mut pace = Pace::new(Instant::now());
    pace.drawn(Instant::now());
    tokio::time::advance(Duration::from_millis(400)).await;
    let mut frames = 0;
    for _ in 0..1_000 {
        pace.news(Instant::now());
        frames += u32::from(pace.is_overdue(Instant::now()));
    }
    assert_eq!((frames, pace.next()), (0, Instant::now()), "it is drawn when the burst is over");
    pace.drawn(Instant::now());
    // News without end, one a millisecond: twenty frames a second and no more.
    for _ in 0..1_000 {
        pace.news(Instant::now());
        if pace.is_overdue(Instant::now()) {
            pace.drawn(Instant::now());
            frames += 1;
        }
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert!((18..=20).contains(&frames), "{frames}");
    pace.drawn(Instant::now());
    pace.news(Instant::now());
    assert_eq!(pace.next(), Instant::now() + FRAME_INTERVAL);
}

/// Every state that is worth a look.
fn drills() -> Vec<Drill> {
    let mut drills = vec![
        Drill::new(View::Facilitator, false),
        Drill::new(View::Facilitator, false).under_way(),
        Drill::new(View::Participant, true).under_way(),
    ];
    let mut busy = Drill::new(View::Facilitator, false).under_way();
    busy.poll();
    for number in 0..200 {
        busy.step(190_000, &format!("step-{number}"), &"長い text ".repeat(30), Some(200_000), StepAsks::default());
    }
    busy.press("jjjv");
    drills.push(busy);
    for keys in ["?", "x", "i", "R", "g"] {
        let mut drill = Drill::new(View::Facilitator, false).under_way();
        drill.press(keys);
        drill.key(Key::Paste("支払い ".repeat(100)));
        drills.push(drill);
    }
    drills
}

#[test]
fn no_size_breaks_it_and_no_line_is_wider_than_the_screen() {
    let drills = drills();
    proptest!(ProptestConfig::with_cases(64), |(width in 1_u16..=300, height in 1_u16..=100, has_colours: bool, has_unicode: bool, at in 0..drills.len())| {
        let look = Look { has_colours, has_unicode, ..LOOK };
        let shown = text(&drills[at].draw(look, width, height));
        prop_assert!(shown.lines().count() == usize::from(height));
        prop_assert!(shown.trim() != "");
    });
}

#[test]
fn no_key_breaks_it_and_nothing_but_the_word_aborts() {
    let mut drill = Drill::new(View::Facilitator, false).under_way();
    drill.poll();
    let drill = std::cell::RefCell::new(drill);
    proptest!(|(keys in proptest::collection::vec(any::<u8>(), 0..40), letters in "[ -~\r]{0,40}")| {
        let mut decoder = super::input::Decoder::default();
        let (mut pressed, mut typed) = (decoder.push(&keys), String::new());
        pressed.extend(decoder.push(letters.as_bytes()));
        for key in pressed {
            if let Key::Char(c) = key {
                typed.push(c);
            }
            if let Reaction::Send(Command::Abort { .. }) = drill.borrow_mut().key(key) {
                prop_assert!(typed.contains("abort"));
            }
        }
    });
    assert!(drill.borrow().text(80, 24).contains("maria"));
}
