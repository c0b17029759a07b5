// The playground: a page, and a worker of the same file that holds the WebAssembly module. The worker can be stopped, so
// that no flow keeps the page waiting.

/** How long the module may work on one request, in milliseconds. */
const PATIENCE = 5000;

// ---- The worker -----------------------------------------------------------------------------------------------------

/** Answers `{id, tool, request}` with `{id, answer}`. */
function serve() {
  const loaded = load();
  self.onmessage = async ({ data: { id, tool, request } }) => {
    try {
      self.postMessage({ id, answer: ask(await loaded, tool, request) });
    } catch (error) {
      self.postMessage({ id, answer: { error: `the playground itself failed: ${error.message}` } });
    }
  };
}

async function load() {
  const response = await fetch(new URL('playground.wasm', import.meta.url));
  if (!response.ok) throw new Error(`playground.wasm: ${response.status}`);
  // Not streaming: that needs a server which knows the media type.
  const { instance } = await WebAssembly.instantiate(await response.arrayBuffer(), {});
  return instance.exports;
}

/** One call of the module: a JSON text in, a JSON text out. */
function ask(module, tool, request) {
  const given = new TextEncoder().encode(JSON.stringify(request));
  const at = module.alloc(given.length);
  new Uint8Array(module.memory.buffer, at, given.length).set(given);
  const place = BigInt.asUintN(64, module[tool](at, given.length));
  module.free(at, given.length);
  const [start, length] = [Number(place >> 32n), Number(place & 0xffffffffn)];
  const answer = JSON.parse(new TextDecoder().decode(new Uint8Array(module.memory.buffer, start, length)));
  module.free(start, length);
  return answer;
}

/** The worker, from outside. A request that takes too long is answered with an error, and a new worker takes over. */
function startTools() {
  let worker;
  let number = 0;
  const waiting = new Map();
  const stop = (error) => {
    worker?.terminate();
    for (const { resolve, timer } of waiting.values()) {
      clearTimeout(timer);
      resolve({ error });
    }
    waiting.clear();
  };
  const start = () => {
    worker = new Worker(new URL(import.meta.url), { type: 'module' });
    worker.onmessage = ({ data: { id, answer } }) => {
      const { resolve, timer } = waiting.get(id) ?? {};
      waiting.delete(id);
      clearTimeout(timer);
      resolve?.(answer);
    };
    worker.onerror = () => stop('the playground could not start: reload the page');
  };
  start();
  return (tool, request) =>
    new Promise((resolve) => {
      const id = ++number;
      const timer = setTimeout(() => {
        stop(`this took more than ${PATIENCE / 1000} seconds and was stopped: does a loop never end?`);
        start();
      }, PATIENCE);
      waiting.set(id, { resolve, timer });
      worker.postMessage({ id, tool, request });
    });
}

// ---- The page -------------------------------------------------------------------------------------------------------

async function showPage() {
  const tool = startTools();
  const editor = makeEditor();
  const graph = makeGraph(tool, editor);
  const runner = makeRunner(tool, editor);
  makeTabs();

  const checks = latestOnly((source) => tool('check', { source }), (found) => {
    editor.mark(found.diagnostics ?? []);
    showFindings(found, editor);
  });
  let timer;
  editor.onchange = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      checks(editor.text());
      graph();
    }, 120);
  };
  editor.oncaret = graph;
  editor.onrun = runner.run;
  for (const id of ['run', 'run-again']) byId(id).addEventListener('click', runner.run);
  byId('format').addEventListener('click', async () => {
    const { text, error } = await tool('format', { source: editor.text() });
    if (text !== undefined) editor.replace(text);
    else byId('findings-title').textContent = sentence(error);
    editor.focus();
  });

  const { examples = [], error } = await tool('examples', {});
  if (error) {
    showFindings({ error }, editor);
    return;
  }
  const choice = byId('example');
  examples.forEach(({ title }, at) => choice.append(element('option', { value: String(at) }, title)));
  const show = () => {
    const { source, script } = examples[Number(choice.value)];
    editor.replace(source);
    runner.fill(script);
  };
  choice.addEventListener('change', show);
  choice.value = '0';
  show();
}

const byId = (id) => document.getElementById(id);

/** An element with properties, and texts or elements inside. */
function element(name, properties = {}, ...inside) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...inside);
  return made;
}

