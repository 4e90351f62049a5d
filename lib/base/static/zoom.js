// Shows a picture of a pipeline as large as one likes: a button on it opens it over the whole page. The wheel, + and −
// change its size, 0 fits it into the page again; dragging and the arrow keys move it; Escape closes it.
const PICTURES = ".jp-RenderedMermaid img, .jp-RenderedMermaid svg, .runbook-picture svg";
const STEP = 1.25;
const STYLE = `
.runbook-zoomable { position: relative; }
.runbook-zoomable > button { position: absolute; top: .25rem; right: .25rem; }
button.runbook-zoom { font: .85rem system-ui, sans-serif; padding: .2rem .6rem; border: 1px solid #767676;
  border-radius: .3rem; background: #fff; color: #222; cursor: pointer; }
dialog.runbook-zoom { inset: 0; width: 100%; height: 100%; max-width: none; max-height: none; box-sizing: border-box;
  margin: 0; padding: 0; border: 0; }
html:has(dialog.runbook-zoom[open]) { overflow: hidden; }
dialog.runbook-zoom[open] { display: flex; flex-direction: column; }
dialog.runbook-zoom nav { display: flex; gap: .5rem; padding: .5rem; justify-content: flex-end; }
dialog.runbook-zoom nav output { font: .85rem system-ui, sans-serif; padding: .25rem; min-width: 4rem; text-align: right;
  margin-right: auto; }
dialog.runbook-zoom > div { flex: 1; overflow: auto; cursor: grab; touch-action: none; }
dialog.runbook-zoom > div > * { display: block; margin: auto; max-width: none !important; min-width: 0 !important; }
@media print { .runbook-zoomable > button { display: none; } }
`;

function button(text, label, act) {
  const made = Object.assign(document.createElement("button"), { className: "runbook-zoom", type: "button" });
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.title = label;
  made.addEventListener("click", act);
  return made;
}

// What a picture stands on: without it, dark lines would be on a dark page, or the other way round.
function ground(element) {
  for (let each = element; each; each = each.parentElement) {
    const colour = getComputedStyle(each).backgroundColor;
    if (!/^(transparent|rgba\(.*, 0\))$/.test(colour)) return colour;
  }
  return "#fff";
}

// JupyterLab's figure, which has the source of its picture, too; elsewhere the box around the picture.
const place = (picture) => picture.closest(".jp-RenderedMermaid") ?? picture.parentElement;

function open(picture) {
  const dialog = Object.assign(document.createElement("dialog"), { className: "runbook-zoom" });
  dialog.setAttribute("aria-label", "Picture, enlarged");
  dialog.style.background = ground(picture);
  const shown = picture.cloneNode(true);
  if (shown.tagName === "IMG") shown.alt ||= place(picture).querySelector("pre")?.textContent.trim() || "Picture";
  const pane = document.createElement("div");
  pane.tabIndex = 0; // arrow keys scroll it
  pane.setAttribute("role", "group");
  pane.setAttribute("aria-label", "Picture: + and − change its size, arrows move it");
  pane.append(shown);
  const told = document.createElement("output");
  told.style.color = getComputedStyle(picture).color;
  const { width, height } = picture.getBoundingClientRect();
  let scale = 1;

  // The point that is under (x, y) of the pane stays there.
  function resize(to, x = pane.clientWidth / 2, y = pane.clientHeight / 2) {
    const next = Math.min(20, Math.max(0.1, to));
    const at = { left: (pane.scrollLeft + x) / scale, top: (pane.scrollTop + y) / scale };
    scale = next;
    Object.assign(shown.style, { width: `${width * scale}px`, height: `${height * scale}px` });
    pane.scrollTo(at.left * scale - x, at.top * scale - y);
    told.value = `${Math.round(100 * scale)} %`;
  }
  const fit = () => resize(Math.min(pane.clientWidth / width, pane.clientHeight / height));
  const keys = { "+": () => resize(scale * STEP), "=": () => resize(scale * STEP), "-": () => resize(scale / STEP), 0: fit };
  const nav = document.createElement("nav");
  nav.append(
    told,
    button("−", "Smaller", keys["-"]),
    button("Fit", "Fit into the page", fit),
    button("+", "Larger", keys["+"]),
    button("Close", "Close", () => dialog.close()),
  );
  dialog.append(nav, pane);
  dialog.addEventListener("keydown", (event) => {
    event.stopPropagation(); // JupyterLab has commands on these keys
    if (event.ctrlKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  pane.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const box = pane.getBoundingClientRect();
      resize(scale * STEP ** (-event.deltaY / 100), event.clientX - box.left, event.clientY - box.top);
    },
    { passive: false },
  );
  pane.addEventListener("pointerdown", (event) => {
    event.preventDefault(); // an image would be dragged out of the page
    pane.focus();
    pane.setPointerCapture(event.pointerId);
  });
  pane.addEventListener("pointermove", (event) => {
    if (pane.hasPointerCapture(event.pointerId)) pane.scrollBy(-event.movementX, -event.movementY);
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  pane.focus();
  fit();
}

function offer() {
  for (const picture of document.querySelectorAll(PICTURES)) {
    const around = place(picture);
    if (around.classList.contains("runbook-zoomable") || picture.closest("dialog")) continue;
    around.classList.add("runbook-zoomable");
    around.append(button("⤢ Enlarge", "Enlarge the picture", () => open(around.querySelector(PICTURES))));
  }
}

document.head.append(Object.assign(document.createElement("style"), { textContent: STYLE }));
let waiting = false;
new MutationObserver(() => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    offer();
  });
}).observe(document.body, { childList: true, subtree: true });
offer();
