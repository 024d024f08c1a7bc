// How soon the control room is painted: node room_bench.js CHROMIUM LINK FROM COUNT
//
// First five loads of the page. Then it asks to begin, and times each of COUNT notes, from the number FROM on: from the wall clock in the
// note's text to the first animation frame after its line is in the log.
'use strict';
const { DESK, ask, assert, launch, open, run, said } = require('./room');

const [program, link, from, count] = process.argv.slice(2);

async function main() {
  const browser = await launch(program);
  said.paints = [];
  for (let load = 0; load < 5; load += 1) {
    const page = await open(browser, DESK, link, 'load');
    await page.goto(link);
    await page.locator('#room').waitFor();
    const paint = await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
    said.paints.push(await paint.jsonValue());
    await page.context().close();
  }
  const page = await open(browser, DESK, link, 'bench');
  page.setDefaultTimeout(120000);
  await page.goto(link);
  await page.locator('#log li').first().waitFor();
  await page.evaluate(first => {
    window.__delays = new Map();
    new MutationObserver(records => {
      const wall = [];
      for (const node of records.flatMap(record => [...record.addedNodes])) {
        const found = /note: bench (\d+) at \d+ wall (\d+)/.exec(node.textContent);
        if (found && Number(found[1]) >= first) wall.push([Number(found[1]), Number(found[2]) / 1000]);
      }
      if (wall.length) requestAnimationFrame(() => {
        const now = performance.timeOrigin + performance.now();
        for (const [number, at] of wall) if (!window.__delays.has(number)) window.__delays.set(number, now - at);
      });
    }).observe(document.getElementById('log'), { childList: true });
  }, Number(from));
  await ask('begin');
  await page.waitForFunction(wanted => window.__delays.size >= wanted, Number(count), { polling: 200 });
  said.delays = await page.evaluate(() => [...window.__delays.values()]);
  assert(said.delays.length === Number(count), `${said.delays.length} of ${count} were painted`);
  await browser.close();
}

run(main);
