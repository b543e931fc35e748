// The status page: asks for /status.json each second, keeps two minutes of history, and draws what has changed. All text
// is set as text, never as markup, since names and messages come from others.
"use strict";

const KEPT = 120, PERIOD_MS = 1000, MOST_FILLED = 20000, TOP = 5;
const byId = (id) => document.getElementById(id);
const views = new Map(); // of models by name
let token = sessionStorage.getItem("token") || "";

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (token) headers.Authorization = "Bearer " + token;
  return fetch(path, { ...options, headers });
}

// -- Numbers ---------------------------------------------------------------------------------------------------------

const count = (n) => n.toLocaleString("en");
const time = (us) => us === null ? "–" : us < 1000 ? us.toFixed(0) + " µs" : us < 1e6 ? (us / 1000).toFixed(us < 1e4 ? 2 : 1) + " ms" : (us / 1e6).toFixed(2) + " s";
const sum = (list) => list.reduce((a, b) => a + b, 0);

function duration(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = Math.min(units.findIndex(([size]) => seconds >= size) >>> 0, 3);
  return units.slice(first, first + 2).map(([size, unit], i) =>
    Math.floor((i ? seconds % units[first][0] : seconds) / size) + " " + unit).join(" ");
}

// The time below which a share of the calls was, from how many ended in each bucket; null without calls.
function quantile(bounds, counts, share) {
  let left = sum(counts) * share;
  if (left <= 0) return null;
  for (let i = 0; i < counts.length; ++i) {
    if (counts[i] >= left && counts[i] > 0) {
      const low = i ? bounds[i - 1] : 0, high = i < bounds.length ? bounds[i] : low * 1.8;
      return low + (high - low) * left / counts[i];
    }
    left -= counts[i];
  }
  return bounds[bounds.length - 1];
}

// -- Plots -----------------------------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";

function makeChart(title, lines) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 " + (KEPT - 1) + " 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  for (const name of lines) {
    const line = document.createElementNS(SVG, "path");
    if (name) line.setAttribute("class", name);
    svg.append(line);
  }
  const caption = make("figcaption");
  return { figure: make("figure", {}, caption, svg), svg, caption, title };
}

// Draws series from the right; a gap where there is no value.
function draw(chart, series, caption) {
  const most = Math.max(1e-9, ...series.flat().filter((v) => v !== null));
  series.forEach((values, i) => {
    const steps = values.map((v, at) => {
      if (v === null) return "";
      const begins = at === 0 || values[at - 1] === null; // a line of no length is a dot
      return (begins ? "M" : "L") + (KEPT - values.length + at) + "," + (98 - 96 * v / most).toFixed(1) + (begins ? " h0" : "");
    });
    chart.svg.children[i].setAttribute("d", steps.filter((step) => step).join(" "));
  });
  setText(chart.caption, chart.title + ": " + caption);
  chart.svg.setAttribute("aria-label", chart.title + " of the last two minutes; now " + caption);
}

// -- Models ----------------------------------------------------------------------------------------------------------

function makeView(name) {
  const view = { history: [], last: null };
  view.labels = make("span", { class: "head" });
  view.rows = make("tbody");
  view.signature = make("dl");
  view.rate = makeChart("requests per second", [""]);
  view.latency = makeChart("latency", ["", "second"]);
  const heading = make("tr", {});
  for (const [text, number] of [["version"], ["state"], ["waiting", 1], ["requests", 1], ["failed", 1], ["samples a run", 1], ["mean queue", 1], ["mean run", 1], ["from"]])
    heading.append(make("th", { scope: "col", ...(number ? { class: "number" } : {}) }, text));
  view.element = make("article", { "data-model": name },
    make("div", { class: "head" }, make("h2", {}, name), view.labels),
    make("div", { class: "scroll" }, make("table", {}, make("caption", {}, "Versions"), make("thead", {}, heading), view.rows)),
    view.signature, make("div", { class: "charts" }, view.rate.figure, view.latency.figure));
  return view;
}

