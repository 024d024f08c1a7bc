//! How lessons and actions leave the house: as tables, texts, pages without a server, and issues on GitHub; and how what was made of a
//! run is sent to an endpoint.
//!
//! Owns: the forms, what is escaped for each, what is blacked out first. Must not know: the workspace, the terminal, runs. All of it
//! is pure but `github/client.rs`, which asks GitHub, and `endpoint/`, which sends.

mod csv;
pub mod endpoint;
pub mod github;
mod markdown;
mod row;
pub mod site;
mod slack;

pub use self::csv::{actions_csv, actions_jira, lessons_csv, lessons_jira};
pub use self::markdown::{actions_markdown, lessons_markdown};
pub use self::row::{ActionRow, LessonRow, redacted};
pub use self::slack::{actions_slack, lessons_slack};
