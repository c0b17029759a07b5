// The journeys of people: password, authenticator app, consent, tokens; Back, double click, reload in mid-login.

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, afterEach, test } from 'node:test';
import { assertAccessible, root, startChromium, startDemo, totp } from './support.mjs';

let demo;
let chromium;
let context;
let page;

before(async () => {
  demo = await startDemo();
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  await demo?.stop();
});
beforeEach(async () => {
  context = await chromium.newContext({ viewport: { width: 1280, height: 800 } });
  page = await context.newPage();
});
afterEach(() => context.close());

const enter = async (name, password) => {
  await page.getByLabel('Username or e-mail').fill(name);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
};
const claim = (name) => page.locator(`[data-claim="${name}"]`).textContent();
const allow = () => page.getByRole('button', { name: 'Allow', exact: true }).click();

async function begin(button = 'Log in') {
  await page.goto(demo.relyingParty);
  await page.getByRole('button', { name: button, exact: true }).click();
}

test('a wrong password is told, a right one leads through consent to tokens, and a second login asks nothing', async () => {
  await begin();
  await enter('alice', 'wrong');
  await page.getByRole('alert').filter({ hasText: 'wrong' }).waitFor();
  assert.equal(await page.getByLabel('Username or e-mail').inputValue(), 'alice', 'what was typed is kept');
  await enter('alice', 'demo-alice-123');
  await page.getByRole('heading', { name: 'Allow Sample application?' }).waitFor();
  await allow();
  await page.getByRole('heading', { name: 'Logged in' }).waitFor();
  assert.equal(await claim('acr'), 'agama_demo.password');
  assert.equal(await claim('amr'), '["pwd"]');
  assert.equal(await claim('iss'), demo.issuer);
  assert.match(await page.locator('#userinfo').textContent(), /"preferred_username": "alice"/);

  await begin();
  await page.getByRole('heading', { name: 'Logged in' }).waitFor();
});

test('an authenticator app is set up, checked by the plugin, and a code works once', async () => {
  await begin('Log in with demo.totp');
  await enter('bob', 'demo-bob-123');
  await page.getByText("Can't scan it?").click();
  const secret = await page.locator('#key').textContent();
  assert.ok(await page.locator('svg.qr').isVisible());
  await page.getByLabel('Six-digit code').fill('000000');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('alert').filter({ hasText: 'wrong' }).waitFor();
  const code = totp(secret);
  await page.getByLabel('Six-digit code').fill(code);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('heading', { name: 'Allow Sample application?' }).waitFor();
  await allow();
  await page.getByRole('heading', { name: 'Logged in' }).waitFor();
  assert.equal(await claim('acr'), 'agama_demo.totp');
  assert.equal(await claim('amr'), '["pwd", "otp"]');

  await context.clearCookies();
  await begin('Log in with demo.totp');
  await enter('bob', 'demo-bob-123');
  await page.getByRole('heading', { name: 'Enter your code' }).waitFor();
  await page.getByLabel('Six-digit code').fill(code);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('alert').filter({ hasText: 'used already' }).waitFor();
  await page.getByLabel('Six-digit code').fill(totp(secret, Date.now() + 30000));
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('heading', { name: 'Logged in' }).waitFor();
  assert.ok(!demo.log().includes(secret), 'the secret is not in the log');
});

test('saying no at the consent page is told to the application', async () => {
  await begin();
  await enter('admin', 'demo-admin-123');
  await page.getByRole('button', { name: "Don't allow" }).click();
  await page.getByRole('heading', { name: 'Not logged in' }).waitFor();
  assert.equal(await page.locator('#code').textContent(), 'access_denied');
});

test('Back shows where the login stands, and a form sent again from there is not used', async () => {
  await begin();
  await enter('alice', 'wrong');
  await page.getByRole('alert').filter({ hasText: 'wrong' }).waitFor();
  const current = page.url();
  await enter('alice', 'wrong again');
  await page.getByRole('alert').filter({ hasText: 'wrong' }).waitFor();
  await page.goBack();
  assert.equal(page.url(), current);
  await enter('alice', 'demo-alice-123');
  await page.getByRole('heading', { name: /Allow|Logged in/ }).waitFor();
});

test('a double click is one answer', async () => {
  await begin();
  await page.getByLabel('Username or e-mail').fill('alice');
  await page.getByLabel('Password', { exact: true }).fill('demo-alice-123');
  await page.getByRole('button', { name: 'Sign in' }).dblclick();
  await page.getByRole('heading', { name: /Allow|Logged in/ }).waitFor();
});

