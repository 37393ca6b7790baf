// The page: it reads the status and the events of the server as they come, and shows them.
import { connect, call, NeedsToken, setToken } from "./connection.js";
import { Plots } from "./plots.js";
import { age, bytes, count, rate } from "./format.js";
import { element, keep } from "./elements.js";
import { Totals } from "./totals.js";
import { ask, askToken, notify, showText } from "./dialogs.js";

const byId = (id) => document.getElementById(id);
const plots = new Plots();
const totals = new Totals();
let last = null; // the status before
let wrongToken = false;

// Rates of single requests and workers are differences between two statuses, a second apart.
function rates(now) {
  const seconds = last ? (Date.parse(now.at) - Date.parse(last.at)) / 1000 : 0;
  const known = seconds > 0.05 && last.pid === now.pid && last.started === now.started;
  const before = new Map(known ? last.streams.map((s) => [s.id, s]) : []);
  const streams = new Map();
  for (const s of known ? now.streams : []) {
    const was = before.get(s.id) ?? (s.age_s <= seconds + 0.2 ? { received: 0, sent: 0 } : s);
    const one = { in: Math.max(0, s.received - was.received) / seconds, out: Math.max(0, s.sent - was.sent) / seconds };
    streams.set(s.id, one);
  }
  const cpu = new Map();
  for (const w of known ? now.workers : []) {
    const was = last.workers.find((other) => other.pid === w.pid && other.name === w.name);
    if (was && w.pid) cpu.set(w.pid, Math.max(0, w.cpu_seconds - was.cpu_seconds) / seconds);
  }
  return { known, streams, cpu };
}

function show(status) {
  const r = rates(status);
  last = status;
  const lanes = status.apps.reduce((n, a) => n + a.lanes, 0);
  const busy = status.apps.reduce((n, a) => n + a.busy, 0);
  byId("version").textContent = `${status.version} · up ${age((Date.parse(status.at) - Date.parse(status.started)) / 1000)}`;
  const t = totals.add(status);
  const tiles = {
    rate: t ? rate(t.requests) : "–", requests: `${count(status.stats.exchanges)} since the start`,
    in: t ? bytes(t.in) : "–", received: `${bytes(status.stats.received_bytes)} in all`,
    out: t ? bytes(t.out) : "–", sent: `${bytes(status.stats.sent_bytes)} in all`,
    running: count(status.stats.active_streams), busy: `${count(busy)} of ${count(lanes)} lanes`,
    waiting: count(status.stats.waiting),
    errors: t ? count(t.errors) : "–", failed: `${count(status.stats.failed)} since the start`,
  };
  for (const [name, text] of Object.entries(tiles)) byId(`tile-${name}`).textContent = text;
  byId("tile-errors").dataset.bad = Boolean(t && t.errors > 0);
  byId("tile-waiting").dataset.waits = status.stats.waiting > 0;
  state(status.draining ? "wait" : "live", status.draining ? "about to end" : "live");
  if (t) {
    plots.add(Date.parse(status.at) / 1000, {
      rate: [t.requests], bytes: [t.in, t.out], load: [status.stats.active_streams, status.stats.waiting],
    });
  }
  showApps(status.apps);
  showStreams(status.streams, r);
  showWorkers(status.workers, status, r);
}

function state(kind, text) {
  const live = byId("live");
  live.dataset.state = kind;
  if (live.textContent !== text) live.textContent = text; // what a screen reader says
}

// order has the server do something, when the user agrees.
async function order(question, method, path, body, done) {
  if (!(await ask(question))) return;
  try {
    const answer = await call(method, path, body);
    done(answer);
  } catch (error) {
    if (error instanceof NeedsToken) start();
    else notify(error.message);
  }
}

function showApps(apps) {
  keep(byId("apps"), apps, (a) => a.name, (a) => {
    const card = element("article", "card app");
    const head = card.appendChild(element("div", "head"));
    head.append(element("span", "name", a.name), element("span", "dot"));
    card.append(element("div", "reason"), element("meter"), element("div", "facts"));
    if (a.processes > 0) {
      const foot = card.appendChild(element("div", "foot"));
      const scale = foot.appendChild(element("span", "scale"));
      const fewer = element("button", "square", "−"), more = element("button", "square", "+");
      fewer.setAttribute("aria-label", `One worker fewer for ${a.name}`);
      more.setAttribute("aria-label", `One worker more for ${a.name}`);
      const number = element("output");
      number.setAttribute("aria-label", `Workers of ${a.name}`);
      scale.append(fewer, number, more);
      const restart = foot.appendChild(element("button", "restart", "Restart"));
      restart.setAttribute("aria-label", `Restart ${a.name}`);
      fewer.onclick = () => scaleTo(card.app, card.app.processes - 1);
      more.onclick = () => scaleTo(card.app, card.app.processes + 1);
      restart.onclick = () => restartNow(a.name, `/apps/${encodeURIComponent(a.name)}`,
        "Its workers are replaced one by one: each new one is there before an old one ends.");
    }
    return card;
  }, (card, a) => {
    card.app = a;
    const dot = card.querySelector(".dot");
    dot.dataset.state = a.state;
    dot.textContent = a.state;
    card.querySelector(".reason").textContent = a.reason;
    const meter = card.querySelector("meter");
    Object.assign(meter, { max: Math.max(a.lanes, 1), value: a.busy, title: `${a.busy} of ${a.lanes} lanes are busy` });
    meter.setAttribute("aria-label", `Busy lanes of ${a.name}`);
    const facts = [["busy", `${a.busy} / ${a.lanes}`], ["queue", a.queue]];
    if (a.processes === 0) facts.unshift(["workers", a.workers]);
    if (a.restarts > 0) facts.push(["restarts", a.restarts]);
    if (a.unreleased > 0) facts.push(["not let go", a.unreleased]);
    card.querySelector(".facts").replaceChildren(...facts.map(([name, value]) => {
      const fact = element("span", "", `${name} `);
      fact.append(element("b", "", String(value)));
      return fact;
    }));
    const number = card.querySelector("output");
    if (number) {
      number.textContent = a.workers === a.processes ? `${a.workers}` : `${a.workers} → ${a.processes}`;
      card.querySelector("button").disabled = a.processes <= 1;
    }
  });
}

