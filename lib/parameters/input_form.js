// The form for the parameters of a notebook (lib/parameters/input_form.py). What is typed is sent to the kernel, which
// answers with what is wrong; what is right is written into the parameters cell, where JupyterLab lets us
// (`runbook lab`), or shown to be written there.
const STYLE = `
.runbook-form { max-width: 60em; font-size: var(--jp-ui-font-size1, 13px); line-height: 1.45 }
.runbook-form details { margin: .25em 0; border: 1px solid var(--jp-border-color2, #ccc); border-radius: 4px; padding: 0 .75em }
.runbook-form summary { cursor: pointer; padding: .4em 0; font-weight: 600 }
.runbook-form summary small { font-weight: 400 }
.runbook-form .row { display: grid; grid-template-columns: 14em minmax(0, 1fr); gap: .1em 1em; padding: .4em 0; align-items: start }
.runbook-form .row > :not(label, .control) { grid-column: 2 }
.runbook-form small { color: var(--jp-ui-font-color1, inherit) }
.runbook-form :is(input, select, textarea) { font: inherit; color: inherit; background: var(--jp-input-background, Field);
  border: 1px solid var(--jp-border-color0, #767676); border-radius: 3px; padding: .2em .4em; max-width: 100%; box-sizing: border-box }
.runbook-form :is(input:not([type=checkbox], [inputmode]), textarea, select) { width: 32em }
.runbook-form input[inputmode=numeric] { width: 9em }
.runbook-form [aria-invalid=true] { outline: 2px solid var(--runbook-wrong); outline-offset: 1px }
.runbook-form { --runbook-wrong: #b3261e }
[data-jp-theme-light=false] .runbook-form { --runbook-wrong: #ff8a80 }
.runbook-form .wrong { color: var(--runbook-wrong); font-weight: 600 }
.runbook-form .wrong:empty, .runbook-form .told:empty { display: none }
.runbook-form button { font: inherit; color: inherit; background: var(--jp-layout-color2, ButtonFace); cursor: pointer;
  border: 1px solid var(--jp-border-color0, #767676); border-radius: 4px; padding: .3em .9em; margin: .4em .5em .4em 0 }
.runbook-form button:disabled { cursor: not-allowed; opacity: .55 }
.runbook-form pre { overflow: auto; margin: .25em 0; padding: .4em; background: var(--jp-layout-color2, #eee); user-select: all }
.runbook-form.bar { position: absolute; right: 2em; bottom: 1em; z-index: 10; padding: .25em 1em; border-radius: 4px; max-width: 80%;
  background: var(--jp-layout-color1, Canvas); border: 1px solid var(--jp-border-color0, #767676); box-shadow: 0 2px 8px #0006 }
.runbook-form.bar[hidden] { display: none }
.runbook-form.bar p { margin: 0 0 .4em }
@media (max-width: 700px) { .runbook-form .row { grid-template-columns: 1fr } .runbook-form .row > * { grid-column: 1 !important } }
`;
const PAUSE_MS = 200, // after the last key
  PATIENCE_MS = 3000; // until it is said that the kernel does not answer

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function control(field, id) {
  const common = { id, "aria-describedby": `${id}-what ${id}-wrong`, class: "control" };
  if (field.kind === "boolean") {
    const box = element("input", { ...common, type: "checkbox" });
    box.checked = field.value === "true";
    return box;
  }
  if (field.choices.length) {
    const options = field.choices.map((each) => element("option", { value: each }, String(each) || "(empty)"));
    const choice = element("select", common, ...options);
    choice.value = field.value;
    return choice;
  }
  if (field.kind === "array") {
    const rows = Math.max(2, field.value.split("\n").length);
    return element("textarea", { ...common, rows, spellcheck: "false" }, field.value);
  }
  const number = field.kind === "integer" ? { type: "text", inputmode: "numeric" } : { type: "text" };
  const list = field.suggestions.length ? `${id}-list` : null;
  const typed = element("input", { ...common, ...number, list, spellcheck: "false", autocomplete: "off" });
  typed.value = field.value;
  return typed;
}

function row(field, prefix, changed) {
  const id = `${prefix}-${field.name.replace(".", "-")}`;
  const input = control(field, id);
  const text = () => (field.kind === "boolean" ? String(input.checked) : input.value);
  input.addEventListener(field.kind === "boolean" || field.choices.length ? "change" : "input", () => changed(field.name, text()));
  const per = field.kind === "array" ? " · one a line" : "";
  const allowed = field.kind === "boolean" || field.choices.length ? "" : ` Allowed: ${field.allowed.replace("list in [ ] of: ", "")}${per}.`;
  const parts = [
    element("label", { for: id }, field.label),
    input,
    element("small", { id: `${id}-what` }, `${field.description}.${allowed} Default: ${field.default}`),
    element("span", { id: `${id}-wrong`, class: "wrong", role: "alert" }),
  ];
  if (field.suggestions.length)
    parts.push(element("datalist", { id: `${id}-list` }, ...field.suggestions.map((value) => element("option", { value }))));
  const made = element("div", { class: "row", "data-name": field.name }, ...parts);
  made.say = (wrong) => {
    parts[3].textContent = wrong;
    input.setAttribute("aria-invalid", String(Boolean(wrong)));
  };
  return made;
}

