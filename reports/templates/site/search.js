
"use strict";
(() => {
  const entries = JSON.parse(document.getElementById("index").textContent);
  const rows = [...document.querySelectorAll("[data-row]")];
  const form = document.getElementById("filter");
  const said = document.getElementById("said");
  const fields = ["status", "severity", "component", "factor"];
  const value = name => form.elements[name].value;

  // Each word of the question must begin a word of the lesson.
  const has = (text, word) => {
    for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
      if (at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1])) return true;
    }
    return false;
  };
  const fits = (entry, words) =>
    words.every(word => has(entry.text, word)) &&
    (!value("status") || entry.status === value("status")) &&
    (!value("severity") || entry.severity === value("severity")) &&
    (!value("component") || entry.components.includes(value("component"))) &&
    (!value("factor") || entry.factors.includes(value("factor")));

  const show = () => {
    const words = value("words").toLowerCase().split(/\s+/).filter(word => word);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !fits(entries[Number(row.dataset.row)], words);
      if (!row.hidden) shown += 1;
    }
    const of = shown === rows.length ? "" : ` of ${rows.length}`;
    said.textContent = `${shown}${of} ${rows.length === 1 ? "lesson" : "lessons"}`;
  };
  // What is asked stands in the address, so that it can be sent to somebody.
  const keep = () => {
    const asked = new URLSearchParams();
    for (const name of ["words", ...fields]) if (value(name)) asked.set(name, value(name));
    history.replaceState(null, "", asked.size ? `#${asked}` : location.pathname);
  };
  const take = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const name of ["words", ...fields]) form.elements[name].value = asked.get(name) ?? "";
    show();
  };

  form.hidden = false;
  form.addEventListener("input", () => { show(); keep(); });
  form.addEventListener("reset", () => setTimeout(() => { show(); keep(); }));
  form.addEventListener("submit", event => event.preventDefault());
  window.addEventListener("hashchange", take);
  take();
})();
