// How the program is called.

"use strict";

const { execFile } = require("node:child_process");

/** The program's path. */
exports.agamid = (settings) => settings.get("agamid.path")?.trim() || "agamid";

/** How the language client starts the server. */
exports.serverOptions = (settings) => {
  const plugins = settings.get("plugins")?.trim();
  return { command: exports.agamid(settings), args: plugins ? ["lsp", "--plugins", plugins] : ["lsp"] };
};

/** What the program prints; rejects with what it said, or how to mend that there is none. */
const run = (program, args) =>
  new Promise((resolve, reject) => {
    const limits = { timeout: 10_000, maxBuffer: 16 * 1024 * 1024, windowsHide: true };
    execFile(program, args, limits, (error, stdout, stderr) => {
      if (!error) {
        resolve(stdout);
      } else if (error.code === "ENOENT") {
        reject(new Error(`${program} was not found; set agama.agamid.path to where it is`));
      } else {
        reject(new Error([stdout, stderr].join("\n").trim() || error.message));
      }
    });
  });

/** The program's version. */
exports.version = (program) => run(program, ["--version"]);

/** The graph of a flow's file as SVG. */
exports.graph = (program, file) => run(program, ["flow", "graph", file, "--format", "svg"]);
