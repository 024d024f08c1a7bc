//! A local AWS Fault Injection Service: templates, experiments, and the faults that they put into the sandbox's functions.
//!
//! Owns: the API, an experiment's life, which invocation a fault hits. Must not know: processes. The faults themselves act at
//! the Runtime API, where AWS's own extension sits too. It is the service model `fis` 2020-12-01, rest-json, with four of AWS's
//! actions: the three of Lambda, and the wait. There is one account, no report, and no log.
//!
//! ```text
//! api ──▶ Fis ──▶ experiment (pure, by the ticker) ──▶ injection ◀── function::handle ──▶ runtime_api
//!          └ template, action, target: checked when a template is made
//! ```

mod action;
mod api;
mod duration;
mod error;
mod experiment;
mod injection;
mod lever;
mod service;
mod spec;
mod target;
mod template;

pub(in crate::sandbox) use self::api::router;
pub(in crate::sandbox) use self::injection::{Fault, ResponseFault};
pub(in crate::sandbox) use self::service::Fis;
pub use self::spec::FisSpec;
