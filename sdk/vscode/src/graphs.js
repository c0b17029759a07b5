// Pictures of flows, beside their text, drawn again at each save.

"use strict";

const path = require("node:path");
const { graph } = require("./agamid.js");
const { failure, picture } = require("./page.js");

exports.Graphs = class Graphs {
  /** `program` answers the path of agamid. */
  constructor(vscode, program) {
    this.vscode = vscode;
    this.program = program;
    /** Open panels by file. */
    this.panels = new Map();
  }

  /** Opens the picture of a document, or brings it to the front. */
  async show(document) {
    const { window, ViewColumn } = this.vscode;
    if (document?.languageId !== "agama" || document.uri.scheme !== "file") {
      await window.showInformationMessage("Open a .flow file that is saved, then ask for its graph.");
      return;
    }
    const file = document.uri.fsPath;
    const open = this.panels.get(file);
    if (open) {
      open.reveal(undefined, true);
    } else {
      const panel = window.createWebviewPanel(
        "agama.graph",
        `Graph: ${path.basename(file)}`,
        { viewColumn: ViewColumn.Beside, preserveFocus: true },
        // The page holds a picture and nothing else: no scripts, no files.
        { enableScripts: false, localResourceRoots: [] },
      );
      this.panels.set(file, panel);
      panel.onDidDispose(() => this.panels.delete(file));
    }
    await this.draw(file);
  }

  /** Draws again what was saved. */
  async saved(document) {
    if (this.panels.has(document.uri.fsPath)) {
      await this.draw(document.uri.fsPath);
    }
  }

  async draw(file) {
    let html;
    try {
      html = picture(await graph(this.program(), file), path.basename(file));
    } catch (error) {
      html = failure(error.message, path.basename(file));
    }
    // It may have been closed meanwhile.
    const panel = this.panels.get(file);
    if (panel) {
      panel.webview.html = html;
    }
  }

  dispose() {
    for (const panel of [...this.panels.values()]) {
      panel.dispose();
    }
  }
};
