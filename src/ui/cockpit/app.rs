//! The cockpit without a terminal: a board, what is chosen and asked, and what a key comes to.

use super::input::Key;
use super::keys::{self, Wish};
use super::prompt::{Answer, Ask, Choice, Prompt};
use crate::event::{Command, CommandAnswer, Event, EventKind, PROGRAM, RunStage, StepAsks};
use crate::ui::board::{Board, EventLine, NextRow, StepRow, Tone, View};
use crate::unit::{PersonId, StepId, printable};

/// How long an answer stays in sight, in milliseconds.
const STATUS_MS: u64 = 15_000;

/// How far the help can be scrolled, in lines.
const HELP_LINES_MAX: usize = 24;

/// Who sits before the cockpit, and where.
#[derive(Debug, Clone, Default)]
pub struct Sitter {
    /// The name that stands in the log.
    pub name: Option<String>,
    /// The role in which they take part.
    pub role: Option<PersonId>,
    /// Whether the run is another process's: leaving does not end it.
    pub is_attached: bool,
    /// The links of the run's control room, one line each; the help shows them, and is open at first where there are any.
    pub links: Vec<String>,
}

/// What the loop has to do after a key.
#[derive(Debug, PartialEq)]
pub(super) enum Reaction {
    /// Nothing but to draw anew.
    Nothing,
    Send(Command),
    Leave,
    /// Draw every cell anew.
    Redraw,
    Suspend,
}

/// What is shown above the footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) text: String,
    pub(super) tone: Tone,
    pub(super) sign: &'static str,
    at_ms: u64,
}

/// A board, and who looks at it.
#[derive(Debug)]
pub(super) struct Cockpit {
    pub(super) board: Board,
    pub(super) sitter: Sitter,
    /// The chosen step.
    pub(super) chosen: Option<String>,
    pub(super) prompt: Option<Prompt>,
    /// How far the help is scrolled; none while it is not shown.
    pub(super) help: Option<usize>,
    status: Option<Status>,
    /// Whether the roles were taken that the plan gives to whoever sits here.
    is_seated: bool,
    /// From which line on the run comes to its end.
    ending: Option<usize>,
}

impl Cockpit {
    pub(super) fn new(board: Board, sitter: Sitter) -> Self {
        let help = (!sitter.links.is_empty()).then_some(0);
        Self { board, sitter, chosen: None, prompt: None, help, status: None, is_seated: false, ending: None }
    }

    pub(super) fn apply(&mut self, event: &Event) {
        let line_count = self.board.line_count();
        let shown = self.board.pass(event);
        let is_ending = match self.board.state().stage {
            RunStage::Starting | RunStage::Ready | RunStage::Running | RunStage::Paused => false,
            RunStage::Aborting | RunStage::Recovering | RunStage::Settled | RunStage::Dirty => true,
        };
        if is_ending {
            self.ending.get_or_insert(line_count);
        }
        // What the program itself has to say, as after a Ctrl-C, as far as it is for whoever looks.
        for shown in shown {
            if let EventKind::Noted { text, by: Some(by) } = &shown.kind
                && by == PROGRAM
            {
                self.say(Tone::Warning, "!", text, shown.elapsed_ms);
            }
        }
    }

    /// Takes the roles that the scenario gives to whoever sits here, by name: once, as soon as the run takes commands.
    pub(super) fn take_seats(&mut self) -> Vec<Command> {
        let state = self.board.state();
        if self.is_seated || !matches!(state.stage, RunStage::Running | RunStage::Paused) {
            return Vec::new();
        }
        self.is_seated = true;
        let (Some(name), None) = (&self.sitter.name, &self.sitter.role) else { return Vec::new() };
        let people = &self.board.plan().scenario.people;
        let ours = people.iter().filter(|(_, person)| person.who == *name);
        let roles: Vec<PersonId> = ours.map(|(role, _)| role.clone()).collect();
        let free = roles.iter().filter(|role| state.people.joined.get(*role) != Some(name)).cloned();
        let joins = free.map(|role| Command::Join { role, by: Some(name.clone()) }).collect();
        self.sitter.role = roles.into_iter().next();
        joins
    }

    /// The lines of the run's end, for whoever looks at the terminal afterwards.
    pub(super) fn last_lines(&self) -> Vec<EventLine> {
        let Some(ending) = self.ending else { return Vec::new() };
        let dropped = self.board.line_count() - self.board.lines().len();
        self.board.lines().iter().skip(ending.saturating_sub(dropped)).cloned().collect()
    }

    pub(super) fn say(&mut self, tone: Tone, sign: &'static str, text: &str, at_ms: u64) {
        self.status = Some(Status { text: printable(text), tone, sign, at_ms });
    }