function mean(total, times) { return times ? time(total / times) : "–"; }

function versionRow(version) {
  const state = make("td", { class: version.state }, version.state);
  const row = make("tr", { "data-version": version.version }, make("th", { scope: "row" }, version.version), state);
  if (version.inputs === undefined) {
    row.append(make("td", { class: "error", colspan: 7 }, version.error || ""));
    return row;
  }
  const from = [version.source, version.commit && version.commit.slice(0, 10), version.created && version.created.slice(0, 10)]
    .filter((s) => s).join(" · ");
  for (const text of [count(version.waiting), count(version.success), count(version.fail),
    version.executions ? (version.inferences / version.executions).toFixed(1) : "–",
    mean(version.queue_us, version.success), mean(version.infer_us, version.success)])
    row.append(make("td", { class: "number" }, text));
  row.append(make("td", { class: "from" }, from));
  return row;
}

function tensorText(tensor) { return tensor.name + ": " + tensor.datatype + " [" + tensor.sizes.join(", ") + "]"; }

function showModel(view, model, at) {
  view.labels.replaceChildren(...Object.entries(model.labels).map(([label, version]) =>
    make("span", { class: "label" }, label + " → " + version)));
  view.rows.replaceChildren(...model.versions.map(versionRow));
  const served = model.versions.find((v) => v.inputs);
  const signature = served ? [...served.inputs.map((t) => ["input", tensorText(t)]), ...served.outputs.map((t) => ["output", tensorText(t)])] : [];
  const text = JSON.stringify(signature);
  if (view.signatureText !== text) {
    view.signatureText = text;
    view.signature.replaceChildren(...signature.flatMap(([kind, what]) => [make("dt", {}, kind), make("dd", {}, make("code", {}, what))]));
  }

  const { bounds_us: bounds, counts } = model.latency;
  if (view.last && at > view.last.at) {
    const since = counts.map((c, i) => Math.max(0, c - view.last.counts[i]));
    view.history.push({ rate: sum(since) / (at - view.last.at), median: quantile(bounds, since, 0.5), tail: quantile(bounds, since, 0.99) });
    if (view.history.length > KEPT) view.history.shift();
    const now = view.history[view.history.length - 1];
    const rates = view.history.map((h) => h.rate), text = (rate) => rate.toFixed(rate < 10 ? 1 : 0);
    draw(view.rate, [rates], text(now.rate) + ", at most " + text(Math.max(...rates)));
    draw(view.latency, [view.history.map((h) => h.median), view.history.map((h) => h.tail)],
      "median " + time(now.median) + " (solid), 99th percentile " + time(now.tail) + " (dashed)");
  }
  view.last = { at, counts };
}

function show(status) {
  setText(byId("server"), status.version + " · " + (status.ready ? "ready" : "not ready") + " · up " + duration(status.uptime_s));
  byId("server").dataset.ready = status.ready;
  const names = new Set(status.models.map((m) => m.name));
  for (const [name, view] of views)
    if (!names.has(name)) {
      view.element.remove();
      views.delete(name);
    }
  for (const model of status.models) {
    if (!views.has(model.name)) {
      views.set(model.name, makeView(model.name));
      byId("models").append(views.get(model.name).element);
    }
    showModel(views.get(model.name), model, status.uptime_s);
  }
  offer(status.models);
}

// -- The form --------------------------------------------------------------------------------------------------------

let offered = ""; // what the list of models was made of
const signatures = new Map();

