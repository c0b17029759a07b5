// A headless Chromium to visit a demo server with, and what its visitors need.

import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

export { root, startDemo } from '../demo.mjs';
const axeSource = await readFile(new URL('./node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

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
