//! Lessons and actions as pages that need no server: an index that is searched in the browser, a page a lesson, and the actions.
//!
//! Owns: what stands on which page, what is escaped, where links lead. Must not know: where the pages go; `folder.rs` alone writes.
//! Same lessons, same day, same bytes.

mod body;
mod folder;
mod link;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use self::body::{Names, html_of, plain_text};
pub use self::folder::{SiteError, write};
pub use self::link::relative;
use super::row::{ActionRow, LessonRow};
use crate::report::{Embedded, TemplateError, fill, fill_all, html_code, html_text};
use crate::unit::Redaction;

const STYLE: &str = include_str!("../../../reports/templates/site/style.css");
const SCRIPT: &str = include_str!("../../../reports/templates/site/search.js");

const INDEX: Embedded = Embedded {
    name: "site/index.html.hbs",
    text: include_str!("../../../reports/templates/site/index.html.hbs"),
    escape: html_text,
    code: html_code,
    line_code: html_code,
};

const LESSON: Embedded = Embedded {
    name: "site/lesson.html.hbs",
    text: include_str!("../../../reports/templates/site/lesson.html.hbs"),
    escape: html_text,
    code: html_code,
    line_code: html_code,
};

const ACTIONS: Embedded = Embedded {
    name: "site/actions.html.hbs",
    text: include_str!("../../../reports/templates/site/actions.html.hbs"),
    escape: html_text,
    code: html_code,
    line_code: html_code,
};

/// What the pages are made of.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// The lessons, in the order in which they are shown, blacked out.
    pub lessons: Vec<LessonRow>,
    /// The texts of lessons as they are in their files, by id: they are blacked out once their mark-up is read. One that is not there is
    /// that of its row.
    pub texts: BTreeMap<String, String>,
    /// What is blacked out of the texts.
    pub redactions: Vec<Redaction>,
    /// The actions, in the order in which they are shown.
    pub actions: Vec<ActionRow>,
    /// Where the reports of runs are, from the folder of the pages; only those that are there.
    pub reports: BTreeMap<String, String>,
    /// Where the folder of the lessons is, from the folder of the lessons' pages.
    pub sources: String,
    /// The day on which the pages tell what is overdue.
    pub today: String,
}

impl Site {
    fn text<'s>(&'s self, row: &'s LessonRow) -> &'s str {
        self.texts.get(&row.id).unwrap_or(&row.text)
    }
}

/// The pages by their names in the folder. A template of the same name in `templates` goes before the embedded one.
///
/// # Errors
/// The user's template cannot be read, parsed, or filled.
pub fn pages(site: &Site, templates: Option<&Path>) -> Result<BTreeMap<String, String>, TemplateError> {
    let mut pages = BTreeMap::new();
    pages.insert("index.html".to_owned(), fill(INDEX, templates, &index(site))?);
    pages.insert("actions.html".to_owned(), fill(ACTIONS, templates, &actions(site))?);
    let contexts: Vec<Value> = site.lessons.iter().map(|row| lesson(site, row)).collect();
    let names = site.lessons.iter().map(|row| format!("lessons/{}.html", row.id));
    pages.extend(names.zip(fill_all(LESSON, templates, &contexts)?));
    Ok(pages)
}

/// What every page has: style, script and the policy that lets nothing else in.
fn frame(script: &str) -> Value {
    let hash = |text: &str| {
        let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()));
        format!("'sha256-{digest}'")
    };
    let scripts = if script.is_empty() { "'none'".to_owned() } else { hash(script) };
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {scripts}; base-uri 'none'; form-action 'none'",
        hash(STYLE)
    );
    json!({"style": STYLE, "script": script, "policy": policy})
}

