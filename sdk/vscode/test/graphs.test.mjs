// The graph's panel: what it shows, and that nothing in it can run.

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

import { require } from "./support.mjs";

const { Graphs } = require("../src/graphs.js");
const { agamid, graph, serverOptions } = require("../src/agamid.js");
const { failure, picture } = require("../src/page.js");

/** A program that stands for agamid. */
function program(t, script) {
  const folder = mkdtempSync(join(tmpdir(), "agama-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "agamid");
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

/** As much of VS Code as the panels need. */
function editor() {
  const made = [];
  const said = [];
  const window = {
    createWebviewPanel: (kind, title, column, options) => {
      const panel = { title, options, webview: { html: "" }, shown: 1, closed: () => {} };
      panel.reveal = () => (panel.shown += 1);
      panel.onDidDispose = (closed) => (panel.closed = closed);
      panel.dispose = () => panel.closed();
      made.push(panel);
      return panel;
    },
    showInformationMessage: async (text) => said.push(text),
  };
  return { window, ViewColumn: { Beside: -2 }, made, said };
}

const flow = (file) => ({ languageId: "agama", uri: { scheme: "file", fsPath: file } });

test("the page allows nothing but its picture and its own style", () => {
  const html = picture("<svg><script>alert(1)</script></svg>", "a\"<b>.flow");
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)[1];
  assert.match(policy, /^default-src 'none'; img-src data:; style-src 'nonce-[A-Za-z0-9+/=]{24}'$/);
  assert.ok(!html.includes("<script"), "the picture is data, not markup");
  assert.ok(!html.includes("<b>"), "names are escaped");
  assert.notEqual(html, picture("<svg><script>alert(1)</script></svg>", "a\"<b>.flow"), "each page has its own nonce");
  assert.ok(failure("<img src=x>", "x").includes("&#60;img src=x&#62;"));
});

test("the graph is what `agamid flow graph` prints", async (t) => {
  const echo = program(t, 'echo "<svg>$*</svg>"');
  assert.equal((await graph(echo, "/x y.flow")).trim(), "<svg>flow graph /x y.flow --format svg</svg>");
  await assert.rejects(graph(program(t, "echo wrong >&2; exit 1"), "/x"), /wrong/);
  await assert.rejects(graph("/no/such/agamid", "/x"), /set agama\.agamid\.path/);
});

test("a panel opens once a file, is drawn again at a save, and forgotten when closed", async (t) => {
  const vscode = editor();
  let script = program(t, 'echo "<svg>one</svg>"');
  const graphs = new Graphs(vscode, () => script);
  await graphs.show(flow("/a.flow"));
  await graphs.show(flow("/a.flow"));
  assert.equal(vscode.made.length, 1);
  const [panel] = vscode.made;
  assert.equal(panel.shown, 2);
  assert.deepEqual(panel.options, { enableScripts: false, localResourceRoots: [] });
  const data = () => Buffer.from(/base64,([^"]*)/.exec(panel.webview.html)[1], "base64").toString();
  assert.match(data(), /one/);

  script = program(t, 'echo "<svg>two</svg>"');
  await graphs.saved(flow("/other.flow"));
  assert.match(data(), /one/);
  await graphs.saved(flow("/a.flow"));
  assert.match(data(), /two/);
  script = program(t, "echo 'a.flow:3: broken'; exit 1");
  await graphs.saved(flow("/a.flow"));
  assert.match(panel.webview.html, /a\.flow:3: broken/);

  panel.dispose();
  await graphs.show(flow("/a.flow"));
  assert.equal(vscode.made.length, 2);
  graphs.dispose();
  assert.equal(graphs.panels.size, 0);
});

test("what is no saved flow has no graph", async () => {
  const vscode = editor();
  const graphs = new Graphs(vscode, () => "agamid");
  await graphs.show(undefined);
  await graphs.show({ languageId: "agama", uri: { scheme: "untitled", fsPath: "x" } });
  await graphs.show({ languageId: "json", uri: { scheme: "file", fsPath: "/x" } });
  assert.equal(vscode.made.length, 0);
  assert.equal(vscode.said.length, 3);
});

test("the server is started as the settings say", () => {
  const settings = (values) => ({ get: (key) => values[key] });
  assert.equal(agamid(settings({ "agamid.path": "  " })), "agamid");
  assert.deepEqual(serverOptions(settings({})), { command: "agamid", args: ["lsp"] });
  assert.deepEqual(serverOptions(settings({ "agamid.path": "/x/agamid", plugins: "p" })), {
    command: "/x/agamid",
    args: ["lsp", "--plugins", "p"],
  });
});
