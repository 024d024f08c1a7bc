//! What goes through the stages of a link.

use std::collections::VecDeque;

use tokio_util::bytes::Bytes;

/// One piece of a stream on its way through the stages of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) content: Content,
    /// The unit of traffic that it belongs to: one exchange in HTTP, one burst in TCP. Chances are drawn once a unit.
    pub(crate) unit: u64,
}

impl Parcel {
    /// How many bytes of the stream it holds.
    pub(crate) fn bytes(&self) -> usize {
        match &self.content {
            Content::Data(data) => data.len(),
            Content::End | Content::Abort | Content::Close => 0,
        }
    }
}

/// What a parcel holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Bytes of the stream, never none.
    Data(Bytes),
    /// The sender has shut its side; it goes through the stages so that it can not overtake data.
    End,
    /// The sender broke off, with a reset for example; it goes through the stages for the same reason.
    Abort,
    /// A toxic closes the connection once the data before it is delivered.
    Close,
}

/// What comes out of a stage.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Released {
    /// A parcel that goes on.
    Parcel(Parcel),
    /// The whole connection is to be cut, whatever is still held.
    Cut(Cut),
}

/// How a toxic cuts a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// By an orderly close.
    Close,
    /// By a reset of both sides.
    Reset,
}

/// What a stage leaves behind when its toxic is removed.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    /// What it held, in order; it goes on at once.
    pub(crate) parcels: VecDeque<Parcel>,
    /// Whether the connection can not go on, since bytes of it are lost.
    pub(crate) close: bool,
}