fn index(site: &Site) -> Value {
    let counted = |status: &str| site.lessons.iter().filter(|row| row.status == status).count();
    let present =
        ["regressed", "open", "mitigated", "verified", "retired"].into_iter().filter(|status| counted(status) > 0);
    let statuses: Vec<_> = present.map(|status| json!({"name": status, "count": counted(status)})).collect();
    let severities: Vec<_> = ["critical", "high", "medium", "low"]
        .into_iter()
        .filter(|severity| site.lessons.iter().any(|row| row.severity == *severity))
        .collect();
    let all = |of: fn(&LessonRow) -> &Vec<String>| site.lessons.iter().flat_map(of).collect::<BTreeSet<_>>();
    let open = site.actions.iter().filter(|row| row.status == "open").count();
    json!({
        "frame": frame(SCRIPT),
        "today": site.today,
        "lessons": site.lessons,
        "statuses": statuses,
        "severities": severities,
        "components": all(|row| &row.components),
        "factors": all(|row| &row.factors),
        "actions": {"open": open, "overdue": site.actions.iter().filter(|row| row.overdue).count(), "all": site.actions.len()},
        "index": embedded(&site.lessons.iter().map(|row| entry(site, row)).collect::<Vec<_>>()),
    })
}

/// What is searched of a lesson.
fn entry(site: &Site, row: &LessonRow) -> Value {
    let of_front = [&row.id, &row.title, &row.owner, &row.regression, &row.found_in];
    let lists = [&row.components, &row.faults, &row.factors, &row.ops, &row.actions];
    let words = of_front.into_iter().chain(lists.into_iter().flatten()).map(String::as_str);
    let body = plain_text(site.text(row), &site.redactions);
    let text = words.chain([body.as_str()]).collect::<Vec<_>>().join(" ").to_lowercase();
    json!({
        "text": text.split_whitespace().collect::<Vec<_>>().join(" "),
        "status": row.status,
        "severity": row.severity,
        "components": row.components,
        "factors": row.factors,
    })
}

/// A value as JSON inside a script element, which nothing in it can end (HTML: restrictions for contents of script elements).
fn embedded(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).expect("invariant: our own values serialise to JSON");
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// A link, with no place where there is nothing to lead to.
fn link(text: &str, place: Option<String>) -> Value {
    json!({"text": text, "place": place})
}

fn lesson(site: &Site, row: &LessonRow) -> Value {
    let names = Names {
        lessons: site.lessons.iter().map(|row| row.id.as_str()).collect(),
        actions: site.actions.iter().map(|row| row.id.as_str()).collect(),
        sources: &site.sources,
        redactions: &site.redactions,
    };
    // An action that names the lesson belongs to it, whether the lesson names it or not.
    let own = site.actions.iter().filter(|action| action.lesson == row.id || row.actions.contains(&action.id));
    let unknown = row.actions.iter().filter(|id| !names.actions.contains(id.as_str()));
    let actions: Vec<_> = own
        .map(|action| {
            let place = format!("../actions.html#{}", action.id);
            json!({"link": link(&action.id, Some(place)), "text": action.text, "status": action.status, "overdue": action.overdue})
        })
        .chain(unknown.map(|id| json!({"link": link(id, None), "text": "", "status": "", "overdue": false})))
        .collect();
    let run = |id: &str| {
        let place = site.reports.get(id).map(|place| format!("../{place}"));
        if id.is_empty() { Value::Null } else { link(id, place) }
    };
    let alike: Vec<_> = site
        .lessons
        .iter()
        .filter(|other| other.id != row.id && shares(row, other))
        .take(ALIKE_MAX)
        .map(|other| json!({"link": link(&other.id, Some(format!("{}.html", other.id))), "title": other.title, "status": other.status}))
        .collect();
    json!({
        "frame": frame(""),
        "lesson": row,
        "body": html_of(site.text(row), &names),
        "actions": actions,
        "found_in": run(&row.found_in),
        "tested_in": run(&row.tested_in),
        "alike": alike,
    })
}

/// How many lessons on the same things a page names.
const ALIKE_MAX: usize = 10;

fn shares(one: &LessonRow, other: &LessonRow) -> bool {
    one.components.iter().any(|component| other.components.contains(component))
        || one.factors.iter().any(|factor| other.factors.contains(factor))
}

