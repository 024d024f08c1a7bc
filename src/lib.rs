//! `gameday`: load, faults, people and hypotheses on one clock, for serverless teams on AWS.
//!
//! Data goes one way: `scenario → plan → run → report`, and the event log between the last two is the only truth.
//! `ARCHITECTURE.md` draws the rooms and says which may use which.

pub mod action;
pub mod aws;
pub mod cli;
pub mod debrief;
pub mod document;
pub mod event;
pub mod fault;
pub mod lesson;
pub mod load;
pub mod notify;
pub mod observe;
pub mod plan;
pub mod playbook;
pub mod proxy;
pub mod readiness;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod scenario;
pub mod schedule;
pub mod share;
pub mod ui;
pub mod unit;
pub mod verdict;
pub mod workspace;
