// A demo server on free ports, and a headless Chromium to visit it with.

import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { readFile } from 'node:fs/promises';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const binary = process.env.AGAMID_BIN ?? join(root, 'target', 'debug', 'agamid');
const axeSource = await readFile(new URL('./node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

function free(port) {
  return new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .once('listening', () => server.close(() => resolve(true)))
      .listen(port, '127.0.0.1');
  });
}

async function freePorts() {
  for (let tries = 0; tries < 200; tries += 1) {
    const base = 62000 + Math.floor(Math.random() * 3000);
    if ((await Promise.all([free(base), free(base + 1), free(base + 2)])).every(Boolean)) return base;
  }
  throw new Error('no free ports');
}

/** Starts the demo on a folder of its own, with a copy of the shipped flows that a test may change. */
export async function startDemo() {
  const folder = await mkdtemp(join(tmpdir(), 'agamid-browser-'));
  await cp(join(root, 'flows'), join(folder, 'flows'), { recursive: true });
  const port = await freePorts();
  const log = [];
  const child = spawn(
    binary,
    ['demo', '--no-open', '--port', String(port), '--data', join(folder, 'data'), '--flows', join(folder, 'flows')],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  child.stderr.on('data', (chunk) => log.push(chunk));
  const lines = createInterface({ input: child.stdout });
  await new Promise((resolve, reject) => {
    lines.on('line', (line) => line === `ready http://localhost:${port}` && resolve());
    child.once('exit', (code) => reject(new Error(`the demo ended with ${code}:\n${Buffer.concat(log)}`)));
  });
  return {
    issuer: `http://localhost:${port}`,
    relyingParty: `http://127.0.0.1:${port + 2}`,
    flows: join(folder, 'flows'),
    log: () => Buffer.concat(log).toString(),
    async stop() {
      child.kill('SIGTERM');
      await new Promise((resolve) => child.once('exit', resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Starts Chromium; background traffic is switched off. */
export function startChromium() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM?.startsWith('/') ? process.env.CHROMIUM : `/usr/bin/${process.env.CHROMIUM ?? 'chromium'}`,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Fails when axe finds anything on the page. The page must be in a context with `bypassCSP`. */
export async function assertAccessible(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => window.axe.run());
  const found = violations.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((n) => n.html).join('\n  ')}`);
  assert.deepEqual(found, [], `axe on ${page.url()}`);
}

/** The code of an authenticator app (RFC 6238): SHA-1, 30 seconds, 6 digits. */
export function totp(secret, at = Date.now()) {
  const bits = [...secret.replace(/[\s=]/g, '')].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30000)));
  const mac = createHmac('sha1', key).update(counter).digest();
  const offset = mac[19] & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1000000).padStart(6, '0');
}
