//! The debrief of a run: what people said of it afterwards, in `debrief.yaml` in the run's folder. The file is for people to edit; the
//! report is made again from it.
//!
//! Owns: the file's form, what is wrong with one, and how it is written. Must not know: runs, reports, terminals.

mod file;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::file::{DEBRIEF_FILE, DebriefError, read, text, write};
use crate::unit::{ActionId, Date, LessonId, RunId};

/// The version of the file format.
const FORMAT: u32 = 1;

/// What is asked where a scenario names no questions, before what each debrief asks. Open ones: how, not who.
const QUESTIONS_DEFAULT: [&str; 2] =
    ["What did you see first, and how did you know?", "What would have happened at 03:00?"];

/// What each debrief asks: the key of its list, and the question.
const LISTS: [(&str, &str); 6] = [
    ("surprises", "What surprised you?"),
    ("went_well", "What went well?"),
    ("lucky", "Where were we lucky?"),
    ("confused", "What confused you?"),
    ("factors", "What contributed? Several things, and nobody's fault."),
    ("open_questions", "What do we still not know?"),
];

/// The questions of a debrief: a scenario's own, or ours where it has none.
#[must_use]
pub fn own_questions(of_scenario: &[String]) -> Vec<String> {
    if of_scenario.is_empty() { QUESTIONS_DEFAULT.map(str::to_owned).to_vec() } else { of_scenario.to_vec() }
}

/// Everything that a debrief asks: the questions of its own, and what each debrief asks beside them.
#[must_use]
pub fn all_questions(of_scenario: &[String]) -> Vec<String> {
    let mut questions = own_questions(of_scenario);
    for (_, question) in LISTS {
        // What the scenario has asked already is not asked twice.
        if !questions.iter().any(|known| known.eq_ignore_ascii_case(question)) {
            questions.push(question.to_owned());
        }
    }
    questions
}

/// What people said of a run afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The version of the file format: 1.
    pub gameday: u32,
    /// The run.
    pub run: RunId,
    /// The day on which it was held; none before.
    #[serde(default)]
    pub held_on: Option<Date>,
    /// How many minutes it took.
    #[serde(default)]
    pub minutes: Option<u32>,
    /// Who was there.
    #[serde(default)]
    pub present: Vec<String>,
    /// What happened and what is to be learnt, in a few sentences; it stands before the draft that the report makes.
    #[serde(default)]
    pub summary: Option<String>,
    /// What was answered.
    #[serde(default)]
    pub answers: Vec<Answered>,
    /// What surprised somebody.
    #[serde(default)]
    pub surprises: Vec<String>,
    /// What went well.
    #[serde(default)]
    pub went_well: Vec<String>,
    /// Where it was luck.
    #[serde(default)]
    pub lucky: Vec<String>,
    /// What confused somebody.
    #[serde(default)]
    pub confused: Vec<String>,
    /// What contributed; several, since nothing has one cause.
    #[serde(default)]
    pub factors: Vec<String>,
    /// What is still not known.
    #[serde(default)]
    pub open_questions: Vec<String>,
    /// Lessons that came of it, by id.
    #[serde(default)]
    pub lessons: Vec<LessonId>,
    /// Actions that came of it, by id.
    #[serde(default)]
    pub actions: Vec<ActionId>,
    /// Whether what people predicted in private is shown in the report.
    #[serde(default)]
    pub predictions_revealed: bool,
}

/// A question, and what was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// What was asked.
    pub question: String,
    /// What was answered, each by whoever answered it.
    #[serde(default)]
    pub answers: Vec<String>,
}

impl Record {
    /// A record in which nothing is said yet.
    #[must_use]
    pub fn of(run: RunId, questions: &[String]) -> Self {
        let answers = questions.iter().map(|question| Answered { question: question.clone(), answers: Vec::new() });
        Self {
            gameday: FORMAT,
            run,
            held_on: None,
            minutes: None,
            present: Vec::new(),
            summary: None,
            answers: answers.collect(),
            surprises: Vec::new(),
            went_well: Vec::new(),
            lucky: Vec::new(),
            confused: Vec::new(),
            factors: Vec::new(),
            open_questions: Vec::new(),
            lessons: Vec::new(),
            actions: Vec::new(),
            predictions_revealed: false,
        }
    }

    /// Whether anybody said anything.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held_on.is_some()
            || self.minutes.is_some()
            || self.summary.is_some()
            || self.predictions_revealed
            || !(self.present.is_empty() && self.lessons.is_empty() && self.actions.is_empty())
            || self.answers.iter().any(|answered| !answered.answers.is_empty())
            || self.lists().iter().any(|(_, _, list)| !list.is_empty())
    }

    /// Its lists, by key, with what each asks.
    #[must_use]
    pub fn lists(&self) -> [(&'static str, &'static str, &[String]); 6] {
        let lists =
            [&self.surprises, &self.went_well, &self.lucky, &self.confused, &self.factors, &self.open_questions];
        let mut lists = lists.into_iter();
        LISTS.map(|(key, question)| (key, question, lists.next().map(Vec::as_slice).unwrap_or_default()))
    }

    /// The list of a key; none of a key that names no list.
    pub fn list_mut(&mut self, key: &str) -> Option<&mut Vec<String>> {
        match key {
            "surprises" => Some(&mut self.surprises),
            "went_well" => Some(&mut self.went_well),
            "lucky" => Some(&mut self.lucky),
            "confused" => Some(&mut self.confused),
            "factors" => Some(&mut self.factors),
            "open_questions" => Some(&mut self.open_questions),
            _ => None,
        }
    }
}