    pub(super) fn status(&self, now_ms: u64) -> Option<&Status> {
        self.status.as_ref().filter(|status| now_ms < status.at_ms.saturating_add(STATUS_MS))
    }

    /// What a run said to a command.
    pub(super) fn answered(&mut self, answer: &CommandAnswer, now_ms: u64) {
        match answer {
            CommandAnswer::Taken => self.say(Tone::Good, "✓", "taken", now_ms),
            CommandAnswer::Refused { why } => self.say(Tone::Bad, "✗", &format!("refused: {why}"), now_ms),
        }
    }

    /// What the timeline does next; nothing once it is over.
    pub(super) fn next(&self, now_ms: u64) -> Vec<NextRow> {
        match self.board.state().stage {
            RunStage::Running | RunStage::Paused => self.board.next(now_ms),
            RunStage::Starting
            | RunStage::Ready
            | RunStage::Aborting
            | RunStage::Recovering
            | RunStage::Settled
            | RunStage::Dirty => Vec::new(),
        }
    }

    fn open_steps(&self, now_ms: u64) -> Vec<StepRow> {
        self.board.steps(now_ms).into_iter().filter(|step| step.outcome.is_none()).collect()
    }

    /// The chosen step: the first open one where none was chosen, or the chosen one is closed.
    pub(super) fn chosen_step(&self, now_ms: u64) -> Option<StepRow> {
        let mut steps = self.open_steps(now_ms);
        let at = steps.iter().position(|step| self.chosen.as_deref() == Some(&step.step)).unwrap_or(0);
        (at < steps.len()).then(|| steps.swap_remove(at))
    }

    fn choose(&mut self, now_ms: u64, to: impl Fn(usize, usize) -> usize) {
        let steps = self.open_steps(now_ms);
        let at = steps.iter().position(|step| self.chosen.as_deref() == Some(&step.step)).unwrap_or(0);
        self.chosen = steps.get(to(at, steps.len().saturating_sub(1))).map(|step| step.step.clone());
    }