/** Asks, and shows the answer unless something newer was asked in the meantime. */
function latestOnly(work, show) {
  let newest = 0;
  return async (...given) => {
    const mine = ++newest;
    const answer = await work(...given);
    if (mine === newest) show(answer);
  };
}

/** A message of the module as a sentence of the page. */
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function showFindings({ diagnostics = [], error }, editor) {
  const count = (severity) => diagnostics.filter((one) => one.severity === severity).length;
  const counted = (n, word) => (n === 0 ? [] : [`${n} ${word}${n === 1 ? '' : 's'}`]);
  const title = byId('findings-title');
  const told = [...counted(count('error'), 'error'), ...counted(count('warning'), 'warning')].join(', ');
  title.textContent = sentence(error ?? (told || 'nothing to mend'));
  title.classList.toggle('good', !error && !told);
  byId('findings').replaceChildren(
    ...diagnostics.map((one) => {
      const go = element('button', { type: 'button', className: `finding ${one.severity}` },
        element('span', { className: 'where' }, `${one.line}:${one.column}`),
        element('span', { className: 'what' }, sentence(one.message)),
        element('span', { className: 'code' }, one.code),
        element('span', { className: 'hint' }, sentence(one.hint ?? '')));
      go.addEventListener('click', () => editor.goTo(one.line, one.column, one.length));
      return element('li', {}, go);
    }),
  );
}

// ---- The editor -----------------------------------------------------------------------------------------------------

const WORDS = new Set(
  'Flow Basepath Timeout Configs Inputs Log Trigger Call RRF RFAC When Otherwise Repeat Match Quit Finish is not and or seconds to using null false true'.split(' '),
);
const TOKEN = /\/\/.*|"[^"]*"?|\.\s*[A-Za-z]\w*|\b(?:Iterate over|times max|Override templates)\b|[A-Za-z]\w*|-?\d+(?:\.\d+)?/g;

/** The class of a token's colour; empty for none. */
function colour(token) {
  if (token.startsWith('//')) return 'c';
  if (token.startsWith('"')) return 's';
  if (/^-?\d/.test(token)) return 'n';
  return token.includes(' ') || WORDS.has(token) ? 'w' : '';
}

/** A line in colours; `marks` are `{from, to, className}` in characters of the line. */
function colouredLine(text, marks) {
  const classes = Array.from(text, () => '');
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const from = Array.from(text.slice(0, index)).length;
    classes.fill(colour(token), from, from + Array.from(token).length);
  }
  for (const { from, to, className } of marks) {
    for (let at = from; at < Math.min(to, classes.length); at += 1) classes[at] += ` ${className}`;
  }
  const line = document.createDocumentFragment();
  let run = '';
  Array.from(text).forEach((character, at) => {
    run += character;
    if (at + 1 < classes.length && classes[at + 1] === classes[at]) return;
    line.append(classes[at] ? element('span', { className: classes[at] }, run) : run);
    run = '';
  });
  line.append('\n');
  return line;
}

