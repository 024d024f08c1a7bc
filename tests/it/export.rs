//! How lessons and actions leave the house: in every form, blacked out unless told otherwise, and as pages that need no server.

use std::path::Path;

use serde_json::Value;

use crate::action::workspace;
use crate::page::{dump, program};
use crate::support::Workspace;

const HOSTILE: &str = "</script><img src=x onerror=\"document.title='run'\">";

fn said(workspace: &Workspace, arguments: &[&str]) -> String {
    let output = workspace.gameday(arguments);
    assert_eq!(output.code(), 0, "{arguments:?}: {}{}", output.stdout, output.stderr);
    output.stdout
}

/// The workspace with a lesson and an action in which everything is hostile.
fn hostile() -> Workspace {
    let workspace = workspace();
    let text = Value::from(format!("=1+1 | {HOSTILE} of maria@example.com in 111122223333"));
    workspace.write(
        "lessons/L-2026-005.md",
        &format!(
            "---\nid: L-2026-005\ntitle: {text}\nfactors: [{text}]\ncomponents: [checkout]\nregression: probe-load#H1\ncreated: 2026-03-10\n\
             retest_by: 2026-03-11\n---\nZebras. {HOSTILE}\n\n[a](javascript:document.title='run')\n"
        ),
    );
    workspace.write(
        "actions/A-2026-032.yaml",
        &format!("id: A-2026-032\ntext: {text}\ntype: process\nowner: shop\ndue: 2999-01-01\n"),
    );
    workspace
}

#[test]
fn every_form_is_written_and_blacked_out() {
    let workspace = hostile();
    for what in ["lessons", "actions"] {
        for form in ["md", "csv", "json", "jira", "slack"] {
            let text = said(&workspace, &["export", what, "--to", form]);
            assert!(!text.contains("maria@") && !text.contains("111122223333"), "{what} {form}: {text}");
            assert!(text.contains("2026-"), "{what} {form}: {text}");
            let open = said(&workspace, &["export", what, "--to", form, "--no-redact"]);
            assert!(open.contains("111122223333"), "{what} {form}: {open}");
        }
    }
    let json: Value =
        serde_json::from_str(&said(&workspace, &["export", "actions", "--to", "json", "--overdue"])).unwrap();
    assert_eq!((json.as_array().unwrap().len(), &json[0]["id"]), (1, &"A-2026-031".into()));
    let csv = said(&workspace, &["export", "actions", "--to", "csv", "--owner", "shop"]);
    assert!(csv.contains("'=1+1 |"), "no formula: {csv}");
    let lessons: Value =
        serde_json::from_str(&said(&workspace, &["export", "lessons", "--to", "json", "--component", "checkout"]))
            .unwrap();
    assert_eq!((lessons.as_array().unwrap().len(), &lessons[0]["overdue"]), (1, &true.into()));

    said(&workspace, &["export", "actions", "--to", "md", "--output", "out.md"]);
    let written = std::fs::read_to_string(workspace.path().join("out.md")).unwrap();
    assert_eq!(written, said(&workspace, &["export", "actions", "--to", "md"]));
    std::os::unix::fs::symlink("out.md", workspace.path().join("link.md")).unwrap();
    said(&workspace, &["export", "lessons", "--to", "md", "--output", "link.md"]);
    assert!(workspace.path().join("link.md").is_symlink(), "a link stays one");
    let written = std::fs::read_to_string(workspace.path().join("out.md")).unwrap();
    assert_eq!(written, said(&workspace, &["export", "lessons", "--to", "md"]));
    for output in ["lessons", "nowhere/out.md", "/"] {
        let failed = workspace.gameday(&["export", "actions", "--to", "md", "--output", output]);
        assert_eq!(failed.code(), 1, "{output}: {}", failed.stderr);
        assert!(failed.stderr.starts_with("error: failed to "), "{output}: {}", failed.stderr);
    }
}