function scaleTo(app, processes) {
  order({ title: `${processes} workers for ${app.name}?`, yes: `Have ${processes}`,
    text: processes < app.processes ? "Running requests of the last worker end first." : "It holds until the server starts again." },
    "POST", `/apps/${encodeURIComponent(app.name)}/scale`, { processes },
    () => notify(`${app.name} is to have ${processes} workers`));
}

function restartNow(name, path, text) {
  order({ title: `Restart ${name}?`, text, yes: "Restart" }, "POST", `${path}/restart`, null,
    () => notify(`${name} was replaced`));
}

function showStreams(all, r) {
  const least = Number(byId("slow").value);
  const streams = all.filter((s) => s.age_s >= least);
  byId("streams-count").textContent = all.length ? `${streams.length === all.length ? "" : `${streams.length} of `}${all.length}` : "";
  byId("streams").hidden = streams.length === 0;
  byId("streams-none").hidden = streams.length > 0;
  keep(byId("streams").tBodies[0], streams.slice(0, 200), (s) => s.id, (s) => {
    const row = element("tr");
    const request = row.appendChild(element("td", "request"));
    request.append(element("span", "method", s.method), ` ${s.target}`,
      element("span", "sub", `${s.client_address} · ${s.protocol} · ${s.request_id}`));
    row.append(cell("worker", "Worker"), cell("number age", "Age"), cell("number received", "Received"),
      cell("number sent", "Sent"), cell("waits", "Waits for"));
    const actions = row.appendChild(element("td", "actions"));
    const cancel = actions.appendChild(element("button", "danger cancel", "Cancel"));
    cancel.setAttribute("aria-label", `Cancel ${s.method} ${s.target}`);
    cancel.onclick = () => order({ title: "Cancel this request?", text: `${s.method} ${s.target}: its client gets 503, or ` +
      "a response that breaks off.", yes: "Cancel it" }, "DELETE", `/streams/${s.id}`, null,
      () => notify("The request is over"));
    for (const name of ["received", "sent"]) {
      row.querySelector(`.${name}`).append(element("span", "total"), element("span", "rate"));
    }
    row.querySelector(".waits").append(element("span", "held"));
    return row;
  }, (row, s) => {
    const one = r.streams.get(s.id) ?? { in: 0, out: 0 };
    row.querySelector(".worker").textContent = s.worker || s.app;
    row.querySelector(".age").textContent = age(s.age_s);
    row.querySelector(".received .total").textContent = bytes(s.received);
    row.querySelector(".received .rate").textContent = one.in >= 1 ? `${bytes(one.in)}/s` : "";
    row.querySelector(".sent .total").textContent = bytes(s.sent);
    row.querySelector(".sent .rate").textContent = one.out >= 1 ? `${bytes(one.out)}/s` : "";
    const held = row.querySelector(".held");
    const who = s.held_by || (s.state === "queued" || s.state === "offered" ? "queue" : "");
    held.dataset.held = who;
    held.textContent = waitsFor(s, who);
  });
}

function waitsFor(s, who) {
  const time = s.held_for_s > 0 ? ` ${age(s.held_for_s)}` : "";
  switch (who) {
    case "client": return `the client${time}`;
    case "worker": return `the worker${time}`;
    case "queue": return s.state === "queued" ? "a free worker" : "the worker to begin";
  }
  return s.state === "ending" ? "the end" : "nobody";
}

function cell(kind, label) {
  const td = element("td", kind);
  td.dataset.label = label;
  return td;
}