function makeEditor() {
  const source = byId('source');
  const gutter = byId('gutter');
  const colours = byId('colours');
  let findings = [];
  let leaves = false;
  const editor = { onchange() {}, oncaret() {}, onrun() {} };

  const paint = () => {
    const lines = source.value.split('\n');
    const at = (line) => findings.filter((one) => one.line === line);
    colours.replaceChildren(...lines.map((text, index) => colouredLine(text, at(index + 1).map((one) => ({
      from: one.column - 1,
      to: one.column - 1 + one.length,
      className: one.severity === 'error' ? 'e' : 'a',
    })))));
    gutter.replaceChildren(...lines.map((_, index) => {
      const worst = at(index + 1).map((one) => one.severity).sort()[0] ?? '';
      return element('div', { className: worst }, String(index + 1));
    }));
  };
  const scroll = () => {
    colours.style.transform = `translate(${-source.scrollLeft}px, ${-source.scrollTop}px)`;
    gutter.scrollTop = source.scrollTop;
  };
  /** Puts text in place of the selection, so that it can be undone. */
  const insert = (text) => {
    if (!document.execCommand('insertText', false, text)) {
      source.setRangeText(text, source.selectionStart, source.selectionEnd, 'end');
      source.dispatchEvent(new Event('input'));
    }
  };
  const lineStart = (at) => source.value.lastIndexOf('\n', at - 1) + 1;
  /** Moves the selected lines right or left by one level. */
  const shift = (left) => {
    const [start, end] = [source.selectionStart, source.selectionEnd];
    if (start === end && !left) return insert('    '.slice((start - lineStart(start)) % 4));
    const from = lineStart(start);
    const until = Math.max(from, source.value[end - 1] === '\n' ? end - 1 : end);
    const old = source.value.slice(from, until);
    const moved = old.split('\n').map((line) => (left ? line.replace(/^( {1,4}|\t)/, '') : line && `    ${line}`)).join('\n');
    if (moved === old) return;
    source.setSelectionRange(from, until);
    insert(moved);
    if (start !== end) source.setSelectionRange(from, from + moved.length);
  };
  /** A new line begins where the last did, or one level deeper below what opens a block. */
  const newLine = () => {
    const line = source.value.slice(lineStart(source.selectionStart), source.selectionStart);
    const indent = line.match(/^[ \t]*/)[0];
    const opens = /^\s*(Flow|When|Otherwise|Match)\b|\b(Repeat .* times max|Iterate over .* using \w+)\s*$/.test(line);
    insert(`\n${indent}${opens ? '    ' : ''}`);
  };

  source.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) editor.onrun();
    else if (event.key === 'Tab' && !leaves && !event.ctrlKey && !event.altKey && !event.metaKey) shift(event.shiftKey);
    else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) newLine();
    else {
      if (event.key !== 'Shift') leaves = event.key === 'Escape';
      return;
    }
    leaves = false;
    event.preventDefault();
  });
  source.addEventListener('blur', () => { leaves = false; });
  source.addEventListener('input', () => {
    // What was found is shown again when the new text is checked.
    findings = [];
    paint();
    scroll();
    editor.onchange();
  });
  source.addEventListener('scroll', scroll);
  for (const name of ['click', 'keyup']) source.addEventListener(name, () => editor.oncaret());

  return Object.assign(editor, {
    text: () => source.value,
    line: () => source.value.slice(0, source.selectionStart).split('\n').length,
    focus: () => source.focus(),
    replace(text) {
      source.value = text;
      source.setSelectionRange(0, 0);
      source.scrollTop = 0;
      source.dispatchEvent(new Event('input'));
    },
    mark(found) {
      findings = found;
      paint();
    },
    /** Selects `length` characters from a line and column, both from 1. */
    goTo(line, column = 1, length = 0) {
      const lines = source.value.split('\n');
      const before = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
      const rest = Array.from(source.value.slice(before));
      const from = before + rest.slice(0, column - 1).join('').length;
      const to = from + rest.slice(column - 1, column - 1 + length).join('').length;
      source.focus();
      source.setSelectionRange(from, to);
      const height = parseFloat(getComputedStyle(source).lineHeight);
      source.scrollTop = Math.max(0, (line - 4) * height);
      scroll();
      editor.oncaret();
    },
  });
}

// ---- The graph ------------------------------------------------------------------------------------------------------

/** Draws the flow in which the caret is. The picture is an image, so that nothing in it can act on the page. */
function makeGraph(tool, editor) {
  let address;
  let drawn = '';
  const show = ({ name, svg, nodes = [], error }) => {
    byId('graph-note').textContent = sentence(error ?? '');
    byId('picture').classList.toggle('old', error !== undefined);
    if (error || svg === drawn) return;
    drawn = svg;
    const old = address;
    address = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
    const image = byId('graph');
    image.alt = `The flow ${name}; the list below says the same.`;
    image.src = address;
    image.hidden = false;
    Object.assign(byId('graph-link'), { href: address, download: `${name}.svg` });
    byId('places').replaceChildren(...nodes.map(({ tag, title, line }) => {
      const go = element('button', { type: 'button' }, element('span', {}, String(line ?? '')), `${tag} ${title}`.trim());
      go.addEventListener('click', () => editor.goTo(line ?? 1));
      return element('li', {}, go);
    }));
    if (old) URL.revokeObjectURL(old);
  };
  return latestOnly(() => tool('graph', { source: editor.text(), line: editor.line() }), show);
}

// ---- Runs -----------------------------------------------------------------------------------------------------------

const SCRIPT = { answers: '[]', stubs: '{}', inputs: '{}', config: '{}' };

