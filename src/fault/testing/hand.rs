//! Somebody else, who writes between any two of our calls.

use rand_chacha::ChaCha8Rng;

use super::{Field, FunctionState, Plane, Value};

/// What the second writer can do, as one who has the console open: whole updates of single settings.
pub(crate) struct Hand<'a> {
    pub(super) plane: &'a mut Plane,
}

impl Hand<'_> {
    pub(crate) fn random(&mut self) -> &mut ChaCha8Rng {
        &mut self.plane.random
    }

    fn wrote(&mut self, function: &str, field: Field, value: Value) {
        self.plane.written.insert((function.to_owned(), field), value);
    }

    /// A configuration can only be changed while no update is under way, by anybody.
    fn configure(&mut self, function: &str, change: impl FnOnce(&mut FunctionState) -> bool) -> bool {
        let takes = self.plane.update_takes;
        let Some(found) = self.plane.functions.get_mut(function) else { return false };
        found.settle();
        let is_taken = found.busy_until.is_none() && change(&mut found.state);
        if is_taken {
            found.begin_update(takes);
        }
        is_taken
    }

    pub(crate) fn set_timeout(&mut self, function: &str, seconds: u32) {
        let is_taken = self.configure(function, |state| {
            state.timeout_seconds = seconds;
            true
        });
        if is_taken {
            self.wrote(function, Field::Timeout, Some(seconds.to_string()));
        }
    }

    pub(crate) fn set_variable(&mut self, function: &str, name: &str, value: Value) {
        let is_taken = self.configure(function, |state| {
            let Some(environment) = &mut state.environment else { return false };
            match &value {
                Some(value) => environment.insert(name.to_owned(), value.clone()),
                None => environment.remove(name),
            };
            true
        });
        if is_taken {
            self.wrote(function, Field::Variable(name.to_owned()), value);
        }
    }

    pub(crate) fn reserve(&mut self, function: &str, reserved: Option<u32>) {
        let Some(found) = self.plane.functions.get_mut(function) else { return };
        found.state.reserved = reserved;
        if found.was_reservation_read {
            self.plane.raced.insert(function.to_owned());
        }
        self.wrote(function, Field::Concurrency, reserved.map(|reserved| reserved.to_string()));
    }

    pub(crate) fn delete(&mut self, function: &str) {
        self.plane.functions.remove(function);
    }
}
