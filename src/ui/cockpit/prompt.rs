//! What is asked before a command is sent: a line that is typed, or one of a few that are chosen.

use super::editor::Editor;
use super::input::Key;
use crate::event::Command;
use crate::unit::{ComponentId, Evidence, FaultId, HintId, InjectId, PersonId, StepId};

/// The word that has to be typed before everything is ended.
pub(super) const ABORT_WORD: &str = "abort";

/// What a prompt is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    Note,
    Component,
    Evidence(StepId, Evidence),
    Skip(StepId),
    /// For which role somebody speaks to a step.
    Role(StepId),
    Vote(StepId, PersonId),
    Why(StepId, PersonId, bool),
    Join,
    Inject,
    Hint,
    Reveal,
    Abort,
}

/// Something that can be chosen, or completed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// What it stands for; empty for the one that names nothing, as in "everything".
    pub(super) value: String,
    pub(super) label: String,
}

impl Choice {
    pub(super) fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}

/// A question that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) ask: Ask,
    pub(super) title: String,
    /// What there is to know before one answers.
    pub(super) about: String,
    /// What is typed; none where one of the choices is taken.
    pub(super) editor: Option<Editor>,
    pub(super) choices: Vec<Choice>,
    pub(super) chosen: usize,
    /// Why the last answer was none.
    pub(super) error: Option<String>,
}

/// What became of a question.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// It still waits.
    Open,
    /// Nobody wants to answer.
    Dropped,
    /// The answer leads to another question, of which the step or role is known now.
    Next(Ask),
    Command(Command),
}

impl Prompt {
    pub(super) fn typed(ask: Ask, title: impl Into<String>, about: impl Into<String>) -> Self {
        let editor = Some(Editor::default());
        let (title, about) = (title.into(), about.into());
        Self { ask, title, about, editor, choices: Vec::new(), chosen: 0, error: None }
    }

    pub(super) fn chosen(ask: Ask, title: impl Into<String>, choices: Vec<Choice>) -> Self {
        Self { editor: None, choices, ..Self::typed(ask, title, "") }
    }

    /// Takes in a key. `by` is who answers.
    pub(super) fn key(&mut self, key: &Key, by: Option<&str>) -> Answer {
        if *key == Key::Escape || *key == Key::Control('g') {
            return Answer::Dropped;
        }
        self.error = None;
        match &mut self.editor {
            None => self.choose(key, by),
            Some(editor) => {
                let number = match key {
                    Key::Char(c) if editor.is_empty() => c.to_digit(10).and_then(|it| usize::try_from(it).ok()),
                    _ => None,
                };
                let numbered = number.and_then(|number| self.choices.get(number.checked_sub(1)?));
                if let Some(choice) = numbered {
                    editor.set(&choice.value);
                } else if *key == Key::Tab {
                    let text = editor.text();
                    if let Some(choice) = self.choices.iter().find(|choice| choice.value.starts_with(&text)) {
                        editor.set(&choice.value);
                    }
                } else if *key == Key::Enter {
                    let text = editor.text().trim().to_owned();
                    return self.answer(&text, by);
                } else {
                    editor.key(key);
                }
                Answer::Open
            }
        }
    }

    fn choose(&mut self, key: &Key, by: Option<&str>) -> Answer {
        let count = self.choices.len();
        match key {
            Key::Up | Key::Char('k') => self.chosen = self.chosen.saturating_sub(1),
            Key::Down | Key::Char('j') | Key::Tab => self.chosen = (self.chosen + 1).min(count.saturating_sub(1)),
            Key::Char('q') => return Answer::Dropped,
            Key::Enter => {
                let value = self.choices.get(self.chosen).map(|choice| choice.value.clone());
                return value.map_or(Answer::Dropped, |value| self.answer(&value, by));
            }
            // A number only moves: what is sent is always confirmed.
            Key::Char(c) => {
                let number = c.to_digit(10).and_then(|it| usize::try_from(it).ok()?.checked_sub(1));
                self.chosen = number.filter(|number| *number < count).unwrap_or(self.chosen);
            }
            Key::Escape
            | Key::Backspace
            | Key::Delete
            | Key::Left
            | Key::Right
            | Key::Home
            | Key::End
            | Key::PageUp
            | Key::PageDown
            | Key::Control(_)
            | Key::Paste(_) => {}
        }
        Answer::Open
    }

    fn answer(&mut self, text: &str, by: Option<&str>) -> Answer {
        match answer(&self.ask, text, by.map(str::to_owned)) {
            Ok(answer) => answer,
            Err(error) => {
                self.error = Some(error);
                Answer::Open
            }
        }
    }
}

