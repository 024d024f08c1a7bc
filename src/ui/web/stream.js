/* The stream. */
function take(frame) {
  seq = frame.seq;
  // Of another log, or the first: what is here goes.
  isWhole = frame.whole === true;
  if (isWhole) { $('log').replaceChildren(); charts.clear(); }
  measure(frame.now_ms);
  const changed = Object.keys(frame.sections).filter(name => name in S);
  for (const name of changed) S[name] = frame.sections[name];
  for (const [load, part] of Object.entries(frame.charts)) {
    const chart = charts.get(load) || { points: [] };
    chart.points.length = Math.min(chart.points.length, part.from);
    chart.points.push(...part.points);
    chart.step = part.step;
    charts.set(load, chart);
  }
  for (const name of changed) draw[name]();
  append(frame.lines);
  if (Object.keys(frame.charts).length) chartSoon();
}
function measure(nowMs) {
  heard = performance.now();
  const measured = nowMs - heard;
  offset = offset === null ? measured : Math.max(offset, measured);
  lastNow = nowMs;
}
function connect() {
  clearTimeout(timer);
  if (source) source.close();
  source = new EventSource(`/events?view=${view}${seq === null ? '' : `&after=${seq}`}`);
  heard = performance.now();
  let isFirst = true;
  source.onmessage = event => {
    if (isFirst) { isFirst = false; offset = null; restored(); }
    take(JSON.parse(event.data));
  };
  source.addEventListener('time', event => measure(JSON.parse(event.data).now_ms));
  source.addEventListener('replaced', () => {
    source.close();
    source = null;
    announce('this page stands still');
    $('connection').className = 'lost';
    text($('connection'), 'You have opened more pages than one person may: this one stands still. Load it again to go on here.');
  });
  source.onerror = lost;
}
function restored() {
  retry = 1000;
  if (lostSince !== null) announce('the connection is back');
  lostSince = null;
  $('connection').className = '';
  text($('connection'), '');
}
async function lost() {
  if (source) source.close();
  source = null;
  if (lostSince === null) {
    lostSince = new Date();
    announce('the connection is lost');
  }
  $('connection').className = 'lost';
  text($('connection'), `Connection lost since ${lostSince.toTimeString().slice(0, 8)}: what you see is from then. Trying again…`);
  clearTimeout(timer);
  timer = setTimeout(again, retry);
  retry = Math.min(5000, retry * 1.5);
}
async function again() {
  try {
    const response = await fetch(`/me?view=${view}`, { credentials: 'same-origin' });
    if (response.status === 401) { closed('Your session is not known here any more: open your link again.'); return; }
  } catch { lost(); return; }
  connect();
}
function closed(words) {
  show($('door'), true);
  show($('room'), false);
  text($('door-text'), words);
}

/* What people do. */
function enable() {
  $('abort').disabled = $('abort-word').value.trim() !== 'abort';
}
async function mark(name, node) {
  const words = $('mark-text').value.trim() || null;
  if (name === 'diagnosed') {
    show($('diagnosed'), true);
    $('component').focus();
    return;
  }
  // An acknowledgement has no text of its own: what was seen is kept as a note.
  const command = name === 'acknowledged' ? { ack: {} } : { mark: { name, text: words } };
  if (!await send(command, name, node)) return;
  if (name === 'acknowledged' && words !== null && !await send({ note: { text: words } }, 'acknowledged, and your note', node)) return;
  if (($('mark-text').value.trim() || null) === words) $('mark-text').value = '';
}
const submit = (id, act) => $(id).addEventListener('submit', event => { event.preventDefault(); act(event.submitter); });
submit('diagnosed', async node => {
  const component = $('component').value.trim(), words = $('mark-text').value.trim() || null;
  if (!await send({ mark: { name: 'diagnosed', component, text: words } }, `diagnosed ${component}`, node)) return;
  $('component').value = '';
  $('mark-text').value = '';
  show($('diagnosed'), false);
  $('note').focus({ preventScroll: true });
});
$('diagnosed-cancel').addEventListener('click', () => show($('diagnosed'), false));
submit('note-form', async node => {
  const words = $('note').value.trim();
  if (words && await send({ note: { text: words } }, 'your note', node) && $('note').value.trim() === words) $('note').value = '';
});
submit('who-form', async node => {
  node.disabled = true;
  try {
    me = await post(`/me?view=${view}`, { name: $('who-name').value, role: $('who-role').value || null });
    tell('', false);
    known();
    draw.steps();
  } catch (error) { tell(`not taken: ${error.message}`, true); } finally { node.disabled = false; }
});
$('who-change').addEventListener('click', () => { show($('who-form'), true); $('who-name').focus(); });
function known() {
  const has = Boolean(me && me.name && (me.role || !S.plan.needs_role));
  show($('who-now'), has);
  show($('who-form'), !has);
  if (!has) return;
  text($('who-text'), `${me.name}${me.role ? `, ${me.role}` : ''}`);
  $('who-name').value = me.name;
  if (me.role) $('who-role').value = me.role;
}
submit('abort-form', async node => {
  if ($('abort-word').value.trim() !== 'abort') return;
  if (await send({ abort: { why: $('abort-why').value.trim() || null } }, 'the run ends, and everything is undone', node)) {
    $('abort-word').value = '';
    enable();
  }
});
$('abort-word').addEventListener('input', enable);
$('pause').addEventListener('click', event => S.clock.is_paused
  ? send({ resume: {} }, 'the timeline goes on', event.currentTarget) : send({ pause: {} }, 'the timeline stands still', event.currentTarget));
