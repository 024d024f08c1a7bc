//! The control room: one page for everybody in the room and afar, served by the run itself or by another process beside it.
//!
//! Owns: the server, its sessions and limits, what is sent to which view. Must not know: how a run works; it reads a [`crate::event::Feed`]
//! and sends [`crate::event::Command`]s. What goes out is built from the board of a view, never from an event.

mod access;
mod answer;
mod cast;
mod gate;
mod guard;
mod hub;
mod limit;
mod lines;
mod metrics;
mod page;
mod patient;
mod refusal;
mod screen;
mod section;
mod server;
mod session;
mod stream;
#[cfg(test)]
mod tests;

pub use access::{Access, AccessError, ROOM_FILE};
pub use answer::BODY_BYTES_MAX;
pub use server::{ControlRoom, serve};
