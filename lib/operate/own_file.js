// Chooses a file and sends it to the kernel in parts, each when the one before it was taken (lib/operate/own_file.py).
const STYLE = `
.runbook-own-file { max-width: 60em; font-size: var(--jp-ui-font-size1, 13px); line-height: 1.45; padding: .75em;
  border: 1px dashed var(--jp-border-color0, #767676); border-radius: 4px }
.runbook-own-file.over { outline: 2px solid var(--jp-brand-color1, #1976d2) }
.runbook-own-file :is(p, label) { margin: .2em 0 }
.runbook-own-file label { display: block; font-weight: 600 }
.runbook-own-file input { font: inherit; color: inherit; margin: .3em 0 }
.runbook-own-file input::file-selector-button { font: inherit; color: inherit; cursor: pointer; padding: .3em .9em;
  background: var(--jp-layout-color2, ButtonFace); border: 1px solid var(--jp-border-color0, #767676); border-radius: 4px }
.runbook-own-file progress { width: 12em; margin-right: .75em; vertical-align: middle }
.runbook-own-file .wrong { color: #b3261e; font-weight: 600 }
[data-jp-theme-light=false] .runbook-own-file .wrong { color: #ff8a80 }
.runbook-own-file :is(.wrong, .status):empty { display: none }
`;
const PATIENCE_MS = 4000; // until it is said that the kernel does not answer

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export default {
  render({ model, el }) {
    const id = `runbook-own-file-${Math.random().toString(36).slice(2)}`;
    const input = element("input", { type: "file", id, accept: model.get("accept"), "aria-describedby": `${id}-told` });
    const status = element("p", { class: "status", role: "status" });
    const wrong = element("p", { class: "wrong", role: "alert" });
    const end = element("div", { "aria-live": "polite" });
    const box = element("div", { class: "runbook-own-file" }, element("style", {}, STYLE));
    box.append(element("label", { for: id }, "Choose a file of your own, or drop it here"), input);
    box.append(element("p", { id: `${id}-told` }, model.get("told")), status, wrong, end);
    el.append(box);
    let file = null, sending = null, patience = null; // `sending`: an id of what was chosen here; there may be another view

    const busy = (is) => (input.disabled = is);
    const say = (text, fraction) => {
      status.replaceChildren(text);
      if (fraction !== undefined && fraction !== null) status.prepend(element("progress", { max: 1, value: fraction, "aria-label": "done" }));
    };
    const wait = () => {
      clearTimeout(patience);
      patience = setTimeout(() => say("The kernel has not answered yet: it runs a cell, or it was restarted. Then run this cell again."), PATIENCE_MS);
    };
    const begin = (chosen) => {
      if (!chosen || input.disabled) return;
      file = chosen;
      sending = Math.random().toString(36).slice(2);
      wrong.textContent = "";
      end.replaceChildren();
      busy(true);
      say(`${file.name}: sent to the kernel …`, 0);
      model.send({ id: sending, name: file.name, size: file.size });
      wait();
    };
    input.addEventListener("change", () => begin(input.files[0]));
    box.addEventListener("dragover", (event) => (event.preventDefault(), box.classList.add("over")));
    box.addEventListener("dragleave", () => box.classList.remove("over"));
    box.addEventListener("drop", (event) => {
      event.preventDefault();
      event.stopPropagation(); // or JupyterLab opens it
      box.classList.remove("over");
      begin(event.dataTransfer.files[0]);
    });

    const failed = (text) => {
      wrong.textContent = text;
      say("");
      finished();
    };
    const finished = () => {
      busy(false);
      input.value = ""; // so that the same file can be chosen once more
      file = null;
    };
    const shown = async () => {
      const state = model.get("state");
      if (state.id !== sending) return;
      clearTimeout(patience);
      if (state.wrong) return failed(state.wrong);
      if (state.end) {
        end.innerHTML = state.end; // the kernel has escaped it
        say("");
        return finished();
      }
      if (state.status) return say(state.status, state.done);
      if (file && state.next !== undefined && state.next < file.size) {
        say(`${file.name}: sent to the kernel …`, state.next / file.size);
        try {
          const part = await file.slice(state.next, state.next + model.get("chunk")).arrayBuffer();
          model.send({ id: state.id, at: state.next }, undefined, [part]);
          wait();
        } catch (error) {
          failed(`The browser cannot read ${file.name}: ${error.message}`);
        }
      }
    };
    model.on("change:state", shown);
  },
};
