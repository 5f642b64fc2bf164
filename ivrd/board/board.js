"use strict";

// The live board. Each thing's last state is kept as it came, and shown as it came: what is not
// known is "?", what has no value without traffic is a dash, and nothing is reckoned here but how
// long somebody has waited since the state was told.

const $ = (id) => document.getElementById(id);
const SILENT_MS = 30000;
const MOVES_MAX = 12;
const DASH = "\u2013";

const WORDS = {
  sv: {
    title: "Läget nu", wall: "Vägg", theme: "Mörkt", none: "Inga köer än.", lines: "Linjer", moves: "Överflöde",
    waiting: "väntar", longest: "längst", goal: "mål", free: "Lediga", busy: "Upptagna", paused: "Pausade", away: "Ej nåbara",
    expected: "Förväntad väntan", answered: "Besvarade", abandoned: "Tappade", level: "Svarsnivå", moved: "Flyttade in / ut",
    cases: "Ärenden", late: "Väntan är över målet", unsure: "Okänt just nu: PBX:en svarar inte", live: "Ansluten",
    lost: "Ingen förbindelse. Siffrorna är från", wait: "Ansluter …", open: "öppen", closed: "stängd", until: "till",
    notices: "Meddelande", offered: "Erbjudna", other: "English",
    asked: "ska flyttas", landed: "flyttades", began: "började", ended: "slutade", diverted: "leds om", let_in: "släpps in",
  },
  en: {
    title: "Now", wall: "Wall", theme: "Dark", none: "No queues yet.", lines: "Lines", moves: "Overflow",
    waiting: "waiting", longest: "longest", goal: "goal", free: "Free", busy: "Busy", paused: "Paused", away: "Unavailable",
    expected: "Expected wait", answered: "Answered", abandoned: "Abandoned", level: "Service level", moved: "Moved in / out",
    cases: "Cases", late: "The wait is past its goal", unsure: "Unknown now: the PBX does not answer", live: "Connected",
    lost: "No connection. These figures are from", wait: "Connecting …", open: "open", closed: "closed", until: "until",
    notices: "Notice", offered: "Offered", other: "Svenska",
    asked: "to be moved", landed: "moved", began: "began", ended: "ended", diverted: "diverted", let_in: "let in",
  },
};

const asked = new URLSearchParams(location.search);
let language = asked.get("lang") === "en" ? "en" : "sv";
const queues = new Map();
const lines = new Map();
let decisions = [];
let state = "wait";
let heardAt = 0;

const say = (word) => WORDS[language][word] || word;
const count = (value) => (value === null || value === undefined ? "?" : String(value));

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "?";
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function pairs(className, rows) {
  const list = element("dl", undefined, className);
  for (const [what, is, title] of rows) {
    const row = className === "big" ? element("div") : list;
    const value = element("dd", is);
    if (title) value.title = title;
    row.append(element("dt", what), value);
    if (row !== list) list.append(row);
  }
  return list;
}

function waitOf(entry) {
  const one = entry.status;
  if (one.longest_wait_s === null) return null;
  if (!one.waiting || state !== "live") return one.longest_wait_s;
  return one.longest_wait_s + (performance.now() - entry.at) / 1000;
}

function show(entry) {
  const one = entry.status;
  const wait = waitOf(entry);
  const goal = one.service_level_threshold_s;
  const isLate = wait !== null && goal !== null && one.waiting > 0 && wait > goal;
  const card = element("li", undefined, `queue${isLate ? " late" : ""}${one.is_synced ? "" : " unsure"}`);
  card.dataset.queue = one.queue;
  card.append(element("h2", (language === "sv" ? one.title_sv : one.title_en) || one.queue));
  const longest = `${say("longest")}${goal === null ? "" : ` (${say("goal")} ${duration(goal)})`}`;
  card.append(pairs("big", [[say("waiting"), count(one.waiting)], [longest, duration(wait)]]));
  if (isLate) card.append(element("p", `▲ ${say("late")}`, "warning"));
  if (!one.is_synced) card.append(element("p", `? ${say("unsure")}`, "warning"));
  const members = one.members || {};
  const level = one.service_levels.sl;
  const expected = one.expected_wait_s === null ? (one.is_synced ? DASH : "?") : duration(one.expected_wait_s);
  card.append(pairs("rest", [
    [say("free"), count(members.available)], [say("busy"), count(members.busy)], [say("paused"), count(members.paused)],
    [say("away"), count(members.unavailable)], [say("expected"), expected, one.expected_wait_model || ""],
    [say("offered"), count(one.counts.offered)], [say("answered"), count(one.counts.answered)],
    [say("abandoned"), count(one.counts.abandoned)],
    [say("level"), level.value === null ? DASH : `${Math.round(level.value * 100)} %`, level.formula],
    [say("moved"), `${count(one.counts.moved_in)} / ${count(one.counts.moved_out)}`], [say("cases"), count(one.counts.cases)],
  ]));
  return card;
}

