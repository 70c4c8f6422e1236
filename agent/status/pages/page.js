"use strict";
// Asks GET /api/v1/status every five seconds and draws it. The token lives in sessionStorage only.

const API = "/api/v1", POLL_MS = 5000, STEPS_ENOUGH = 12, RAW_AGAIN_MS = 15000, STEPS_AGAIN_MS = 300000;
const $ = id => document.getElementById(id);
const SHAPES = {
  ok: "M8 1a7 7 0 1 0 .01 0z",
  warn: "M8 1 15.5 14.5H.5z",
  fail: "M3.2 1 8 5.8 12.8 1 15 3.2 10.2 8 15 12.8 12.8 15 8 10.2 3.2 15 1 12.8 5.8 8 1 3.2z",
  idle: "M8 1a7 7 0 1 0 .01 0zm0 2.4a4.6 4.6 0 1 1-.01 0z",
};
const LOOKS = {
  ok: "ok", pass: "ok", starting: "idle", off: "idle", late: "warn", "bad-data": "warn", warn: "warn",
  waiting: "warn", slow: "warn", "used-up": "warn", rejecting: "warn", quiet: "warn", busy: "warn",
  lost: "fail", never: "fail", refused: "fail", stalled: "fail", gone: "fail", fail: "fail",
};
const WORDS = { pass: "OK", warn: "ATTENTION", fail: "PROBLEM" };
const UNITS = { Cel: "°C", "[degF]": "°F", deg: "°", "1": "" };  // UCUM as people write it
let token = null, data = null, timer = 0, seen = null;
const trends = new Map();

// ---- small words -------------------------------------------------------------------------------

