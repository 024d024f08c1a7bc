// The control room in two browsers: node control_room.js CHROMIUM FACILITATOR_LINK PARTICIPANT_LINK FOLDER
//
// It asks for the server to be stopped and to be started again.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { DESK, PHONE, ask, assert, enter, harvest, launch, logged, open, run, said } = require('./room');

const [program, facilitatorLink, participantLink, folder] = process.argv.slice(2);
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

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
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: path.join(folder, `${name}-${colorScheme}.png`), fullPage: true });
  }
}

// What has the focus is not behind the head, however far the page was scrolled.
async function focusIsSeen(page) {
  const seen = await page.evaluate(() => {
    return ['who-change', 'mark-text', 'note', 'log', 'abort-why'].map(id => {
      const node = document.getElementById(id);
      node.blur();
      scrollTo(0, document.body.scrollHeight);
      node.focus();
      return [id, node.getBoundingClientRect().top, document.querySelector('header').getBoundingClientRect().bottom];
    });
  });
  for (const [id, top, head] of seen) assert(top >= head, `${id} has the focus behind the head: ${top} < ${head}`);
}

const log = page => page.locator('#log li').allInnerTexts();

async function main() {
  const browser = await launch(program);
  let isDown = false;
  const desk = await open(browser, DESK, facilitatorLink, 'facilitator', () => isDown);
  const phone = await open(browser, PHONE, participantLink, 'participant', () => isDown);
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

  await focusIsSeen(desk);
  await focusIsSeen(phone);
  await look(desk, 'facilitator');
  await look(phone, 'participant');
  await phone.setViewportSize(DESK.viewport);
  await phone.waitForTimeout(1500);
  await phone.screenshot({ path: path.join(folder, 'participant-1280.png'), fullPage: true });
  await phone.setViewportSize(PHONE.viewport);
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

run(main);
