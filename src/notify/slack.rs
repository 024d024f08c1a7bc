//! A notice as a message of Slack: blocks, and a text for what shows no blocks.
//!
//! Only this file writes mark-up. What comes from a notice is escaped, so that it is neither a link nor a mention.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::notice::{Notice, NoticeSeverity};
use super::text::shortened;

/// The longest text of a header (Slack: block kit, header).
const HEADER_CHARS_MAX: usize = 150;

/// The longest text of a section (Slack: block kit, section).
const SECTION_CHARS_MAX: usize = 3_000;

/// How many blocks a message has at most (Slack: block kit).
const BLOCKS_MAX: usize = 50;

/// How long each of the two parts of a fallback may be: escaped, a character takes up to five, and both fit into a text.
const FALLBACK_PART_CHARS_MAX: usize = 280;

/// How long the address of a link may be; a longer one is not linked, since half of it leads nowhere.
const LINK_CHARS_MAX: usize = 800;

/// The longest list of names.
const LIST_CHARS_MAX: usize = SECTION_CHARS_MAX - 200;

/// The longest place, before it is escaped.
const PLACE_CHARS_MAX: usize = 400;

/// The message.
pub(super) fn message(notice: &Notice) -> Value {
    let head = format!("{}{}", sign(notice.severity), notice.what);
    let mut blocks = vec![json!({
        "type": "header",
        // A plain text has no mark-up, and none of its words becomes a sign.
        "text": {"type": "plain_text", "emoji": false, "text": shortened(&head, HEADER_CHARS_MAX)},
    })];
    let mut lines = Vec::new();
    if head.chars().count() > HEADER_CHARS_MAX {
        lines.push(escaped(&notice.what));
    }
    lines.extend(notice.details.iter().map(|detail| format!("• {}", escaped(detail))));
    lines.extend(facts(notice));
    blocks.extend(sections(&lines).into_iter().take(BLOCKS_MAX - 2).map(|text| {
        // Word for word: no name and no address in it becomes a link or a mention by itself.
        json!({"type": "section", "text": {"type": "mrkdwn", "verbatim": true, "text": text}})
    }));
    let about = format!("gameday · run {} · {}", escaped(&notice.run), notice.event);
    blocks.push(json!({
        "type": "context",
        "elements": [{"type": "mrkdwn", "verbatim": true, "text": about}],
    }));
    json!({"text": fallback(notice, &head), "blocks": blocks})
}

/// What is read aloud and stands in a notification.
fn fallback(notice: &Notice, head: &str) -> String {
    let [head, place] = [head, &place(notice)].map(|text| escaped(&shortened(text, FALLBACK_PART_CHARS_MAX)));
    format!("{head} ({place}, {})", notice.since.format("%H:%M UTC"))
}

fn sign(severity: NoticeSeverity) -> &'static str {
    match severity {
        NoticeSeverity::Info => "",
        NoticeSeverity::Good => "✓ ",
        NoticeSeverity::Warning => "⚠ ",
        NoticeSeverity::Critical => "✗ ",
    }
}

fn place(notice: &Notice) -> String {
    let region = notice.place.region.as_ref().map(|region| format!(" in {region}")).unwrap_or_default();
    let target = notice.place.target.as_ref().map(|target| format!(", {target}")).unwrap_or_default();
    shortened(&format!("{}{region}{target}", notice.place.environment), PLACE_CHARS_MAX)
}

/// Where, since when, until when, by which playbook, who, and what to type.
fn facts(notice: &Notice) -> Vec<String> {
    let mut lines = vec![format!("*Where:* {}", escaped(&place(notice))), format!("*Since:* {}", moment(notice.since))];
    lines.extend(notice.until.map(|until| format!("*Until:* {}, as planned", moment(until))));
    if let Some(playbook) = &notice.playbook {
        let address = playbook.url.as_ref().map(|url| escaped_address(url));
        let shown = escaped(&playbook.path);
        lines.push(match address.filter(|address| address.chars().count() <= LINK_CHARS_MAX) {
            Some(address) => format!("*Playbook:* <{address}|{shown}>"),
            None => format!("*Playbook:* {shown}"),
        });
    }
    if !notice.who.is_empty() {
        lines.push(format!("*On it:* {}", listed(&notice.who)));
    }
    lines.extend(notice.command.iter().map(|command| format!("*Type:* `{}`", escaped_code(command))));
    lines
}

