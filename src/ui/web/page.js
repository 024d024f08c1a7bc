/* The page's words and rows. This, chart.js and stream.js become one script, inside of one function: see page.rs. */
const $ = id => document.getElementById(id);
const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};
const text = (node, value) => { if (node.textContent !== value) node.textContent = value; };
const show = (node, isShown) => { if (node.hidden === isShown) node.hidden = !isShown; };
const button = (label, act, className) => {
  const node = make('button', className, label);
  node.type = 'button';
  node.addEventListener('click', () => act(node));
  return node;
};
const field = (label, maxLength) => {
  const box = make('label', '', label);
  const input = make('input');
  input.maxLength = maxLength;
  input.autocomplete = 'off';
  box.append(input);
  return [box, input];
};

/* The state: the sections as they were sent last, and the server's time. */
const S = { run: {}, plan: {}, clock: {}, next: [], loads: [], faults: [], guardrails: [], alarms: { alarms: [] },
  steps: { rows: [] }, people: { joined: [] }, injects: [], hints: [], results: [], timeline: {} };
const charts = new Map();
const bounds = new Map();
let view = null, me = null, seq = null, offset = null, lastNow = 0, lostSince = null, source = null, heard = 0;
let retry = 1000, timer = null, isWhole = true;

const now = () => offset === null || S.run.is_over || S.run.trouble ? lastNow : Math.max(lastNow, performance.now() + offset);
const clock = ms => {
  const s = Math.max(0, Math.floor(ms / 1000)), p = n => String(n).padStart(2, '0');
  return s >= 3600 ? `${Math.floor(s / 3600)}:${p(Math.floor(s / 60) % 60)}:${p(s % 60)}` : `${p(Math.floor(s / 60))}:${p(s % 60)}`;
};
const left = when => when.in_ms !== undefined ? when.in_ms : Math.max(0, when.at_ms - now());
const number = (n, digits = 0) => n === null || n === undefined ? '–' : n.toFixed(digits);
const percent = ratio => ratio === null || ratio === undefined ? '–' : `${(100 * ratio).toFixed(1)} %`;

/* Lists are changed in place, so that focus and half-typed texts stay. */
function sync(list, rows, key, create, update) {
  const known = list.known || (list.known = new Map());
  const focused = document.activeElement;
  const keys = new Set();
  let at = list.firstElementChild;
  for (const row of rows) {
    const id = key(row);
    if (keys.has(id)) continue;
    keys.add(id);
    let node = known.get(id);
    if (!node) { node = create(row); known.set(id, node); }
    update(node, row);
    if (node === at) at = at.nextElementSibling;
    else list.insertBefore(node, at);
  }
  for (const [id, node] of known) if (!keys.has(id)) { node.remove(); known.delete(id); }
  if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}
const lines = (node, rows) => sync(node, rows, row => row.key, () => make('li'), (li, row) => {
  text(li, row.text);
  if (li.className !== (row.tone || '')) li.className = row.tone || '';
});

/* The page below its head, so that what has the focus is never behind it. */
new ResizeObserver(() => {
  document.documentElement.style.scrollPaddingTop = `${document.querySelector('header').offsetHeight + 8}px`;
}).observe(document.querySelector('header'));

/* Asking the server. */
async function post(path, body) {
  let response;
  try {
    response = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), credentials: 'same-origin' });
  } catch { throw new Error('the server can not be reached: nothing was sent'); }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || `refused (${response.status})`);
  return answer;
}
function tell(words, isBad) {
  const node = $('answer');
  node.className = isBad ? 'answer bad' : 'answer';
  node.textContent = words;
  clearTimeout(tell.timer);
  // What went well goes away by itself; what did not stays until the next.
  if (!isBad) tell.timer = setTimeout(() => text(node, ''), 8000);
}
function announce(words) { $('announce').textContent = words; }
/* What is told aloud because it has just happened, and not of what a page finds when it comes. */
function news(words) { if (!isWhole) announce(words); }
async function send(command, words, node) {
  // An emergency stop asks for no name.
  if (!('abort' in command) && (!me || !me.name)) {
    tell('say who you are first', true);
    show($('who-form'), true);
    $('who-name').focus();
    return false;
  }
  if (node) node.disabled = true;
  try {
    await post(`/command?view=${view}`, command);
    tell(`taken: ${words}`, false);
    return true;
  } catch (error) {
    tell(`not taken: ${error.message}`, true);
    return false;
  } finally {
    if (node) { node.disabled = false; enable(); if (document.activeElement === document.body) node.focus({ preventScroll: true }); }
  }
}

