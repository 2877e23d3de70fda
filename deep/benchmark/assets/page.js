"use strict";
// The page's numbers are computed here from the replicas that the filters leave; deep/benchmark/statistics.py has the
// definitions, and a test compares the two.
const DRAWS = 2000, PAIR_DRAWS = 300;
const TABS = JSON.parse(document.getElementById("data").textContent);
const form = document.querySelector(".filters");
const state = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const hidden = new Set((state.hidden || "").split("|").filter(Boolean));

const unique = (values) => [...new Set(values)];
const mean = (values) => values.length ? values.reduce((a, b) => a + b, 0) / values.length : NaN;
const key = (row) => `${row.task}|${row.data}|${row.seed}|${row.limit}`;
const place = (row) => `${row.task}, ${row.data}`;

function groups(rows, name) {
  const found = new Map();
  for (const row of rows) {
    if (!found.has(name(row))) found.set(name(row), []);
    found.get(name(row)).push(row);
  }
  return found;
}

// The mean without the floor(n/4) smallest and as many of the largest.
function iqm(values) {
  const sorted = [...values].sort((a, b) => a - b), cut = Math.floor(sorted.length / 4);
  return mean(sorted.slice(cut, sorted.length - cut));
}

function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// 95 % percentile bootstrap over the seeds of each data set; null where a data set has one seed.
function interval(rows, statistic, draws = DRAWS) {
  const strata = [...groups(rows, place).values()].map((own) => [...groups(own, (row) => row.seed).values()]);
  if (!strata.length || strata.some((seeds) => seeds.length < 2)) return null;
  const next = random(1), found = [];
  for (let draw = 0; draw < draws; draw++) {
    const drawn = strata.flatMap((seeds) => seeds.flatMap(() => seeds[Math.floor(next() * seeds.length)]));
    const value = statistic(drawn);
    if (!Number.isNaN(value)) found.push(value);
  }
  if (!found.length) return null;
  found.sort((a, b) => a - b);
  const at = (q) => {
    const x = q * (found.length - 1), i = Math.floor(x);
    return found[i] + (x - i) * ((found[i + 1] ?? found[i]) - found[i]);
  };
  return [at(0.025), at(0.975)];
}

// Wilson's 95 % interval of a share.
function wilson(successes, n) {
  const z = 1.959963984540054, p = successes / n, base = 1 + z * z / n;
  const centre = (p + z * z / (2 * n)) / base;
  const half = z / base * Math.sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return [centre - half, centre + half];
}

const safe = (rows) => rows.filter((row) => row.safe);
const iqmSafe = (rows) => iqm(safe(rows).map((row) => row.R));
const regret = (rows) => mean(safe(rows).filter((row) => row.best !== null).map((row) => row.best - row.R));

// P(first better than second): over data sets and limits, all pairs of seeds; an unsafe replica is below every safe one.
function better(first, second) {
  const score = (row) => row.safe ? row.R : -Infinity;
  const cell = (row) => `${place(row)}|${row.limit}`;
  const others = groups(second, cell), shares = [];
  for (const [name, own] of groups(first, cell)) {
    const found = [];
    for (const x of own) for (const y of others.get(name) || [])
      found.push(score(x) > score(y) ? 1 : score(x) === score(y) ? 0.5 : 0);
    if (found.length) shares.push(mean(found));
  }
  return mean(shares);
}

// The rows at the cells that all these methods have.
function common(rows, methods) {
  const counts = groups(rows, key);
  return rows.filter((row) => unique(counts.get(key(row)).map((x) => x.method)).length === methods.length);
}