fn actions(site: &Site) -> Value {
    let lessons: BTreeSet<&str> = site.lessons.iter().map(|row| row.id.as_str()).collect();
    let rows: Vec<_> = site
        .actions
        .iter()
        .map(|row| {
            let lesson = lessons.contains(row.lesson.as_str()).then(|| format!("lessons/{}.html", row.lesson));
            let tracker = link::is_safe(&row.tracker).then(|| row.tracker.clone());
            json!({
                "action": row,
                "lesson": link(&row.lesson, lesson),
                "found_in": link(&row.found_in, site.reports.get(&row.found_in).cloned()),
                "tracker": link(&row.tracker, tracker),
            })
        })
        .collect();
    json!({"frame": frame(""), "today": site.today, "actions": rows})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::row::tests::{action, lesson};

    const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`{{x}}";

    pub(super) fn site() -> Site {
        let body =
            format!("{HOSTILE}\n\n[a](javascript:alert(3)) See L-2026-005 and A-2026-031.\n\n<iframe src=//evil>\n");
        let mut first = lesson("L-2026-004", HOSTILE, &body);
        for list in [&mut first.components, &mut first.factors, &mut first.faults, &mut first.ops] {
            list.push(HOSTILE.to_owned());
        }
        first.owner = HOSTILE.to_owned();
        let mut last = action("A-2026-032", HOSTILE, "");
        last.tracker = "javascript:alert(4)".to_owned();
        Site {
            lessons: vec![first, lesson("L-2026-005", "Another", "Text.")],
            actions: vec![action("A-2026-031", "Shorten it", "tracker: https://example.com/issues/31"), last],
            reports: [(
                "2026-03-10-100000-slow".to_owned(),
                "../reports/2026-03-10-100000-slow/report.html".to_owned(),
            )]
            .into(),
            sources: "../../lessons".to_owned(),
            texts: BTreeMap::new(),
            redactions: Vec::new(),
            today: "2026-11-28".to_owned(),
        }
    }

    #[test]
    fn nothing_of_a_file_is_run_and_nothing_is_asked_of_anybody() {
        let pages = pages(&site(), None).unwrap();
        let names: Vec<_> = pages.keys().map(String::as_str).collect();
        assert_eq!(names, ["actions.html", "index.html", "lessons/L-2026-004.html", "lessons/L-2026-005.html"]);
        for (name, page) in &pages {
            for word in ["<img", "<iframe", "onerror=alert(2)>\"", "<link", "@import", "url("] {
                assert!(!page.contains(word), "{name}: {word}");
            }
            // What stands in text or in a value is no attribute.
            for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
                let names: String = tag.split('"').step_by(2).collect();
                for word in ["src=", "srcdoc=", " onerror", " onload"] {
                    assert!(!names.contains(word), "{name}: {tag}");
                }
            }
            assert!(page.contains("onerror=alert(2)") || name.ends_with("005.html"), "{name} shows the text");
            for link in page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()) {
                let is_ours = ["https://example.com", "../", "lessons/", "index.html", "actions.html", "L-2026-", "#"];
                assert!(is_ours.iter().any(|start| link.starts_with(start)), "{name}: {link}");
            }
            assert!(page.contains("default-src &#39;none&#39;"), "{name} says what it may load");
            let scripts = page.matches("<script").count();
            assert_eq!(scripts, if name == "index.html" { 2 } else { 0 }, "{name}");
        }
    }

    #[test]
    fn links_lead_to_what_is_there() {
        let pages = pages(&site(), None).unwrap();
        let page = &pages["lessons/L-2026-004.html"];
        for link in [
            "<a href=\"../../reports/2026-03-10-100000-slow/report.html\">2026-03-10-100000-slow</a>",
            "<a href=\"../actions.html#A-2026-031\">A-2026-031</a>",
            "<a href=\"L-2026-005.html\">L-2026-005</a>",
        ] {
            assert!(page.contains(link), "{link}: {page}");
        }
        assert!(pages["actions.html"].contains("id=\"A-2026-031\""));
        assert!(pages["index.html"].contains("href=\"lessons/L-2026-004.html\""));
    }

    #[test]
    fn the_same_lessons_make_the_same_bytes() {
        assert_eq!(pages(&site(), None).unwrap(), pages(&site(), None).unwrap());
        let empty = pages(&Site::default(), None).unwrap();
        assert!(
            empty["index.html"].contains("There is no lesson yet")
                && empty["actions.html"].contains("There is no action yet")
        );
    }
}