function time(text) {
  return new Date(text).toLocaleTimeString(language === "sv" ? "sv-SE" : "en-GB", { hour: "2-digit", minute: "2-digit" });
}

function lineText(one) {
  const until = one.until ? ` ${say("until")} ${time(one.until)}` : "";
  const notices = one.notices.length ? ` · ${say("notices")}: ${one.notices.join(", ")}` : "";
  return `${one.line} (${one.number}): ${one.state === "open" ? say("open") : say("closed")}${until}${one.text ? ` · ${one.text}` : ""}${notices}`;
}

function paint() {
  document.documentElement.lang = language;
  for (const each of document.querySelectorAll("[data-say]")) each.textContent = say(each.dataset.say);
  document.title = `${say("title")} · ivrd`;
  $("language").textContent = say("other");
  $("language").lang = language === "sv" ? "en" : "sv";
  const sorted = [...queues.values()].sort((one, other) => one.key.localeCompare(other.key));
  $("queues").replaceChildren(...sorted.map(show));
  $("none").hidden = sorted.length > 0;
  $("lines").replaceChildren(...[...lines.values()].map((one) => element("li", lineText(one))));
  $("moves").replaceChildren(...decisions.map((one) => element("li", `${time(one.at)} ${one.from_queue} → ${one.to_queue || DASH}: ${say(one.what)}${one.rule ? ` (${one.rule})` : ""}`)));
  const first = sorted[0];
  $("formula").textContent = first ? `sl = ${first.status.service_levels.sl.formula}` : "";
  $("clock").textContent = new Date().toLocaleTimeString(language === "sv" ? "sv-SE" : "en-GB");
  const heard = heardAt ? ` ${new Date(Date.now() - (performance.now() - heardAt)).toLocaleTimeString("sv-SE")}` : "";
  const told = state === "live" ? say("live") : state === "wait" ? say("wait") : say("lost") + heard;
  if ($("link").textContent !== told) $("link").textContent = told;
  $("link").dataset.state = state;
}

let isDue = false;

function soon() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => { isDue = false; paint(); });
}

function heard() {
  heardAt = performance.now();
  if (state !== "live") { state = "live"; soon(); }
}

function listen() {
  const stream = new EventSource("/api/events");
  const on = (kind, then) => stream.addEventListener(kind, (event) => {
    heard();
    if (then) then(event.data ? JSON.parse(event.data) : null);
    soon();
  });
  on("reset", () => { queues.clear(); lines.clear(); decisions = []; });
  on("present");
  on("heartbeat");
  on("queue", (one) => queues.set(`${one.system}/${one.queue}`, { key: `${one.system}/${one.queue}`, status: one, at: performance.now() }));
  on("line", (one) => lines.set(one.line, one));
  on("decision", (one) => { decisions = [one, ...decisions].slice(0, MOVES_MAX); });
  on("gone", (one) => { if (one.kind === "queue") queues.delete(one.key); if (one.kind === "line") lines.delete(one.key); });
  on("signed-out", () => { stream.close(); location.assign("/login?next=/board"); });
  stream.addEventListener("error", () => {
    state = "lost";
    soon();
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

function set(button, className, isOn) {
  document.documentElement.classList.toggle(className, isOn);
  $(button).setAttribute("aria-pressed", String(isOn));
}

$("language").addEventListener("click", () => { language = language === "sv" ? "en" : "sv"; paint(); });
$("wall").addEventListener("click", () => set("wall", "wall", !document.documentElement.classList.contains("wall")));
$("theme").addEventListener("click", () => set("theme", "dark", !document.documentElement.classList.contains("dark")));
set("wall", "wall", asked.has("wall"));
set("theme", "dark", asked.has("dark") || (!asked.has("light") && matchMedia("(prefers-color-scheme: dark)").matches));
paint();
listen();
setInterval(() => {
  if (state === "live" && performance.now() - heardAt > SILENT_MS) state = "lost";
  paint();
}, 1000);
