//! How people take part in a living run: `join`, `vote`, `predict`, and what a facilitator does: `inject`, `hint`, `reveal`.

use clap::{Args, ValueEnum};

use super::live::{Address, send};
use super::{Exit, Failure};
use crate::event::Command;
use crate::unit::{FaultId, HintId, HypothesisId, InjectId, PersonId, StepId};

#[derive(Debug, Args)]
pub(super) struct JoinArguments {
    /// The role of the scenario's `people` in which you take part.
    role: PersonId,
    #[command(flatten)]
    address: Address,
}

/// What a role says.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Answer {
    /// It agrees.
    Go,
    /// It does not.
    #[value(alias = "nogo", alias = "no")]
    NoGo,
}

#[derive(Debug, Args)]
pub(super) struct VoteArguments {
    /// The step: a poll, or one that needs the role.
    step: StepId,
    /// What the role says; the last word counts.
    answer: Answer,
    /// The role for which you speak.
    #[arg(long, value_name = "ROLE")]
    role: PersonId,
    /// Why.
    #[arg(long)]
    why: Option<String>,
    #[command(flatten)]
    address: Address,
}

/// What somebody expects of a hypothesis.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Expected {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
}

#[derive(Debug, Args)]
pub(super) struct PredictArguments {
    /// The hypothesis.
    hypothesis: HypothesisId,
    /// What you expect of it.
    expected: Expected,
    /// What else you expect.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    address: Address,
}

#[derive(Debug, Args)]
pub(super) struct InjectArguments {
    /// The message, by its name in the scenario's `injects`.
    inject: InjectId,
    #[command(flatten)]
    address: Address,
}

#[derive(Debug, Args)]
pub(super) struct HintArguments {
    /// The hint; default the next one.
    hint: Option<HintId>,
    #[command(flatten)]
    address: Address,
}

#[derive(Debug, Args)]
pub(super) struct RevealArguments {
    /// Only this fault; default everything.
    fault: Option<FaultId>,
    #[command(flatten)]
    address: Address,
}

pub(super) async fn join(arguments: JoinArguments) -> Result<Exit, Failure> {
    let JoinArguments { role, address } = arguments;
    let by = address.who();
    send(&address, Command::Join { role, by }).await
}

pub(super) async fn vote(arguments: VoteArguments) -> Result<Exit, Failure> {
    let VoteArguments { step, answer, role, why, address } = arguments;
    let go = match answer {
        Answer::Go => true,
        Answer::NoGo => false,
    };
    let by = address.who();
    send(&address, Command::Vote { step, role, go, why, by }).await
}

pub(super) async fn predict(arguments: PredictArguments) -> Result<Exit, Failure> {
    let PredictArguments { hypothesis, expected, note, address } = arguments;
    let holds = match expected {
        Expected::Holds => true,
        Expected::Fails => false,
    };
    let by = address.who();
    send(&address, Command::Predict { hypothesis, holds, note, by }).await
}

pub(super) async fn inject(arguments: InjectArguments) -> Result<Exit, Failure> {
    let InjectArguments { inject, address } = arguments;
    let by = address.who();
    send(&address, Command::Inject { inject, by }).await
}

pub(super) async fn hint(arguments: HintArguments) -> Result<Exit, Failure> {
    let HintArguments { hint, address } = arguments;
    let by = address.who();
    send(&address, Command::Hint { hint, by }).await
}

pub(super) async fn reveal(arguments: RevealArguments) -> Result<Exit, Failure> {
    let RevealArguments { fault, address } = arguments;
    let by = address.who();
    send(&address, Command::Reveal { fault, by }).await
}