/// What an answer comes to, or why it is none.
fn answer(ask: &Ask, text: &str, by: Option<String>) -> Result<Answer, String> {
    let given = || (!text.is_empty()).then(|| text.to_owned());
    Ok(Answer::Command(match ask {
        Ask::Note => Command::Note { text: given().ok_or("write something down, or leave with Esc")?, by },
        Ask::Component => {
            let component = given().map(|text| parsed::<ComponentId>(&text)).transpose()?;
            Command::Mark { name: "diagnosed".to_owned(), fault: None, component, text: None, by }
        }
        Ask::Evidence(step, evidence) => {
            evidence.check(text)?;
            Command::StepDone { step: step.clone(), evidence: given(), by }
        }
        Ask::Skip(step) => Command::StepSkipped { step: step.clone(), why: given(), by },
        Ask::Role(step) => return Ok(Answer::Next(Ask::Vote(step.clone(), parsed(text)?))),
        Ask::Vote(step, role) => return Ok(Answer::Next(Ask::Why(step.clone(), role.clone(), text == "go"))),
        Ask::Why(step, role, go) => {
            let (step, role, go) = (step.clone(), role.clone(), *go);
            if !go && text.is_empty() {
                return Err("say in a few words why not".to_owned());
            }
            Command::Vote { step, role, go, why: given(), by }
        }
        Ask::Join => Command::Join { role: parsed(text)?, by },
        Ask::Inject => Command::Inject { inject: parsed::<InjectId>(text)?, by },
        Ask::Hint => Command::Hint { hint: given().map(|text| parsed::<HintId>(&text)).transpose()?, by },
        Ask::Reveal => Command::Reveal { fault: given().map(|text| parsed::<FaultId>(&text)).transpose()?, by },
        Ask::Abort => {
            let why = text.strip_prefix(ABORT_WORD).filter(|rest| rest.is_empty() || rest.starts_with(' '));
            let why = why.ok_or_else(|| {
                format!("type `{ABORT_WORD}`, with the reason behind it if you like, or leave with Esc")
            })?;
            let why = why.trim();
            Command::Abort { why: (!why.is_empty()).then(|| why.to_owned()), by }
        }
    }))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step() -> StepId {
        "confirm".parse().unwrap()
    }

    fn typed(prompt: &mut Prompt, text: &str) -> Answer {
        for c in text.chars() {
            assert_eq!(prompt.key(&Key::Char(c), None), Answer::Open);
        }
        prompt.key(&Key::Enter, Some("maria"))
    }

    #[test]
    fn nothing_is_aborted_before_the_word_is_typed() {
        for wrong in ["", "y", "Abort", "abortion", "do not abort"] {
            let mut prompt = Prompt::typed(Ask::Abort, "", "");
            assert_eq!(typed(&mut prompt, wrong), Answer::Open, "{wrong}");
            assert!(prompt.error.is_some());
        }
        let mut prompt = Prompt::typed(Ask::Abort, "", "");
        let abort = |why: Option<&str>| {
            Answer::Command(Command::Abort { why: why.map(str::to_owned), by: Some("maria".to_owned()) })
        };
        assert_eq!(typed(&mut prompt, "abort customers complain"), abort(Some("customers complain")));
        assert_eq!(typed(&mut Prompt::typed(Ask::Abort, "", ""), "abort"), abort(None));
    }

    #[test]
    fn evidence_is_asked_for_until_it_is_what_was_asked_for() {
        let mut prompt = Prompt::typed(Ask::Evidence(step(), Evidence::Number), "", "");
        assert_eq!(typed(&mut prompt, "many"), Answer::Open);
        assert_eq!(prompt.error.as_deref(), Some("`many` is not a number"));
        prompt.key(&Key::Control('u'), None);
        let done = Command::StepDone { step: step(), evidence: Some("42".to_owned()), by: Some("maria".to_owned()) };
        assert_eq!(typed(&mut prompt, "42"), Answer::Command(done));
    }

    #[test]
    fn a_vote_asks_for_role_word_and_reason_in_turn() {
        let choices = ["ops", "dev"].map(|role| Choice::new(role, role)).to_vec();
        let mut prompt = Prompt::chosen(Ask::Role(step()), "", choices);
        assert_eq!(prompt.key(&Key::Char('2'), None), Answer::Open);
        let dev: PersonId = "dev".parse().unwrap();
        assert_eq!(prompt.key(&Key::Enter, None), Answer::Next(Ask::Vote(step(), dev.clone())));
        let words = ["go", "no-go"].map(|word| Choice::new(word, word)).to_vec();
        let mut prompt = Prompt::chosen(Ask::Vote(step(), dev.clone()), "", words);
        prompt.key(&Key::Down, None);
        assert_eq!(prompt.key(&Key::Enter, None), Answer::Next(Ask::Why(step(), dev.clone(), false)));
        let mut prompt = Prompt::typed(Ask::Why(step(), dev.clone(), false), "", "");
        assert_eq!(typed(&mut prompt, ""), Answer::Open, "a no has a reason");
        let vote = Command::Vote {
            step: step(),
            role: dev,
            go: false,
            why: Some("too late".to_owned()),
            by: Some("maria".to_owned()),
        };
        assert_eq!(typed(&mut prompt, "too late"), Answer::Command(vote));
    }

    #[test]
    fn components_are_taken_by_number_or_completed() {
        let mut prompt = Prompt::typed(Ask::Component, "", "");
        prompt.choices = ["orders", "payments"].map(|name| Choice::new(name, name)).to_vec();
        let text = |prompt: &Prompt| prompt.editor.as_ref().unwrap().text();
        prompt.key(&Key::Char('2'), None);
        assert_eq!(text(&prompt), "payments");
        prompt.key(&Key::Control('u'), None);
        prompt.key(&Key::Char('o'), None);
        prompt.key(&Key::Tab, None);
        assert_eq!(text(&prompt), "orders");
        let component = Some("orders".parse().unwrap());
        let mark = Command::Mark { name: "diagnosed".to_owned(), fault: None, component, text: None, by: None };
        assert_eq!(prompt.key(&Key::Enter, None), Answer::Command(mark));
    }

    #[test]
    fn a_paste_never_chooses_and_escape_drops() {
        let mut prompt = Prompt::chosen(Ask::Reveal, "", vec![Choice::new("", "everything")]);
        assert_eq!(prompt.key(&Key::Paste("\n".to_owned()), None), Answer::Open);
        assert_eq!(prompt.key(&Key::Escape, None), Answer::Dropped);
    }
}