function makeRunner(tool, editor) {
  const read = () => {
    const script = {};
    for (const [name, empty] of Object.entries(SCRIPT)) {
      const field = byId(name);
      field.removeAttribute('aria-invalid');
      try {
        script[name] = JSON.parse(field.value.trim() || empty);
      } catch (error) {
        field.setAttribute('aria-invalid', 'true');
        if (name === 'inputs' || name === 'config') byId('more').open = true;
        return { error: `The ${name} are no JSON: ${error.message}` };
      }
    }
    return { script };
  };
  const show = ({ report, error }) => {
    byId('report').replaceChildren(...(error ? [end('bad', 'It did not run', sentence(error))] : told(report, editor)));
    // On a phone it stands below everything else.
    byId('report').firstElementChild?.scrollIntoView({ block: 'nearest' });
  };
  const rehearse = latestOnly((script) => tool('run', { source: editor.text(), ...script }), show);
  return {
    async run() {
      byId('tab-run').click();
      const { script, error } = read();
      if (error) show({ error });
      else await rehearse(script);
    },
    /** Puts an example's script into the fields. */
    fill(script) {
      for (const [name, empty] of Object.entries(SCRIPT)) {
        const given = script?.[name];
        byId(name).value = given === undefined ? empty : pretty(given);
        byId(name).removeAttribute('aria-invalid');
      }
      byId('more').open = script?.inputs !== undefined || script?.config !== undefined;
      byId('report').replaceChildren();
    },
  };
}

/** JSON for people: the elements of the outermost list or object a line each. */
function pretty(json) {
  const items = Array.isArray(json)
    ? json.map((item) => JSON.stringify(item))
    : Object.entries(json).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  const [open, close] = Array.isArray(json) ? '[]' : '{}';
  return items.length === 0 ? open + close : `${open}\n  ${items.join(',\n  ')}\n${close}`;
}

const end = (className, title, ...more) =>
  element('div', { className: `end ${className}` }, title, ...more.filter(Boolean).map((text) => element('p', {}, text)));

/** What came of a run. */
function told(report, editor) {
  const { outcome, crash, waiting } = report;
  const parts = [];
  if (outcome) {
    const title = outcome.aborted ? 'The person gave up' : outcome.success ? 'Finished: success' : 'Finished: no success';
    const more = ['data', 'error'].map((name) => outcome[name] !== null && `${name}: ${JSON.stringify(outcome[name])}`);
    parts.push(end(outcome.success ? '' : 'bad', title, ...more));
  } else if (crash) {
    const place = element('button', { type: 'button', className: 'quiet' }, `Line ${crash.line} of ${crash.flow}`);
    place.addEventListener('click', () => editor.goTo(crash.line));
    const box = end('bad', 'Crashed', sentence(crash.message));
    if (crash.line > 0) box.append(place);
    parts.push(box);
  } else if (waiting?.url !== undefined) {
    parts.push(end('wait', `Waits for the callback after ${waiting.url}`, 'Add {"_callback": {…}} to the answers.'));
  } else if (waiting) {
    parts.push(end('wait', `Waits for the form of ${waiting.template}`, 'Add {"field": "value"} to the answers.'));
  }
  const list = (title, items) => {
    if (items.length > 0) parts.push(element('h3', {}, title), element('ul', {}, ...items));
  };
  const item = (...inside) => element('li', {}, ...inside);
  const strong = (text, className = '') => element('b', { className }, text);
  list('Pages', report.pages.map(({ template, model }) => item(template, ' ', strong(JSON.stringify(model)))));
  list('Sent to', report.redirects.map((url) => item(url)));
  list('Calls', report.calls.map(({ routine, args, result, error, line }) => item(
    strong(`${line} `), `${routine} ${args.map((arg) => JSON.stringify(arg)).join(' ')} `,
    error ? strong(`error: ${error.message}`, 'error') : strong(`→ ${JSON.stringify(result)}`),
  )));
  list('Log', report.log.map(({ level, message }) => item(strong(`${level} `, level), message)));
  list('Answers left over', report.unused_answers.map((answer) => item(JSON.stringify(answer))));
  return parts;
}

// ---- Tabs -----------------------------------------------------------------------------------------------------------

function makeTabs() {
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const choose = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute('aria-selected', String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      byId(tab.getAttribute('aria-controls')).hidden = tab !== chosen;
    }
  };
  tabs.forEach((tab, at) => {
    tab.addEventListener('click', () => choose(tab));
    tab.addEventListener('keydown', ({ key }) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (!step) return;
      const next = tabs[(at + step + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  });
}

if (typeof document === 'undefined') serve();
else await showPage();
