//! Views of a living run. Owns: drawing a [`crate::event::RunState`]. Must not know: how a run works; it sends commands.

pub mod board;
pub mod cockpit;
pub mod terminal;
pub mod web;

use tokio::sync::{mpsc, oneshot};

use crate::event::{Command, CommandAnswer};

/// The way from a view to its run: a command, and where its answer is waited for.
pub type CommandSender = mpsc::Sender<(Command, oneshot::Sender<CommandAnswer>)>;
