//! A journey as a flat list of instructions with jumps, and where a user is in one.
//!
//! Owns: what leads from one request to the next. Must not know: how a request is made, which journeys there are.
//!
//! A user keeps one program counter and a small stack of loops. A loop that requests nothing gives way now and then
//! ([`INSTRUCTIONS_MAX`]), so that no user holds up the others.

use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::WorkerError;
use super::http::{Client, Failure};
use super::prepare::{PreparedStep, StepNames};
use super::template::{Missing, Scope, ValueTemplate};
use crate::load::LOOP_TURNS_MAX;
use crate::load::failure::FailureKind;
use crate::load::placeholder::as_text;
use crate::load::plan::{LoadPlan, PlannedCondition, PlannedIf, PlannedLoop, PlannedStep, Turns};
use crate::unit::Rest;

/// How many instructions that are no request a user takes before it gives way.
const INSTRUCTIONS_MAX: usize = 1_000;

/// What a user does, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Program {
    instructions: Vec<Instruction>,
}

#[derive(Debug)]
enum Instruction {
    Request(Box<PreparedStep>),
    Pause(Rest),
    Set {
        values: Vec<(String, ValueTemplate)>,
        slot: usize,
    },
    /// A loop of so many turns begins.
    Repeat {
        times: u32,
    },
    /// A loop over a list begins; one over an empty list goes on at `end`.
    Each {
        list: String,
        item: String,
        end: usize,
        slot: usize,
    },
    /// The end of a turn: the next begins at `start`.
    Next {
        start: usize,
    },
    /// Goes on at `otherwise` where the condition does not hold.
    Unless {
        condition: Condition,
        otherwise: usize,
        slot: usize,
    },
    Jump {
        to: usize,
    },
}

/// Whether a value equals another.
#[derive(Debug)]
struct Condition {
    value: ValueTemplate,
    other: ValueTemplate,
    is_equal: bool,
}

impl Condition {
    fn new(planned: &PlannedCondition) -> Self {
        let value = ValueTemplate::new(&Value::String(planned.value.clone()));
        Self { value, other: ValueTemplate::new(&planned.other), is_equal: planned.is_equal }
    }

    fn holds(&self, scope: &mut Scope) -> Result<bool, Missing> {
        let (value, other) = (self.value.fill(scope)?, self.other.fill(scope)?);
        Ok((value == other || as_text(&value) == as_text(&other)) == self.is_equal)
    }
}

/// Makes programs of the steps of a plan.
pub(super) struct Compiler<'c> {
    pub(super) plan: &'c LoadPlan,
    pub(super) client: &'c Client,
    pub(super) names: &'c mut StepNames,
}

impl Compiler<'_> {
    /// The program of a journey's steps.
    pub(super) fn compile(&mut self, journey: &str, steps: &[PlannedStep]) -> Result<Program, WorkerError> {
        let mut program = Program::default();
        self.add(&mut program, journey, steps)?;
        Ok(program)
    }

    fn add(&mut self, program: &mut Program, journey: &str, steps: &[PlannedStep]) -> Result<(), WorkerError> {
        for step in steps {
            match step {
                PlannedStep::Request(request) => {
                    let slot = self.names.slot(journey, &request.name);
                    let step = PreparedStep::new(request, self.plan, self.client, slot)?;
                    program.push(Instruction::Request(Box::new(step)));
                }
                PlannedStep::Pause(rest) => program.push(Instruction::Pause(*rest)),
                PlannedStep::Set(values) => {
                    let values = values.iter().map(|(name, value)| (name.clone(), ValueTemplate::new(value))).collect();
                    program.push(Instruction::Set { values, slot: self.names.slot(journey, "set") });
                }
                PlannedStep::Loop(repeat) => self.add_loop(program, journey, repeat)?,
                PlannedStep::If(choice) => self.add_choice(program, journey, choice)?,
            }
        }
        Ok(())
    }

    fn add_loop(&mut self, program: &mut Program, journey: &str, repeat: &PlannedLoop) -> Result<(), WorkerError> {
        let begin = program.instructions.len();
        match &repeat.turns {
            Turns::Times(times) => program.push(Instruction::Repeat { times: *times }),
            Turns::Over { list, item } => program.push(Instruction::Each {
                list: list.clone(),
                item: item.clone(),
                end: usize::MAX,
                slot: self.names.slot(journey, "loop"),
            }),
        }
        self.add(program, journey, &repeat.steps)?;
        program.push(Instruction::Next { start: begin + 1 });
        program.lead(begin);
        Ok(())
    }

    fn add_choice(&mut self, program: &mut Program, journey: &str, choice: &PlannedIf) -> Result<(), WorkerError> {
        let begin = program.instructions.len();
        program.push(Instruction::Unless {
            condition: Condition::new(&choice.condition),
            otherwise: usize::MAX,
            slot: self.names.slot(journey, "if"),
        });
        self.add(program, journey, &choice.then)?;
        if choice.otherwise.is_empty() {
            program.lead(begin);
            return Ok(());
        }
        let way_out = program.instructions.len();
        program.push(Instruction::Jump { to: usize::MAX });
        program.lead(begin);
        self.add(program, journey, &choice.otherwise)?;
        program.lead(way_out);
        Ok(())
    }
}

