//! Views of a living run. Owns: drawing a [`crate::event::RunState`]. Must not know: how a run works; it sends commands.

pub mod board;
pub mod terminal;
