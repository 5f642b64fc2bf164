// The live board. Each thing's last state is kept as it came, and shown as it came: what is not
// known is "?", what has no value without traffic is a dash, and nothing is reckoned here but how
// long somebody has waited since the state was told.

import { $, element, settle } from "./board_rows.js";
import { floor, forget, queueStatuses, queueTitle, sinceToldS, toldAt } from "./board_floor.js";
import { callersMoved, learnRights, lineRow, look, paintActs } from "./board_acts.js";
import { dayMoved, listen as listenToDay, lookAtDay, paintDay } from "./board_curve.js";
import { DASH, clock, count, duration, say, screen, time } from "./board_words.js";
import { listen as listenToActs } from "./board_dialog.js";

const SILENT_MS = 30000;
const MOVES_MAX = 12;

const asked = new URLSearchParams(location.search);
screen.language = asked.get("lang") === "en" ? "en" : "sv";

// Queues.

function pairs(className, rows) {
  const list = element("dl", undefined, className);
  for (const [what, is, title] of rows) {
    const part = className === "big" ? element("div") : list;
    const value = element("dd", is);
    if (title) value.title = title;
    part.append(element("dt", what), value);
    if (part !== list) list.append(part);
  }
  return list;
}

function waitOf(entry) {
  const one = entry.status;
  if (one.longest_wait_s === null) return null;
  return one.waiting ? one.longest_wait_s + sinceToldS(entry.at) : one.longest_wait_s;
}

function card(entry) {
  const one = entry.status;
  const wait = waitOf(entry);
  const goal = one.service_level_threshold_s;
  const isLate = wait !== null && goal !== null && one.waiting > 0 && wait > goal;
  const made = element("li", undefined, `queue${isLate ? " late" : ""}${one.is_synced ? "" : " unsure"}`);
  made.dataset.queue = one.queue;
  made.dataset.key = entry.key;
  made.append(element("h2", (screen.language === "sv" ? one.title_sv : one.title_en) || one.queue));
  const longest = `${say("longest")}${goal === null ? "" : ` (${say("goal")} ${duration(goal)})`}`;
  made.append(pairs("big", [[say("waiting"), count(one.waiting)], [longest, duration(wait)]]));
  if (isLate) made.append(element("p", `▲ ${say("late")}`, "warning"));
  if (!one.is_synced) made.append(element("p", `? ${say("unsure")}`, "warning"));
  const members = one.members || {};
  const level = one.service_levels.sl;
  const expected = one.expected_wait_s === null ? (one.is_synced ? DASH : "?") : duration(one.expected_wait_s);
  made.append(pairs("rest", [
    [say("free"), count(members.available)], [say("busy"), count(members.busy)], [say("paused"), count(members.paused)],
    [say("away"), count(members.unavailable)], [say("expected"), expected, one.expected_wait_model || ""],
    [say("offered"), count(one.counts.offered)], [say("answered"), count(one.counts.answered)],
    [say("abandoned"), count(one.counts.abandoned)],
    [say("level"), level.value === null ? DASH : `${Math.round(level.value * 100)} %`, level.formula],
    [say("moved"), `${count(one.counts.moved_in)} / ${count(one.counts.moved_out)}`], [say("cases"), count(one.counts.cases)],
  ]));
  return made;
}

// Lines and moves.

function lineText(one) {
  const until = one.until ? ` ${say("until")} ${time(one.until)}` : "";
  const notices = one.notices.length ? ` · ${say("notices")}: ${one.notices.join(", ")}` : "";
  return `${one.line} (${one.number}): ${one.state === "open" ? say("open") : say("closed")}${until}${one.text ? ` · ${one.text}` : ""}${notices}`;
}

function moveText(one) {
  const to = one.to_queue ? queueTitle(one.to_queue) : DASH;
  const who = one.rule || one.who;
  return `${time(one.at)} ${queueTitle(one.from_queue)} → ${to}: ${say(one.what)}${who ? ` (${who})` : ""}`;
}

// All of it.

