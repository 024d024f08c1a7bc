// The control room in two browsers: node control_room.js CHROMIUM FACILITATOR_LINK PARTICIPANT_LINK FOLDER
//
// It takes part in a run as people do, and says at the end, as one line of JSON, what it saw. Where the server is to be stopped and
// started again it says {"ask": "stop"} and {"ask": "start"}, and waits for a line.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { chromium } = require('playwright-core');

const [program, facilitatorLink, participantLink, folder] = process.argv.slice(2);
const folders = path.isAbsolute(program) ? [''] : process.env.PATH.split(path.delimiter);
const executablePath = folders.map(it => path.join(it, program)).find(it => fs.existsSync(it));
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const said = { violations: [], errors: [], xss: [], findings: [] };
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function ask(what) {
  console.log(JSON.stringify({ ask: what }));
  await answers.next();
}

function assert(isSo, what) {
  if (!isSo) throw new Error(what);
}

// What a page does that it should not.
async function watch(page, name, mayFail) {
  await page.addInitScript(() => {
    window.__violations = [];
    addEventListener('securitypolicyviolation', event => window.__violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
  });
  page.on('pageerror', error => said.errors.push(`${name}: ${error.stack}`));
  page.on('dialog', dialog => { said.xss.push(`${name}: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', request => {
    if (!request.url().startsWith(new URL(facilitatorLink).origin) && !request.url().startsWith('data:')) said.errors.push(`${name} asked ${request.url()}`);
  });
  page.on('console', message => {
    if (message.type() === 'error' && !mayFail()) said.errors.push(`${name}: ${message.text()}`);
  });
}

async function harvest(page, name) {
  const seen = await page.evaluate(() => ({ violations: window.__violations, xss: window.__xss }));
  said.violations.push(...seen.violations.map(it => `${name}: ${it}`));
  if (seen.xss) said.xss.push(name);
}

// What axe-core finds that keeps people out, in light and dark.
async function look(page, name) {
  await harvest(page, name);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const findings = await page.evaluate(async source => {
      if (!window.axe) (0, eval)(source);
      const found = await window.axe.run(document, { resultTypes: ['violations'] });
      return found.violations.filter(it => ['serious', 'critical'].includes(it.impact))
        .map(it => `${it.id}: ${it.help}: ${it.nodes.map(node => node.target.join(' ')).slice(0, 5).join(', ')}`);
    }, axe).catch(error => [`axe-core did not run: ${error.message}`]);
    said.findings.push(...findings.map(it => `${name}, ${colorScheme}: ${it}`));
    await page.screenshot({ path: path.join(folder, `${name}-${colorScheme}.png`), fullPage: true });
  }
}

const log = page => page.locator('#log li').allInnerTexts();
const logged = (page, text) => page.locator('#log li', { hasText: text }).first().waitFor();

async function enter(page, link, name, role) {
  await page.goto(link);
  await page.locator('#room').waitFor();
  assert(!page.url().includes('#'), `the link's token stays in the address: ${page.url()}`);
  await page.getByLabel('Your name, as it stands in the log').fill(name);
  await page.locator('#who-role option', { hasText: role }).waitFor({ state: 'attached' });
  await page.getByLabel('Your role').selectOption(role);
  await page.getByRole('button', { name: 'Enter' }).click();
  await page.locator('#who-now').waitFor();
}

async function main() {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic'] });
  let isDown = false;
  const desk = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  const phone = await (await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, reducedMotion: 'reduce' })).newPage();
  for (const [page, name] of [[desk, 'facilitator'], [phone, 'participant']]) {
    page.setDefaultTimeout(30000);
    await watch(page, name, () => isDown);
  }
  await enter(desk, facilitatorLink, 'Ann <b>', 'facilitator');
  await enter(phone, participantLink, 'Paul', 'operator');
  assert(await phone.locator('#lead').isHidden(), 'a participant sees what the facilitator does');

  // Before the first fault: predict, and vote by role.
  const predicted = phone.locator('#predict li').first();
  await predicted.getByLabel('Why (optional)').fill('it always did');
  await predicted.getByRole('button', { name: /^It holds/ }).click();
  await predicted.getByText('You expect that it holds.').waitFor();
  await phone.getByRole('button', { name: 'Go for operator', exact: true }).click();
  await logged(desk, 'operator says go');
  await desk.getByRole('button', { name: 'Go for facilitator', exact: true }).click();
  await logged(phone, 'phase slow');
  await desk.locator('#faults li').first().waitFor();

  // Somebody types while everything changes.
  await phone.locator('#note').focus();
  await phone.keyboard.type('<img src=x onerror=window.__xss=1> seen');
  await logged(phone, 'slow: ');
  await phone.waitForFunction(() => document.querySelectorAll('#chart path').length > 0);
  await phone.waitForTimeout(1500);
  const typed = await phone.evaluate(() => [document.activeElement.id, document.getElementById('note').value]);
  assert(typed[0] === 'note' && typed[1].endsWith('seen'), `what was typed is gone: ${typed}`);
  await phone.getByRole('button', { name: 'Write it down' }).click();
  await logged(desk, '<img src=x onerror=window.__xss=1> seen');

  await phone.getByLabel('What you see (optional)').fill('errors </script><script>window.__xss=1</script>');
  await phone.getByRole('button', { name: 'detected' }).click();
  await logged(desk, 'mark detected by Paul');
  await phone.getByRole('button', { name: 'acknowledged' }).click();
  await logged(desk, 'acknowledged by Paul');
  await phone.getByRole('button', { name: 'diagnosed', exact: true }).click();
  await phone.getByLabel('Which component is it?').fill('payments');
  await phone.getByRole('button', { name: 'Mark diagnosed' }).click();
  await logged(desk, 'mark diagnosed payments by Paul');
  await phone.getByRole('button', { name: 'Done: <b>Open</b> the dashboard' }).click();
  await logged(desk, 'step watch done by Paul');
  await phone.locator('#steps li', { hasText: 'Call the provider' }).locator('summary').click();
  await phone.getByLabel('Why is it left out?').fill('nobody <u>answers</u>');
  await phone.getByRole('button', { name: 'Skip this step' }).click();
  await logged(desk, 'step skipped skipped by Paul');
  await desk.getByRole('button', { name: 'Deliver ticket' }).click();
  await phone.locator('#messages li', { hasText: 'the card page spins' }).waitFor();
  await desk.getByRole('button', { name: 'Give the next hint' }).click();
  await phone.locator('#messages li', { hasText: 'payments' }).first().waitFor();
  await desk.getByRole('button', { name: 'Pause the timeline' }).click();
  await phone.getByText('(paused)').first().waitFor();
  await desk.getByRole('button', { name: 'Let the timeline go on' }).click();
  await logged(phone, 'resumed by Ann <b>');

  await look(desk, 'facilitator');
  await look(phone, 'participant');
  said.overflow = await phone.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

  // Another server of the same run: open pages go on by themselves.
  isDown = true;
  await ask('stop');
  await phone.getByText('Connection lost since').waitFor();
  await ask('start');
  for (const page of [desk, phone]) await page.getByText('Connection lost since').waitFor({ state: 'detached' });
  isDown = false;
  await desk.locator('#note').fill('after the restart');
  await desk.getByRole('button', { name: 'Write it down' }).click();
  await logged(phone, 'after the restart');
  for (const page of [desk, phone]) {
    const lines = await log(page);
    for (const once of ['after the restart', 'mark detected by Paul', 'phase slow', 'resumed by']) {
      const count = lines.filter(line => line.includes(once)).length;
      assert(count === 1, `${once}: ${count} times in ${lines.join(' | ')}`);
    }
  }
  // A page that is loaded again is in the same session.
  await phone.reload();
  await phone.locator('#who-now', { hasText: 'Paul, operator' }).waitFor();

  await desk.locator('#abort-why').fill('enough <i>seen</i>');
  const abort = desk.getByRole('button', { name: 'Abort and undo everything' });
  assert(await abort.isDisabled(), 'an abort needs no confirmation');
  await desk.getByLabel('Type abort to confirm').fill('abort');
  await abort.click();
  await phone.getByText('The run is over with exit code 5').waitFor();
  await harvest(desk, 'facilitator');
  await harvest(phone, 'participant');
  await phone.screenshot({ path: path.join(folder, 'over-390.png'), fullPage: true });
  await browser.close();
}

main().then(() => {
  console.log(JSON.stringify(said));
  process.exit(0);
}, error => {
  said.errors.push(String(error.stack));
  console.log(JSON.stringify(said));
  process.exit(0);
});