function h(tag, props, ...inner) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (key in node && key !== "list") node[key] = value; else node.setAttribute(key, value);
  }
  node.append(...inner.flat().filter(x => x !== null && x !== undefined && x !== false));
  return node;
}
function s(tag, props, ...inner) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(props)) node.setAttribute(key, value);
  node.append(...inner);
  return node;
}
const look = word => LOOKS[word] || "idle";
function shape(word) {
  return s("svg", { class: `shape ${look(word)}`, viewBox: "0 0 16 16", "aria-hidden": "true" },
    s("path", { d: SHAPES[look(word)], fill: "currentColor", "fill-rule": "evenodd" }));
}
const state = word => h("span", { className: `state ${look(word)}` }, shape(word), word);
function span(seconds) {
  if (seconds === null || seconds === undefined) return "never";
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${Math.round(seconds)} s`;
}
function number(value, exact) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  const size = Math.abs(value), digits = exact ? 4 : size >= 1000 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toLocaleString("en", { maximumFractionDigits: digits }).replaceAll(",", "\u2009");
}
const unit = u => u === null || u === undefined ? "" : u in UNITS ? UNITS[u] : u.replace(".h", "h");
const quantity = (value, u) => [number(value), h("small", {}, unit(u))];
function bytes(n) {
  const [size, name] = n >= 1e9 ? [1e9, "GB"] : n >= 1e6 ? [1e6, "MB"] : [1e3, "kB"];
  return `${(n / size).toFixed(n / size < 10 ? 1 : 0)} ${name}`;
}
const clock = (iso, seconds) => new Date(iso).toLocaleTimeString("en-GB",
  { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined, timeZone: zone() });
function moment(iso) {
  const day = { day: "numeric", month: "short", timeZone: zone() };
  const date = new Date(iso).toLocaleDateString("en-GB", day);
  const today = new Date(data.gateway.time).toLocaleDateString("en-GB", day);
  return date === today ? clock(iso, true) : `${date}, ${clock(iso)}`;
}
const zone = () => data && data.gateway.timezone || "UTC";
const agoOf = iso => iso ? Math.max(0, (Date.parse(data.gateway.time) - Date.parse(iso)) / 1000) : null;
function advice(text) {  // commands of the CLI stand out, so they can be copied
  const parts = text.split(/(fieldpost [a-z][\w .-]*)/);
  return parts.map((part, i) => i % 2 ? h("code", {}, part.trim()) : part);
}
function help(word, message, action) {
  if (!message) return null;
  return h("div", { className: `help ${look(word)}` }, h("p", {}, message),
    action ? h("p", {}, ...advice(action)) : null);
}

// ---- asking ------------------------------------------------------------------------------------

async function ask(path) {
  const answer = await fetch(API + path, { headers: { Authorization: `Bearer ${token}` }, cache: "no-store" });
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error.message), { status: answer.status, code: body.error.code });
  return body;
}
async function poll() {
  clearTimeout(timer);
  try {
    data = (await ask("/status")).data;
    seen = Date.now();
    sessionStorage.setItem("token", token);
    notice(null);
    draw();
    trendsOf(data.cards);
  } catch (error) {
    if (error.status === 401) return door(error.code === "CLOCK_NOT_TRUSTED" ? error.message : "This token is not accepted.");
    const since = seen ? ` What you see is from ${new Date(seen).toLocaleTimeString("en-GB")}.` : "";
    notice((error.status === 503 ? "The gateway's agent does not answer."
      : error.status ? error.message : "The gateway cannot be reached.") + since);
  }
  timer = setTimeout(poll, document.hidden ? 6 * POLL_MS : POLL_MS);
}
function notice(text) { $("notice").hidden = !text; $("notice").textContent = text || ""; }
function door(why) {
  token = data = null;
  sessionStorage.removeItem("token");
  for (const id of ["head", "tabs", "main", "foot"]) $(id).replaceChildren();
  notice(null);
  $("wrong").textContent = why || "";
  $("door").hidden = false;
  $("token").focus();
}

// ---- curves ------------------------------------------------------------------------------------

const keyOf = card => (card.values.find(v => typeof v.value === "number") || {}).point;
async function trendsOf(cards) {
  for (const card of cards) {
    const point = keyOf(card), known = trends.get(card.id);
    if (!point || card.state === "off" || known && Date.now() < known.again) continue;
    try { await trend(card.id, point); } catch (error) { if (error.status === 401) return; }
    const place = document.querySelector(`[data-trend="${CSS.escape(card.id)}"]`);
    if (place) place.replaceChildren(...curve(card.id));
  }
}
async function trend(id, point) {
  const place = `/devices/${encodeURIComponent(id)}/telemetry?point=${encodeURIComponent(point)}`;
  let rows = (await ask(`${place}&resolution=5min&limit=288`)).data, again = STEPS_AGAIN_MS;
  const steps = rows.length >= STEPS_ENOUGH;
  if (!steps) { rows = (await ask(`${place}&limit=600`)).data; again = RAW_AGAIN_MS; }
  rows = rows.map(row => {
    const v = row.data[point], t = Date.parse(row.timestamp) / 1000;
    return steps ? [t, v.min, v.mean, v.max] : [t, +v, +v, +v];
  }).filter(row => Number.isFinite(row[2]));
  trends.set(id, { point, rows, steps, again: Date.now() + again });
}
function curve(id) {
  const found = trends.get(id);
  if (!found || found.rows.length < 2) return [h("p", { className: "quiet small" }, found ? "Too little was read for a curve yet." : "")];
  const rows = found.rows, from = rows[0][0], to = rows[rows.length - 1][0];
  const low = Math.min(...rows.map(r => r[1])), high = Math.max(...rows.map(r => r[3]));
  const flat = high - low < 1e-9, pad = flat ? 1 : (high - low) * .06;
  const x = t => ((t - from) / (to - from || 1) * 600).toFixed(1);
  const y = v => (100 - (v - low + pad) / (high - low + 2 * pad) * 100).toFixed(1);
  const gaps = rows.slice(1).map((r, i) => r[0] - rows[i][0]).sort((a, b) => a - b);
  const gap = 3.5 * gaps[gaps.length >> 1];
  const runs = [[]];
  rows.forEach((row, i) => { if (i && row[0] - rows[i - 1][0] > gap) runs.push([]); runs[runs.length - 1].push(row); });
  const path = (run, k) => run.map(r => `${x(r[0])} ${y(r[k])}`).join("L");
  const drawn = runs.map(run => [
    found.steps ? s("path", { class: "band", d: `M${path(run, 3)}L${path([...run].reverse(), 1)}z` }) : null,
    s("path", { class: "line", d: run.length > 1 ? `M${path(run, 2)}` : `M${path(run, 2)}h1.5` }),
  ]).flat().filter(Boolean);
  const text = `${found.point}: lowest ${number(low)}, highest ${number(high)}`;
  return [
    s("svg", { class: "spark", viewBox: "0 0 600 100", preserveAspectRatio: "none", role: "img", "aria-label": text },
      s("line", { class: "axis", x1: 0, x2: 600, y1: 100, y2: 100 }), ...drawn),
    h("div", { className: "under" }, h("span", {}, `${found.point}, last ${span(to - from)}`),
      h("span", {}, `${number(low)} to ${number(high)}`)),
  ];
}

// ---- views -------------------------------------------------------------------------------------

function draw() {
  const focus = document.activeElement && document.activeElement.getAttribute("href");
  const [, view, name] = location.hash.split("/").map(decodeURIComponent);
  $("door").hidden = true;
  head();
  tabs(view);
  ({ problems, events, devices: device }[view] || overview)(name);
  foot();
  if (focus) document.querySelector(`[href="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
}
function head() {
  const { gateway, health, configuration, machine, devices } = data;
  document.title = `${WORDS[health.status]}, ${gateway.name}`;
  const unwell = devices.total - devices.ok - devices.off - devices.starting;
  const why = health.problems.length === 0 ? "Everything is well."
    : health.problems.length === 1 ? "1 thing needs a look." : `${health.problems.length} things need a look.`;
  const synced = machine.clock && machine.clock.synchronized;
  $("head").replaceChildren(
    h("div", {}, h("h1", {}, gateway.name, h("span", {}, gateway.id)),
      h("div", { className: `word ${look(health.status)}`, role: "status" }, shape(health.status), WORDS[health.status]),
      h("p", { className: "why" }, why, unwell ? ` ${devices.ok} of ${devices.total} devices are well.` : "")),
    h("div", { className: "facts" },
      h("span", {}, "health ", h("b", {}, health.score === null ? "not measured" : health.score.toFixed(2))),
      h("span", {}, h("b", {}, clock(gateway.time)), synced ? " clock set" : " clock not set"),
      h("span", {}, "up ", h("b", {}, span(gateway.uptime_s))),
      h("span", {}, "configuration ", h("b", {}, configuration.version)),
      configuration.edited_not_applied ? h("span", { className: "badge" }, "edited, not applied") : null,
      configuration.rejected ? h("span", { className: "badge" }, "file rejected") : null,
      configuration.trial ? h("span", { className: "badge" }, `trial, ${configuration.trial.left_s} s left`) : null));
}
function tabs(view) {
  const count = data.health.problems.length;
  const tab = (to, text, badge) => h("a", { href: `#/${to}`, ...((view || "") === to ? { "aria-current": "page" } : {}) },
    text, badge ? h("span", { className: "count" }, badge) : null);
  $("tabs").replaceChildren(tab("", "Overview"), tab("problems", "Problems", count), tab("events", "Events"),
    h("a", { href: "/api/docs" }, "API"));
}
function overview() {
  $("main").replaceChildren(
    h("section", {}, h("h2", {}, "Cloud"), clouds()),
    h("section", {}, h("h2", {}, "Gateway"), h("div", { className: "tiles" }, ...gateway())),
    h("section", {}, h("h2", {}, `Devices (${data.devices.total})`), h("div", { className: "grid" }, data.cards.map(card))));
}
function clouds() {
  const found = Object.entries(data.destinations);
  if (!found.length) return h("p", { className: "empty" }, "No destination is configured: readings stay on this gateway.");
  return h("div", { className: "tiles" }, ...found.map(([name, d]) => tile(name, d.state, d.state, [
    !d.last_ack_at ? "nothing acknowledged yet" : agoOf(d.last_ack_at) < 2 ? "acknowledged just now" : `acknowledged ${span(agoOf(d.last_ack_at))} ago`,
    d.waiting_readings && d.state === "ok" ? `${number(d.waiting_readings)} readings on their way` : d.waiting_readings ? `${number(d.waiting_readings)} readings wait${d.oldest_at ? `, oldest ${span(agoOf(d.oldest_at))}` : ""}` : "nothing waits",
    d.next_try_s !== null ? `next try in ${span(d.next_try_s)}` : d.waiting_readings && d.drain_s > 5 ? `sent in about ${span(d.drain_s)}` : null,
    d.budget ? `${bytes(d.budget.used_bytes)} of ${bytes(d.budget.allowed_bytes)} of this month used` : null,
    d.lost_total ? `${number(d.lost_total)} readings lost` : null,
  ], d.kind)));
}
function tile(name, word, text, lines, aside) {
  return h("div", { className: "tile" },
    h("h3", {}, name, aside ? h("span", { className: "quiet" }, aside) : null),
    h("div", { className: `say ${look(word)}` }, shape(word), text),
    lines.filter(Boolean).map(line => h("p", { className: "quiet small" }, line)));
}
function gateway() {
  const m = data.machine, none = name => tile(name, "off", "not measured", []);
  const card = m.card, memory = m.memory, room = data.store.room_s;
  return [
    m.power ? tile("Power", m.power.status, m.power.low_now ? "too low" : m.power.low_24h ? "was too low" : "fine",
      [m.power.low_24h ? `${m.power.low_24h} times in 24 h` : "never too low in 24 h"]) : none("Power"),
    m.temperature ? tile("Temperature", m.temperature.status, `${number(m.temperature.celsius)} °C`,
      [m.throttling && m.throttling.now.length ? `slowed down: ${m.throttling.now.join(", ")}` : null]) : none("Temperature"),
    memory ? tile("Memory", memory.status, `${bytes(memory.available_bytes)} free`,
      [`of ${bytes(memory.total_bytes)}, agent ${bytes(memory.agent_rss_bytes)}`]) : none("Memory"),
    card ? tile("Card", card.status, card.read_only ? "read-only" : `${bytes(card.free_bytes)} free`, [
      room ? `the buffer holds ${span(room)}` : null,
      card.projected_life_years ? card.projected_life_years >= 20 ? "lasts more than 20 years" : `worn out in ${number(card.projected_life_years)} years` : null,
    ]) : none("Card"),
    m.clock ? tile("Clock", m.clock.status, m.clock.synchronized ? "synchronised" : "not set",
      [m.clock.steps_24h ? `${m.clock.steps_24h} jumps in 24 h` : m.clock.rtc ? null : "no battery clock"]) : none("Clock"),
  ];
}
function card(c) {
  const values = h("div", { className: "values" }, c.values.map(v => h("div", {}, quantity(v.value, v.unit), h("span", {}, v.point))));
  return h("a", { className: "card", href: `#/devices/${encodeURIComponent(c.id)}` },
    h("div", { className: "top" }, h("h3", {}, c.id), h("span", { className: "state" }, state(c.state),
      c.age_s === null || c.state === "off" ? null : h("span", { className: "quiet" }, span(c.age_s)))),
    c.values.length ? values : null,
    help(c.state, c.message && `${c.message}.`, c.action),
    c.values.length && c.state !== "off" ? h("div", { "data-trend": c.id }, curve(c.id)) : null);
}
function list(rows, empty) {
  return rows.length ? h("ul", { className: "list" }, rows) : h("p", { className: "empty" }, empty);
}
function row(word, message, action, iso, code) {
  return h("li", {}, shape(word), h("div", { className: "body" }, h("div", {}, message),
    action ? h("div", { className: "quiet small" }, ...advice(action)) : null),
    h("div", { className: "when" }, code ? `${code} · ` : "", iso ? moment(iso) : ""));
}
function problems() {
  $("main").replaceChildren(list(data.health.problems.map(p => row(p.severity, p.message, p.action, p.since, p.code)),
    "Nothing needs a look."));
}
async function events() {
  if (!$("main").querySelector(".list, .empty")) $("main").replaceChildren(h("p", { className: "quiet" }, "…"));
  try {
    const found = (await ask("/events?limit=200")).data.reverse();
    if (location.hash !== "#/events") return;
    $("main").replaceChildren(list(found.map(e => row(e.severity, e.message + (e.repeated ? ` (${e.repeated} more times before)` : ""),
      e.action, e.time, e.code)), "Nothing has happened since the start."));
  } catch (error) { $("main").replaceChildren(h("p", { className: "empty" }, error.message)); }
}
async function device(name) {
  let found;
  try { found = (await ask(`/devices/${encodeURIComponent(name)}`)).data; }
  catch (error) { return $("main").replaceChildren(h("p", { className: "empty" }, error.message)); }
  if (location.hash !== `#/devices/${encodeURIComponent(name)}`) return;
  const last = found.telemetry_summary.last_value, id = found.id;
  const points = [...new Set([...Object.keys(found.points), ...Object.keys(last)])];
  const about = [found.profile, `on ${found.connection}`, found.address && `address ${found.address}`,
    found.interval_s && `every ${number(found.interval_s)} s`].filter(Boolean).join(", ");
  const show = async point => { await trend(id, point); trends.get(id).again = Date.now() + STEPS_AGAIN_MS; device(name); };
  const known = trends.get(id);
  $("main").replaceChildren(
    h("section", {}, h("div", { className: "card" },
      h("div", { className: "top" }, h("h3", {}, id), state(found.state)),
      h("p", { className: "quiet small" }, about, found.last_seen ? `; last good reading ${span(agoOf(found.last_seen))} ago` : "; no good reading yet"),
      help(found.state, found.message && `${found.message}.`, found.action),
      points.length && known ? h("div", { className: "chart", "data-trend": id }, curve(id)) : null)),
    h("section", {}, h("h2", {}, "Values"), h("table", {},
      h("thead", {}, h("tr", {}, ["point", "newest", "read every"].map(t => h("th", {}, t)))),
      h("tbody", {}, points.map(p => h("tr", { className: "pick", "aria-selected": String(known?.point === p), onclick: () => show(p) },
        h("td", {}, p), h("td", {}, p in last ? h("b", {}, number(last[p], true)) : h("span", { className: "quiet" }, "no value yet"), " ", p in last ? unit(found.points[p]?.unit) : ""),
        h("td", { className: "quiet" }, found.points[p]?.interval_s ? `${number(found.points[p].interval_s)} s` : "as it comes")))))),
    h("section", {}, h("h2", {}, `Health ${found.health.score === null ? "not measured" : found.health.score.toFixed(2)}`), h("div", { className: "tiles" },
      Object.entries(found.health.components).map(([part, c]) => {
        const bar = h("i"); bar.style.width = `${(c.value ?? 0) * 100}%`;
        return h("div", { className: "tile" }, h("h3", {}, part.replace("_", " "), h("span", {}, c.value === null ? "–" : c.value.toFixed(2))),
          h("p", { className: "quiet small" }, c.reason.replaceAll("_", " ")), c.value === null ? null : h("div", { className: "bar" }, bar),
          c.action ? h("p", { className: "small" }, ...advice(c.action)) : null);
      }))));
}
function foot() {
  const g = data.gateway;
  $("foot").replaceChildren(h("span", {}, `fieldpost ${g.version}`), g.model ? h("span", {}, g.model) : "",
    h("a", { href: "#", onclick: event => { event.preventDefault(); door(); } }, "Forget the token"));
}

// ---- start -------------------------------------------------------------------------------------

function fragment() {  // #token=… is taken and removed at once; a fragment never leaves the browser
  const match = location.hash.match(/^#token=([^&/]+)(\/.*)?/);
  if (!match) return false;
  token = decodeURIComponent(match[1]);
  history.replaceState(null, "", location.pathname + (match[2] ? `#${match[2]}` : ""));
  return true;
}
$("door").addEventListener("submit", event => {
  event.preventDefault();
  token = $("token").value.trim();
  $("token").value = "";
  poll();
});
addEventListener("hashchange", () => { if (fragment()) poll(); else if (data) { draw(); scrollTo(0, 0); } });
document.addEventListener("visibilitychange", () => { if (!document.hidden && token) poll(); });
fragment();
token = token || sessionStorage.getItem("token");
if (token) poll(); else door();
