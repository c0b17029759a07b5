// A demo server on free ports, on a folder of its own, for the tests in Node.js.

import { spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const binary = process.env.AGAMID_BIN ?? join(root, 'target', 'debug', 'agamid');

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
