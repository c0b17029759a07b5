// The playground: a page of static files that checks, draws and runs flows in the browser. `cargo xtask docs` builds it.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { assertAccessible, root, startChromium } from './support.mjs';

const folder = join(root, 'target', 'docs', 'playground');
// A server that knows no more than these, and not what .wasm is.
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

// Where WebAssembly can't be compiled, xtask has said so, and in CI it has failed.
const options = { skip: !existsSync(join(folder, 'playground.wasm')) && 'the playground is not built: cargo xtask docs' };

let server;
let address;
let chromium;
let context;
let page;
let asked;
let complaints;

before(async () => {
  server = createServer(async ({ url }, response) => {
    const name = url === '/' ? 'index.html' : url.slice(1);
    try {
      const body = await readFile(join(folder, name));
      response.writeHead(200, { 'content-type': types[extname(name)] ?? 'application/octet-stream' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${server.address().port}/`;
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  server?.close();
});
beforeEach(() => options.skip || open({ viewport: { width: 1280, height: 800 } }));
afterEach(() => context?.close());

async function open(options) {
  await context?.close();
  context = await chromium.newContext(options);
  page = await context.newPage();
  asked = [];
  complaints = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(address);
  await page.getByText('Nothing to mend').waitFor();
}

const editor = () => page.getByRole('textbox', { name: 'Flow' });
const write = (text) => editor().fill(text);
const findings = () => page.locator('#findings button');

test('a broken flow is told with place and hint, a choice leads there, and mending it clears the list', options, async () => {
  await write('Flow a.b\n    Basepath ""\n\nname = "alice"\nLog nane\nFinish true\n');
  await findings().filter({ hasText: 'AGM0204' }).waitFor();
  const told = await findings().first().innerText();
  assert.match(told, /5:5[\s\S]*Nothing assigns the variable nane[\s\S]*Did you mean name\?/);
  assert.equal(await page.locator('#colours .e').textContent(), 'nane');
  await findings().first().click();
  const selected = await editor().evaluate((area) => area.value.slice(area.selectionStart, area.selectionEnd));
  assert.equal(selected, 'nane');
  await page.keyboard.type('name');
  await page.getByText('Nothing to mend').waitFor();
  assert.equal(await findings().count(), 0);
});

test('places are counted in characters, and in the whole text when it has several flows', options, async () => {
  await write('Flow a.b\n    Basepath ""\n\nTrigger a.c\nFinish true\n\nFlow a.c\n    Basepath ""\n\nLog "🦎🦎" oops\nFinish true\n');
  await findings().filter({ hasText: '10:10' }).click();
  const selected = await editor().evaluate((area) => area.value.slice(area.selectionStart, area.selectionEnd));
  assert.equal(selected, 'oops');
});

test('the flow at the caret is drawn, as a picture and as a list', options, async () => {
  await page.getByLabel('Example').selectOption({ label: 'A whole registration' });
  const picture = page.locator('#graph');
  await page.waitForFunction(() => document.getElementById('graph').alt.includes('shop.register'));
  await page.waitForFunction(() => document.getElementById('graph').naturalWidth > 100);
  assert.match(await picture.getAttribute('src'), /^blob:/);
  await page.getByText('As a list').click();
  await page.locator('#places button').filter({ hasText: 'shop.mailcode' }).click();
  await editor().evaluate((area) => area.setSelectionRange(area.value.length, area.value.length));
  await page.keyboard.press('ArrowUp');
  await page.waitForFunction(() => document.getElementById('graph').alt.includes('shop.mailcode'));
});

test('a flow runs with scripted answers, and says what it waits for when they run out', options, async () => {
  await page.getByLabel('Example').selectOption({ label: 'Three tries' });
  await page.getByRole('button', { name: 'Run' }).first().click();
  const report = page.locator('#report');
  await report.getByText('Finished: success').waitFor();
  assert.match(await report.innerText(), /"userId":"u1"[\s\S]*shop\/login\.html[\s\S]*agamid\.password#verify/);
  await page.getByLabel('Answers').fill('[]');
  await editor().focus();
  await page.keyboard.press('Control+Enter');
  await report.getByText('Waits for the form of shop/login.html').waitFor();
  await page.getByLabel('Answers').fill('[');
  await page.locator('#run-again').click();
  await report.getByText('The answers are no JSON').waitFor();
  assert.equal(await page.getByLabel('Answers').getAttribute('aria-invalid'), 'true');
});

test('every example is without findings and ends', options, async () => {
  const choice = page.getByLabel('Example');
  const titles = await choice.locator('option').allTextContents();
  assert.ok(titles.length >= 20, `${titles.length} examples`);
  for (const label of titles) {
    await choice.selectOption({ label });
    await page.locator('#run').click();
    await page.locator('#report .end').waitFor();
    assert.match(await page.locator('#report .end').innerText(), /^Finished/, label);
    assert.equal(await findings().count(), 0, `${label}: ${await page.locator('#findings').innerText()}`);
  }
});

test('a flow that never ends is stopped, and the page goes on', options, async () => {
  await write('Flow a.b\n    Basepath ""\n\nRepeat 100000000 times max\n    x = 1\nFinish true\n');
  await page.locator('#run').click();
  await page.locator('#report').getByText('without a pause').waitFor();
  await page.getByRole('button', { name: 'Line 4 of a.b' }).click();
  assert.equal(await editor().evaluate((area) => area.value.slice(0, area.selectionStart).split('\n').length), 4);
});

test('the keyboard is enough: lines are indented, and Escape lets Tab out', options, async () => {
  await write('');
  await editor().focus();
  await page.keyboard.type('Flow a.b\nBasepath ""');
  assert.equal(await editor().inputValue(), 'Flow a.b\n    Basepath ""');
  await page.keyboard.press('Shift+Tab');
  assert.equal(await editor().inputValue(), 'Flow a.b\nBasepath ""');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  assert.notEqual(await page.evaluate(() => document.activeElement.id), 'source');
});

test('a messy flow is laid out, and one that can not be read is left alone', options, async () => {
  await write('Flow a.b\n Basepath   ""\nFinish   true');
  await page.getByText('Nothing to mend').waitFor();
  await page.getByRole('button', { name: 'Format' }).click();
  await page.waitForFunction(() => document.getElementById('source').value === 'Flow a.b\n    Basepath ""\n\nFinish true\n');
  await write('Flow a.b\n Basepath   ""\nFinish   1 + 2');
  await findings().first().waitFor();
  await page.getByRole('button', { name: 'Format' }).click();
  await page.getByText('Mend what can\'t be read first').waitFor();
  assert.equal(await editor().inputValue(), 'Flow a.b\n Basepath   ""\nFinish   1 + 2');
});

test('text of a flow never becomes part of the page', options, async () => {
  await write('Flow a.b\n    Basepath ""\n\nLog "<img src=x onerror=alert(1)>" nope\nFinish "<b>u</b>"\n');
  await findings().first().waitFor();
  await page.locator('#run').click();
  await page.locator('#report .end').waitFor();
  assert.equal(await page.locator('#colours img, #report img, #report b b').count(), 0);
});

test('nothing but the page\'s own files is asked for, and the browser has nothing to complain about', options, async () => {
  await page.getByLabel('Example').selectOption({ label: 'A whole registration' });
  await page.locator('#run').click();
  await page.locator('#report .end').waitFor();
  assert.deepEqual(asked.filter((url) => !url.startsWith(address) && !url.startsWith(`blob:${address}`)), []);
  assert.deepEqual(complaints, []);
});

for (const colorScheme of ['light', 'dark']) {
  for (const [device, viewport] of [['desktop', { width: 1280, height: 800 }], ['phone', { width: 390, height: 844 }]]) {
    test(`axe finds nothing on a ${device} in ${colorScheme}, and nothing is wider than the screen`, options, async () => {
      await open({ viewport, colorScheme, bypassCSP: true });
      await page.getByLabel('Example').selectOption({ label: 'A whole registration' });
      await page.waitForFunction(() => document.getElementById('graph').naturalWidth > 100);
      await assertAccessible(page);
      await editor().press('Control+End');
      await page.keyboard.type('\nLog nobody\n');
      await findings().first().waitFor();
      await page.locator('#run').click();
      await page.locator('#report .end').waitFor();
      await assertAccessible(page);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
    });
  }
}