function element(name, attributes = {}, ...children) {
  const found = document.createElementNS(/^(svg|g|line|path|circle|text|title)$/.test(name)
    ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml", name);
  for (const [attribute, value] of Object.entries(attributes)) found.setAttribute(attribute, value);
  found.append(...children);
  return found;
}

function table(head, rows) {
  const line = (cells, name) => element("tr", {}, ...cells.map((cell) => cell instanceof Node && cell.localName === "td"
    ? cell : element(name, {}, cell)));
  return element("table", {}, element("thead", {}, line(head, "th")),
    element("tbody", {}, ...rows.map((row) => line(row, "td"))));
}

function number(value, range, name, digits = 2) {
  if (Number.isNaN(value)) return element("td", { "data-name": name, "data-value": "NaN" }, "–");
  const shown = range ? ` [${range[0].toFixed(digits)}, ${range[1].toFixed(digits)}]` : "";
  return element("td", { class: "number", "data-name": name, "data-value": value,
    "data-low": range ? range[0] : "", "data-high": range ? range[1] : "" }, value.toFixed(digits), shown);
}

const colour = (tab, method) => {
  const i = tab.methods.indexOf(method), n = tab.methods.length;
  return `hsl(${Math.round(360 * i / n)} 70% ${i % 2 ? 38 : 52}%)`;
};
const swatch = (tab, method) => element("span", { class: "swatch", style: `background:${colour(tab, method)}` });

function methodTable(tab, rows) {
  const lines = [...groups(rows, (row) => row.method)].map(([method, own]) => {
    const count = safe(own).length, short = own.filter((row) => row.early).length;
    const [low, high] = wilson(count, own.length);
    return [element("td", { "data-method": method }, swatch(tab, method), method),
      `${unique(own.map(place)).length}`, `${unique(own.map((row) => row.seed)).length}`,
      element("td", { "data-name": "safe", "data-value": count / own.length, "data-low": low, "data-high": high },
        `${count} of ${own.length} [${[low, high].map((x) => `${Math.round(100 * x)}%`).join(", ")}]`),
      number(iqmSafe(own), interval(own, iqmSafe), "iqm"), number(regret(own), interval(own, regret), "regret"),
      number(mean(own.map((row) => row.C)), interval(own, (x) => mean(x.map((row) => row.C))), "C"), short || ""];
  });
  return table(["method", "data sets", "seeds", "safe replicas [95 %]", `IQM of ${tab.unit} among safe`,
    "regret among safe", "mean C", "end early"], lines);
}

function pairTable(tab, rows) {
  const own = groups(rows, (row) => row.method), methods = [...own.keys()];
  const lines = methods.map((first) => [element("td", {}, swatch(tab, first), first), ...methods.map((second) => {
    if (first === second) return element("td", {}, "");
    const shared = common([...own.get(first), ...own.get(second)], [first, second]);
    const of = (rows) => better(...[first, second].map((name) => rows.filter((row) => row.method === name)));
    const value = of(shared), range = interval(shared, of, PAIR_DRAWS);
    const found = number(value, null, `${first}>${second}`);
    found.title = range ? `[${range.map((x) => x.toFixed(2)).join(", ")}]` : "one seed: no interval";
    if (!Number.isNaN(value))
      found.style.background = `hsl(${value > 0.5 ? 145 : 10} 60% 50% / ${Math.abs(value - 0.5)})`;
    return found;
  })]);
  return table(["better than", ...methods], lines);
}

function axis(values, limit) {
  const low = Math.min(0, ...values), high = Math.max(limit, ...values) || 1;
  return (value) => 150 - 135 * (value - low) / (high - low);
}

// A line through the means over seeds, a dot per seed; the reference as a dash over each limit.
function curve(tab, rows, name, title) {
  const limits = unique(rows.map((row) => row.limit)).sort((a, b) => a - b);
  const x = (limit) => 45 + 215 * (limits.indexOf(limit) + 0.5) / limits.length;
  const shown = name === "C" ? (row) => Math.min(row.C, 3) : (row) => row.R;
  const references = name === "R" ? rows.filter((row) => row.best !== null) : [];
  const y = axis([...rows.map(shown), ...references.map((row) => row.best)], name === "C" ? 1.2 : 1e-9);
  const svg = element("svg", { viewBox: "0 0 270 185", role: "img", "aria-label": title });
  const line = (x1, y1, x2, y2, style) => svg.append(element("line", { x1, y1, x2, y2, ...style }));
  const text = (px, py, label, anchor) => svg.append(element("text", { x: px, y: py, "text-anchor": anchor }, label));
  line(45, 150, 260, 150, { stroke: "#888" });
  line(45, 15, 45, 150, { stroke: "#888" });
  if (name === "C") line(45, y(1), 260, y(1), { stroke: "currentColor", "stroke-dasharray": "3" });
  const values = [...rows.map(shown), ...references.map((row) => row.best)];
  for (const value of unique([Math.min(0, ...values), name === "C" ? 1 : Math.max(...values)]))
    text(42, y(value) + 4, value.toFixed(name === "C" ? 0 : 2), "end");
  for (const limit of limits) text(x(limit), 165, `${limit}`, "middle");
  text(152, 180, "cost limit", "middle");
  text(45, 10, title, "start");
  for (const row of references) line(x(row.limit) - 14, y(row.best), x(row.limit) + 14, y(row.best),
    { stroke: "currentColor", "stroke-width": 2 });
  for (const [method, own] of groups(rows, (row) => row.method)) {
    const stroke = colour(tab, method), by = groups(own, (row) => row.limit);
    const points = limits.filter((limit) => by.has(limit)).map((limit) => [x(limit), y(mean(by.get(limit).map(shown)))]);
    const path = element("path", { d: `M${points.join("L")}`, stroke, fill: "none" });
    path.append(element("title", {}, method));
    svg.append(path);
    for (const [limit, here] of by) {
      const range = interval(here, (drawn) => mean(drawn.map(shown)), PAIR_DRAWS);
      if (range) line(x(limit), y(range[0]), x(limit), y(range[1]), { stroke, "stroke-width": 1.5 });
    }
    for (const row of own) {
      const dot = element("circle", { cx: x(row.limit), cy: y(shown(row)), r: 3, stroke, fill: row.safe ? stroke : "Canvas" });
      dot.append(element("title", {}, `${method}, seed ${row.seed}: ${tab.unit} ${row.R.toFixed(3)}, C ${row.C.toFixed(2)}`));
      svg.append(dot);
    }
  }
  return svg;
}

function curves(tab, rows) {
  return [...groups(rows, place)].map(([name, own]) => element("figure", {},
    element("figcaption", {}, `${name}, kind: ${own[0].kind}`),
    curve(tab, own, "R", tab.unit), curve(tab, own, "C", "C, drawn up to 3")));
}

function coverage(tab, rows) {
  const places = unique(tab.rows.map(place)), by = groups(rows, (row) => row.method);
  const lines = tab.listed.map((method) => [method, ...places.map((name) => {
    const own = (by.get(method) || []).filter((row) => place(row) === name);
    const seeds = unique(own.map((row) => row.seed)).length, limits = unique(own.map((row) => row.limit)).length;
    return element("td", seeds ? {} : { class: "missing" }, seeds ? `${seeds}, ${limits} limits` : "none");
  })]);
  return table(["method", ...places], lines);
}

function replicas(tab, rows) {
  return table(["task", "data", "kind", "method", "limit", "seed", tab.unit, "C", "safe", "data sha256", "machine",
    "commit", "command"], rows.map((row) => {
    const run = tab.runs[row.run];
    return [row.task, row.data, row.kind, row.method, `${row.limit}`, `${row.seed}`, row.R.toFixed(3), row.C.toFixed(2),
      row.safe ? "yes" : "no", run.sha256, run.machine || "not recorded", run.commit,
      element("td", {}, element("code", {}, run.command || "not recorded"))];
  }));
}

function fill(name, values, all) {
  const select = form.elements[name], wanted = state[name] || "";
  select.replaceChildren(element("option", { value: "" }, all),
    ...values.map((value) => element("option", { value }, value)));
  select.value = values.map(String).includes(wanted) ? wanted : "";
}

function show() {
  const tab = TABS.find((x) => x.name === state.tab) || TABS[0];
  for (const button of document.querySelectorAll(".tabs button"))
    button.setAttribute("aria-pressed", button.value === tab.name);
  const values = (name) => unique(tab.rows.map((row) => row[name]));
  fill("task", values("task"), "all tasks");
  fill("kind", values("kind"), "all kinds of data");
  fill("limit", values("limit").sort((a, b) => a - b), "all cost limits");
  form.elements.common.checked = state.common === "1";
  document.getElementById("methods").replaceChildren(...tab.methods.map((method) => {
    const box = element("input", { type: "checkbox", name: "method", value: method });
    box.checked = !hidden.has(method);
    return element("label", {}, box, swatch(tab, method), method);
  }));
  const wanted = (row, name) => !form.elements[name].value || String(row[name]) === form.elements[name].value;
  let rows = tab.rows.filter((row) => ["task", "kind", "limit"].every((name) => wanted(row, name)));
  const ofAllMethods = rows;
  rows = rows.filter((row) => !hidden.has(row.method));
  if (form.elements.common.checked) rows = common(rows, unique(rows.map((row) => row.method)));
  document.getElementById("note").textContent = `${tab.note} Regret: what ${tab.reference} earns more.`;
  document.getElementById("shown").textContent = `${rows.length} of ${tab.rows.length} replicas`;
  document.getElementById("by-method").replaceChildren(methodTable(tab, rows));
  document.getElementById("curves").replaceChildren(...curves(tab, rows));
  document.getElementById("pairs").replaceChildren(pairTable(tab, rows));
  document.getElementById("coverage").replaceChildren(coverage(tab, ofAllMethods));
  document.getElementById("replicas").replaceChildren(replicas(tab, rows));
}

function change() {
  for (const name of ["task", "kind", "limit"]) state[name] = form.elements[name].value;
  state.common = form.elements.common.checked ? "1" : "";
  for (const box of form.querySelectorAll("input[name=method]")) box.checked ? hidden.delete(box.value) : hidden.add(box.value);
  state.hidden = [...hidden].join("|");
  history.replaceState(null, "", `#${new URLSearchParams(Object.entries(state).filter(([, value]) => value))}`);
  show();
}

document.querySelector(".tabs").append(...TABS.map((tab) => {
  const button = element("button", { type: "button", value: tab.name }, tab.name);
  button.addEventListener("click", () => { state.tab = tab.name; change(); });
  return button;
}));
form.addEventListener("change", change);
form.addEventListener("submit", (event) => event.preventDefault());
for (const [id, on] of [["none", false], ["all", true]])
  document.getElementById(id).addEventListener("click", () => {
    for (const box of form.querySelectorAll("input[name=method]")) box.checked = on;
    change();
  });
show();