test('a saved flow is live at once; a login begun before goes on with its version; a broken one is refused and shown', async () => {
  const file = join(demo.flows, 'demo', 'code', 'demo.password.flow');
  const original = await readFile(file, 'utf8');
  await begin();
  await page.getByLabel('Password', { exact: true }).waitFor();
  await writeFile(file, original.replace('Username or password is wrong.', 'That did not work.'));
  await page.locator('#fresh').waitFor({ state: 'visible' });
  await enter('alice', 'wrong');
  await page.getByRole('alert').filter({ hasText: 'Username or password is wrong.' }).waitFor();

  await begin();
  await enter('alice', 'wrong');
  await page.getByRole('alert').filter({ hasText: 'That did not work.' }).waitFor();

  await writeFile(file, original.replace('Finish false', 'Finish 3 + 4'));
  const overlay = page.locator('#overlay');
  await overlay.waitFor({ state: 'visible' });
  assert.match(await overlay.textContent(), /demo\.password\.flow:\d+:\d+/);
  await begin();
  await enter('alice', 'wrong');
  await page.getByRole('alert').filter({ hasText: 'That did not work.' }).waitFor();
  await writeFile(file, original);
  await overlay.waitFor({ state: 'hidden' });
});

test('a saved template is live, a broken one is refused with its line', async () => {
  const file = join(demo.flows, 'demo', 'web', 'demo', 'password.html');
  const original = await readFile(file, 'utf8');
  await begin();
  await writeFile(file, original.replace('<h1>Sign in</h1>', '<h1>Welcome</h1>'));
  await page.locator('#fresh').waitFor({ state: 'visible' });
  await begin();
  await page.getByRole('heading', { name: 'Welcome' }).waitFor();
  await writeFile(file, original.replace('{% endblock %}', '{% endblok %}'));
  await page.locator('#overlay').waitFor({ state: 'visible' });
  assert.match(await page.locator('#overlay').textContent(), /password\.html:\d+/);
  await writeFile(file, original);
  await page.locator('#overlay').waitFor({ state: 'hidden' });
});

test('prompt=select_account offers the accounts of this browser', async () => {
  await begin();
  await enter('alice', 'demo-alice-123');
  await page.getByRole('heading', { name: /Allow|Logged in/ }).waitFor();
  await page.goto(demo.relyingParty);
  await page.getByText('More options').click();
  await page.getByLabel('prompt').selectOption('select_account');
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await page.getByRole('heading', { name: 'Choose an account' }).waitFor();
  await page.getByRole('button', { name: /Alice Liddell/ }).click();
  await page.getByRole('heading', { name: /Allow|Logged in/ }).waitFor();
});

// Each page, as people see it: no finding of axe, no horizontal scrolling; pictures for the README and for looking at.
for (const [name, person, colorScheme, viewport] of [
  ['desktop-light', 'admin', 'light', { width: 1280, height: 800 }],
  ['phone-dark', 'bob', 'dark', { width: 390, height: 844 }],
]) {
  test(`pages are accessible and fit (${name})`, async () => {
    const pictures = process.env.PICTURES ?? join(root, 'target', 'pictures');
    await mkdir(pictures, { recursive: true });
    const own = await chromium.newContext({ bypassCSP: true, colorScheme, viewport });
    page = await own.newPage();
    const look = async (title) => {
      await assertAccessible(page);
      const [inner, scroll] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
      assert.ok(scroll <= inner, `${title} scrolls sideways (${scroll} > ${inner})`);
      await page.screenshot({ path: join(pictures, `${title}-${name}.png`) });
    };
    await page.goto(demo.relyingParty);
    await look('application');
    await page.getByRole('button', { name: 'Log in with demo.totp' }).click();
    await look('sign-in');
    await enter('alice', 'wrong');
    await look('sign-in-error');
    await enter('alice', 'demo-alice-123');
    await look('totp-setup');
    await page.goto(demo.relyingParty);
    await page.getByText('More options').click();
    await page.getByLabel('prompt').selectOption('consent');
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
    await enter(person, `demo-${person}-123`);
    await page.getByRole('heading', { name: 'Allow Sample application?' }).waitFor();
    await look('consent');
    await allow();
    await page.getByRole('heading', { name: 'Logged in' }).waitFor();
    await look('result');
    await page.goto(demo.relyingParty);
    await page.getByText('More options').click();
    await page.getByLabel('prompt').selectOption('select_account');
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
    await look('select');
    await page.goto(`${demo.issuer}/oauth2/authorize?client_id=nobody`);
    await look('error');
    await own.close();
  });
}
