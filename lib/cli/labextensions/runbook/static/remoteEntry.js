// What JupyterLab has besides (`runbook lab`): it colours cells of SQL, those of %%sql, also below a line with %when; and
// shows pictures as large as one likes, by the script that does so in reports. It is written as what a build would make
// of an extension, since it needs nothing but JupyterLab's own application object:
// https://jupyterlab.readthedocs.io/en/stable/extension/extension_dev.html#packaging-extensions
(() => {
  const IS_SQL = /^(%when .*\n)?\s*%%sql\b/;
  const SQL = "text/x-sql";
  const seen = new WeakSet();

  // JupyterLab sets the language of all cells when it hears of the kernel's, and perhaps again: so do we.
  function watch(model) {
    if (model.type !== "code" || seen.has(model)) return;
    seen.add(model);
    let own = model.mimeType;
    const colour = () => {
      const wanted = IS_SQL.test(model.sharedModel.getSource()) ? SQL : own;
      if (model.mimeType !== wanted) model.mimeType = wanted;
    };
    model.mimeTypeChanged.connect(() => {
      if (model.mimeType !== SQL) own = model.mimeType;
      colour();
    });
    model.contentChanged.connect(colour);
    colour();
  }

  function look(app) {
    for (const panel of app.shell.widgets("main")) {
      const content = panel.content;
      if (!content?.widgets || seen.has(content)) continue;
      const all = () => content.widgets.forEach((cell) => watch(cell.model));
      if (content.modelContentChanged) {
        seen.add(content);
        content.modelContentChanged.connect(all); // a cell that is added
        content.modelChanged.connect(all);
        all();
      }
    }
  }

  const sql = {
    id: "runbook:sql",
    autoStart: true,
    activate(app) {
      app.shell.layoutModified?.connect(() => look(app));
      app.restored.then(() => look(app));
    },
  };
  const zoom = {
    id: "runbook:zoom",
    autoStart: true,
    activate() {
      const base = JSON.parse(document.getElementById("jupyter-config-data").textContent).baseUrl;
      import(`${base}static/zoom.js`);
    },
  };
  const container = {
    init: () => undefined,
    get: () => Promise.resolve(() => ({ __esModule: true, default: [sql, zoom] })),
  };
  (globalThis._JUPYTERLAB ??= {})["runbook"] = container;
})();