function hasFailed(cell) {
  const outputs = cell.model.outputs?.toJSON() ?? [];
  return outputs.some((output) => output.output_type === "error");
}

// The cells to which buttons run, each below that of the one before it; whatever else only has such text in it is none.
function stopsIn(sources, stops) {
  const found = [];
  let at = -1;
  for (const stop of stops) {
    const is = (source) => (stop.cell.endsWith("(") ? source.includes(stop.cell) : source.trim() === stop.cell);
    at = sources.findIndex((source, n) => n > at && is(source));
    if (at < 0) break;
    found.push({ ...stop, at });
  }
  return found;
}

// JupyterLab's own object, which `runbook lab` has it give away: the notebook in which an element stands.
function notebookOf(el) {
  const lab = globalThis.jupyterapp;
  const panel = lab && [...lab.shell.widgets("main")].find((each) => each.content?.widgets && each.node.contains(el));
  if (!panel) return null;
  const cells = () => panel.content.widgets;
  return {
    node: panel.node,
    name: panel.context.path.split("/").pop().replace(/^\d+_|\.ipynb$/g, ""),
    cells,
    own: () => cells().findIndex((cell) => cell.node.contains(el)),
    source: (cell) => cell.model.sharedModel.getSource(),
    isCode: (cell) => cell.model.type === "code",
    write: (cell, text) => cell.model.sharedModel.setSource(text),
    tags: (cell) => cell.model.getMetadata("tags") ?? [],
    async run(from, to) {
      panel.content.deselectAll();
      panel.content.activeCellIndex = from;
      panel.content.extendContiguousSelectionTo(to);
      const done = await lab.commands.execute("notebook:run-cell");
      panel.content.deselectAll();
      const failed = cells().findIndex((cell, n) => n >= from && n <= to && hasFailed(cell));
      panel.content.activeCellIndex = done === false && failed >= 0 ? failed : to;
      await panel.content.scrollToItem?.(panel.content.activeCellIndex, "smart");
      return done !== false;
    },
  };
}

