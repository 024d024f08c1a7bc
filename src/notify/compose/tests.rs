use super::*;
use crate::event::{HypothesisResult, Recoverer, StepAsks};
use crate::plan::testing::{Sketch, variable};
use crate::scenario::{Mode, Person};
use crate::unit::DurationText;

/// A run whose events come one after the other, a second apart.
struct Told {
    composer: Composer,
    seq: u64,
    at_ms: u64,
}

fn plan(is_blind: bool) -> Plan {
    let sketch = Sketch::new(Mode::Drill).fault(variable("lag", "shop", "LAG"), None, None);
    let mut plan = sketch.phase("broken", 600).person_step("look", Some(60), true, true).inject(10, "lag").plan();
    plan.scenario.title = "The shop is slow".to_owned();
    plan.scenario.why = Some("We were surprised in March.".to_owned());
    let person = |who: &str, blind| Person { who: who.to_owned(), required: false, blind };
    plan.scenario.people.insert("host".parse().unwrap(), person("joonas", false));
    plan.scenario.people.insert("responder".parse().unwrap(), person("oncall", is_blind));
    plan.phases[0].checklist[0].owner = Some("responder".parse().unwrap());
    plan.steps[0].stop = Some(DurationText(Duration::from_secs(130)));
    plan.notify = Some(NotifyPlan {
        slack: Some("SLACK".to_owned()),
        webhook: None,
        webhook_secret: None,
        webhook_format: crate::workspace::WebhookFormat::default(),
        events: NotifyEvent::ALL.to_vec(),
        files: Some("https://git.example/shop/".to_owned()),
        playbooks: [("pb".parse().unwrap(), "playbooks/slow shop.md".to_owned())].into(),
    });
    plan
}

impl Told {
    fn of(plan: Plan) -> Self {
        let mut told = Self { composer: Composer::new(&Arc::new(plan)).unwrap(), seq: 0, at_ms: 0 };
        let started = EventKind::RunStarted {
            format: 1,
            run: "2026-03-10-100000-the-slow-shop".parse().unwrap(),
            scenario: "the-slow-shop".parse().unwrap(),
            title: "The shop is slow".to_owned(),
            environment: "sandbox".to_owned(),
            version: "0".to_owned(),
            seed: 1,
            plan_sha256: String::new(),
            process: 1,
        };
        assert_eq!(told.event(started), None);
        told
    }

    fn new() -> Self {
        Self::of(plan(false))
    }

    /// The notice of an event, which is the only one.
    fn event(&mut self, kind: EventKind) -> Option<Notice> {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap()
            + TimeDelta::milliseconds(i64::try_from(self.at_ms).unwrap());
        let event = Event { seq: self.seq, at, elapsed_ms: self.at_ms, kind };
        (self.seq, self.at_ms) = (self.seq + 1, self.at_ms + 1_000);
        let mut notices = self.composer.on(&event);
        assert!(notices.len() <= 1, "{notices:?}");
        assert_eq!(self.composer.on(&event), [], "an event that comes twice is told once");
        notices.pop()
    }

    fn phase(&mut self) {
        assert_eq!(self.event(EventKind::PhaseStarted { phase: "broken".parse().unwrap() }), None);
    }

    fn open(&mut self) {
        self.phase();
        let opened = EventKind::StepOpened {
            step: "look".parse().unwrap(),
            text: "Look at the board".to_owned(),
            owner: Some("responder".parse().unwrap()),
            due_ms: Some(2_500),
            must: true,
            playbook: Some("pb".parse().unwrap()),
            asks: StepAsks::default(),
        };
        assert_eq!(self.event(opened), None);
    }

