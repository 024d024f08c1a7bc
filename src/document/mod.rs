//! YAML documents with positions: reading, decoding with every problem at once, and diagnostics.
//!
//! Owns: text, spans, limits of what a file may be, how a mistake in a file is told. Must not know: what any file says.
//!
//! One parser builds one tree in which every key and value knows its place; types are read from that tree itself, so
//! that a value and its position can not disagree.

mod build;
mod decode;
mod diagnostic;
mod edit;
mod reader;
mod scalar;
mod shelf;
mod source;
mod tree;

pub use decode::{Decoder, Document, PROBLEMS_MAX, Place};
pub(crate) use diagnostic::SECRET_CODE;
pub use diagnostic::{Diagnostic, Related, Severity};
pub use edit::{Edit, EditError};
pub use shelf::{Filed, Shelf, files_of};
pub use source::{FILE_BYTES_MAX, Position, SourceFile, Span};
pub use tree::{DEPTH_MAX, NODES_MAX, NodeId, Scalar, Tree};
