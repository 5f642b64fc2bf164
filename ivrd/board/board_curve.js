// The day's curve of one queue, half hour by half hour, beside the same weekday of last week. Today is
// a thick whole line with dots, last week a thin broken one: the two are told apart without colour.

import { $, element } from "./board_rows.js";
import { queueStatuses } from "./board_floor.js";
import { DASH, screen, say, time } from "./board_words.js";

const EVERY_MS = 60000;
const WIDTH = 400;
const HEIGHT = 130;
const LEFT = 46;
const TOP = 8;
const BOTTOM = 22;
// Always shown, so that a quiet day is not drawn as if it were a busy hour: 08 to 17.
const USUAL = [16, 34];
const PANELS = [["offered", "offered"], ["abandoned", "abandoned"], ["sl", "level"]];

let curve = null;
let chosen = null;
let askedAt = 0;
let isAway = false;
let drawn = "";

const part = (name, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

// Asks once a minute, and at once when another queue is chosen.
export async function lookAtDay() {
  if (document.hidden || document.documentElement.classList.contains("wall") || chosen === null) return;
  if (performance.now() - askedAt < EVERY_MS && askedAt > 0) return;
  askedAt = performance.now();
  const key = chosen;
  const [system, queue] = [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)];
  const path = `/api/queues/${encodeURIComponent(system)}/${encodeURIComponent(queue)}/day`;
  const answer = await fetch(path, { headers: { accept: "application/json" } }).catch(() => null);
  const told = answer !== null && answer.ok ? await answer.json().catch(() => null) : null;
  if (key !== chosen) return;
  isAway = told === null;
  if (told !== null) curve = told;
}

export const dayMoved = () => { askedAt = 0; };

// Which queues there are, and which one is looked at.
function paintChoice() {
  const known = queueStatuses();
  const keys = known.map((one) => one.key).join(" ");
  if ($("curve-queue").dataset.keys !== keys + screen.language) {
    $("curve-queue").dataset.keys = keys + screen.language;
    $("curve-queue").replaceChildren(...known.map((one) => {
      const title = (screen.language === "sv" ? one.status.title_sv : one.status.title_en) || one.status.queue;
      return Object.assign(element("option", title), { value: one.key });
    }));
    if (!known.some((one) => one.key === chosen)) {
      chosen = known.length ? known[0].key : null;
      curve = null;
      askedAt = 0;
    }
    $("curve-queue").value = chosen || "";
  }
  $("curve-part").hidden = known.length === 0;
}

export function paintDay() {
  paintChoice();
  const key = JSON.stringify([curve, isAway, screen.language]);
  if (key === drawn) return;
  drawn = key;
  $("curve-away").textContent = isAway ? say("curve_away") : "";
  $("curve").hidden = curve === null;
  if (curve === null) return;
  const [from, to] = span();
  $("curve-today").textContent = say("today");
  $("curve-before").textContent = lastWeek();
  $("curve-sum").textContent = summary();
  $("curve-panels").replaceChildren(...PANELS.map(([figure, word]) => panel(figure, say(word), from, to)));
  $("curve-formula").textContent = `${say("curve_note")} sl = ${curve.formula}. ${say("read_at")} ${time(curve.at)}.`;
  paintTable(from, to);
}

function lastWeek() {
  const day = new Date(`${curve.before.date}T12:00:00`);
  const sv = screen.language === "sv";
  const place = sv ? "sv-SE" : "en-GB";
  const name = day.toLocaleDateString(place, { weekday: "long" });
  const date = day.toLocaleDateString(place, { day: "numeric", month: "short" });
  return sv ? `förra ${name}en (${date})` : `last ${name} (${date})`;
}

// From the first half hour in which anybody came, on either day, to the last.
function span() {
  const both = [curve.today.half_hours, curve.before.half_hours];
  const places = [...both[0].keys()].filter((at) => both.some((day) => day[at].offered > 0));
  return [Math.min(USUAL[0], ...places), Math.max(USUAL[1], ...places.map((at) => at + 1))];
}

// The sum of half hours that are over today; null when one of them is not known.
function sumUntilNow(day, figure) {
  const over = [...curve.today.half_hours.keys()].filter((at) => curve.today.half_hours[at].is_over);
  const values = over.map((at) => day.half_hours[at][figure]).filter((value) => value !== null);
  return values.length ? values.reduce((sum, value) => sum + value, 0) : null;
}