function offer(models) {
  const choices = models.flatMap((m) => m.versions.filter((v) => v.inputs).map((v) => ({ model: m.name, version: v.version, inputs: v.inputs })));
  const text = JSON.stringify(choices);
  if (text === offered) return;
  const first = !offered || offered === "[]", before = byId("try-model").value;
  offered = text;
  signatures.clear();
  byId("try-model").replaceChildren(...choices.map((choice) => {
    const value = "/v2/models/" + encodeURIComponent(choice.model) + "/versions/" + choice.version + "/infer";
    signatures.set(value, choice.inputs);
    return make("option", { value }, choice.model + ", version " + choice.version);
  }));
  if (signatures.has(before)) byId("try-model").value = before;
  if (first || byId("try-model").value !== before) fill();
}

function value(kind, datatype) {
  const number = kind === "zeros" ? 0 : kind === "ones" ? 1 : datatype.startsWith("FP") ? Math.round(Math.random() * 1000) / 1000 : Math.floor(Math.random() * 2);
  return datatype === "BOOL" ? number >= 0.5 : number;
}

// A request of one sample: sizes that are not known are 1.
function fill() {
  const path = byId("try-model").value, inputs = signatures.get(path) || [];
  setText(byId("try-path"), path ? "POST " + path : "");
  const kind = byId("try-fill").value;
  byId("try-body").value = JSON.stringify({
    inputs: inputs.map(({ name, datatype, sizes }) => {
      const shape = sizes.map((size) => typeof size === "number" ? size : 1);
      const elements = shape.reduce((a, b) => a * b, 1);
      const data = elements > MOST_FILLED ? [] : Array.from({ length: elements }, () => value(kind, datatype));
      return { name, shape, datatype, data };
    }),
  });
}

// The largest values of an output of a few numbers, since a classifier's answer is what is looked for most.
function showTop(answer) {
  const tables = (answer.outputs || []).filter((o) => o.data && o.data.length > 1 && o.data.length <= 10000 && typeof o.data[0] === "number").map((output) => {
    const order = output.data.map((v, i) => [v, i]).sort((a, b) => b[0] - a[0]).slice(0, TOP);
    const body = make("tbody", {}, ...order.map(([v, i]) => make("tr", {}, make("td", {}, String(i)), make("td", { class: "number" }, String(v)))));
    return make("table", {}, make("caption", {}, "The largest values of " + output.name), make("thead", {}, make("tr", {},
      make("th", { scope: "col" }, "index"), make("th", { scope: "col", class: "number" }, "value"))), body);
  });
  byId("try-top").replaceChildren(...tables);
}

async function send(event) {
  event.preventDefault();
  const button = byId("try-send"), took = byId("try-took"), answer = byId("try-answer");
  button.disabled = true;
  const start = performance.now();
  try {
    const response = await ask(byId("try-model").value, { method: "POST", headers: { "Content-Type": "application/json" }, body: byId("try-body").value });
    const text = await response.text();
    setText(took, "HTTP " + response.status + " in " + (performance.now() - start).toFixed(1) + " ms");
    took.className = response.ok ? "" : "failed";
    setText(answer, text);
    let parsed = {};
    try { parsed = JSON.parse(text); } catch (e) { /* NaN and Infinity are not JSON; the text is shown as it is */ }
    showTop(parsed);
  } catch (error) {
    took.className = "failed";
    setText(took, "No answer: " + error.message);
  } finally {
    button.disabled = false;
  }
}

// -- The loop --------------------------------------------------------------------------------------------------------

async function poll() {
  const problem = byId("problem");
  try {
    if (!document.hidden) {
      const response = await ask("/status.json", { cache: "no-store" });
      byId("login").hidden = response.status !== 401;
      if (!response.ok) throw new Error("HTTP " + response.status);
      show(await response.json());
      problem.hidden = true;
    }
  } catch (error) {
    problem.hidden = false;
    setText(problem, "The server does not answer (" + error.message + "); the page shows what it last said.");
  }
  setTimeout(poll, PERIOD_MS);
}

byId("try").addEventListener("submit", send);
byId("try-model").addEventListener("change", fill);
byId("try-fill").addEventListener("change", fill);
byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value;
  sessionStorage.setItem("token", token);
});
poll();
