/* The chart: one picture, drawn anew at most once a second. */
const SVG = 'http://www.w3.org/2000/svg';
let chartTimer = null;
function chartSoon() {
  if (!$('chart').firstChild) { drawChart(); return; }
  if (chartTimer === null) chartTimer = setTimeout(() => { chartTimer = null; requestAnimationFrame(drawChart); }, 1000);
}
function drawChart() {
  const svg = $('chart'), width = Math.max(280, svg.clientWidth), gutter = 44, top = 16;
  const isOpen = S.run.is_open !== false;
  const end = Math.max(now(), 10000), x = ms => gutter + (width - gutter - 6) * Math.min(1, Math.max(0, ms / end));
  const nodes = [];
  const add = (tag, attributes, words) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (words !== undefined) node.textContent = words;
    nodes.push(node);
  };
  const lanes = isOpen ? [['load', 70], ['failed', 50], ['p99', 60]] : [];
  let y = top + 6;
  const summary = [];
  for (const [lane, height] of lanes) {
    const value = p => lane === 'load' ? Math.max(p[1], p[2] + p[3]) : lane === 'failed' ? (p[2] + p[3] ? p[3] / (p[2] + p[3]) : 0) : p[4] || 0;
    let peak = lane === 'failed' ? 0.05 : 1, bound = null;
    for (const [load, chart] of charts) {
      for (const p of chart.points) peak = Math.max(peak, value(p));
      const row = bounds.get(load);
      const limit = row ? (lane === 'p99' ? row.p99_bound_ms : lane === 'failed' ? row.error_bound : null) : null;
      if (limit !== null) bound = bound === null ? limit : Math.min(bound, limit);
    }
    if (bound !== null) peak = Math.max(peak, bound * 1.1);
    const base = y + height, at = v => base - height * Math.min(1, v / peak);
    if (bound !== null) {
      add('rect', { class: 'beyond', x: gutter, y, width: width - gutter - 6, height: Math.max(0, at(bound) - y) });
      add('line', { class: 'bound', x1: gutter, x2: width - 6, y1: at(bound), y2: at(bound) });
    }
    add('line', { class: 'axis', x1: gutter, x2: width - 6, y1: base, y2: base });
    const unit = lane === 'failed' ? `${Math.round(peak * 100)} %` : lane === 'p99' ? `${Math.round(peak)} ms` : `${Math.round(peak)}`;
    add('text', { x: 2, y: y + 10 }, lane);
    add('text', { x: 2, y: y + 22 }, unit);
    for (const [load, chart] of charts) {
      const path = f => {
        let d = '', isDown = false, last = null;
        for (const p of chart.points) {
          const v = f(p);
          if (v === null || (last !== null && p[0] - last > 2 * Math.max(1, chart.step) + 1)) isDown = false;
          if (v !== null) { d += `${isDown ? 'L' : 'M'}${x(p[0] * 1000).toFixed(1)} ${at(v).toFixed(1)}`; isDown = true; }
          last = p[0];
        }
        return d || 'M0 0';
      };
      if (lane === 'load') add('path', { class: 'target', d: path(p => p[1]) });
      add('path', { class: lane === 'failed' ? 'failed' : 'line', d: path(lane === 'load' ? p => p[2] + p[3] : lane === 'failed' ? p => p[2] + p[3] ? p[3] / (p[2] + p[3]) : null : p => p[4]) });
      const p = chart.points[chart.points.length - 1];
      if (p && lane === 'load') summary.push(`${load}: ${number(p[2] + p[3], 1)} a second`);
    }
    y = base + 8;
  }
  const timeline = S.timeline;
  const bars = (label, rows, bar) => {
    if (!rows.length) return;
    add('text', { x: 2, y: y + 9 }, label);
    for (const row of rows) { bar(row, y); y += 12; }
    y += 4;
  };
  bars('faults', (timeline.faults || []).slice(-6), (row, at) => {
    const from = row.requested_ms, to = row.end_ms === null ? now() : row.end_ms, real = row.effective_ms;
    add('rect', { class: 'fault-wait', x: x(from), y: at, width: Math.max(2, x(to) - x(from)), height: 9 });
    if (real !== null) add('rect', { class: 'fault-bar', x: x(real), y: at, width: Math.max(2, x(to) - x(real)), height: 9 });
    summary.push(`fault ${row.fault} from ${clock(from)}${row.end_ms === null ? ', still in' : ` to ${clock(to)}`}`);
  });
  bars('steps', (timeline.steps || []).slice(0, 6).reverse(), (row, at) => {
    const to = row.closed_ms === null ? now() : row.closed_ms;
    add('rect', { class: row.overdue ? 'step-late' : 'step-bar', x: x(row.opened_ms), y: at, width: Math.max(2, x(to) - x(row.opened_ms)), height: 7 });
  });
  const foot = y + 4;
  for (const phase of timeline.phases || []) {
    add('line', { class: 'edge', x1: x(phase.start_ms), x2: x(phase.start_ms), y1: 2, y2: foot });
    const room = x(phase.end_ms === null ? end : phase.end_ms) - x(phase.start_ms);
    if (room > 24) add('text', { x: x(phase.start_ms) + 3, y: 11 }, phase.name.slice(0, Math.floor(room / 6.5)));
  }
  for (const mark of timeline.marks || []) {
    add('line', { class: 'mark', x1: x(mark.at_ms), x2: x(mark.at_ms), y1: top, y2: foot });
    summary.push(`${mark.name} at ${clock(mark.at_ms)}`);
  }
  const labels = (timeline.marks || []).slice(-4);
  labels.forEach((mark, index) => {
    const right = x(mark.at_ms) > width * 0.7;
    add('text', { x: x(mark.at_ms) + (right ? -3 : 3), y: foot + 12 + 12 * index, 'text-anchor': right ? 'end' : 'start' }, mark.name);
  });
  const height = foot + 18 + 12 * labels.length;
  add('text', { x: gutter, y: height - 2 }, '00:00');
  add('text', { x: width - 6, y: height - 2, 'text-anchor': 'end' }, clock(end));
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.style.height = `${height}px`;
  svg.setAttribute('aria-label', `Timeline of the run: ${summary.slice(-20).join('; ') || 'nothing yet'}`);
  svg.replaceChildren(...nodes);
  text($('legend'), isOpen ? 'Dashed grey: load asked for. Blue: load done and p99. Red: share that failed. Shaded: beyond a limit. Filled fault: proven.' : 'Phases, steps and marks.');
}

