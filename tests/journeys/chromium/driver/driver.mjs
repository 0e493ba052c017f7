// A real browser: reads line by line what somebody does in it, and prints what they see then.

import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const [executablePath, locale] = process.argv.slice(2);
// Nobody but this machine's own pages is visited, and root has no sandbox.
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const context = await browser.newContext({ locale, viewport: { width: 900, height: 700 } });
context.setDefaultTimeout(10_000);
const page = await context.newPage();
let complaints = [];
page.on('console', (said) => said.type() === 'error'
  && complaints.push(`${said.location().url} ${said.text()}`));
page.on('pageerror', (error) => complaints.push(`${page.url()} ${error}`));

const deeds = {
  open: ({ url }) => page.goto(url),
  press: ({ name }) => andLoad(async () => (await called(name)).click()),
  enter: ({ field, text }) => andLoad(async () => {
    await page.locator(`input[name="${field}"]`).fill(text);
    await page.locator(`input[name="${field}"]`).press('Enter');
  }),
  keep: ({ cookies }) => context.addCookies(cookies),
  picture: ({ file }) => page.screenshot({ path: file, fullPage: true }),
};

async function called(name) {
  // Who names a city may add how it writes itself.
  for (const words of [new RegExp(`^${name}$`), new RegExp(`^${name}\\s`)]) {
    const found = page.getByRole('button', { name: words })
      .or(page.getByRole('link', { name: words }));
    if (await found.count()) return found.first();
  }
  throw new Error(`nothing is called ${name}`);
}

async function andLoad(act) {
  await Promise.all([page.waitForEvent('load'), act()]);
}

async function seen() {
  const news = complaints;
  complaints = [];
  return {
    url: page.url(),
    language: await page.evaluate(() => document.documentElement.lang),
    text: await page.evaluate(() => document.body?.innerText ?? ''),
    cookies: await context.cookies(),
    complaints: news,
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { deed, ...what } = JSON.parse(line);
  try {
    await deeds[deed](what);
    process.stdout.write(`${JSON.stringify(await seen())}\n`);
  } catch (problem) {
    const at = await seen().catch(() => ({}));
    process.stdout.write(`${JSON.stringify({ ...at, failed: `${deed}: ${problem}` })}\n`);
  }
}
await browser.close();
process.exit(0);