function showWorkers(workers, status, r) {
  byId("workers").hidden = workers.length === 0;
  byId("workers-none").hidden = workers.length > 0;
  keep(byId("workers").tBodies[0], workers, (w) => `${w.name} ${w.pid}`, (w) => {
    const row = element("tr");
    const name = row.appendChild(element("th", "name"));
    name.scope = "row";
    name.append(w.name, element("span", "sub", w.pid ? `${w.app} · process ${w.pid}` : w.app));
    const where = cell("where", "State");
    where.append(element("span", "dot"));
    const busy = cell("busy", "Busy");
    busy.append(element("meter"), element("span", "sub"));
    row.append(where, busy, cell("number served", "Served"), cell("number age", "Age"),
      cell("number memory", "Memory"), cell("number cpu", "CPU"));
    const actions = row.appendChild(element("td", "actions"));
    if (w.started) {
      const path = `/workers/${w.name.split("/").map(encodeURIComponent).join("/")}`;
      const stacks = element("button", "stacks", "Stacks"), restart = element("button", "restart", "Restart");
      stacks.setAttribute("aria-label", `Stacks of ${w.name}`);
      restart.setAttribute("aria-label", `Restart ${w.name}`);
      actions.append(stacks, " ", restart);
      restart.onclick = () => restartNow(w.name, path,
        "A new process is there before the old one ends; its running requests are finished.");
      stacks.onclick = () => order({ title: `Stacks of ${w.name}?`, yes: "Print them",
        text: "The worker prints where it is in its code, and goes on." }, "POST", `${path}/stacks`, null,
        (answer) => showText(`Stacks of ${w.name}`, answer.text || "It has printed nothing."));
    }
    return row;
  }, (row, w) => {
    const dot = row.querySelector(".dot");
    dot.dataset.state = w.state;
    dot.textContent = w.reason ? `${w.state} (${w.reason})` : w.state;
    const meter = row.querySelector("meter");
    Object.assign(meter, { max: Math.max(w.lanes, 1), value: w.busy });
    meter.setAttribute("aria-label", `Busy lanes of ${w.name}`);
    row.querySelector(".busy .sub").textContent = `${w.busy} of ${w.lanes}`;
    row.querySelector(".served").textContent = count(w.served);
    row.querySelector(".age").textContent = w.pid ? age((Date.parse(status.at) - Date.parse(w.since)) / 1000) : "–";
    row.querySelector(".memory").textContent = w.resident_bytes ? bytes(w.resident_bytes) : "–";
    const cpu = r.cpu.get(w.pid);
    row.querySelector(".cpu").textContent = w.started && cpu !== undefined ? `${Math.round(cpu * 100)} %` : "–";
  });
}

const mostEvents = 100;

function showEvent(event) {
  const list = byId("events");
  const level = event.type === "log" || event.type === "output" ? event.level : event.type;
  const item = element("li");
  item.dataset.level = level;
  const time = element("time", "", new Date(event.time).toLocaleTimeString("en-GB"));
  time.dateTime = event.time;
  const what = element("span", "what", event.message);
  const more = [];
  if (event.worker || event.app) more.push(event.worker || event.app);
  if (event.pid) more.push(`process ${event.pid}`);
  for (const [key, value] of Object.entries(event.attributes ?? {})) {
    if (key !== "kind") more.push(`${key} ${value}`);
  }
  what.append(element("span", "sub", more.length ? `  ${more.join(" · ")}` : ""));
  item.append(time, element("span", "level", level), what);
  list.prepend(item);
  while (list.children.length > mostEvents) list.lastChild.remove();
  showsEvents();
}

function showsEvents() {
  byId("events").hidden = byId("events").children.length === 0;
  byId("events-none").hidden = !byId("events").hidden;
}

// start follows the server for as long as the page is open.
let running = false;
async function start() {
  if (running) return;
  running = true;
  let lastEvent = "", pause = 500;
  for (;;) {
    try {
      await connect("/events?status=1s&level=warn&tail=50", lastEvent, (type, data, id) => {
        pause = 500;
        wrongToken = false;
        if (id) lastEvent = id;
        if (type === "status") show(data);
        else showEvent(data);
      });
    } catch (error) {
      if (error instanceof NeedsToken) {
        state("wait", "needs a token");
        setToken(await askToken(wrongToken));
        wrongToken = true;
        continue;
      }
    }
    state("gone", "no answer: trying again");
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, 10000);
  }
}

const themes = [["", "Auto", "as the system"], ["light", "Light", "light"], ["dark", "Dark", "dark"]];

function setTheme(name) {
  const [value, text, words] = themes.find(([key]) => key === name) ?? themes[0];
  document.documentElement.dataset.theme = value;
  byId("theme").textContent = text;
  byId("theme").setAttribute("aria-label", `Colours: ${words}`);
  localStorage.setItem("theme", value);
  plots.draw();
}

byId("theme").onclick = () => {
  const at = themes.findIndex(([key]) => key === (localStorage.getItem("theme") ?? ""));
  setTheme(themes[(at + 1) % themes.length][0]);
};
byId("slow").onchange = () => { if (last) showStreams(last.streams, { streams: new Map() }); };
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.draw());
byId("streams").hidden = byId("workers").hidden = true;
showsEvents();
setTheme(localStorage.getItem("theme") ?? "");
start();
