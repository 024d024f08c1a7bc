//! Diagnostics as SARIF 2.1.0 (OASIS), which code hosts show beside the lines that they are about.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::document::{Diagnostic, Severity};

/// Diagnostics as a SARIF log; each code is a rule.
pub(super) fn log(diagnostics: &[Diagnostic]) -> Value {
    let mut rules: BTreeMap<&str, &Diagnostic> = BTreeMap::new();
    diagnostics.iter().for_each(|found| {
        rules.entry(found.code).or_insert(found);
    });
    let index_of = |code: &str| rules.keys().position(|known| *known == code);
    let results: Vec<Value> = diagnostics
        .iter()
        .map(|found| {
            let help = found.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
            json!({
                "ruleId": found.code,
                "ruleIndex": index_of(found.code),
                "level": level(found),
                "message": {"text": format!("{}{help}", found.message)},
                "locations": [{"physicalLocation": place(found)}],
            })
        })
        .collect();
    let rule = |(code, found): (&&str, &&Diagnostic)| json!({"id": code, "defaultConfiguration": {"level": level(found)}, "shortDescription": {"text": code.replace('-', " ")}});
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "gameday",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn level(found: &Diagnostic) -> &'static str {
    match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// The file, by a URI relative to the folder in which the check was started, and the place in it.
fn place(found: &Diagnostic) -> Value {
    let (start, end) = (found.source.position(found.span.start), found.source.position(found.span.end));
    json!({
        "artifactLocation": {"uri": uri(found.source.name())},
        "region": {"startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column},
    })
}

/// A path as a URI reference (RFC 3986): what is no letter, digit or one of `-._~/` is percent-encoded.
pub(super) fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let encode = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    path.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::document::SourceFile;

    #[test]
    fn a_finding_has_its_rule_its_level_and_its_place() {
        let source = Arc::new(SourceFile::new("./scenarios/a b.yaml", "gameday: 1\nid: ü x\n"));
        let found = [
            Diagnostic::error(&source, 15..18, "bad-id", "`ü x` is no id").with_help("write `x`"),
            Diagnostic::warning(&source, 0..7, "old", "old"),
            Diagnostic::error(&source, 0..7, "bad-id", "again"),
        ];
        let log = log(&found);
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 2);
        let first = &run["results"][0];
        assert_eq!((first["level"].as_str(), first["ruleIndex"].as_u64()), (Some("error"), Some(0)));
        let place = &first["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "scenarios/a%20b.yaml");
        assert_eq!(
            (place["region"]["startLine"].as_u64(), place["region"]["startColumn"].as_u64()),
            (Some(2), Some(5))
        );
        assert_eq!(run["results"][1]["level"], "warning");
    }
}