#[test]
fn pages_are_made_again_and_nothing_else_is_touched() {
    let workspace = hostile();
    let run = "reports/2026-03-10-100000-checkout-payment-slow";
    workspace.write(&format!("{run}/report.html"), "<!doctype html>");
    let read = |name: &str| std::fs::read_to_string(workspace.path().join("site").join(name)).unwrap();
    said(&workspace, &["lesson", "site", "--output", "site", "--no-redact"]);
    assert!(read("actions.html").contains(&format!("href=\"../{run}/report.html\"")), "{}", read("actions.html"));
    said(&workspace, &["lesson", "site", "--output", "site"]);
    let pages = ["index.html", "actions.html", "lessons/L-2026-004.html", "lessons/L-2026-005.html"];
    let before = pages.map(read);
    let name = run.trim_start_matches("reports/");
    assert!(
        before[1].contains(name) && !before[1].contains("report.html"),
        "a report is not blacked out: {}",
        before[1]
    );
    assert!(before.iter().all(|page| !page.contains("maria@") && !page.contains("<img")));
    said(&workspace, &["lesson", "site", "--output", "site"]);
    assert_eq!(before, pages.map(read), "the same bytes");

    std::fs::remove_file(workspace.path().join("lessons/L-2026-005.md")).unwrap();
    workspace.write("site/CNAME", "example.com");
    let told: Value =
        serde_json::from_str(&said(&workspace, &["lesson", "site", "--output", "site", "--json"])).unwrap();
    assert_eq!((&told["pages"], &told["removed"]), (&3.into(), &1.into()));
    assert!(!workspace.path().join("site/lessons/L-2026-005.html").exists() && read("CNAME") == "example.com");
    let foreign = workspace.gameday(&["lesson", "site", "--output", "scenarios"]);
    assert_eq!(foreign.code(), 1);
    assert!(foreign.stderr.contains("is not empty"), "{}", foreign.stderr);
    assert!(!workspace.path().join("scenarios/index.html").exists());
}

/// What a page says of itself; `ask` is done first.
fn look(program: &str, folder: &Path, page: &str, width: u32, is_dark: bool) -> Value {
    let script = "
      const frame = document.querySelector('iframe');
      frame.onload = () => {
        const page = frame.contentDocument;
        const colour = frame.contentWindow.getComputedStyle(page.body).backgroundColor;
        const rows = () => [...page.querySelectorAll('[data-row]')].filter(row => !row.hidden).length;
        const ask = (name, value) => {
          const form = page.getElementById('filter');
          if (!form) return null;
          form.reset();
          form.elements[name].value = value;
          form.dispatchEvent(new frame.contentWindow.Event('input'));
          return rows();
        };
        document.body.dataset.seen = JSON.stringify({
          overflow: page.documentElement.scrollWidth - page.documentElement.clientWidth,
          requests: frame.contentWindow.performance.getEntriesByType('resource').length,
          brightness: Math.max(...colour.match(/\\d+/g).slice(0, 3).map(Number)),
          title: page.title, images: page.images.length, rows: rows(),
          zebra: ask('words', 'ZEBR'), ebra: ask('words', 'ebras'), both: ask('words', 'the alarm'),
          open: ask('status', 'open'), checkout: ask('component', 'checkout'), medium: ask('severity', 'medium'),
        });
      };";
    let wrapper = folder.join(format!("wrapper-{width}-{is_dark}.html"));
    let text = format!(
        "<!doctype html><meta charset=\"utf-8\"><body>\
         <iframe style=\"width:{width}px;height:900px;border:0\" src=\"{page}\"></iframe><script>{script}</script>"
    );
    std::fs::write(&wrapper, text).unwrap();
    let profile = tempfile::tempdir().unwrap();
    let dom = dump(program, &wrapper, profile.path(), is_dark, &["--allow-file-access-from-files"]);
    let seen = dom.split_once("data-seen=\"").and_then(|(_, rest)| rest.split_once('"'));
    let (seen, _) = seen.unwrap_or_else(|| panic!("the page was not looked at: {dom}"));
    serde_json::from_str(&seen.replace("&quot;", "\"").replace("&amp;", "&")).unwrap()
}

#[test]
fn the_pages_are_searched_in_a_browser_and_run_nothing_of_a_lesson() {
    let Some(program) = program() else {
        println!("skipped: there is no Chromium; `make chromium` installs Debian's");
        return;
    };
    let workspace = hostile();
    said(&workspace, &["lesson", "site", "--output", "site", "--no-redact"]);
    let folder = workspace.path().join("site");
    for (width, is_dark) in [(1280, false), (390, false), (390, true)] {
        let seen = look(program, &folder, "index.html", width, is_dark);
        assert_eq!(
            (&seen["rows"], &seen["zebra"], &seen["ebra"], &seen["both"]),
            (&2.into(), &1.into(), &0.into(), &1.into()),
            "{seen}"
        );
        assert_eq!((&seen["open"], &seen["checkout"], &seen["medium"]), (&2.into(), &1.into(), &2.into()), "{seen}");
        for page in ["index.html", "actions.html", "lessons/L-2026-005.html"] {
            let seen = look(program, &folder, page, width, is_dark);
            assert_eq!(
                (&seen["overflow"], &seen["requests"], &seen["images"]),
                (&0.into(), &0.into(), &0.into()),
                "{page}: {seen}"
            );
            assert_ne!(seen["title"], "run", "{page}");
            let brightness = seen["brightness"].as_u64().unwrap();
            assert!(if is_dark { brightness < 80 } else { brightness > 200 }, "dark: {is_dark}, {seen}");
        }
    }
}
