//! Outgoing notices: what people elsewhere are told of a run, and how it reaches them.
//!
//! Owns: what a notice says (pure), its forms for Slack and for programs, the bounded queue of each channel, retries, and signing. Must not
//! know: the engine. It is handed events and hands events back; no run waits for it but at its end, and then for a time that has a name.

mod channel;
mod cloudevents;
mod compose;
mod notice;
mod office;
mod post;
mod queue;
mod slack;
mod text;

pub use channel::{Channel, ChannelKind, ChannelProblem, Channels};
pub use compose::{Composer, test_notice};
pub use notice::{NOTICE_FORMAT, Notice, NoticePlace, NoticePlaybook, NoticeSeverity, ReportFacts};
pub use office::{END_WAIT, Office};
pub use post::{Delivered, try_once};