/// Texts behind each other, with how many did not fit.
fn listed(texts: &[String]) -> String {
    let mut list = String::new();
    for (index, text) in texts.iter().map(|text| escaped(text)).enumerate() {
        if list.chars().count() + text.chars().count() > LIST_CHARS_MAX {
            return format!("{list} and {} more", texts.len() - index);
        }
        if index > 0 {
            list.push_str(", ");
        }
        list.push_str(&text);
    }
    list
}

/// A moment in the reader's own time (Slack: date formatting).
fn moment(at: DateTime<Utc>) -> String {
    format!("<!date^{}^{{date_short_pretty}} {{time_secs}}|{}>", at.timestamp(), at.format("%Y-%m-%d %H:%M:%S UTC"))
}

/// A text that is neither mark-up nor a mention (Slack: escaping text). What sets words apart, or stands before a name, gets a character
/// of no width before it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '*' | '_' | '~' | '`' => safe.extend(['\u{200b}', character]),
            // `@channel` and `#general` are mentions where a workspace still parses words.
            '@' | '#' => safe.extend([character, '\u{200b}']),
            _ => safe.push(character),
        }
    }
    safe
}

/// A text between back quotes, to be copied: the `_` of an id is no mark-up there, and stays alone.
fn escaped_code(text: &str) -> String {
    text.split('_').map(escaped).collect::<Vec<_>>().join("_")
}

/// The address of a link; a bar would begin its words.
fn escaped_address(url: &str) -> String {
    let mut safe = String::with_capacity(url.len());
    for character in url.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' | '>' | '|' | '"' | ' ' => {
                write!(safe, "%{:02X}", u32::from(character)).expect("invariant: writing to a string does not fail");
            }
            _ => safe.push(character),
        }
    }
    safe
}

