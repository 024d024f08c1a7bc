//! Signals that end a run: the first aborts with undo, the second tells what is left, a third soon after leaves.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::super::core::Input;
use super::Drive;
use crate::event::{AbortCause, EventKind, PROGRAM};

/// Within how long after the second Ctrl-C a third one leaves.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// What a terminal sends for Ctrl-Z.
const STOP: &str = "SIGTSTP";

/// What a person who sends signals wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// The run should end, with undo.
    Abort,
    /// They want to know what takes so long.
    Tell,
    /// They want the process to stop for a while, which it must not.
    Stay,
    /// They want to leave, whatever is left.
    Leave,
}

/// The signals that end a run. One that cannot be listened to keeps its default, which ends the process.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hang_up: Option<Signal>,
    stop: Option<Signal>,
    interrupts: u32,
    last: Option<Instant>,
}

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

impl Signals {
    pub(super) fn listen() -> Self {
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
            hang_up: signal(SignalKind::hangup()).ok(),
            stop: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw())).ok(),
            interrupts: 0,
            last: None,
        }
    }

    /// The next signal's name. It may be dropped and asked again.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            () = received(self.interrupt.as_mut()) => "SIGINT",
            () = received(self.terminate.as_mut()) => "SIGTERM",
            () = received(self.hang_up.as_mut()) => "SIGHUP",
            () = received(self.stop.as_mut()) => STOP,
        }
    }

    /// Waits until somebody does not want to wait any longer for a run that is over.
    pub(super) async fn leave(&mut self) {
        while self.next().await == STOP {}
    }

    /// What this signal, after those before it, means.
    pub(super) fn count(&mut self, signal: &str) -> Wish {
        if signal == STOP {
            return Wish::Stay;
        }
        if signal != "SIGINT" {
            return Wish::Abort;
        }
        let now = Instant::now();
        let is_soon = self.last.is_some_and(|last| now.duration_since(last) <= LEAVE_WITHIN);
        self.last = Some(now);
        self.interrupts += 1;
        match self.interrupts {
            1 => Wish::Abort,
            2 => Wish::Tell,
            _ if is_soon => Wish::Leave,
            _ => Wish::Tell,
        }
    }
}

impl Drive {
    /// A signal aborts; the third Ctrl-C within 5 s leaves, dirty. Answers whether to leave.
    pub(super) fn interrupted(&mut self, signal: &'static str, signals: &mut Signals) -> bool {
        match signals.count(signal) {
            Wish::Abort => {
                self.feed(Input::Abort(AbortCause::Signal { signal: signal.to_owned() }), None);
                false
            }
            Wish::Tell => {
                let left: Vec<String> =
                    self.recorder.recording().state().outstanding().map(|fault| fault.change.clone()).collect();
                let text = match left.is_empty() {
                    true => {
                        "everything is undone; waiting for load and verdicts, and Ctrl-C again leaves them".to_owned()
                    }
                    false => format!("still undoing: {}; Ctrl-C again leaves it undone", left.join("; ")),
                };
                self.record(EventKind::Noted { text, by: Some(PROGRAM.to_owned()) });
                false
            }
            Wish::Stay => {
                let text = "a run does not stop for Ctrl-Z, since its faults would stay on: `gameday pause` lets the \
                            timeline stand still";
                self.record(EventKind::Noted { text: text.to_owned(), by: Some(PROGRAM.to_owned()) });
                false
            }
            Wish::Leave => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_quick_third_interrupt_leaves() {
        let mut signals =
            Signals { interrupt: None, terminate: None, hang_up: None, stop: None, interrupts: 0, last: None };
        assert_eq!(signals.count("SIGTSTP"), Wish::Stay);
        assert_eq!(signals.count("SIGTERM"), Wish::Abort);
        assert_eq!(signals.count("SIGINT"), Wish::Abort);
        assert_eq!(signals.count("SIGINT"), Wish::Tell);
        tokio::time::advance(LEAVE_WITHIN * 2).await;
        assert_eq!(signals.count("SIGINT"), Wish::Tell);
        assert_eq!(signals.count("SIGINT"), Wish::Leave);
    }
}
