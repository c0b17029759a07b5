// The extension: starts `agamid lsp`, and shows graphs.

"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");
const { agamid, serverOptions, version } = require("./agamid.js");
const { Graphs } = require("./graphs.js");

/** @type {LanguageClient | undefined} */
let client;

async function start() {
  const settings = vscode.workspace.getConfiguration("agama");
  try {
    // Asked first: a program that is not there is told once, with the setting that mends it.
    await version(agamid(settings));
    client = new LanguageClient("agama", "Agama", serverOptions(settings), {
      documentSelector: [{ language: "agama", scheme: "file" }, { language: "agama", scheme: "untitled" }],
    });
    await client.start();
  } catch (error) {
    client = undefined;
    const choice = await vscode.window.showErrorMessage(
      `The Agama language server could not start: ${error.message}. Colours and snippets work without it.`,
      "Set the Path",
    );
    if (choice) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "agama.agamid.path");
    }
  }
}

async function stop() {
  const running = client;
  client = undefined;
  await running?.stop();
}

exports.activate = (context) => {
  const graphs = new Graphs(vscode, () => agamid(vscode.workspace.getConfiguration("agama")));
  const restart = async () => {
    await stop();
    await start();
  };
  context.subscriptions.push(
    graphs,
    vscode.commands.registerCommand("agama.showGraph", () => graphs.show(vscode.window.activeTextEditor?.document)),
    vscode.commands.registerCommand("agama.restart", restart),
    vscode.workspace.onDidSaveTextDocument((document) => graphs.saved(document)),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("agama.agamid") || change.affectsConfiguration("agama.plugins")) {
        return restart();
      }
    }),
  );
  return start();
};

exports.deactivate = stop;
