// What package.json promises is there, and fits together.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { read, readJson, root } from "./support.mjs";

const manifest = readJson("package.json");
const { contributes } = manifest;
const source = ["extension.js", "agamid.js", "graphs.js", "page.js"].map((file) => read(`src/${file}`)).join("\n");

test("every file that is contributed exists and is JSON", () => {
  const files = [
    ...contributes.languages.map((language) => language.configuration),
    ...contributes.grammars.map((grammar) => grammar.path),
    ...contributes.snippets.map((snippets) => snippets.path),
  ];
  assert.equal(files.length, 3);
  for (const file of files) {
    assert.ok(existsSync(join(root, file)), file);
    assert.equal(typeof readJson(file), "object");
  }
});

test("grammar, snippets and menus name the language", () => {
  const [language] = contributes.languages;
  assert.deepEqual(language.extensions, [".flow"]);
  assert.equal(contributes.grammars[0].language, language.id);
  assert.equal(contributes.grammars[0].scopeName, readJson("syntaxes/agama.tmLanguage.json").scopeName);
  assert.equal(contributes.snippets[0].language, language.id);
  for (const item of contributes.menus["editor/title"]) {
    assert.ok(item.when.includes(`editorLangId == ${language.id}`));
    assert.ok(contributes.commands.some((command) => command.command === item.command), item.command);
  }
});

test("every command is registered, and every registered command is contributed", () => {
  const registered = [...source.matchAll(/registerCommand\("([^"]+)"/g)].map((match) => match[1]).sort();
  assert.deepEqual(registered, contributes.commands.map((command) => command.command).sort());
});

test("every setting that is read is contributed", () => {
  const read = [...source.matchAll(/settings\.get\("([^"]+)"\)/g)].map((match) => `agama.${match[1]}`);
  assert.ok(read.length > 1);
  for (const setting of read) {
    assert.ok(setting in contributes.configuration.properties, setting);
  }
});

test("settings that start a program are ignored in a workspace that is not trusted", () => {
  const { restrictedConfigurations } = manifest.capabilities.untrustedWorkspaces;
  for (const setting of ["agama.agamid.path", "agama.plugins"]) {
    assert.ok(restrictedConfigurations.includes(setting), setting);
  }
});

test("tools are pinned, and the lock file names no registry", () => {
  for (const [name, version] of Object.entries(manifest.devDependencies)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
  }
  assert.equal(manifest.dependencies, undefined, "all that is needed at run time is in the bundle");
  const lock = readJson("package-lock.json");
  assert.ok(Object.values(lock.packages).every((entry) => entry.resolved === undefined));
});

test("the patterns for indents fit what opens a block, and nothing else", () => {
  const { indentationRules, wordPattern } = readJson("language-configuration.json");
  const opens = new RegExp(indentationRules.increaseIndentPattern);
  for (const line of [
    "Flow a.b",
    "When a is b",
    "    When a is \"x and\" // why",
    "Otherwise",
    "Otherwise // not",
    "Match x to",
    "Repeat 3 times max",
    "n = Repeat 3 times max",
    "Iterate over x using y",
    "  n.y = Iterate over x using y",
  ]) {
    assert.match(line, opens);
  }
  for (const line of ["Finish true", "x = Call a.b#c", "Whenever = 1", "When a is b and", "Log \"= Repeat 3\"", "// When a is b"]) {
    assert.doesNotMatch(line, opens);
  }
  assert.match("    Otherwise", new RegExp(indentationRules.decreaseIndentPattern));
  assert.deepEqual("x1.y_z is -3.5".match(new RegExp(wordPattern, "g")), ["x1", "y_z", "is", "-3.5"]);
});