    /// Takes in a key.
    pub(super) fn key(&mut self, key: &Key, now_ms: u64) -> Reaction {
        match key {
            Key::Control('l') => return Reaction::Redraw,
            // In the run's own cockpit these two are signals, and no keys.
            Key::Control('z') if self.sitter.is_attached => return Reaction::Suspend,
            Key::Control('c') if self.sitter.is_attached => return Reaction::Leave,
            _ => {}
        }
        if let Some(prompt) = &mut self.prompt {
            let answer = prompt.key(key, self.sitter.name.as_deref());
            return self.follow(answer, now_ms);
        }
        if let Some(scrolled) = &mut self.help {
            match key {
                Key::Down | Key::Char('j') | Key::PageDown => *scrolled = (*scrolled + 1).min(HELP_LINES_MAX),
                Key::Up | Key::Char('k') | Key::PageUp => *scrolled = scrolled.saturating_sub(1),
                _ => self.help = None,
            }
            return Reaction::Nothing;
        }
        match key {
            Key::Up | Key::Char('k') => self.choose(now_ms, |at, _| at.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.choose(now_ms, |at, last| (at + 1).min(last)),
            Key::Home | Key::PageUp => self.choose(now_ms, |_, _| 0),
            Key::End | Key::PageDown => self.choose(now_ms, |_, last| last),
            Key::Escape => self.status = None,
            Key::Char(c) => match keys::wish(*c, self.board.view()) {
                Ok(Some(wish)) => return self.wish(wish, now_ms),
                Ok(None) => {}
                Err(why) => self.say(Tone::Warning, "!", &why, now_ms),
            },
            Key::Paste(_) => self.say(Tone::Warning, "!", "a pasted text is no key: press `n` to note it", now_ms),
            // What is meant for a question that is gone ticks nothing.
            Key::Enter | Key::Tab | Key::Backspace | Key::Delete | Key::Left | Key::Right | Key::Control(_) => {}
        }
        Reaction::Nothing
    }

    /// Goes on after an answer to a question.
    fn follow(&mut self, answer: Answer, now_ms: u64) -> Reaction {
        match answer {
            Answer::Open => {}
            Answer::Dropped => self.prompt = None,
            Answer::Next(ask) => self.prompt = self.prompt_for(ask, now_ms),
            Answer::Command(command) => {
                self.prompt = None;
                return Reaction::Send(command);
            }
        }
        Reaction::Nothing
    }

    fn wish(&mut self, wish: Wish, now_ms: u64) -> Reaction {
        let by = || self.sitter.name.clone();
        let mark = |name: &str| {
            let (fault, component, text) = (None, None, None);
            Reaction::Send(Command::Mark { name: name.to_owned(), fault, component, text, by: by() })
        };
        let ask = match wish {
            Wish::Help => {
                self.help = Some(0);
                return Reaction::Nothing;
            }
            Wish::Detected => return mark("detected"),
            Wish::Mitigated => return mark("mitigated"),
            Wish::Recovered => return mark("recovered"),
            Wish::Escalated => return mark("escalated"),
            Wish::Surprised => return mark("surprised"),
            Wish::Acknowledge => return Reaction::Send(Command::Ack { by: by() }),
            Wish::Pause if self.board.state().stage == RunStage::Paused => {
                return Reaction::Send(Command::Resume { by: by() });
            }
            Wish::Pause => return Reaction::Send(Command::Pause { by: by() }),
            Wish::Tick => return self.tick(now_ms),
            Wish::Quit if self.sitter.is_attached => return Reaction::Leave,
            Wish::Skip => match self.chosen_step(now_ms).and_then(|step| step.step.parse().ok()) {
                Some(step) => Ask::Skip(step),
                None => return self.nothing("no step is open", now_ms),
            },
            Wish::Vote => return self.vote(now_ms),
            Wish::Diagnosed => Ask::Component,
            Wish::Note => Ask::Note,
            Wish::Join => Ask::Join,
            Wish::Inject => Ask::Inject,
            Wish::Hint => Ask::Hint,
            Wish::Reveal => Ask::Reveal,
            Wish::Abort | Wish::Quit => Ask::Abort,
        };
        self.prompt = self.prompt_for(ask, now_ms);
        Reaction::Nothing
    }

    fn nothing(&mut self, why: &str, now_ms: u64) -> Reaction {
        self.say(Tone::Warning, "!", why, now_ms);
        Reaction::Nothing
    }

    fn tick(&mut self, now_ms: u64) -> Reaction {
        let Some(row) = self.chosen_step(now_ms) else { return self.nothing("no step is open", now_ms) };
        let Ok(step) = row.step.parse::<StepId>() else { return Reaction::Nothing };
        if !row.asks.poll.is_empty() {
            return self.vote(now_ms);
        }
        match row.asks.evidence {
            Some(evidence) => {
                self.prompt = self.prompt_for(Ask::Evidence(step, evidence), now_ms);
                Reaction::Nothing
            }
            None => Reaction::Send(Command::StepDone { step, evidence: None, by: self.sitter.name.clone() }),
        }
    }

    /// Says something to the chosen step, or to the first that asks.
    fn vote(&mut self, now_ms: u64) -> Reaction {
        let asks = |step: &StepRow| !step.asks.poll.is_empty() || step.asks.needs.is_some();
        let first = self.open_steps(now_ms).into_iter().find(asks);
        let Some(first) = first else { return self.nothing("no open step asks for a vote", now_ms) };
        // Whoever has chosen a step means that one.
        let row = match (self.chosen.is_some(), self.chosen_step(now_ms)) {
            (true, Some(chosen)) if asks(&chosen) => chosen,
            (true, Some(chosen)) => {
                let text =
                    format!("`{}` asks for no vote; `{}` does: choose it by the arrows", chosen.step, first.step);
                return self.nothing(&text, now_ms);
            }
            _ => first,
        };
        let Ok(step) = row.step.parse::<StepId>() else { return Reaction::Nothing };
        let StepAsks { poll, needs, .. } = row.asks;
        let mut roles: Vec<PersonId> = poll.into_iter().chain(needs).collect();
        let own = self.sitter.role.clone().filter(|role| roles.contains(role));
        let ask = match own.or_else(|| (roles.len() == 1).then(|| roles.pop()).flatten()) {
            Some(role) => Ask::Vote(step, role),
            None => Ask::Role(step),
        };
        self.prompt = self.prompt_for(ask, now_ms);
        Reaction::Nothing
    }

    /// The question for something that is asked; none, and the reason, where there is nothing to choose from.
    fn prompt_for(&mut self, ask: Ask, now_ms: u64) -> Option<Prompt> {
        let choices = self.choices(&ask, now_ms);
        let (title, about) = self.words(&ask, now_ms);
        match ask {
            Ask::Note | Ask::Evidence(..) | Ask::Skip(_) | Ask::Why(..) | Ask::Abort => {
                Some(Prompt::typed(ask, title, about))
            }
            Ask::Component => Some(Prompt { choices, ..Prompt::typed(ask, title, about) }),
            Ask::Role(_) | Ask::Vote(..) | Ask::Join | Ask::Inject | Ask::Hint | Ask::Reveal if choices.is_empty() => {
                self.say(Tone::Warning, "!", &about, now_ms);
                None
            }
            Ask::Role(_) | Ask::Vote(..) | Ask::Join | Ask::Inject | Ask::Hint | Ask::Reveal => {
                Some(Prompt::chosen(ask, title, choices))
            }
        }
    }

    /// The title of a question, and what there is to know, or to say where there is nothing to choose.
    fn words(&self, ask: &Ask, now_ms: u64) -> (String, String) {
        let text_of = |step: &StepId| {
            let steps = self.open_steps(now_ms);
            steps.into_iter().find(|row| row.step == step.as_str()).map(|row| row.text).unwrap_or_default()
        };
        let (title, about): (String, String) = match ask {
            Ask::Note => ("note".to_owned(), String::new()),
            Ask::Component => (
                "diagnosed: which component?".to_owned(),
                "a number or Tab takes a known one; empty is none".to_owned(),
            ),
            Ask::Evidence(step, evidence) => (format!("{step} asks for {}", evidence.in_words()), text_of(step)),
            Ask::Skip(step) => (format!("skip {step}: why?"), text_of(step)),
            Ask::Role(step) => (format!("for which role do you speak to {step}?"), String::new()),
            Ask::Vote(step, role) => (format!("{role} says to {step}"), String::new()),
            Ask::Why(_, role, true) => (format!("{role} says go: anything to add?"), "empty is nothing".to_owned()),
            Ask::Why(_, role, false) => (format!("{role} says NO-GO: why?"), String::new()),
            Ask::Join => ("take part as".to_owned(), "the scenario names no people".to_owned()),
            Ask::Inject => ("deliver now".to_owned(), "no message is left to deliver".to_owned()),
            Ask::Hint => ("give a hint".to_owned(), "no hint is left to give".to_owned()),
            Ask::Reveal => ("reveal to participants".to_owned(), "everything is revealed already".to_owned()),
            Ask::Abort => {
                let about = if self.sitter.is_attached {
                    "This ends the run for everybody and undoes everything."
                } else {
                    "This view ends with the run, and the run ends here: everything is undone. `gameday attach` in another \
                     terminal can be left at any time."
                };
                ("end the run? type `abort`, and why if you like".to_owned(), about.to_owned())
            }
        };
        (title, about)
    }

    fn choices(&self, ask: &Ask, now_ms: u64) -> Vec<Choice> {
        let plan = self.board.plan();
        let people = &self.board.state().people;
        match ask {
            // The workload's components tell a blind participant nothing that the plan should not.
            Ask::Component if self.board.is_open() => {
                plan.components.keys().map(|name| Choice::new(name.as_str(), name.as_str())).collect()
            }
            Ask::Role(step) => {
                let rows = self.open_steps(now_ms);
                let row = rows.into_iter().find(|row| row.step == step.as_str());
                let label = |poll: &crate::ui::board::PollRow| match poll.go {
                    Some(true) => format!("{} (said go)", poll.role),
                    Some(false) => format!("{} (said NO-GO)", poll.role),
                    None => poll.role.clone(),
                };
                row.map(|row| row.polls.iter().map(|poll| Choice::new(&poll.role, label(poll))).collect())
                    .unwrap_or_default()
            }
            Ask::Vote(..) => vec![Choice::new("go", "go"), Choice::new("no-go", "NO-GO: we should not go on")],
            Ask::Join => {
                let label = |role: &PersonId| match people.joined.get(role) {
                    Some(who) => format!("{role} ({} is here)", printable(who)),
                    None => role.to_string(),
                };
                plan.scenario.people.keys().map(|role| Choice::new(role.as_str(), label(role))).collect()
            }
            Ask::Inject => {
                let ready = self.board.injects().into_iter().filter(|inject| inject.delivered_ms.is_none());
                ready.map(|it| Choice::new(&it.inject, format!("{} to {}: {}", it.inject, it.to, it.text))).collect()
            }
            Ask::Hint => {
                let ready = self.board.hints().into_iter().filter(|hint| hint.given_ms.is_none());
                ready.map(|it| Choice::new(&it.hint, format!("{}: {}", it.hint, it.text))).collect()
            }
            Ask::Reveal if self.board.view() == View::Facilitator && people.revealed_ms.is_none() => {
                let hidden = plan.changes.keys().filter(|fault| !people.revealed_faults.contains_key(*fault));
                let faults = hidden.map(|fault| Choice::new(fault.as_str(), format!("only {fault}")));
                std::iter::once(Choice::new("", "everything")).chain(faults).collect()
            }
            Ask::Component | Ask::Reveal | Ask::Note | Ask::Evidence(..) | Ask::Skip(_) | Ask::Why(..) | Ask::Abort => {
                Vec::new()
            }
        }
    }
}
