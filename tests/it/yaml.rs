//! Our reader of YAML against another one: the same files and scalars have the same values, but for the differences that
//! `document/scalar.rs` names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gameday::document::{Decoder, SourceFile, Tree};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::repository;

/// What our reader makes of a document; none where it tells a problem.
fn ours(text: &str) -> Option<Value> {
    let source = Arc::new(SourceFile::new("t.yaml", text));
    let mut problems = Vec::new();
    let tree = Tree::parse(&source, &mut problems)?;
    let (value, _, more) = Decoder::new(tree).finish::<Value>();
    value.filter(|_| problems.is_empty() && more.is_empty())
}

/// What the other reader makes of it; none where it refuses.
fn theirs(text: &str) -> Option<Value> {
    serde_yaml::from_str(text).ok()
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "bad" {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
}

#[test]
fn every_good_file_of_the_repository_has_the_same_values() {
    let mut files = Vec::new();
    yaml_files(repository(), &mut files);
    assert!(files.len() >= 15, "only {} files were found", files.len());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let value = theirs(&text).unwrap_or_else(|| panic!("{} is no YAML", path.display()));
        assert_eq!(ours(&text), Some(value), "{}", path.display());
    }
}

/// Whether a plain scalar is one of those that our reader refuses: the table in `document/scalar.rs`, in other words.
fn is_refused(scalar: &str) -> bool {
    let unsigned = scalar.trim_start_matches(['-', '+']);
    let has_one_sign_at_most = scalar.len() - unsigned.len() <= 1;
    let is_number = |digits: &str, radix| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    let is_plain = scalar.len() == unsigned.len();
    has_one_sign_at_most
        && (matches!(unsigned.to_lowercase().as_str(), ".inf" | ".nan")
            || (is_number(unsigned, 10) && unsigned.len() > 1 && unsigned.starts_with('0'))
            || unsigned.strip_prefix("0b").is_some_and(|digits| is_number(digits, 2))
            || unsigned
                .strip_prefix("0x")
                .is_some_and(|digits| is_number(digits, 16) && (!is_plain || !is_of_64_bits(digits, 16)))
            || unsigned
                .strip_prefix("0o")
                .is_some_and(|digits| is_number(digits, 8) && (!is_plain || !is_of_64_bits(digits, 8)))
            || (is_number(unsigned, 10) && !is_of_64_bits(scalar.trim_start_matches('+'), 10)))
}

fn is_of_64_bits(digits: &str, radix: u32) -> bool {
    u64::from_str_radix(digits, radix).is_ok() || i64::from_str_radix(digits, radix).is_ok()
}

/// Scalars that are known for being read in several ways.
const KNOWN: &str = "~ null Null NULL nULL true True TRUE tRUE false False yes no on off y n Yes NO .inf -.inf +.Inf .INF .nan \
    .NaN .NAN inf -inf nan infinity 1_000 .5 5. -.5 +.5 -0 +0 00 0.0 -0.0 . .. + +-1 1e3 1e400 -1e400 1e-400 12e03 0x 0o 0b \
    0o8 0b2 0xG 0x1_0 2026-12-15 2026-12-15T10:00:00Z 09:00 190:20:30 5m 40/s 5% a#b a:b http://a/b#c 127.0.0.1:80 1.2.3 << = \
    é €5 0,5 1,000 18446744073709551615 18446744073709551616 9223372036854775807 9223372036854775808 -9223372036854775808 \
    -9223372036854775809 0xFFFFFFFFFFFFFFFF 0x10000000000000000 999999999999999999999999999999999999999999";

/// Scalars that might be numbers, truths, nothing, dates or times, and are one word each.
fn words() -> impl Strategy<Value = String> {
    let known: Vec<&str> = KNOWN.split_whitespace().chain([""]).collect();
    prop_oneof![
        prop::sample::select(known).prop_map(str::to_owned),
        "[-+]?[0-9]{1,25}",
        "[-+]?0[xob][0-9a-f]{1,20}",
        r"[-+]?[0-9]{0,3}\.?[0-9]{0,3}([eE][-+]?[0-9]{1,3})?",
        "[-+.0-9exob_]{1,8}",
    ]
    .prop_filter("an indicator and not a scalar", |word| !matches!(word.as_str(), "-" | "--" | "---" | "..."))
}

/// Text as it may stand in quotes or in a block: with what has a meaning outside of them.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a", "B", "7", " ", "  ", "#", " #", ":", ": ", "-", "- ", "'", "\"", "\\", "\\n", "{", "}", "[", "]", ",",
        "&", "*", "!", "|", ">", "%", "@", "`", "?", "~", "null", "true", "0123", ".inf", "é", "€", "𝄞", "\u{a0}",
        "${x}", "---", "...",
    ]);
    prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plain_scalar_has_the_same_value_or_is_refused(word in words(), place in 0_usize..4) {
        // In brackets a comma would part it in two.
        let text = match if word.contains(',') { place % 2 } else { place } {
            0 => format!("k: {word}\n"),
            1 => format!("k:\n  - {word}\n  - x\n"),
            2 => format!("k: [x, {word}]\n"),
            _ => format!("k: {{a: {word}, b: x}} # {word}\n"),
        };
        if is_refused(&word) {
            prop_assert_eq!(ours(&text), None, "{}", text);
        } else {
            prop_assert_eq!(ours(&text), theirs(&text), "{}", text);
            prop_assert!(ours(&text).is_some(), "{text}");
        }
    }

    #[test]
    fn a_quoted_scalar_is_the_same_text(content in texts(), style in 0_usize..2) {
        let quoted = match style {
            0 => format!("'{}'", content.replace('\'', "''")),
            _ => json!(content).to_string(),
        };
        let text = format!("k: {quoted} # {content}\nl: [{quoted}, {{m: {quoted}}}]\n");
        prop_assert_eq!(ours(&text), Some(json!({"k": content, "l": [content, {"m": content}]})), "{}", text);
        prop_assert_eq!(ours(&text), theirs(&text), "{}", text);
    }

    #[test]
    fn a_block_or_a_line_of_any_text_is_read_alike_or_refused_by_one(
        lines in prop::collection::vec(texts(), 1..4),
        header in prop::sample::select(vec!["|", "|-", "|+", ">", ">-", ">+", ""]),
    ) {
        let body: String = lines.iter().map(|line| format!("  {}\n", line.trim_start())).collect();
        // Outside of a block `&-:` is an anchor for YAML 1.2, and none for YAML 1.1.
        prop_assume!(!header.is_empty() || !body.contains('&'));
        let text = format!("k: {header}\n{body}l: x\n");
        if let (Some(ours), Some(theirs)) = (ours(&text), theirs(&text)) {
            prop_assert_eq!(ours, theirs, "{}", text);
        }
    }
}
