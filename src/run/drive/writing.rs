//! What a run writes down: events and predictions. What can not be written ends it.

use super::super::core::Input;
use super::Drive;
use crate::event::{AbortCause, EventKind, PROGRAM, Prediction};
use crate::unit::error_chain;

impl Drive {
    /// Writes an event; answers whether it was. A log that cannot be written ends the run: nothing more may be injected.
    pub(super) fn record(&mut self, kind: EventKind) -> bool {
        let Err(error) = self.recorder.record(kind) else { return true };
        // Whoever met it first, as a notice may, had nobody to tell; what ends the run already is told of but once.
        if !std::mem::replace(&mut self.is_log_lost, true) {
            self.abort_internally(error_chain(&error));
        }
        false
    }

    /// Writes a prediction down in private, and its digest into the log; answers whether both were written.
    pub(super) fn seal(&mut self, prediction: Prediction) -> bool {
        let (hypothesis, by) = (prediction.hypothesis.clone(), prediction.by.clone());
        let salt = uuid::Uuid::new_v4().simple().to_string();
        match prediction.seal(self.recorder.log().directory(), salt) {
            Ok(sha256) => self.record(EventKind::PredictionSealed { hypothesis, sha256, by }),
            Err(error) => {
                let text = format!("a prediction about {hypothesis} is lost: {}", error_chain(&error));
                self.record(EventKind::Noted { text, by: Some(PROGRAM.to_owned()) });
                false
            }
        }
    }

    pub(super) fn abort_internally(&self, error: String) {
        // The receiver is our own.
        self.inputs.0.send(Input::Abort(AbortCause::Internal { error })).ok();
    }
}