/// Lines in texts that fit. One that fits into none, which is not escaped text of ours, is left out.
fn sections(lines: &[String]) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    for line in lines.iter().filter(|line| line.chars().count() <= SECTION_CHARS_MAX) {
        match sections.last_mut() {
            Some(last) if last.chars().count() + 1 + line.chars().count() <= SECTION_CHARS_MAX => {
                last.push('\n');
                last.push_str(line);
            }
            Some(_) | None => sections.push(line.clone()),
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::notice::NoticePlaybook;
    use crate::notify::test_notice;

    fn texts(value: &Value, found: &mut Vec<(bool, String)>) {
        match value {
            Value::Object(map) => {
                if let (Some(kind), Some(text)) = (map.get("type"), map.get("text").and_then(Value::as_str)) {
                    found.push((kind == "mrkdwn", text.to_owned()));
                }
                map.values().for_each(|value| texts(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| texts(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// What stands between `<` and `>`: links, dates and mentions.
    fn marked(text: &str) -> Vec<&str> {
        text.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()).collect()
    }

    fn hostile(text: &str) -> Notice {
        let notice = test_notice(text, text, DateTime::UNIX_EPOCH);
        let playbook = NoticePlaybook {
            id: "pb".to_owned(),
            path: text.to_owned(),
            url: Some("https://a.b/x|<!here>\"&c".to_owned()),
        };
        Notice {
            what: text.to_owned(),
            details: vec![text.to_owned(); super::super::compose::DETAILS_MAX],
            who: vec![text.to_owned(); 20],
            command: Some(text.to_owned()),
            run: text.to_owned(),
            playbook: Some(playbook),
            until: Some(DateTime::UNIX_EPOCH),
            ..notice
        }
    }

    #[test]
    fn no_text_of_a_notice_becomes_a_mention_or_a_link() {
        let message = message(&hostile("<!channel> <@U1> <https://evil|click> @here #general *bold* `code` &amp;"));
        let mut found = Vec::new();
        texts(&message["blocks"], &mut found);
        found.push((true, message["text"].as_str().unwrap().to_owned()));
        for (_, text) in found.iter().filter(|(is_marked_up, _)| *is_marked_up) {
            for marked in marked(text) {
                let is_ours =
                    marked.starts_with("!date^0^") || marked.starts_with("https://a.b/x%7C%3C!here%3E%22&amp;c|");
                assert!(is_ours, "{marked}");
            }
            assert!(!text.contains("@here") && !text.contains("#general") && !text.contains(" *bold"), "{text}");
        }
        let sections = message["blocks"].as_array().unwrap().iter().filter(|block| block["type"] == "section");
        assert!(sections.into_iter().all(|block| block["text"]["verbatim"] == true));
        assert_eq!(message["blocks"][0]["text"]["type"], "plain_text");
    }

    #[test]
    fn a_command_is_copied_as_it_is_typed() {
        let command = "gameday recover 2026-11-10-100000-checkout_slow";
        let notice = Notice { command: Some(command.to_owned()), ..test_notice("sandbox", "me", DateTime::UNIX_EPOCH) };
        assert!(message(&notice).to_string().contains(&format!("`{command}`")), "{}", message(&notice));
    }

    #[test]
    fn a_message_keeps_the_limits_of_slack_whatever_stands_in_it() {
        let message = message(&hostile(&"&".repeat(super::super::text::TEXT_CHARS_MAX)));
        let blocks = message["blocks"].as_array().unwrap();
        assert!(blocks.len() <= BLOCKS_MAX && blocks.len() > 3, "{}", blocks.len());
        let mut found = Vec::new();
        texts(&message["blocks"], &mut found);
        let length = |text: &str| text.chars().count();
        assert!(found.iter().all(|(_, text)| length(text) <= SECTION_CHARS_MAX));
        assert!(length(blocks[0]["text"]["text"].as_str().unwrap()) <= HEADER_CHARS_MAX);
        let text = message["text"].as_str().unwrap();
        assert!(length(text) <= SECTION_CHARS_MAX);
        assert_eq!(text.matches('&').count(), text.matches("&amp;").count(), "no entity is cut");
        let details = found.iter().map(|(_, text)| text.matches('•').count()).sum::<usize>();
        assert_eq!(details, super::super::compose::DETAILS_MAX, "none is left out");
        let all: String = found.iter().map(|(_, text)| text.as_str()).collect();
        let facts = ["*Where:*", "*Since:*", "*Until:*", "*Playbook:*", "*On it:*", "more", "*Type:*"];
        assert!(facts.iter().all(|fact| all.contains(fact)), "{all}");
    }

    #[test]
    fn a_message_says_what_where_since_when_by_which_playbook_and_who() {
        let notice = test_notice("staging", "responder (oncall)", DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let playbook = NoticePlaybook {
            id: "pb-slow".to_owned(),
            path: "playbooks/slow.md".to_owned(),
            url: Some("https://git.example/shop/playbooks/slow.md".to_owned()),
        };
        let notice = Notice { playbook: Some(playbook), command: Some("gameday recover r".to_owned()), ..notice };
        let text = message(&notice).to_string();
        for part in [
            "This is a test of gameday",
            "*Where:* staging",
            "*Since:* <!date^1800000000^{date_short_pretty} {time_secs}|2027-01-15 08:00:00 UTC>",
            "*Playbook:* <https://git.example/shop/playbooks/slow.md|playbooks/slow.md>",
            "*On it:* responder (oncall)",
            "*Type:* `gameday recover r`",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
