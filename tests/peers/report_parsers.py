"""Reads reports by parsers that are not ours: `report_parsers.py FOLDER...`; what is wrong with any ends it.

Each folder holds report.html, report.md, report.json, junit.xml and the tables; `--page FILE` reads a page alone.
"""

import csv
import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import html5lib
from html5lib.constants import namespaces
from markdown_it import MarkdownIt

# What a report may be made of. Anything else came from what somebody wrote into a scenario, a lesson or a note.
HTML = "a body br code dd details div dl dt figure footer h1 h2 h3 head header html li main meta nav ol p pre section span strong style summary table tbody td th thead title tr ul".split()
SVG = "svg g path rect line text title desc polyline polygon circle tspan defs pattern clipPath linearGradient stop use".split()
LINKS = ("http://", "https://", "#", "evidence/")


def page(path):
    text = path.read_text(encoding="utf-8")
    parser = html5lib.HTMLParser(html5lib.getTreeBuilder("etree"), strict=True)
    for element in parser.parse(text).iter():
        if not isinstance(element.tag, str):
            continue  # a comment
        space, name = element.tag[1:].split("}")
        assert name in (SVG if space == namespaces["svg"] else HTML), (path, element.tag)
        for attribute, value in element.items():
            plain = attribute.split("}")[-1].lower()
            assert not plain.startswith("on") and plain not in ("src", "srcdoc", "action"), (path, name, attribute)
            if plain == "href":
                assert value.startswith(LINKS) or "/" not in value and ":" not in value or value.startswith("lessons/"), (path, value)
    return parser


def texts(tokens):
    """Text as it is shown, of inline tokens."""
    return "".join(token.content if token.type in ("text", "code_inline") else " " for token in tokens)


def tables(path):
    """The tables of a Markdown file: of each the header's cells, and the rows' cells, as they are shown."""
    # Tables are no part of CommonMark; GitHub has them, and this renderer too.
    tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))
    found, row = [], None
    for index, token in enumerate(tokens):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            row = []
        elif token.type == "tr_close":
            found[-1].append(row)
        elif token.type in ("th_open", "td_open"):
            row.append(texts(tokens[index + 1].children or []))
        elif token.type == "html_block":
            for line in token.content.strip().splitlines():
                allowed = line in ("<details>", "</details>") or line.startswith("<summary>") and line.endswith("</summary>")
                assert allowed, (path, line)
        elif token.type == "code_block":
            raise AssertionError((path, "text became code", token.content))
        elif token.type == "inline":
            kinds = {child.type for child in token.children}
            assert not kinds & {"html_inline", "link_open"}, (path, token.content)
            images = [child.attrs["src"] for child in token.children if child.type == "image"]
            assert images in ([], ["timeline.svg"]), (path, images)
    return [(table[0], table[1:]) for table in found], tokens


def assert_no_broken_table(path, tokens):
    """A table that is none any more shows its delimiter row."""
    for token in tokens:
        if token.type == "inline":
            assert not any(line.startswith("| ---") for line in token.content.split("\n")), (path, token.content)


def assert_even_rows(path):
    """Holds that no row is wider than its header: a renderer cuts off what is too much."""
    width = None
    for line in path.read_text(encoding="utf-8").split("\n"):
        if not line.startswith("|"):
            width = None
            continue
        count = len(line.replace("\\\\", "").replace("\\|", "").strip().strip("|").split("|"))
        width = width or count
        assert count == width, (path, width, line)


