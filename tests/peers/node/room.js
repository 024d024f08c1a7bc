// What the scripts share that take part in a run as people do: `require('./room')`. Each says at the end, as one line of JSON, what it
// saw, and before that asks for what it can not do itself: {"ask": "stop"}, and waits for a line.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { chromium } = require('playwright-core');

const said = { violations: [], errors: [], xss: [], findings: [] };
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function ask(what) {
  console.log(JSON.stringify({ ask: what }));
  await answers.next();
}

function assert(isSo, what) {
  if (!isSo) throw new Error(what);
}

function launch(program) {
  const folders = path.isAbsolute(program) ? [''] : process.env.PATH.split(path.delimiter);
  const executablePath = folders.map(it => path.join(it, program)).find(it => fs.existsSync(it));
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic'] });
}

const DESK = { viewport: { width: 1280, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, reducedMotion: 'reduce' };

// A page of that link's server, which says what it does that it should not.
async function open(browser, device, link, name, mayFail = () => false) {
  const page = await (await browser.newContext(device)).newPage();
  page.setDefaultTimeout(30000);
  await page.addInitScript(() => {
    window.__violations = [];
    addEventListener('securitypolicyviolation', event => window.__violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
  });
  page.on('pageerror', error => said.errors.push(`${name}: ${error.stack}`));
  page.on('dialog', dialog => { said.xss.push(`${name}: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', request => {
    if (!request.url().startsWith(new URL(link).origin) && !request.url().startsWith('data:')) said.errors.push(`${name} asked ${request.url()}`);
  });
  page.on('console', message => {
    if (message.type() === 'error' && !mayFail()) said.errors.push(`${name}: ${message.text()}`);
  });
  return page;
}

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

async function harvest(page, name) {
  const seen = await page.evaluate(() => ({ violations: window.__violations, xss: window.__xss }));
  said.violations.push(...seen.violations.map(it => `${name}: ${it}`));
  if (seen.xss) said.xss.push(name);
}

const logged = (page, text) => page.locator('#log li', { hasText: text }).first().waitFor();

// Runs `main`, and says what was seen, whatever came of it.
function run(main) {
  const end = () => {
    console.log(JSON.stringify(said));
    process.exit(0);
  };
  main().then(end, error => {
    said.errors.push(String(error.stack));
    end();
  });
}

module.exports = { DESK, PHONE, ask, assert, enter, harvest, launch, logged, open, run, said };
