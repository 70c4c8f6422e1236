"use strict";
// Draws /api/openapi.json: routes, parameters, and what the answers look like. Try-outs use the page's token.

const token = sessionStorage.getItem("token");

function h(tag, props, ...inner) {
  const node = Object.assign(document.createElement(tag), props || {});
  node.append(...inner.flat().filter(x => x !== null && x !== undefined));
  return node;
}
function ask(path) {
  return fetch(path, { headers: token ? { Authorization: `Bearer ${token}` } : {}, cache: "no-store" });
}
function typeOf(schema) {
  if (!schema) return "";
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.join(", ");
  return schema.const || schema.type || "";
}
function parameters(found) {
  if (!found || !found.length) return null;
  return h("table", {}, h("thead", {}, h("tr", {}, ["parameter", "type", ""].map(t => h("th", {}, t)))),
    h("tbody", {}, found.map(p => h("tr", {}, h("td", {}, h("code", {}, p.name)), h("td", { className: "quiet" }, typeOf(p.schema)),
      h("td", {}, p.description || "")))));
}
function tryOut(path) {
  if (!token || path.includes("{")) return null;
  const out = h("pre", { className: "answer", hidden: true });
  const button = h("button", { type: "button", className: "try" }, "Try it");
  button.addEventListener("click", async () => {
    const answer = await ask(path);
    const text = await answer.text();
    out.hidden = false;
    try { out.textContent = JSON.stringify(JSON.parse(text), null, 2); } catch { out.textContent = text; }
  });
  return [button, out];
}
function route(path, operation) {
  const refused = Object.entries(operation.responses).filter(([code]) => code >= "400").map(([code]) => code);
  return h("section", { className: "card" },
    h("h3", {}, h("code", {}, `GET ${path}`)), h("p", {}, operation.description || operation.summary),
    parameters(operation.parameters),
    h("p", { className: "quiet small" }, `Refusals: ${refused.join(", ")}`), tryOut(path));
}
async function start() {
  const answer = await ask("/api/openapi.json");
  const main = document.getElementById("routes");
  if (!answer.ok) {
    main.replaceChildren(h("p", { className: "empty" }, "The list of routes needs a token: open the page and enter it there, then come back."));
    return;
  }
  const found = await answer.json();
  main.replaceChildren(...Object.entries(found.paths).map(([path, methods]) => route(path, methods.get)));
}
start();