    fn fault(&mut self) -> Option<Notice> {
        let intended = EventKind::FaultIntended {
            identity: lag(),
            fault_kind: "lambda_environment".to_owned(),
            target: "shop".parse().unwrap(),
            change: "set `LAG` of function `shop-fn`, of account 111122223333".to_owned(),
            undo: "set it back".to_owned(),
        };
        assert_eq!(self.event(intended), None);
        assert_eq!(self.event(EventKind::FaultArmed { identity: lag(), undo_sha256: String::new() }), None);
        self.event(EventKind::FaultApplied { identity: lag() })
    }
}

fn lag() -> FaultIdentity {
    FaultIdentity { step: "001-lag".to_owned(), fault: "lag".parse().unwrap() }
}

fn restored() -> EventKind {
    EventKind::FaultRestored { identity: lag(), how: FaultEnd::Restored }
}

fn ready() -> EventKind {
    EventKind::ReadinessPassed { checks: Vec::new() }
}

fn second(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

#[test]
fn a_start_says_what_why_how_long_and_who_takes_part() {
    let notice = Told::new().event(ready()).unwrap();
    assert_eq!((notice.event, notice.severity), (NotifyEvent::Start, NoticeSeverity::Info));
    assert_eq!(notice.what, "A game day starts: The shop is slow");
    assert!(notice.details.contains(&"It takes about 10m.".to_owned()), "{:?}", notice.details);
    assert!(notice.details.contains(&"Why: We were surprised in March.".to_owned()), "{:?}", notice.details);
    assert!(notice.details.iter().any(|line| line.starts_with("Planned: lag: ")), "{:?}", notice.details);
    assert_eq!(notice.who, ["host (joonas)", "responder (oncall)"]);
    assert_eq!((notice.run.as_str(), notice.since), ("2026-03-10-100000-the-slow-shop", second(1)));
    assert_eq!(notice.until, Some(second(601)));
}

#[test]
fn a_fault_is_told_with_where_since_when_until_when_the_playbook_and_who_is_on_it() {
    let mut told = Told::new();
    told.open();
    let notice = told.fault().unwrap();
    assert_eq!((notice.event, notice.what.as_str()), (NotifyEvent::FaultOn, "Fault lag is on."));
    assert_eq!(notice.details, ["set `LAG` of function `shop-fn`, of account 111122223333"]);
    assert_eq!(notice.place.target.as_deref(), Some("shop (function shop-fn)"));
    assert_eq!((notice.since, notice.until), (second(5), Some(second(125))));
    assert_eq!(notice.who, ["responder (oncall)"]);
    let playbook = notice.playbook.unwrap();
    assert_eq!((playbook.id.as_str(), playbook.path.as_str()), ("pb", "playbooks/slow shop.md"));
    assert_eq!(playbook.url.as_deref(), Some("https://git.example/shop/playbooks/slow%20shop.md"));
}

#[test]
fn the_end_of_a_fault_says_how_it_ended() {
    let drifted = EventKind::FaultDrifted { identity: lag(), fields: vec!["LAG: found 2, expected 1".to_owned()] };
    let stuck = EventKind::FaultStuck { identity: lag(), error: "throttled".to_owned(), by_hand: Vec::new() };
    for (kind, severity, what, details) in [
        (restored(), NoticeSeverity::Good, "Fault lag is over: it is undone, and read back as before.", None),
        (drifted, NoticeSeverity::Warning, "Fault lag was left alone", Some("LAG: found 2, expected 1")),
        (stuck, NoticeSeverity::Critical, "Fault lag is NOT undone.", Some("throttled")),
    ] {
        let mut told = Told::new();
        told.phase();
        told.fault();
        let notice = told.event(kind).unwrap();
        assert_eq!((notice.event, notice.severity), (NotifyEvent::FaultOff, severity));
        assert!(notice.what.starts_with(what), "{}", notice.what);
        assert_eq!(notice.details.first().map(String::as_str), details);
    }
}

#[test]
fn a_fault_that_was_never_in_is_not_over_and_a_route_is_no_news() {
    let mut told = Told::new();
    let identity = FaultIdentity { step: "001-route-provider".to_owned(), fault: "route-provider".parse().unwrap() };
    let intended = |identity: &FaultIdentity| EventKind::FaultIntended {
        identity: identity.clone(),
        fault_kind: "lambda_environment".to_owned(),
        target: "shop".parse().unwrap(),
        change: String::new(),
        undo: String::new(),
    };
    for kind in [intended(&identity), EventKind::FaultApplied { identity: identity.clone() }] {
        assert_eq!(told.event(kind), None);
    }
    assert_eq!(told.event(EventKind::FaultRestored { identity, how: FaultEnd::Restored }), None);
    assert_eq!(told.event(intended(&lag())), None);
    assert_eq!(told.event(EventKind::FaultFailed { identity: lag(), error: "no".to_owned() }), None);
    assert_eq!(told.event(restored()), None);
}

#[test]
fn a_step_that_must_be_done_is_told_when_it_is_late_with_whose_it_is() {
    let mut told = Told::new();
    told.open();
    let notice = told.event(EventKind::StepOverdue { step: "look".parse().unwrap() }).unwrap();
    assert_eq!((notice.event, notice.what.as_str()), (NotifyEvent::Overdue, "A step is overdue: Look at the board"));
    assert_eq!(notice.who, ["responder (oncall)"]);
    assert_eq!((notice.since, notice.at), (second(2) + TimeDelta::milliseconds(500), second(3)), "since it was due");
    assert_eq!(notice.playbook.unwrap().id, "pb");
    assert_eq!(notice.command.as_deref(), Some("gameday step done look"));

    let mut told = Told::new();
    told.phase();
    let opened = EventKind::StepOpened {
        step: "tea".parse().unwrap(),
        text: "Make tea".to_owned(),
        owner: None,
        due_ms: Some(1),
        must: false,
        playbook: None,
        asks: StepAsks::default(),
    };
    assert_eq!(told.event(opened), None);
    assert_eq!(told.event(EventKind::StepOverdue { step: "tea".parse().unwrap() }), None, "it need not be done");
}

#[test]
fn a_poll_that_is_late_is_told_with_those_who_have_not_voted() {
    let mut told = Told::new();
    told.phase();
    let poll = vec!["host".parse().unwrap(), "responder".parse().unwrap()];
    let opened = EventKind::StepOpened {
        step: "go".parse().unwrap(),
        text: "Go?".to_owned(),
        owner: None,
        due_ms: Some(1),
        must: true,
        playbook: None,
        asks: StepAsks { poll, ..StepAsks::default() },
    };
    assert_eq!(told.event(opened), None);
    let (step, role) = ("go".parse().unwrap(), "host".parse().unwrap());
    assert_eq!(told.event(EventKind::Voted { step, role, go: true, why: None, by: None }), None);
    let notice = told.event(EventKind::StepOverdue { step: "go".parse().unwrap() }).unwrap();
    assert_eq!(notice.who, ["responder (oncall)"]);
}

#[test]
fn an_abort_says_by_whom_and_is_told_once() {
    let why = |text: &str| Some(text.to_owned());
    for (cause, what, detail) in [
        (AbortCause::Person { why: why("smoke"), by: None }, "Aborted by a person.", "smoke"),
        (AbortCause::Person { why: None, by: why("maria") }, "Aborted by maria.", "Everything"),
        (AbortCause::Guardrail { guardrail: "G1".parse().unwrap() }, "Aborted by guardrail G1.", "Everything"),
        (AbortCause::FaultFailed { fault: "lag".parse().unwrap() }, "Aborted since fault lag", "Everything"),
        (
            AbortCause::NotReady { why: "no such function".to_owned() },
            "The game day does not begin",
            "no such function",
        ),
    ] {
        let mut told = Told::new();
        let notice = told.event(EventKind::RunAborted { cause: cause.clone() }).unwrap();
        assert_eq!((notice.event, notice.severity), (NotifyEvent::Abort, NoticeSeverity::Critical));
        assert!(notice.what.starts_with(what) && notice.details[0].starts_with(detail), "{notice:?}");
        assert_eq!(told.event(EventKind::RunAborted { cause }), None);
    }
}

#[test]
fn an_all_clear_counts_what_was_undone_and_what_was_judged() {
    let mut told = Told::new();
    told.phase();
    told.fault();
    told.event(restored());
    let result = |verdict| {
        EventKind::HypothesisJudged(HypothesisResult {
            hypothesis: "H1".parse().unwrap(),
            verdict,
            observations: Vec::new(),
        })
    };
    for verdict in [Verdict::Upheld, Verdict::Refuted, Verdict::Upheld] {
        assert_eq!(told.event(result(verdict)), None);
    }
    assert_eq!(told.event(EventKind::RecoveryStarted { process: 1, by: Recoverer::Person }), None);
    let notice = told.event(EventKind::RunSettled).unwrap();
    assert_eq!((notice.event, notice.severity), (NotifyEvent::AllClear, NoticeSeverity::Good));
    assert_eq!(notice.details[0], "1 fault was injected and is undone.");
    assert!(notice.details[1].contains("by a recovery"), "{:?}", notice.details);
    assert_eq!(notice.details[2], "Hypotheses: 2 upheld, 1 refuted.");
}

#[test]
fn what_is_left_is_told_with_the_line_to_type() {
    let left: Vec<String> = (0..30).map(|number| format!("change {number}")).collect();
    let notice = Told::new().event(EventKind::RunDirty { left }).unwrap();
    assert_eq!((notice.event, notice.severity), (NotifyEvent::Dirty, NoticeSeverity::Critical));
    assert_eq!(notice.what, "NOT everything is as it was: 30 changes are left.");
    assert_eq!(notice.details.len(), DETAILS_MAX);
    assert_eq!(notice.details.last().map(String::as_str), Some("and 11 more"));
    assert_eq!(notice.command.as_deref(), Some("gameday recover 2026-03-10-100000-the-slow-shop"));
}

#[test]
fn a_report_is_told_with_its_outcome_and_the_worst_that_was_found() {
    let facts =
        ReportFacts { outcome: "refuted".to_owned(), is_good: false, worst: Some("H1 does not hold".to_owned()) };
    let last = Event { seq: 9, at: second(9), elapsed_ms: 9_000, kind: EventKind::RunSettled };
    let notice = Told::new().composer.report(&last, &facts).unwrap();
    assert_eq!(notice.what, "The report is there: The shop is slow: refuted");
    assert_eq!(
        (notice.details, notice.severity),
        (vec!["Worst: H1 does not hold".to_owned()], NoticeSeverity::Warning)
    );
    let notice = Told::of(plan(true)).composer.report(&last, &facts).unwrap();
    assert_eq!((notice.what.as_str(), notice.details.len()), ("The report is there.", 0), "nothing is revealed");
}

#[test]
fn only_what_is_asked_for_is_told() {
    let mut plan = plan(false);
    plan.notify.as_mut().unwrap().events = vec![NotifyEvent::Abort];
    let mut told = Told::of(plan);
    assert_eq!(told.event(ready()), None);
    assert_eq!(told.event(EventKind::RunSettled), None);
    let facts = ReportFacts { outcome: String::new(), is_good: true, worst: None };
    let last = Event { seq: 9, at: second(9), elapsed_ms: 9_000, kind: EventKind::RunSettled };
    assert_eq!(told.composer.report(&last, &facts), None);
    assert!(told.event(EventKind::RunAborted { cause: AbortCause::Person { why: None, by: None } }).is_some());
}

#[test]
fn what_the_report_blacks_out_is_blacked_out_in_notices() {
    let mut plan = plan(false);
    plan.redact = vec![crate::scenario::Redaction::AccountIds];
    let mut told = Told::of(plan);
    told.phase();
    let notice = told.fault().unwrap();
    assert_eq!(notice.details, ["set `LAG` of function `shop-fn`, of account [account]"]);
}

#[test]
fn people_who_take_part_blind_read_nothing_of_the_fault_but_what_is_left_behind() {
    let mut told = Told::of(plan(true));
    let start = told.event(ready()).unwrap();
    told.open();
    let step = told.event(EventKind::StepOverdue { step: "look".parse().unwrap() }).unwrap();
    assert_eq!(told.fault(), None);
    let cause = AbortCause::FaultFailed { fault: "lag".parse().unwrap() };
    let abort = told.event(EventKind::RunAborted { cause }).unwrap();
    assert_eq!(told.event(restored()), None);
    let clear = told.event(EventKind::RunSettled).unwrap();
    for notice in [start, step, abort, clear] {
        let text = serde_json::to_string(&notice).unwrap().to_lowercase();
        for word in ["lag", "slow-shop", "shop is slow", "slow shop", "march", "shop-fn", "broken", "look"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        assert_eq!(notice.run, "2026-03-10-100000");
    }
    let dirty = told.event(EventKind::RunDirty { left: vec!["lag on `shop`".to_owned()] }).unwrap();
    assert_eq!(dirty.details, ["lag on `shop`"]);
    assert_eq!(dirty.command.as_deref(), Some("gameday recover 2026-03-10-100000-the-slow-shop"));
}

#[test]
fn what_is_revealed_is_told_then_and_from_then_on() {
    let reveal = |fault: Option<&str>| EventKind::Revealed { fault: fault.map(|id| id.parse().unwrap()), by: None };
    let mut told = Told::of(plan(true));
    told.phase();
    assert_eq!(told.fault(), None);
    assert_eq!(told.event(reveal(Some("other"))), None);
    let on = told.event(reveal(Some("lag"))).unwrap();
    assert_eq!(
        (on.event, on.since, on.at),
        (NotifyEvent::FaultOn, second(4), second(6)),
        "since it was in, not since it was shown"
    );
    assert_eq!(on.run, "2026-03-10-100000", "the rest is still hidden");
    assert_eq!(told.event(restored()).unwrap().event, NotifyEvent::FaultOff);
    assert_eq!(told.event(reveal(None)), None, "it is over");
    assert_eq!(told.event(EventKind::RunSettled).unwrap().run, "2026-03-10-100000-the-slow-shop");

    let mut told = Told::new();
    told.phase();
    told.fault();
    assert_eq!(told.event(reveal(None)), None, "nothing was hidden");
}

#[test]
fn no_text_of_a_notice_moves_a_cursor_or_is_endless() {
    let hostile = format!("\u{1b}[2J\n{}", "x".repeat(10_000));
    let mut plan = plan(false);
    plan.scenario.title.clone_from(&hostile);
    plan.scenario.why = Some(hostile.clone());
    plan.scenario.people.values_mut().for_each(|person| person.who.clone_from(&hostile));
    let notice = Told::of(plan).event(ready()).unwrap();
    let texts = notice.details.iter().chain(&notice.who).chain([&notice.what]);
    for text in texts {
        assert!(text.chars().count() <= super::super::text::TEXT_CHARS_MAX, "{}", text.len());
        assert!(!text.contains(char::is_control), "{text}");
    }
}

#[test]
fn what_happened_before_is_told_by_nobody_who_joins_later() {
    let events = [Event { seq: 0, at: second(0), elapsed_ms: 0, kind: ready() }];
    let mut composer = Composer::new(&Arc::new(plan(false))).unwrap().after(&events);
    assert_eq!(composer.on(&events[0]), []);
    let unwritten = Event { seq: u64::MAX, at: second(1), elapsed_ms: 1_000, kind: EventKind::RunSettled };
    assert_eq!(composer.on(&unwritten).len(), 1, "what no log has is told");
}
