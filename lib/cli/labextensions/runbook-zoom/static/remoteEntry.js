// Shows pictures as large as one likes in JupyterLab (`runbook lab`), as reports do: lib/base/static/zoom.js. It is
// written as what a build would make of an extension, as its neighbour runbook-sql is.
(() => {
  const plugin = {
    id: "runbook-zoom:plugin",
    autoStart: true,
    activate() {
      const base = JSON.parse(document.getElementById("jupyter-config-data").textContent).baseUrl;
      import(`${base}static/zoom.js`);
    },
  };
  const container = {
    init: () => undefined,
    get: () => Promise.resolve(() => ({ __esModule: true, default: plugin })),
  };
  (globalThis._JUPYTERLAB ??= {})["runbook-zoom"] = container;
})();