impl Program {
    fn push(&mut self, instruction: Instruction) {
        self.instructions.push(instruction);
    }

    /// Lets the instruction at `index` lead to the one that comes next.
    fn lead(&mut self, index: usize) {
        let here = self.instructions.len();
        match self.instructions.get_mut(index) {
            Some(Instruction::Each { end: target, .. })
            | Some(Instruction::Unless { otherwise: target, .. })
            | Some(Instruction::Jump { to: target }) => *target = here,
            Some(_) | None => {}
        }
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.instructions.is_empty()
    }

    /// Its requests, in the order in which they stand.
    pub(super) fn requests(&self) -> impl Iterator<Item = &PreparedStep> {
        self.instructions.iter().filter_map(|instruction| match instruction {
            Instruction::Request(step) => Some(&**step),
            Instruction::Pause(_)
            | Instruction::Set { .. }
            | Instruction::Repeat { .. }
            | Instruction::Each { .. }
            | Instruction::Next { .. }
            | Instruction::Unless { .. }
            | Instruction::Jump { .. } => None,
        })
    }
}

/// Where a user is in a program.
#[derive(Debug, Clone, Default)]
pub(crate) struct Position {
    counter: usize,
    /// The loops around it, the innermost last.
    loops: Vec<Turn>,
}