export default {
  render({ model, el }) {
    const prefix = `runbook-${Math.random().toString(36).slice(2)}`;
    const rows = new Map();
    const waiting = new Map(); // names to what was typed and not sent yet
    let pause = null, patience = null, number = 0;

    const send = () => {
      clearTimeout(pause);
      for (const [name, text] of waiting) model.send({ name, text, view: prefix, number: ++number });
      if (waiting.size) {
        clearTimeout(patience);
        patience = setTimeout(() => (told.textContent = "The kernel has not answered yet: it runs a cell, or it was restarted. Then run this cell again."), PATIENCE_MS);
      }
      waiting.clear();
    };
    const changed = (name, text) => {
      waiting.set(name, text);
      generation++;
      ran = -1;
      allow();
      clearTimeout(pause);
      pause = setTimeout(send, PAUSE_MS);
    };

    const sections = model.get("sections").map((section) => {
      const own = model.get("fields").filter((field) => field.section === section.name);
      for (const field of own) rows.set(field.name, row(field, prefix, changed));
      const about = ` – ${section.description} (${own.length} parameters)`;
      const title = element("summary", {}, section.title, element("small", {}, about));
      const made = element("details", {}, title, ...own.map((field) => rows.get(field.name)));
      return made;
    });
    const general = element("p", { class: "wrong", role: "alert" });
    const told = element("p", { class: "told", role: "status" });
    const kept = element("div");
    const buttons = element("div", { role: "group", "aria-label": "Run cells of this notebook" });
    const root = element("form", { class: "runbook-form", "aria-label": "Parameters" }, element("style", {}, STYLE));
    root.append(buttons, told, general, ...sections, kept);
    root.addEventListener("submit", (event) => event.preventDefault());
    // What one types in a field is no command to the notebook, such as X, which cuts a cell; Ctrl+S is.
    root.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key === "Enter") event.stopPropagation();
    });
    el.append(root);

    // Buttons, each for what comes after what the one before it has run.
    let ran = -1, generation = 0, running = false, stops = [];
    const isJudged = () => waiting.size === 0 && number <= (model.get("seen")[prefix] ?? 0);
    const allow = () => {
      const wrong = Object.keys(model.get("mistakes")).length > 0;
      stops.forEach((stop, n) => (stop.button.disabled = wrong || running || !isJudged() || n > ran + 1));
    };
    const makeButtons = (notebook) => {
      const below = () => notebook.cells().map((cell, n) => (n > notebook.own() && notebook.isCode(cell) ? notebook.source(cell) : ""));
      const there = () => stopsIn(below(), model.get("stops"));
      stops = there().map((stop, n) => {
        const button = element("button", { type: "button" }, stop.label);
        button.addEventListener("click", async () => {
          const places = there().map(({ at }) => at); // now: cells may have been put in or taken out
          if (places.length <= n) {
            told.textContent = `${stop.label}: the cell ${stop.cell} is not there any more. Run this cell again.`;
            return;
          }
          follow(notebook);
          const to = places[n];
          const from = n > 0 && ran >= n - 1 ? places[n - 1] + 1 : notebook.own() + 1;
          running = true;
          allow();
          told.textContent = `${stop.label}: the cells below run …`;
          const mine = generation;
          const well = await notebook.run(from, to).catch(() => false);
          running = false;
          if (mine === generation) ran = well ? Math.max(n, ran) : n - 1;
          told.textContent = well ? `${stop.label}: done, further down.` : `${stop.label}: a cell has failed; it says what to do.`;
          allow();
        });
        return { ...stop, button };
      });
      buttons.replaceChildren(...stops.map((stop) => stop.button));
      allow();
    };

    // Once one of them has been pressed they stay in sight, while the form is not.
    const bar = element("div", { class: "runbook-form bar" }, element("style", {}, STYLE));
    let observer = null;
    const follow = (notebook) => {
      if (observer) return;
      notebook.node.append(bar);
      observer = new IntersectionObserver(([seen]) => {
        const focused = document.activeElement;
        if (seen.isIntersecting) root.prepend(buttons, told);
        else bar.append(buttons, told);
        bar.hidden = seen.isIntersecting;
        if (buttons.contains(focused)) focused.focus();
      });
      observer.observe(root);
    };

    // What is set is written into the cell it came from, unless something else stands there by now; returns what is said of it.
    const keep = (notebook) => {
      kept.replaceChildren();
      const changedCells = model.get("cells").filter((cell) => cell.now !== null);
      for (const cell of changedCells) {
        const place = notebook?.cells().find((each) => notebook.tags(each).includes(cell.tag));
        const is = place && notebook.source(place);
        if (is === cell.now) continue;
        if (place && cell.known.includes(is)) notebook.write(place, cell.now);
        else {
          const why = place ? "The parameters cell was changed since it ran. So that these values are kept, write into it:" : "They hold now. So that they are kept, write into the parameters cell:";
          kept.append(element("p", {}, why), element("pre", { tabindex: 0 }, cell.now));
        }
      }
      const unwritten = model.get("unwritten");
      if (unwritten.length) kept.append(element("p", {}, `They hold now, but no parameters cell assigns them in a line of its own: ${unwritten.join(", ")}.`));
      const done = kept.hasChildNodes() ? "Set; to keep it, see below." : changedCells.length ? "Set, and written into the parameters cell." : "Set.";
      const command = model.get("command");
      if (changedCells.length && command) {
        const line = `runbook run ${notebook?.name ?? "NAME"} ${command}`;
        kept.append(element("p", {}, "The same without a notebook:"), element("pre", { tabindex: 0 }, line));
      }
      return done;
    };

    const show = (notebook) => {
      const mistakes = model.get("mistakes");
      for (const [name, each] of rows) each.say(mistakes[name] ?? "");
      general.textContent = mistakes[""] ?? "";
      for (const name of Object.keys(mistakes)) {
        const folded = rows.get(name)?.closest("details");
        if (folded) folded.open = true;
      }
      allow();
      return keep(notebook);
    };
    let notebook = null;
    model.on("change:seen", () => {
      if (isJudged()) clearTimeout(patience);
      const wrong = Object.keys(model.get("mistakes")).length;
      const done = show(notebook);
      told.textContent = wrong ? `${wrong} to mend; until then the values before hold.` : done;
    });
    // Only when it stands in the page is it known in which notebook.
    let frames = 0;
    const attached = () => {
      notebook = notebookOf(el);
      if (!notebook && globalThis.jupyterapp && ++frames < 60) return requestAnimationFrame(attached);
      if (notebook) makeButtons(notebook);
      else buttons.replaceChildren(element("p", {}, "Go on with the cells below, or in the menu Run with Run All."));
      show(notebook);
    };
    requestAnimationFrame(attached);
    return () => {
      observer?.disconnect();
      bar.remove();
    };
  },
};
