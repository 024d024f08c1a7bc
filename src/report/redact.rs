//! Blacking out what must not leave the house, as the last pass over every text of a report.

use serde_json::Value;

use super::model::Report;

/// What is blacked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redaction {
    /// Twelve-digit account numbers, which become `************`.
    AccountIds,
    /// E-mail addresses, which become `***@***`.
    Emails,
}

impl Redaction {
    /// All that can be blacked out.
    pub const ALL: [Self; 2] = [Self::AccountIds, Self::Emails];
}

impl Report {
    /// The report with every text blacked out as asked. Digests and ids are texts too, but hold neither.
    #[must_use]
    pub fn redacted(&self, redactions: &[Redaction]) -> Self {
        if redactions.is_empty() {
            return self.clone();
        }
        let mut value = serde_json::to_value(self).expect("invariant: our own values serialise to JSON");
        visit(&mut value, redactions);
        serde_json::from_value(value).expect("invariant: texts may hold anything")
    }
}

fn visit(value: &mut Value, redactions: &[Redaction]) {
    match value {
        Value::String(text) => {
            for redaction in redactions {
                *text = match redaction {
                    Redaction::AccountIds => without_accounts(text),
                    Redaction::Emails => without_emails(text),
                };
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| visit(value, redactions)),
        Value::Object(map) => map.values_mut().for_each(|value| visit(value, redactions)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// AWS: an account's id is exactly twelve digits; longer numbers, and digits inside a word, are something else.
fn without_accounts(text: &str) -> String {
    let pieces = split_keeping(text, char::is_alphanumeric);
    let is_account = |piece: &str| piece.len() == 12 && piece.chars().all(|c| c.is_ascii_digit());
    pieces.into_iter().map(|piece| if is_account(piece) { "************" } else { piece }).collect()
}

fn without_emails(text: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '_' | '%' | '+' | '-');
    let is_email = |piece: &str| {
        piece.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.trim_end_matches('.').contains('.'))
    };
    split_keeping(text, is_part).into_iter().map(|piece| if is_email(piece) { "***@***" } else { piece }).collect()
}

/// Cuts a text where characters change from being part of a word to not being one; nothing is lost.
fn split_keeping(text: &str, is_part: impl Fn(char) -> bool) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind = is_part(first);
        let end = rest.find(|c| is_part(c) != kind).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_addresses_are_blacked_out_and_nothing_else() {
        let text = "arn:aws:lambda:eu-west-1:111122223333:function:x by maria@example.com, order 1234567890123";
        assert_eq!(
            without_emails(&without_accounts(text)),
            "arn:aws:lambda:eu-west-1:************:function:x by ***@***, order 1234567890123"
        );
        assert_eq!(without_emails("a @ b, @home, x@y"), "a @ b, @home, x@y");
    }
}
