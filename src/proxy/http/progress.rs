//! How far the bytes of one side were read, and which of them pass as they are.

use tokio_util::bytes::{Buf as _, BytesMut};

/// What one step comes to.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing more can be done now.
    Waits,
    /// Something changed, and no bytes were taken: try the next step.
    Moved,
    /// So many bytes pass as they are; none is to wait for more.
    Passes(usize),
    /// So many bytes are passed over; none is to wait for more.
    Drops(usize),
    /// So many bytes are taken, and others go on in their place.
    Becomes(usize, BytesMut),
}

/// How far some bytes were read. What passes from their start on is only counted, so that whoever has them can send them from
/// where they are; what follows anything else is copied to its outlet.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) taken: usize,
    /// How many of the taken bytes, from the first on, are to be sent as they are, ahead of what the outlet holds.
    pub(super) verbatim: usize,
}

impl Progress {
    /// What is not taken yet.
    pub(super) fn rest<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        input.get(self.taken..).unwrap_or_default()
    }

    /// Takes a step; false where it is the last.
    pub(super) fn take(&mut self, step: Step, input: &[u8], outlet: &mut BytesMut) -> bool {
        let (count, instead) = match step {
            Step::Waits | Step::Passes(0) | Step::Drops(0) => return false,
            Step::Moved => return true,
            Step::Passes(count) if self.verbatim == self.taken && outlet.is_empty() => {
                self.verbatim += count;
                (count, None)
            }
            Step::Passes(count) => {
                outlet.extend_from_slice(self.rest(input).get(..count).unwrap_or_default());
                (count, None)
            }
            Step::Drops(count) => (count, None),
            Step::Becomes(count, instead) => (count, Some(instead)),
        };
        if let Some(instead) = instead {
            outlet.extend_from_slice(&instead);
        }
        self.taken += count;
        true
    }

    /// Takes what was read out of `input`, and puts what passes into the outlet. An input that is empty then keeps no memory.
    pub(super) fn settle(&self, input: &mut BytesMut, outlet: &mut BytesMut) {
        let mut passed = input.split_to(self.verbatim);
        input.advance(self.taken - self.verbatim);
        if input.is_empty() {
            *input = BytesMut::new();
        }
        if outlet.is_empty() {
            *outlet = passed;
        } else if !passed.is_empty() {
            passed.extend_from_slice(outlet);
            *outlet = passed;
        }
    }
}