function paintWords() {
  document.documentElement.lang = screen.language;
  for (const each of document.querySelectorAll("[data-say]")) each.textContent = say(each.dataset.say);
  for (const each of document.querySelectorAll("[data-name]")) each.setAttribute("aria-label", say(each.dataset.name));
  document.title = `${say("title")} · ivrd`;
  $("language").textContent = say("other");
  $("language").lang = screen.language === "sv" ? "en" : "sv";
}

function paint() {
  const sorted = queueStatuses();
  settle($("queues"), sorted.map(card));
  $("none").hidden = sorted.length > 0;
  settle($("lines"), [...floor.lines.values()].map((one) => lineRow(one, lineText(one))));
  $("moves").replaceChildren(...floor.decisions.map((one) => element("li", moveText(one))));
  $("moves-part").hidden = floor.decisions.length === 0;
  const first = sorted[0];
  $("formula").textContent = first ? `sl = ${first.status.service_levels.sl.formula}` : "";
  $("clock").textContent = clock(new Date());
  const heard = floor.heardAt ? ` ${clock(new Date(Date.now() - (performance.now() - floor.heardAt)))}` : "";
  const told = floor.link === "live" ? say("live") : floor.link === "wait" ? say("wait") : say("lost") + heard;
  if ($("link").textContent !== told) $("link").textContent = told;
  $("link").dataset.state = floor.link;
  paintDay();
  paintActs();
}

let isDue = false;

function soon() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => { isDue = false; paint(); });
}

// News.

function heard() {
  floor.heardAt = performance.now();
  if (floor.link !== "live") { floor.link = "live"; soon(); }
}

const GONE = { queue: floor.queues, line: floor.lines, agent: floor.agents };

function gone(one) {
  if (one.kind === "agent" && floor.agents.has(one.key)) floor.left.add(floor.agents.get(one.key).agent);
  if (one.kind === "switch") floor.switches.delete(one.key.replace("/", " "));
  if (one.kind in GONE) GONE[one.kind].delete(one.key);
}

function takeQueue(one) {
  const key = `${one.system}/${one.queue}`;
  floor.queues.set(key, { key, status: one, at: toldAt(one) });
  callersMoved();
}

function listen() {
  const stream = new EventSource("/api/events");
  const on = (kind, then) => stream.addEventListener(kind, (event) => {
    heard();
    if (then) then(event.data ? JSON.parse(event.data) : null);
    soon();
  });
  on("clock", (one) => { floor.clock = { there: Date.parse(one.at), here: performance.now() }; });
  on("reset", forget);
  on("present");
  on("heartbeat");
  on("queue", takeQueue);
  on("line", (one) => floor.lines.set(one.line, one));
  on("switch", (one) => floor.switches.set(`${one.kind} ${one.name}`, one));
  on("agent", (one) => { floor.agents.set(`${one.system}/${one.agent}`, one); floor.left.delete(one.agent); });
  on("decision", (one) => { floor.decisions = [one, ...floor.decisions].slice(0, MOVES_MAX); });
  on("gone", gone);
  on("signed-out", () => { stream.close(); location.assign("/login?next=/board"); });
  stream.addEventListener("open", () => { dayMoved(); learnRights().then(soon); });
  stream.addEventListener("error", () => {
    floor.link = "lost";
    soon();
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

function set(button, className, isOn) {
  document.documentElement.classList.toggle(className, isOn);
  $(button).setAttribute("aria-pressed", String(isOn));
}

$("language").addEventListener("click", () => { screen.language = screen.language === "sv" ? "en" : "sv"; paintWords(); paint(); });
$("wall").addEventListener("click", () => set("wall", "wall", !document.documentElement.classList.contains("wall")));
$("theme").addEventListener("click", () => set("theme", "dark", !document.documentElement.classList.contains("dark")));
set("wall", "wall", asked.has("wall"));
set("theme", "dark", asked.has("dark") || (!asked.has("light") && matchMedia("(prefers-color-scheme: dark)").matches));
listenToActs();
listenToDay(soon);
paintWords();
paint();
listen();
setInterval(() => {
  if (floor.link === "live" && performance.now() - floor.heardAt > SILENT_MS) floor.link = "lost";
  Promise.all([look(), lookAtDay()]).then(paint);
}, 1000);
