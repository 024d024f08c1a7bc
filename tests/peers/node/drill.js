// Two of the people of scenarios/drill.yaml, each with a browser: node drill.js CHROMIUM PARTICIPANT_LINK FACILITATOR_LINK
//
// Aiko responds, blind, from a phone; Maria owns the system and sees everything. It asks for what others do, in the order of the drill.
'use strict';
const { DESK, PHONE, ask, assert, enter, harvest, launch, logged, open, run, said } = require('./room');

const [program, participantLink, facilitatorLink] = process.argv.slice(2);

async function main() {
  const browsers = [await launch(program), await launch(program)];
  const aiko = await open(browsers[0], PHONE, participantLink, 'aiko');
  const maria = await open(browsers[1], DESK, facilitatorLink, 'maria');
  await enter(aiko, participantLink, 'aiko', 'responder');
  const role = await aiko.locator('#who-role').evaluate(node => [node.required, ...[...node.options].map(it => it.value)]);
  assert(role[0] && !role.includes('owner') && !role.includes('facilitator'), `participants choose of ${role}`);
  await enter(maria, facilitatorLink, 'maria', 'owner');

  const predicted = maria.locator('#predict li').first();
  await predicted.getByLabel('Why (optional)').fill('the queue takes them');
  await predicted.getByRole('button', { name: /^It holds/ }).click();
  await predicted.getByText('You expect that it holds.').waitFor();
  await ask('the rules');
  await maria.getByRole('button', { name: 'Go for owner', exact: true }).click();
  await aiko.getByRole('button', { name: 'Go for responder', exact: true }).click();

  await ask('the effect');
  await maria.locator('#faults li', { hasText: 'throttle' }).waitFor();
  const text = await aiko.locator('body').innerText();
  assert(!/throttle|concurrency|shoppers/.test(text), `it is given away: ${text}`);
  await aiko.getByLabel('What you see (optional)').fill('orders wait');
  await aiko.getByRole('button', { name: 'detected' }).click();
  await logged(maria, 'mark detected by aiko');
  await ask('a message');
  await aiko.getByRole('button', { name: 'acknowledged' }).click();
  await logged(maria, 'acknowledged by aiko');
  await ask('a hint');
  await aiko.locator('#messages li', { hasText: 'Which of our functions' }).waitFor();
  await maria.getByRole('button', { name: 'diagnosed', exact: true }).click();
  await maria.getByLabel('Which component is it?').fill('payments');
  await maria.getByRole('button', { name: 'Mark diagnosed' }).click();
  await logged(maria, 'mark diagnosed payments by maria');

  // Each has a name that begins with what it does.
  const done = async name => {
    await aiko.getByRole('button', { name: `Done: ${name}` }).click();
  };
  await done('Tell the business');
  await logged(maria, 'step status done by aiko');
  await done('Say "I am on');
  await logged(maria, 'step claim done by aiko');
  await aiko.getByRole('button', { name: 'mitigated' }).click();
  await logged(maria, 'mark mitigated by aiko');
  await done('No throttles for');
  await logged(maria, 'step recovered done by aiko');
  // Whoever turns away from the question reveals nothing, and is told so.
  const told = text => maria.locator('#announce', { hasText: text }).waitFor({ state: 'attached' });
  await maria.getByRole('button', { name: 'Reveal everything' }).click();
  await told('press again');
  await maria.getByRole('button', { name: 'Press again' }).press('Escape');
  await told('nothing is revealed');
  await maria.getByRole('button', { name: 'Reveal everything' }).click();
  await maria.locator('#note').focus();
  await maria.getByRole('button', { name: 'Reveal everything' }).waitFor();
  await ask('a reveal');
  await aiko.locator('#faults li', { hasText: 'throttle' }).waitFor();
  await ask('the end');
  for (const [page, name] of [[aiko, 'aiko'], [maria, 'maria']]) {
    await page.getByText('The run is over with exit code 0').waitFor();
    await harvest(page, name);
  }
  for (const browser of browsers) await browser.close();
}

run(main);
