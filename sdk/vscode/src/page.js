// The pages of the graph's panel. The graph stands in an <img>, where nothing in it can run or load.

"use strict";

const { randomBytes } = require("node:crypto");

const escape = (text) =>
  text.replace(/[&<>"']/g, (c) => `&#${c.codePointAt(0)};`);

function page(title, body) {
  const nonce = randomBytes(16).toString("base64");
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'nonce-${nonce}'">
<title>${escape(title)}</title>
<style nonce="${nonce}">
body { padding: 1rem; }
img { max-width: 100%; background: white; border-radius: 4px; }
pre { white-space: pre-wrap; font-family: var(--vscode-editor-font-family); }
</style>
</head>
<body>${body}</body>
</html>
`;
}

/** A page that shows a picture. */
exports.picture = (svg, name) => {
  const data = Buffer.from(svg, "utf8").toString("base64");
  return page(name, `<img alt="${escape(`The graph of ${name}`)}" src="data:image/svg+xml;base64,${data}">`);
};

/** A page that says why there is none. */
exports.failure = (reason, name) => page(name, `<h1>No graph</h1><pre>${escape(reason)}</pre>`);
