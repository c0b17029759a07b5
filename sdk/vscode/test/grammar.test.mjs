// Colours: every sample is split into tokens; what each is called is compared with the file beside it.
// `UPDATE=1 npm test` writes those files; read the difference before you keep it.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { read, require, root } from "./support.mjs";

const oniguruma = require("vscode-oniguruma");
const textmate = require("vscode-textmate");

const wasm = readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm"));
await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
const registry = new textmate.Registry({
  onigLib: Promise.resolve({
    createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
    createOnigString: (text) => new oniguruma.OnigString(text),
  }),
  loadGrammar: async () =>
    textmate.parseRawGrammar(read("syntaxes/agama.tmLanguage.json"), "agama.tmLanguage.json"),
});
const grammar = await registry.loadGrammar("source.agama");

/** `text: scope scope`, a line each, below the line they stand in. */
function shown(source) {
  let stack = textmate.INITIAL;
  const out = [];
  for (const line of source.split(/\r?\n/)) {
    const found = grammar.tokenizeLine(line, stack);
    stack = found.ruleStack;
    out.push(line);
    for (const token of found.tokens) {
      const text = line.slice(token.startIndex, token.endIndex);
      const scopes = token.scopes.slice(1).map((scope) => scope.replace(/\.agama\b/g, ""));
      if (scopes.length > 0) {
        out.push(`    ${text.trim() === "" ? JSON.stringify(text) : text}: ${scopes.join(", ")}`);
      }
    }
  }
  return `${out.join("\n")}\n`;
}

const folder = join(root, "test", "flows");
for (const file of readdirSync(folder).filter((name) => name.endsWith(".flow"))) {
  test(`the words of ${file} have their scopes`, () => {
    const found = shown(readFileSync(join(folder, file), "utf8"));
    const expected = join(folder, `${file}.scopes`);
    if (process.env.UPDATE) {
      writeFileSync(expected, found);
    }
    assert.ok(existsSync(expected), `${expected} is missing`);
    assert.equal(found, readFileSync(expected, "utf8"));
  });
}

test("no line leaves something open for the next one", () => {
  for (const line of ['x = "open', "Log \"open %", "x = [1,", "When a is b and", "Call a.b#"]) {
    const { ruleStack } = grammar.tokenizeLine(line, textmate.INITIAL);
    const next = grammar.tokenizeLine("Finish true", ruleStack).tokens;
    assert.ok(next[0].scopes.includes("keyword.control.agama"), line);
  }
});

test("the demo's flows have no word without a scope", () => {
  for (const name of ["demo.password", "demo.totp"]) {
    let stack = textmate.INITIAL;
    for (const line of readFileSync(join(root, "..", "..", "flows", "demo", "code", `${name}.flow`), "utf8").split("\n")) {
      const found = grammar.tokenizeLine(line, stack);
      stack = found.ruleStack;
      for (const token of found.tokens) {
        const text = line.slice(token.startIndex, token.endIndex);
        assert.ok(text.trim() === "" || token.scopes.length > 1, `${name}: ${text} in ${line}`);
        assert.ok(!token.scopes.some((scope) => scope.startsWith("invalid")), `${name}: ${text} in ${line}`);
      }
    }
  }
});
