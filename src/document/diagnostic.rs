//! Diagnostics: what is wrong in a file, where, and what to write instead. Owns: their text and JSON forms.
//!
//! Must not know: where they are shown; only `cli` prints.

use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{SourceFile, Span};
use crate::unit::printable;

/// How many characters of a source line are looked at on each side of a span.
const LINE_CHARS_AROUND_MAX: usize = 4_000;

/// How wide a rendered source line may be, in columns.
const LINE_COLUMNS_MAX: usize = 140;

/// Whether a file can be used in spite of the diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It can be used.
    Warning,
    /// It can not.
    Error,
}

/// Another place that helps to understand a diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// The file.
    pub source: Arc<SourceFile>,
    /// The place.
    pub span: Span,
    /// What is there.
    pub label: String,
}

/// A problem of a file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file.
    pub source: Arc<SourceFile>,
    /// The place; empty where it is the file as a whole.
    pub span: Span,
    /// Whether the file can be used in spite of it.
    pub severity: Severity,
    /// A stable name for the kind of problem: `unknown-key`.
    pub code: &'static str,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// What stands at the place, where the message alone does not say it.
    pub label: Option<String>,
    /// What to write instead.
    pub help: Option<String>,
    /// What else is good to know.
    pub notes: Vec<String>,
    /// Other places.
    pub related: Vec<Related>,
}

impl Diagnostic {
    /// A problem with which the file can not be used.
    #[must_use]
    pub fn error(source: &Arc<SourceFile>, span: Span, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            source: Arc::clone(source),
            span,
            severity: Severity::Error,
            code,
            message: message.into(),
            label: None,
            help: None,
            notes: Vec::new(),
            related: Vec::new(),
        }
    }

    /// A doubt about a file that can be used.
    #[must_use]
    pub fn warning(source: &Arc<SourceFile>, span: Span, code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(source, span, code, message) }
    }

    /// Says what stands at the place.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Says what to write instead.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to write instead, if anything is known.
    #[must_use]
    pub fn with_help_if(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Adds something that is good to know.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn with_related(mut self, source: &Arc<SourceFile>, span: Span, label: impl Into<String>) -> Self {
        self.related.push(Related { source: Arc::clone(source), span, label: label.into() });
        self
    }

    /// The diagnostic with its source line and a caret, as it is shown to people.
    #[must_use]
    pub fn render(&self, coloured: bool) -> String {
        let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(LINE_COLUMNS_MAX);
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let name = printable(self.source.name());
        let message = printable(&self.message);
        let mut group = Group::with_title(level.primary_title(message.as_str()).id(self.code));
        let main = Excerpt::new(&self.source, &self.span);
        let main = if self.code == SECRET_CODE { main.masked() } else { main };
        let label = self.label.as_deref().map(printable);
        if self.source.text().is_empty() {
            group = group.element(annotate_snippets::Origin::path(name.as_str()));
        } else {
            group = group.element(main.snippet(&name, AnnotationKind::Primary, label.as_deref()));
        }
        let related: Vec<(String, String, Excerpt)> = self
            .related
            .iter()
            .map(|r| (printable(r.source.name()), printable(&r.label), Excerpt::new(&r.source, &r.span)))
            .collect();
        for (name, label, excerpt) in &related {
            group = group.element(excerpt.snippet(name, AnnotationKind::Context, Some(label)));
        }
        for note in &self.notes {
            group = group.element(Level::NOTE.message(printable(note)));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(printable(help)));
        }
        renderer.render(&[group])
    }

    /// The diagnostic for programs: file, lines and columns from 1, code, severity, message, help, notes.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let start = self.source.position(self.span.start);
        let end = self.source.position(self.span.end);
        serde_json::json!({
            "file": self.source.name(),
            "line": start.line,
            "column": start.column,
            "end_line": end.line,
            "end_column": end.column,
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "help": self.help,
            "notes": self.notes,
        })
    }
}

/// The code of a problem with a text that may be a secret: its line is shown without it.
pub(crate) const SECRET_CODE: &str = "literal-secret";

/// What is shown in the place of a secret, of whatever length.
const STARS: &str = "***";

/// The first line of a span, without what lies too far from it.
struct Excerpt {
    text: String,
    line: usize,
    span: Span,
}

impl Excerpt {
    fn new(source: &SourceFile, span: &Span) -> Self {
        let position = source.position(span.start);
        let line = source.line(position.line);
        let start = span.start.clamp(line.start, line.end);
        let end = span.end.clamp(start, line.end);
        // The renderer counts the column from the line's start, so only what follows the span is cut here; it hides
        // by itself what lies too far before it.
        let after = source.slice(&(end..line.end));
        let cut = after.char_indices().nth(LINE_CHARS_AROUND_MAX).map_or(after.len(), |(index, _)| index);
        let within = source.slice(&(start..end));
        let shown = within.char_indices().nth(LINE_CHARS_AROUND_MAX).map(|(index, _)| start + index);
        let (end, text_end) = shown.map_or((end, end + cut), |shown| (shown, shown));
        let mut text = visible(source.slice(&(line.start..start)));
        let mut span = text.len()..0;
        text.push_str(&visible(source.slice(&(start..end))));
        span.end = text.len();
        text.push_str(&visible(source.slice(&(end..text_end))));
        Self { text, line: position.line, span }
    }

    /// The same with stars in the place of what it is about.
    fn masked(mut self) -> Self {
        self.text.replace_range(self.span.clone(), STARS);
        self.span.end = self.span.start + STARS.len();
        self
    }

    fn snippet<'a>(
        &'a self,
        name: &'a str,
        kind: AnnotationKind,
        label: Option<&'a str>,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        Snippet::source(self.text.as_str())
            .line_start(self.line)
            .path(name)
            .annotation(kind.span(self.span.clone()).label(label))
    }
}

/// The renderer makes the control characters of ASCII visible, but not those above it, which terminals obey too.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !c.is_ascii() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let source = Arc::new(SourceFile::new("bad\u{7}.yaml", "id: \u{1b}[31mred\u{9b}5m\u{7f}\n"));
        let text =
            Diagnostic::error(&source, 4..5, "x", "an \u{1b} escape").with_help("no \u{202e} tricks").render(false);
        assert!(text.chars().all(|c| !c.is_control() || c == '\n'), "{text:?}");
        assert!(!text.contains('\u{202e}'), "{text:?}");
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let source = Arc::new(SourceFile::new("s.yaml", "{token: hunter2, name: a}"));
        let text = Diagnostic::error(&source, 8..15, SECRET_CODE, "wrong").render(false);
        assert!(text.contains("{token: ***, name: a}") && text.contains("s.yaml:1:9"), "{text}");
    }

    #[test]
    fn a_line_of_a_mebibyte_is_cut_and_keeps_its_column() {
        let line = format!("id: {}x{}", "a".repeat(500_000), "b".repeat(500_000));
        let source = Arc::new(SourceFile::new("long.yaml", line));
        let text = Diagnostic::error(&source, 500_004..500_005, "x", "wrong").render(false);
        assert!(text.contains("long.yaml:1:500005"), "{}", text.chars().take(300).collect::<String>());
        assert!(text.len() < 2_000, "{} bytes", text.len());
    }
}
