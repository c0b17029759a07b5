// `npm run package` makes an extension that loads, with what it needs and nothing else.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rmSync, statSync } from "node:fs";
import Module from "node:module";
import { join } from "node:path";
import test from "node:test";

import { require, root } from "./support.mjs";

const run = (...command) => execFileSync(command[0], command.slice(1), { cwd: root, encoding: "utf8", shell: process.platform === "win32" });

test("the package holds the bundle and what package.json contributes", () => {
  const vsix = join(root, "agama.vsix");
  rmSync(vsix, { force: true });
  run("npm", "run", "package");
  assert.ok(statSync(vsix).size > 10_000);
  const files = run("npx", "vsce", "ls", "--no-dependencies").trim().split(/\r?\n/).map((line) => line.trim()).sort();
  assert.deepEqual(files, [
    "README.md",
    "dist/extension.js",
    "language-configuration.json",
    "package.json",
    "snippets/agama.json",
    "syntaxes/agama.tmLanguage.json",
  ]);
});

test("the bundle needs nothing but VS Code and Node.js, and activates", async () => {
  run("npm", "run", "build");
  // Anything that VS Code has: a class, a function, an object, all at once.
  const anything = () =>
    new Proxy(class {}, {
      get: (target, key) => (key === "prototype" || key in target ? target[key] : (target[key] = anything())),
      apply: () => anything(),
      construct: () => anything(),
    });
  const commands = [];
  const vscode = anything();
  vscode.version = "1.99.0";
  vscode.commands = { registerCommand: (name) => commands.push(name), executeCommand: async () => {} };
  Object.assign(vscode.workspace, {
    getConfiguration: () => ({ get: (key) => (key === "agamid.path" ? "/no/such/agamid" : undefined) }),
    onDidSaveTextDocument: () => ({}),
    onDidChangeConfiguration: () => ({}),
    workspaceFolders: undefined,
    textDocuments: [],
  });
  const asked = [];
  vscode.window.showErrorMessage = async (text) => void asked.push(text);
  const load = Module._load;
  Module._load = (name, ...rest) => (name === "vscode" ? vscode : load(name, ...rest));
  try {
    const extension = require("../dist/extension.js");
    assert.deepEqual(Object.keys(extension).sort(), ["activate", "deactivate"]);
    const context = { subscriptions: [] };
    await extension.activate(context);
    assert.deepEqual(commands, ["agama.showGraph", "agama.restart"]);
    assert.equal(asked.length, 1, "a server that can't start is told, and the rest works");
    assert.match(asked[0], /\/no\/such\/agamid was not found; set agama\.agamid\.path/);
    assert.equal(context.subscriptions.length, 5);
    await extension.deactivate();
  } finally {
    Module._load = load;
  }
});