def markdown(path, report):
    found, tokens = tables(path)
    assert_no_broken_table(path, tokens)
    assert_even_rows(path)
    by_header = {}
    for header, rows in found:
        assert all(len(row) == len(header) for row in rows), (path, header)
        by_header.setdefault(header[1] if header[0] == "" and len(header) > 1 else header[0], []).append((header, rows))

    def rows(name, count):
        of_name = by_header.get(name, [])
        assert sum(len(rows) for _, rows in of_name) == count, (path, name, count, [len(rows) for _, rows in of_name])
        return [row for _, rows in of_name for row in rows]

    hypotheses = rows("Hypothesis", len(report["hypotheses"]))
    for row, hypothesis in zip(hypotheses, report["hypotheses"]):
        assert row[0] == hypothesis["id"], row
        assert shown(hypothesis["text"]) == " ".join(row[1].split()), (row[1], hypothesis["text"])
        assert shown(hypothesis["expected"]) == " ".join(row[3].split()), (row[3], hypothesis["expected"])
        assert row[4].strip().startswith(hypothesis["verdict"]["name"].replace("_", " ")), row
    rows("Term", sum(len(hypothesis["terms"]) for hypothesis in report["hypotheses"]))
    rows("Fault", len(report["faults"]))
    rows("Alarm", len(report["alarms"]))
    rows("Guardrail", len(report["guardrails"]))
    rows("Gate", len(report["gates"]))
    rows("Step", len(report["steps"]))
    rows("Lesson", len(report["lessons"]))
    rows("Action", len(report["actions"]))
    rows("Question", len(report["practices"]))
    rows("File", len(report["evidence"]))
    rows("Load", len(report["loads"]))
    rows("Change", sum(len(entry["states"]) for entry in report["safety"]["ledger"]) + len(report["safety"]["switches"]))
    elapsed = rows("Elapsed", len(report["timeline"]) + len(report["journal"]))
    for row, entry in zip(elapsed[len(report["timeline"]):], report["journal"]):
        assert shown(entry["text"]) in " ".join(row[3].split()), (row[3], entry["text"])
    for row, lesson in zip(rows("Lesson", len(report["lessons"])), report["lessons"]):
        assert shown(lesson["title"]) in " ".join(row[1].split()), (row[1], lesson["title"])
    # What finishes a run by hand is to be typed as it stands.
    codes = {child.content for token in tokens if token.type == "inline" for child in token.children if child.type == "code_inline"}
    for command in report["safety"]["by_hand"]:
        assert command in codes, (path, command, codes)


def shown(text):
    """Text as a report shows it: what cannot be seen is replaced, and blanks are one."""
    hidden = lambda c: not c.isprintable() and not c.isspace() or c in "\x1c\x1d\x1e\x1f\x85"
    bidi = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\ufffe\uffff"
    keep = "\u200e\u200f\u061c\u200b"
    return " ".join("".join("\ufffd" if (hidden(c) or c in bidi) and c not in keep else c for c in text).split())


def junit(path, report):
    suites = {suite.get("name"): suite for suite in ElementTree.parse(path).getroot().iter("testsuite")}
    expected = [alarm for alarm in report["alarms"] if alarm["role"] == "expected"]
    for name, count in (
        ("run", 2),
        ("hypotheses", len(report["hypotheses"])),
        ("gates", len(report["gates"])),
        ("guardrails", len(report["guardrails"])),
        ("alarms", len(expected)),
    ):
        suite = suites.pop(name, None)
        cases = [] if suite is None else suite.findall("testcase")
        assert len(cases) == count, (path, name, count, len(cases))
        if suite is not None:
            assert int(suite.get("tests")) == count, (path, name)
            for kind, attribute in (("failure", "failures"), ("error", "errors")):
                assert int(suite.get(attribute)) == sum(case.find(kind) is not None for case in cases), (path, name, kind)
        for case, row in zip(cases, report["hypotheses"] if name == "hypotheses" else []):
            passed = all(case.find(kind) is None for kind in ("failure", "error", "skipped"))
            assert passed == (row["verdict"]["name"] in ("upheld", "gap_holds")), (path, row["id"])
    assert not suites, (path, list(suites))


def table(path, count):
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, strict=True)
    assert len(rows) == count, (path, count, len(rows))
    assert all(len(row) == len(header) for row in rows), path
    assert not any(cell.startswith(("=", "+", "-", "@")) and not cell[1:2].isdigit() for row in rows for cell in row), path
    return rows


def main():
    arguments = sys.argv[1:]
    if arguments[0] == "--page":
        page(Path(arguments[1]))
        return
    for folder in map(Path, arguments):
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        page(folder / "report.html")
        markdown(folder / "report.md", report)
        junit(folder / "junit.xml", report)
        events = table(folder / "events.csv", len(report["timeline"]))
        for row, entry in zip(events, report["timeline"]):
            assert row[3].lstrip("'") == (entry["about"] or "").lstrip("'") or "\ufffd" in row[3], (row, entry["about"])
        table(folder / "load.csv", sum(len(load["seconds"]) for load in report["loads"]))
        table(folder / "load-windows.csv", sum(len(load["windows"]) + len(load["parts"]) for load in report["loads"]))
        table(folder / "actions.csv", len(report["actions"]))
    print(len(arguments), "reports")


main()