/* Drawing each section. */
const draw = {
  run() {
    const run = S.run;
    text($('title'), run.title || 'Game day');
    document.title = `${run.title || 'Game day'} – control room`;
    text($('where'), [run.run, run.environment, run.mode].filter(Boolean).join(' · '));
    text($('view'), run.view === 'facilitator' ? 'facilitator' : 'participant');
    show($('view'), true);
    const isBlind = run.is_open === false;
    let words = '';
    if (run.trouble) words = `${run.trouble}. This is its last state.`;
    else if (run.is_over) words = `The run is over${run.exit_code === null ? '' : ` with exit code ${run.exit_code}`}. This is its last state.`;
    else if (isBlind) words = 'This is a blind drill: faults, load and the names of phases are hidden until the facilitator reveals them.';
    text($('banner'), words);
    show($('banner'), words !== '');
    for (const id of ['faults-box', 'loads-box', 'guardrails-box', 'next-box']) show($(id), !isBlind);
    show($('lead'), run.view === 'facilitator' && run.takes_commands);
    show($('do'), run.takes_commands);
    show($('abort-box'), run.takes_commands);
    show($('who'), run.takes_commands);
    draw.plan(); draw.steps(); draw.injects(); draw.hints(); enable();
  },
  plan() {
    const plan = S.plan;
    for (const [load, [p99, errors]] of Object.entries(plan.bounds || {})) bounds.set(load, { p99_bound_ms: p99, error_bound: errors });
    sync($('marks'), [{ id: 'acknowledged' }, ...(plan.marks || []).map(id => ({ id }))], row => row.id,
      row => button(row.id, node => mark(row.id, node), row.id === 'detected' ? '' : 'plain'), () => {});
    const option = value => { const node = make('option', '', value); node.value = value; return node; };
    const options = (list, rows) => sync(list, rows.map(id => ({ id })), row => row.id, row => option(row.id), () => {});
    options($('components'), plan.components || []);
    const hidden = (plan.faults || []).filter(fault => !(S.people.revealed_faults || []).includes(fault));
    options($('reveal-fault'), hidden);
    show($('reveal-form'), hidden.length > 0);
    show($('reveal'), plan.is_blind && S.people.revealed_ms === null);
    const roles = $('who-role');
    for (const role of plan.roles || []) if (![...roles.options].some(it => it.value === role)) roles.append(option(role));
    if (me && me.role && document.activeElement !== roles && $('who-form').hidden) roles.value = me.role;
    roles.required = plan.needs_role === true;
    text(roles.options[0], roles.required ? 'choose your role' : 'none');
    if (roles.required && me && me.name && !me.role && !$('who-now').hidden) known();
    const predictable = S.run.takes_commands ? plan.predictable || [] : [];
    show($('predict-box'), predictable.length > 0);
    sync($('predict'), predictable, row => row.hypothesis, predictRow, () => {});
  },
  clock() {
    const phase = S.clock.phase, last = draw.phaseName;
    const name = phase ? `${phase.number}${phase.count ? ` of ${phase.count}` : ''} · ${phase.name}` : S.clock.stage || '';
    text($('phase'), S.clock.is_paused ? `${name} (paused)` : name);
    if (last !== undefined && last !== name && phase) news(`phase ${name}`);
    draw.phaseName = name;
    text($('pause'), S.clock.is_paused ? 'Let the timeline go on' : 'Pause the timeline');
    tick();
  },
  next() { tick(); },
  loads() {
    show($('loads-none'), S.loads.length === 0);
    lines($('loads'), S.loads.map(row => {
      const unit = row.is_rate ? '/s' : ' users';
      const late = row.p99_bound_ms !== null && row.p99_ms !== null && row.p99_ms > row.p99_bound_ms;
      const failing = row.error_bound !== null && row.error_ratio !== null && row.error_ratio > row.error_bound;
      const limit = row.p99_bound_ms === null ? '' : ` (limit ${number(row.p99_bound_ms)} ms)`;
      const errors = row.error_bound === null ? '' : ` (limit ${percent(row.error_bound)})`;
      return { key: row.load, tone: late || failing ? 'bad-text' : '',
        text: `${late || failing ? '✗ ' : ''}${row.load}${row.is_paused ? ' (paused)' : ''}: asked ${number(row.target, 1)}${unit}, done ${row.achieved}/s, `
          + `failed ${percent(row.error_ratio)}${errors}, p50 ${number(row.p50_ms)} ms, p99 ${number(row.p99_ms)} ms${limit}${row.doubts.length ? `; doubts: ${row.doubts.join(', ')}` : ''}` };
    }));
  },
  faults() { tick(); show($('faults-none'), S.faults.length === 0); },
  guardrails() {
    lines($('guardrails'), S.guardrails.map(row => ({ key: row.guardrail, text: `${row.guardrail} ends the run when: ${row.limit}${row.reading ? ` (now: ${row.reading})` : ''}` })));
  },
  alarms() {
    const rows = S.alarms.alarms.map(row => ({ key: row.alarm, text: `${row.alarm}: ${row.state}`, tone: row.state === 'ALARM' ? 'bad-text' : '' }));
    if (S.alarms.unread) rows.push({ key: ' unread', text: `not read at present: ${S.alarms.unread}`, tone: 'warning' });
    lines($('alarms'), rows);
    show($('alarms-box'), rows.length > 0);
  },
  people() {
    lines($('joined'), S.people.joined.map(row => ({ key: row.role, text: `${row.role}: ${row.name}` })));
    show($('joined-box'), S.people.joined.length > 0);
    draw.plan();
  },
  steps() {
    const open = S.steps.rows.filter(row => !row.outcome), closed = S.steps.rows.filter(row => row.outcome).reverse();
    sync($('steps'), open, row => row.step, stepRow, updateStep);
    show($('steps-none'), open.length === 0);
    for (const row of open) {
      if (row.nearness === 'overdue' && !told.has(row.step)) { told.add(row.step); news(`step ${row.step} is overdue`); }
    }
    sync($('steps-closed'), closed, row => `${row.step} ${row.closed_ms}`, () => make('li'), (li, row) => text(li, closedText(row)));
    const older = S.steps.older_count ? `, and ${S.steps.older_count} before` : '';
    text($('steps-closed-head'), `Closed: ${closed.length}${older}`);
    show($('steps-closed-box'), closed.length > 0);
    tick();
  },
  injects() {
    if (view === 'facilitator') {
      sync($('injects'), S.injects, row => row.inject, row => {
        const li = make('li'), p = make('p'), act = button('Deliver', node => send({ inject: { inject: row.inject } }, `message ${row.inject}`, node), 'plain');
        act.setAttribute('aria-label', `Deliver ${row.inject}`);
        li.append(p, act);
        return li;
      }, (li, row) => {
        const done = row.delivered_ms === null ? '' : ` (delivered ${clock(row.delivered_ms)})`;
        text(li.firstElementChild, `${row.inject} to ${row.to}: ${row.text}${done}`);
      });
    }
    messages();
  },
  hints() {
    if (view === 'facilitator') {
      sync($('hints'), S.hints, row => row.hint, row => {
        const li = make('li'), p = make('p'), act = button('Give', node => send({ hint: { hint: row.hint } }, `hint ${row.hint}`, node), 'plain');
        act.setAttribute('aria-label', `Give hint ${row.hint}`);
        li.append(p, act);
        return li;
      }, (li, row) => {
        text(li.firstElementChild, `${row.hint}${row.hypothesis ? ` for ${row.hypothesis}` : ''}: ${row.text}${row.given_ms === null ? '' : ` (given ${clock(row.given_ms)})`}`);
        show(li.lastElementChild, row.given_ms === null);
      });
      show($('hint'), S.hints.some(row => row.given_ms === null));
    }
    messages();
  },
  results() {
    const sign = { upheld: '✓', refuted: '✗', 'gap holds': '◐', 'gap closed': '✗' };
    const tone = { upheld: 'good', refuted: 'bad-text', 'gap holds': 'warning', 'gap closed': 'bad-text' };
    lines($('results'), S.results.map(row => ({ key: row.hypothesis, tone: tone[row.verdict] || 'warning',
      text: `${sign[row.verdict] || '?'} ${row.hypothesis} ${row.verdict}${row.text ? `: ${row.text}` : ''}${row.seen.length ? ` (${row.seen.join(', ')})` : ''}${row.why ? `; ${row.why}` : ''}` })));
    show($('results-box'), S.results.length > 0);
  },
  timeline() { chartSoon(); },
};
const told = new Set();

