//! The report's page in a real Chromium: it fits a desk and a phone, light and dark, and asks nobody for anything.

use std::path::Path;
use std::process::{Command, Stdio};

use gameday::report::{Report, html};
use serde_json::Value;

use crate::support::repository;

const PROGRAMS: [&str; 2] = ["chromium", "chromium-browser"];

/// Chromium without a window and without a word to anybody.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=10000",
    "--dump-dom",
];

/// What the page says of itself, as the attribute `data-seen` of the wrapper's body.
const LOOK: &str = r"
  const frame = document.querySelector('iframe');
  frame.onload = () => {
    const page = frame.contentDocument;
    page.querySelectorAll('details').forEach(part => part.open = true);
    const colour = frame.contentWindow.getComputedStyle(page.body).backgroundColor;
    const drawn = [...page.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width > 0).length;
    document.body.dataset.seen = JSON.stringify({
      overflow: page.documentElement.scrollWidth - page.documentElement.clientWidth,
      requests: frame.contentWindow.performance.getEntriesByType('resource').length,
      brightness: Math.max(...colour.match(/\d+/g).slice(0, 3).map(Number)),
      drawn, scripts: page.scripts.length, title: page.title,
    });
  };";

/// A Chromium, where there is one.
pub(crate) fn program() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| {
        let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    })
}

/// The golden report's page, looked at in a frame of this width.
fn look(program: &str, width: u32, is_dark: bool) -> Value {
    let golden = std::fs::read_to_string(repository().join("tests/fixtures/report/report.json")).unwrap();
    let report: Report = serde_json::from_str(&golden).unwrap();
    let page = html(&report, None).unwrap().replace('&', "&amp;").replace('"', "&quot;");
    let directory = tempfile::tempdir().unwrap();
    let wrapper = directory.path().join("wrapper.html");
    let frame = format!("<iframe style=\"width:{width}px;height:900px;border:0\" srcdoc=\"{page}\"></iframe>");
    // The script stands before the frame's content is there, so that the load is not missed.
    let text = format!("<!doctype html><meta charset=\"utf-8\"><body>{frame}<script>{LOOK}</script>");
    std::fs::write(&wrapper, text).unwrap();
    let dom = dump(program, &wrapper, directory.path(), is_dark, &[]);
    let seen = dom.split_once("data-seen=\"").and_then(|(_, rest)| rest.split_once('"'));
    let (seen, _) = seen.unwrap_or_else(|| panic!("the page was not looked at: {} bytes of DOM", dom.len()));
    serde_json::from_str(&seen.replace("&quot;", "\"").replace("&amp;", "&")).unwrap()
}

/// The page as it is when its scripts have run.
pub(crate) fn dump(program: &str, page: &Path, profile: &Path, is_dark: bool, flags: &[&str]) -> String {
    let mut command = Command::new(program);
    command
        .args(FLAGS)
        .args(flags)
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("--window-size=1400,1000");
    if is_dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    let output = command.arg(page).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_page_fits_a_desk_and_a_phone_in_light_and_dark() {
    let Some(program) = program() else {
        println!("skipped: there is no Chromium; `make chromium` installs Debian's");
        return;
    };
    for (width, is_dark) in [(1280, false), (390, false), (390, true)] {
        let seen = look(program, width, is_dark);
        assert_eq!(seen["overflow"], 0, "{width} px: {seen}");
        assert_eq!(seen["requests"], 0, "{seen}");
        assert_eq!(seen["scripts"], 0, "{seen}");
        assert_eq!(seen["drawn"], 1, "one timeline is shown: {seen}");
        let brightness = seen["brightness"].as_u64().unwrap();
        assert!(if is_dark { brightness < 80 } else { brightness > 200 }, "dark: {is_dark}, {seen}");
    }
}