/// A loop that is under way.
#[derive(Debug, Clone)]
enum Turn {
    /// How many turns come after this one.
    Times(u32),
    Items {
        items: std::vec::IntoIter<Value>,
        item: String,
        /// What was called so before the loop.
        hidden: Option<Value>,
    },
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next<'p> {
    /// A request.
    Request(&'p PreparedStep),
    /// A rest.
    Rest(Duration),
    /// More of the same; but others come first.
    GiveWay,
    /// It can not go on.
    Failed { slot: usize, failure: Failure },
    /// The program is at its end.
    Over,
}

impl Position {
    /// Goes on to the next thing that takes time.
    pub(crate) fn next<'p>(&mut self, program: &'p Program, scope: &mut Scope) -> Next<'p> {
        for _ in 0..INSTRUCTIONS_MAX {
            let Some(instruction) = program.instructions.get(self.counter) else { return Next::Over };
            self.counter += 1;
            let done = match instruction {
                Instruction::Request(step) => return Next::Request(step),
                Instruction::Pause(rest) => return Next::Rest(draw(*rest, &mut scope.random)),
                Instruction::Set { values, slot } => set(values, scope).map_err(|failure| (*slot, failure)),
                Instruction::Repeat { times } => {
                    self.loops.push(Turn::Times(times.saturating_sub(1)));
                    Ok(())
                }
                Instruction::Each { list, item, end, slot } => {
                    self.begin_each(list, item, *end, scope).map_err(|failure| (*slot, failure))
                }
                Instruction::Next { start } => {
                    if self.turn(scope) {
                        self.counter = *start;
                    }
                    Ok(())
                }
                Instruction::Unless { condition, otherwise, slot } => match condition.holds(scope) {
                    Ok(true) => Ok(()),
                    Ok(false) => {
                        self.counter = *otherwise;
                        Ok(())
                    }
                    Err(missing) => Err((*slot, missing.into())),
                },
                Instruction::Jump { to } => {
                    self.counter = *to;
                    Ok(())
                }
            };
            if let Err((slot, failure)) = done {
                return Next::Failed { slot, failure };
            }
        }
        Next::GiveWay
    }

    /// Whether nothing is left but the ends of loops and of ways.
    pub(crate) fn is_over(&mut self, program: &Program, scope: &mut Scope) -> bool {
        loop {
            match program.instructions.get(self.counter) {
                None => return true,
                Some(Instruction::Jump { to }) => self.counter = *to,
                Some(Instruction::Next { .. }) if self.is_last_turn() => {
                    self.turn(scope);
                    self.counter += 1;
                }
                Some(_) => return false,
            }
        }
    }

    fn is_last_turn(&self) -> bool {
        match self.loops.last() {
            Some(Turn::Times(left)) => *left == 0,
            Some(Turn::Items { items, .. }) => items.as_slice().is_empty(),
            None => true,
        }
    }

    fn begin_each(&mut self, list: &str, item: &str, end: usize, scope: &mut Scope) -> Result<(), Failure> {
        let fail = |what: &str| Failure::new(FailureKind::Other, format_args!("`{list}` {what}"));
        let items = match scope.get(list) {
            Some(Value::Array(items)) => items,
            Some(_) => return Err(fail("is no list")),
            None => return Err(fail("is not known")),
        };
        if u32::try_from(items.len()).is_ok_and(|count| count <= LOOP_TURNS_MAX) {
            let mut items = items.clone().into_iter();
            match items.next() {
                None => self.counter = end,
                Some(first) => {
                    let hidden = scope.values.insert(item.to_owned(), first);
                    self.loops.push(Turn::Items { items, item: item.to_owned(), hidden });
                }
            }
            return Ok(());
        }
        Err(fail("has more than 10000 items"))
    }

    /// Begins the next turn of the innermost loop; where there is none, the loop is over.
    fn turn(&mut self, scope: &mut Scope) -> bool {
        match self.loops.last_mut() {
            Some(Turn::Times(left)) if *left > 0 => {
                *left -= 1;
                return true;
            }
            Some(Turn::Items { items, item, .. }) => {
                if let Some(next) = items.next() {
                    scope.values.insert(item.clone(), next);
                    return true;
                }
            }
            Some(Turn::Times(_)) | None => {}
        }
        if let Some(Turn::Items { item, hidden, .. }) = self.loops.pop() {
            match hidden {
                Some(hidden) => drop(scope.values.insert(item, hidden)),
                None => drop(scope.values.remove(&item)),
            }
        }
        false
    }
}

fn set(values: &[(String, ValueTemplate)], scope: &mut Scope) -> Result<(), Failure> {
    for (name, value) in values {
        let value = value.fill(scope)?;
        scope.values.insert(name.clone(), value);
    }
    Ok(())
}