function messages() {
  const given = [
    ...S.injects.filter(row => row.delivered_ms !== null).map(row => ({ key: `i ${row.inject} ${row.delivered_ms}`, at: row.delivered_ms, text: `${clock(row.delivered_ms)} to ${row.to}: ${row.text}` })),
    ...S.hints.filter(row => row.given_ms !== null).map(row => ({ key: `h ${row.hint}`, at: row.given_ms, text: `${clock(row.given_ms)} hint: ${row.text}` })),
  ].sort((a, b) => b.at - a.at);
  for (const row of given) if (!told.has(row.key)) { told.add(row.key); news(`new message: ${row.text}`); }
  lines($('messages'), given);
  show($('messages-box'), given.length > 0);
}
function closedText(row) {
  const outcome = row.outcome;
  const words = outcome === 'done' ? '✓ done' : outcome === 'no_go' ? '✗ no-go' : outcome === 'left_open' ? 'left open'
    : outcome === 'rehearsed' ? 'answered by --yes' : `skipped${outcome.skipped && outcome.skipped.why ? `: ${outcome.skipped.why}` : ''}`;
  return `${row.text} – ${words}${row.by ? ` by ${row.by}` : ''}${row.closed_ms === null ? '' : ` at ${clock(row.closed_ms)}`}${row.nearness === 'overdue' ? ' (late)' : ''}`;
}