$('hint').addEventListener('click', event => send({ hint: { hint: null } }, 'a hint', event.currentTarget));
/* Asked twice, with all the time that it takes; whoever turns away is not asked again. */
let isRevealAsked = false;
function askReveal(isAsked) {
  isRevealAsked = isAsked;
  text($('reveal'), isAsked ? 'Press again: everybody will see everything' : 'Reveal everything');
}
$('reveal').addEventListener('click', async event => {
  const node = event.currentTarget;
  if (!isRevealAsked) {
    askReveal(true);
    // Not every browser gives a pressed button the focus, and so tells when it is left.
    node.focus();
    announce('press again, and everybody will see everything; Escape cancels');
    return;
  }
  askReveal(false);
  await send({ reveal: { fault: null } }, 'everything is revealed', node);
});
const cancelReveal = () => {
  if (!isRevealAsked) return;
  askReveal(false);
  announce('nothing is revealed');
};
$('reveal').addEventListener('blur', cancelReveal);
document.addEventListener('pointerdown', event => { if (event.target !== $('reveal')) cancelReveal(); });
$('reveal').addEventListener('keydown', event => { if (event.key === 'Escape') cancelReveal(); });
submit('reveal-form', node => send({ reveal: { fault: $('reveal-fault').value } }, `${$('reveal-fault').value} is revealed`, node));

/* Entering: the link's fragment is used once and taken away. */
async function enter() {
  const found = /^#([fp])=([\w-]{1,64})$/.exec(location.hash);
  view = found ? (found[1] === 'f' ? 'facilitator' : 'participant') : location.pathname.slice(1);
  if (found) {
    history.replaceState(null, '', `/${view}`);
    try { await post('/session', { view, token: found[2] }); } catch (error) { closed(`You can not enter: ${error.message}.`); return; }
  }
  if (view !== 'facilitator' && view !== 'participant') { closed('Open the link that was printed when the control room began.'); return; }
  let response;
  try { response = await fetch(`/me?view=${view}`, { credentials: 'same-origin' }); } catch { closed('The server can not be reached: load the page again.'); return; }
  if (!response.ok) { closed('Open the link that was printed when the control room began.'); return; }
  me = await response.json();
  known();
  // Beside a short column a long log would leave a blank.
  if (view === 'participant') $('abort-box').before($('log-box'));
  show($('door'), false);
  show($('room'), true);
  show($('now'), true);
  connect();
  setInterval(() => {
    tick();
    if (source && performance.now() - heard > 40000) lost();
  }, 500);
  setInterval(chartSoon, 5000);
  addEventListener('resize', chartSoon);
  addEventListener('online', () => { if (!source && lostSince !== null) again(); });
}
addEventListener('hashchange', () => { if (/^#[fp]=/.test(location.hash)) location.reload(); });
enter();
