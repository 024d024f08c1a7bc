//! Load: what a scenario asks for, how much of it when, and the process that makes it.
//!
//! Owns: the spec as scenario files write it, load shapes (pure), the plan that a worker reads, the frames that it
//! writes, the worker itself and its controller. Must not know: faults, runs, events, scenarios, who signs its requests.
//! Only `goose.rs` may name goose.

mod call;
mod check;
mod controller;
mod course;
mod data;
mod destination;
mod expect;
mod export;
mod failure;
mod file;
mod frame;
mod frame_file;
mod goose;
mod placeholder;
mod plan;
mod schedule;
mod shape;
mod spec;
mod statistic;
mod status;
mod step;
mod sum;
mod summary;
mod text;
pub(crate) mod worker;

pub use call::{AwsAddress, Callee, InvocationType, ReceiverKind, SendSpec};
pub use check::SpecProblem;
pub use controller::{LoadError, LoadWorker};
pub use course::Steer;
pub use data::{DataSpec, Pick, Table};
pub(crate) use destination::host_of;
pub use expect::{BodyExpectation, CaptureSpec, ExpectSpec, StatusList};
pub use export::export_frames;
pub use failure::FailureKind;
pub use file::{BODY_FILES_BYTES_MAX, DATA_FILES_BYTES_MAX, ReadFile};
pub use frame::{
    ArrivalFrame, ConnectionFrame, Doubt, EndReason, FRAME_FORMAT, FailureSample, Frame, PACER_LAG_MAX, SAMPLES_MAX,
    STEP_NAMES_MAX, StepFrame, Totals, WORKER_CPU_MAX, WorkerRecord,
};
pub(crate) use frame_file::{EVIDENCE_FOLDER, frame_file_name};
pub use frame_file::{FrameFileError, Frames};
pub use placeholder::Placeholder;
pub use plan::{
    AnswerKind, CONNECT_TIMEOUT_DEFAULT, FileBytes, LoadPlan, PlanError, PlannedBody, PlannedCondition, PlannedData,
    PlannedIf, PlannedJourney, PlannedLoop, PlannedPart, PlannedPiece, PlannedRequest, PlannedSignature, PlannedStep,
    REQUEST_TIMEOUT_DEFAULT, Targets, Turns, Within,
};
pub use schedule::{Arrivals, Spacing, Stripe};
pub use shape::{Segment, Shape};
pub use spec::{IN_FLIGHT_MAX_DEFAULT, JourneySpec, LoadSpec, Model, OnLost, Stage, StageSpec};
pub use statistic::LoadStatistic;
pub use status::StatusClass;
pub use step::{ConditionSpec, FilePart, GroupSpec, LoopSpec, Method, PartSpec, StepKind, StepSpec};
pub(crate) use sum::{FrameSum, Pace, StepSum};
pub use summary::{ClassSummary, LoadSummary, StepSummary, Times};

/// How long the setup of a load may take in all.
pub const SETUP_MAX: std::time::Duration = std::time::Duration::from_secs(60);

/// How long the teardown of a load may take in all.
pub const TEARDOWN_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// How many turns a loop may have.
pub const LOOP_TURNS_MAX: u32 = 10_000;

/// How many steps may be around a step.
pub const NESTING_MAX: usize = 8;