function stepRow(row) {
  const li = make('li');
  const what = make('p'), meta = make('p', 'quiet'), due = make('p', 'due');
  li.append(what, meta, due);
  Object.assign(li, { what, meta, due, step: row.step });
  const acts = make('div', 'step-acts');
  li.append(acts);
  li.acts = acts;
  if (row.polls.length) {
    const [box, why] = field('Why (optional)', 500);
    li.votes = make('ul', 'votes');
    li.votes.setAttribute('aria-label', `Votes on ${row.step}`);
    li.why = why;
    acts.append(box, li.votes);
  }
  if (!row.is_poll) {
    const buttons = make('div', 'buttons');
    if (row.evidence) {
      const [box, input] = field(`What you saw: ${row.evidence}`, 2000);
      li.evidence = input;
      acts.append(box);
    }
    const done = button('Done', node => {
      const evidence = li.evidence ? li.evidence.value.trim() || null : null;
      send({ step_done: { step: row.step, evidence } }, `step ${row.step} done`, node);
    });
    done.setAttribute('aria-label', `Done: ${row.text}`);
    buttons.append(done);
    acts.append(buttons);
    const skip = make('details'), [box, why] = field('Why is it left out?', 500);
    const act = button('Skip this step', node => send({ step_skipped: { step: row.step, why: why.value.trim() || null } }, `step ${row.step} skipped`, node), 'plain');
    skip.append(make('summary', '', 'Skip…'), box, act);
    acts.append(skip);
  }
  return li;
}
function updateStep(li, row) {
  text(li.what, row.text);
  const meta = [row.owner, row.must ? 'must be done' : '', row.playbook ? `playbook ${row.playbook}` : '', row.nearness === 'untimed' && row.within ? `within ${row.within}` : ''];
  text(li.meta, meta.filter(Boolean).join(' · '));
  li.due.when = row.due;
  li.due.nearness = row.nearness;
  if (li.className !== row.nearness) li.className = row.nearness;
  show(li.acts, S.run.takes_commands === true);
  if (!li.votes) return;
  sync(li.votes, row.polls, vote => vote.role, vote => {
    const item = make('li'), words = make('span');
    const say = (go, label) => {
      const act = button(label, node => send({ vote: { step: row.step, role: vote.role, go, why: li.why.value.trim() || null } }, `${vote.role} says ${label.toLowerCase()} to ${row.step}`, node), go ? '' : 'plain');
      act.setAttribute('aria-label', `${label} for ${vote.role}`);
      return act;
    };
    item.append(words, say(true, 'Go'), say(false, 'No-go'));
    return item;
  }, (item, vote) => {
    const said = vote.go === null ? 'has not said' : vote.go ? '✓ go' : '✗ no-go';
    text(item.firstElementChild, `${vote.role}: ${said}${vote.by ? ` (${vote.by})` : ''}${vote.why ? `: ${vote.why}` : ''}`);
    const may = view === 'facilitator' || !me || !me.role || me.role === vote.role;
    item.querySelectorAll('button').forEach(act => show(act, may));
  });
}
function predictRow(row) {
  const li = make('li'), [box, note] = field('Why (optional)', 1000), buttons = make('div', 'buttons'), state = make('p', 'quiet');
  const say = (holds, label) => {
    const act = button(label, async node => {
      if (await send({ predict: { hypothesis: row.hypothesis, holds, note: note.value.trim() || null } }, `your prediction about ${row.hypothesis} is sealed`, node)) {
        text(state, `You expect that it ${holds ? 'holds' : 'fails'}.`);
      }
    }, 'plain');
    act.setAttribute('aria-label', `${label}: ${row.hypothesis}`);
    return act;
  };
  buttons.append(say(true, 'It holds'), say(false, 'It fails'));
  li.append(make('p', '', `${row.hypothesis}: ${row.text}`), box, buttons, state);
  return li;
}

