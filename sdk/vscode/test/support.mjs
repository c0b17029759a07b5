// What the tests share.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

export const require = createRequire(import.meta.url);

/** The extension's folder. */
export const root = fileURLToPath(new URL("..", import.meta.url));

export const read = (path) => readFileSync(new URL(path, new URL("..", import.meta.url)), "utf8");

export const readJson = (path) => JSON.parse(read(path));