/// Draws a rest.
pub(crate) fn draw(rest: Rest, random: &mut ChaCha8Rng) -> Duration {
    match rest {
        Rest::Even(range) if range.least == range.most => range.least,
        Rest::Even(_) | Rest::Exponential { .. } => rest.at(random.random()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::load::plan::Targets;
    use crate::load::spec::LoadSpec;
    use crate::load::worker::http::{Connector, Version};
    use crate::load::worker::template::tests::scope;

    /// A program and the names of its steps.
    fn compile(steps: &str) -> (Program, StepNames) {
        let yaml = format!(
            "{{base_url: 'http://a', setup: [{{get: /, capture: {{items: $, tier: $, x: $}}}}],
              journeys: [{{name: j, steps: {steps}}}], shape: [{{hold: 1m, at: 2 users}}]}}"
        );
        let spec: LoadSpec = serde_yaml::from_str(&yaml).unwrap();
        let load = "users".parse().unwrap();
        let read = |_: &str, _| Ok(Vec::new());
        let plan = LoadPlan::build(&load, &spec, chrono::DateTime::UNIX_EPOCH, 1, &Targets::NONE, &read).unwrap();
        let client = Client::new(Connector::new(Version::Http1, &[]).unwrap());
        let mut names = StepNames::default();
        let mut compiler = Compiler { plan: &plan, client: &client, names: &mut names };
        let program = compiler.compile("j", &plan.journeys[0].steps).unwrap();
        (program, names)
    }

    /// What a user does who knows these values: the names of requests, rests in milliseconds, the item.
    fn walk(steps: &str, values: Value) -> Vec<String> {
        let (program, names) = compile(steps);
        let mut scope = scope(values);
        let mut position = Position::default();
        let mut done = Vec::new();
        loop {
            match position.next(&program, &mut scope) {
                Next::Request(step) => {
                    let item = scope.get("item").map(|item| format!(" {item}")).unwrap_or_default();
                    done.push(format!("{}{item}", names.slots[step.slot].1));
                }
                Next::Rest(rest) => done.push(rest.as_millis().to_string()),
                Next::GiveWay => done.push("…".to_owned()),
                Next::Failed { slot, failure } => {
                    done.push(format!("{}: {}", names.slots[slot].1, failure.detail));
                    return done;
                }
                Next::Over => return done,
            }
            let (mut after, mut known) = (position.clone(), scope.clone());
            if after.is_over(&program, &mut known) {
                assert!(matches!(position.clone().next(&program, &mut scope.clone()), Next::Over));
            }
        }
    }

    #[test]
    fn steps_are_taken_in_order_and_loops_several_times() {
        assert_eq!(
            walk(
                "[{get: /a}, {pause: 2s}, {loop: {times: 2, steps: [{get: /b}, {loop: {times: 2, steps: [{get: /c}]}}]}}]",
                json!({})
            ),
            ["GET /a", "2000", "GET /b", "GET /c", "GET /c", "GET /b", "GET /c", "GET /c"]
        );
        assert_eq!(
            walk("[{get: /a}, {group: {name: pay, steps: [{get: /b}]}}]", json!({})),
            ["GET /a", "pay / GET /b"]
        );
    }

    #[test]
    fn a_loop_over_a_list_knows_its_item_and_hides_what_was_called_so() {
        let steps = "[{set: {item: 9}}, {get: /a}, {loop: {over: '${items}', steps: [{get: /b}]}}, {get: /c}]";
        assert_eq!(walk(steps, json!({"items": [1, 2]})), ["GET /a 9", "GET /b 1", "GET /b 2", "GET /c 9"]);
        assert_eq!(walk(steps, json!({"items": []})), ["GET /a 9", "GET /c 9"]);
        assert_eq!(walk(steps, json!({"items": "x"})), ["GET /a 9", "loop: `items` is no list"]);
        assert_eq!(walk(steps, json!({})), ["GET /a 9", "loop: `items` is not known"]);
        assert!(walk(steps, json!({"items": vec![0; 10_001]}))[1].ends_with("more than 10000 items"));
    }

    #[test]
    fn one_of_two_ways_is_taken() {
        let steps = "[{if: {value: '${tier}', is: gold}, then: [{get: /gold}], else: [{get: /other}]},
            {if: {value: '${tier}', is_not: gold}, then: [{get: /more}]}]";
        assert_eq!(walk(steps, json!({"tier": "gold"})), ["GET /gold"]);
        assert_eq!(walk(steps, json!({"tier": "none"})), ["GET /other", "GET /more"]);
        let number = "[{get: /}, {if: {value: '${x}', is: 7}, then: [{get: /seven}]}]";
        assert_eq!(walk(number, json!({"x": 7})), ["GET /", "GET /seven"]);
        assert_eq!(walk(number, json!({"x": "7"})), ["GET /", "GET /seven"]);
        assert_eq!(walk(number, json!({})), ["GET /", "if: nothing is known as `x`"]);
    }

    #[test]
    fn values_are_set_of_others_with_their_types() {
        let steps = "[{set: {item: {list: '${x}', text: 'no. ${x}'}}}, {get: /a}]";
        assert_eq!(walk(steps, json!({"x": 7})), [r#"GET /a {"list":7,"text":"no. 7"}"#]);
        assert_eq!(walk(steps, json!({})), ["set: nothing is known as `x`"]);
    }

    #[test]
    fn a_loop_without_a_request_gives_way() {
        let done = walk("[{loop: {times: 10000, steps: [{set: {a: 1}}]}}, {get: /a}]", json!({}));
        assert_eq!(done.iter().filter(|what| *what == "…").count(), 20);
        assert_eq!(done.last().map(String::as_str), Some("GET /a"));
    }
}
