// A demo server, and a person who signs in without a browser: cookies kept, redirects followed, forms sent.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const binary = process.env.AGAMID_BIN ?? join(root, 'target', 'debug', 'agamid');

const free = (port) =>
  new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .once('listening', () => server.close(() => resolve(true)))
      .listen(port, '127.0.0.1');
  });

async function freePorts() {
  for (let tries = 0; tries < 200; tries += 1) {
    const base = 61000 + Math.floor(Math.random() * 900);
    if ((await Promise.all([free(base), free(base + 1), free(base + 2)])).every(Boolean)) return base;
  }
  throw new Error('no free ports');
}

/** Starts the demo on a folder of its own. */
export async function startDemo() {
  const folder = await mkdtemp(join(tmpdir(), 'agamid-clients-'));
  const port = await freePorts();
  const child = spawn(binary, ['demo', '--no-open', '--port', String(port), '--data', join(folder, 'data')], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const lines = createInterface({ input: child.stdout });
  await new Promise((resolve, reject) => {
    lines.on('line', (line) => line === `ready http://localhost:${port}` && resolve());
    child.once('exit', (code) => reject(new Error(`the demo ended with ${code}`)));
  });
  return {
    issuer: `http://localhost:${port}`,
    relyingParty: `http://127.0.0.1:${port + 2}`,
    async stop() {
      child.kill('SIGTERM');
      await new Promise((resolve) => child.once('exit', resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const unescape = (text) =>
  text.replaceAll('&#x2f;', '/').replaceAll('&#x27;', "'").replaceAll('&quot;', '"').replaceAll('&amp;', '&');

/** Opens an authorization URL as a new person at a new browser, signs in as alice and allows; answers the callback URL. */
export async function signIn(demo, url) {
  const cookies = new Map();
  const request = async (target, options = {}) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(target, { redirect: 'manual', ...options, headers: { ...options.headers, cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    return response;
  };
  let at = new URL(url);
  let response = await request(at);
  for (let steps = 0; steps < 20; steps += 1) {
    if (response.status === 303) {
      at = new URL(response.headers.get('location'), at);
      if (at.origin !== demo.issuer) return at;
      response = await request(at);
      continue;
    }
    const page = await response.text();
    const token = /name="_step" value="([^"]*)"/.exec(page);
    if (!token) throw new Error(`${response.status} at ${at}:\n${page}`);
    const fields = { _step: unescape(token[1]) };
    if (page.includes('name="password"')) Object.assign(fields, { login: 'alice', password: 'demo-alice-123' });
    else fields.decision = 'allow';
    response = await request(at, {
      method: 'POST',
      headers: { origin: demo.issuer },
      body: new URLSearchParams(fields),
    });
  }
  throw new Error('too many steps');
}