/* What runs with time. */
function tick() {
  const t = now();
  text($('clock'), clock(t));
  if (S.run.began_at) text($('wall'), `${new Date(Date.parse(S.run.began_at) + t).toISOString().slice(11, 19)} UTC`);
  const phase = S.clock.phase;
  if (phase) {
    const elapsed = phase.time.elapsed_ms !== undefined ? phase.time.elapsed_ms : Math.max(0, t - phase.time.began_ms);
    const length = phase.length_ms;
    const waits = phase.waits_for.length ? `waits for ${phase.waits_for.join(', ')}` : '';
    text($('phase-time'), waits || (length === null ? `${clock(elapsed)} in` : `${clock(Math.max(0, length - elapsed))} left of ${clock(length)}`));
    show($('progress'), length !== null);
    if (length) $('progress').value = Math.min(1, elapsed / length);
  } else {
    text($('phase-time'), '');
    show($('progress'), false);
  }
  for (const li of $('steps').children) {
    const { when, nearness } = li.due;
    text(li.due, !when ? '' : nearness === 'overdue' ? `overdue by ${clock(t - when.at_ms)}` : `due in ${clock(left(when))}`);
  }
  lines($('next'), S.next.map((row, index) => ({ key: `${index}`, text: `in ${clock(left(row.when))}: ${row.text}` })));
  show($('next-box'), S.next.length > 0 && S.run.is_open !== false);
  lines($('faults'), S.faults.map(row => ({ key: `${row.fault} ${row.since_ms}`, tone: 'fault',
    text: `⚡ ${row.fault} on ${row.target}: ${row.change} (${row.state || 'card'}`
      + `${row.since_ms === null ? '' : `, for ${clock(t - row.since_ms)}`}${row.end_ms === null ? '' : `, ${clock(Math.max(0, row.end_ms - t))} left`})`
      + `${row.evidence ? ` – ${row.evidence}` : ''}` })));
}

/* The log, the newest first. */
const LOG_MAX = 500;
const toneClass = { good: 'good', bad: 'bad-text', warning: 'warning', fault: 'fault', person: 'person', phase: 'phase-line', quiet: '' };
function append(rows) {
  const list = $('log');
  for (const [at, sign, tone, words] of rows) {
    const li = make('li', toneClass[tone] || '');
    li.append(make('time', '', clock(at)), make('span', '', sign), make('span', '', words));
    list.prepend(li);
  }
  while (list.children.length > LOG_MAX) list.lastElementChild.remove();
}