function summary() {
  const next = curve.today.half_hours.find((one) => !one.is_over);
  const known = (value) => (value === null ? "?" : value);
  const [now, then] = [curve.today, curve.before].map((day) => ["offered", "abandoned"].map((each) => known(sumUntilNow(day, each))));
  const told = (values) => `${values[0]} ${say("offered").toLowerCase()}, ${values[1]} ${say("abandoned").toLowerCase()}`;
  return `${say("until_clock")} ${next ? next.begins : "24:00"}: ${say("today")} ${told(now)}; ${lastWeek()} ${told(then)}.`;
}

function panel(figure, title, from, to) {
  const days = [curve.before, curve.today];
  const values = days.flatMap((day) => day.half_hours.slice(from, to).map((one) => one[figure] || 0));
  const top = figure === "sl" ? 1 : Math.max(4, ...values);
  const x = (at) => LEFT + ((at - from + 0.5) * (WIDTH - LEFT - 4)) / (to - from);
  const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const made = element("figure");
  made.append(element("figcaption", title));
  const drawing = part("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}, ${say("curve_label")}` });
  drawing.append(...axes(figure, top, from, to, x, y));
  drawing.append(line(curve.before, figure, from, to, x, y, "before"), line(curve.today, figure, from, to, x, y, "today"));
  drawing.append(...dots(figure, from, to, x, y));
  made.append(drawing);
  return made;
}

function axes(figure, top, from, to, x, y) {
  const made = [];
  for (const share of [0, 0.5, 1]) {
    made.push(part("line", { x1: LEFT, x2: WIDTH - 4, y1: y(top * share), y2: y(top * share), class: "grid" }));
    const label = part("text", { x: LEFT - 5, y: y(top * share) + 4, "text-anchor": "end" });
    label.textContent = figure === "sl" ? `${share * 100} %` : Math.round(top * share);
    if (share !== 0.5 || figure === "sl" || top % 2 === 0) made.push(label);
  }
  for (let at = from; at < to; at += 1) {
    if (at % 4 !== 0) continue;
    const label = part("text", { x: x(at - 0.5), y: HEIGHT - 5, "text-anchor": "middle" });
    label.textContent = String(at / 2).padStart(2, "0");
    made.push(label);
  }
  return made;
}

// A line is broken where nobody knows, or where a level has no value; and today's ends with the last half
// hour that is over: the one that goes on would be drawn as a fall.
function line(day, figure, from, to, x, y, className) {
  let path = "";
  let isOn = false;
  for (let at = from; at < to; at += 1) {
    const value = day.half_hours[at][figure];
    const isShown = value !== null && day.half_hours[at].is_over;
    if (isShown) path += `${isOn ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    isOn = isShown;
  }
  return part("path", { d: path, class: className });
}

function dots(figure, from, to, x, y) {
  const made = [];
  for (let at = from; at < to; at += 1) {
    const [now, then] = [curve.today.half_hours[at][figure], curve.before.half_hours[at][figure]];
    if (then !== null) made.push(part("circle", { cx: x(at), cy: y(then), r: 1.8, class: "before" }));
    if (now !== null) made.push(part("circle", { cx: x(at), cy: y(now), r: 3, class: curve.today.half_hours[at].is_over ? "today" : "going" }));
  }
  return made;
}

function paintTable(from, to) {
  const days = [curve.today, curve.before];
  const names = [say("today"), lastWeek()];
  const head = element("tr");
  head.append(Object.assign(element("th", say("half_hour")), { scope: "col" }));
  for (const [, word] of PANELS) {
    for (const name of names) head.append(Object.assign(element("th", `${say(word)} ${name}`), { scope: "col" }));
  }
  const rows = [];
  for (let at = from; at < to; at += 1) {
    const one = element("tr");
    const going = curve.today.half_hours[at].offered !== null && !curve.today.half_hours[at].is_over;
    one.append(Object.assign(element("th", curve.today.half_hours[at].begins + (going ? ` (${say("going_on")})` : "")), { scope: "row" }));
    for (const [figure] of PANELS) for (const day of days) one.append(element("td", cell(day.half_hours[at], figure)));
    rows.push(one);
  }
  $("curve-head").replaceChildren(head);
  $("curve-rows").replaceChildren(...rows);
}

function cell(one, figure) {
  if (one.offered === null) return one.is_over ? "?" : "";
  if (one[figure] === null) return DASH;
  return figure === "sl" ? `${Math.round(one.sl * 100)} %` : String(one[figure]);
}

export function listen(then) {
  $("curve-queue").addEventListener("change", () => {
    chosen = $("curve-queue").value;
    askedAt = 0;
    lookAtDay().then(then);
  });
}
