// The supervisor's hand: what may be done to whom, as the server says (GET /api/me), and the rows
// of those to whom something may be done. Whoever may do nothing asks for nothing here.

import { $, element, row, settle } from "./board_rows.js";
import { floor, queueNames, queueTitle, sinceToldS } from "./board_floor.js";
import { duration, say, time } from "./board_words.js";

const CALLERS_SHOWN_MAX = 50;
const CALLERS_EVERY_MS = 2000;
const NOTHING = { lines: [], queues: [], notices: [], rules: [] };
const STATES = { available: "available", busy: "is_busy", paused: "is_paused", unavailable: "unavailable" };
const SIGNS = { available: "○", busy: "●", paused: "‖", unavailable: "×" };

let me = { name: "", is_signed_in: false, may: {} };
let callers = { at: 0, total: 0, calls: [] };
let callersDue = true;
let callersAt = 0;

const reach = (deed) => me.may[deed] || NOTHING;

async function ask(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  return answer.ok ? answer.json() : null;
}

// After each new connection: a shift may have begun, or ended.
export async function learnRights() {
  const told = await ask("/api/me").catch(() => null);
  if (told === null) return;
  me = told;
  callersDue = true;
  await look();
}

export const lookAgain = () => { callersDue = true; return look(); };
export const callersMoved = () => { callersDue = true; };

const actsOnCallers = () => "move_caller" in me.may || "rank_caller" in me.may;

// Asks for what the stream does not tell: who waits. Only for those who may act on them.
export async function look() {
  if (document.hidden || document.documentElement.classList.contains("wall")) return;
  const now = performance.now();
  if (actsOnCallers() && callersDue && now - callersAt > CALLERS_EVERY_MS) {
    callersDue = false;
    callersAt = now;
    const told = await ask(`/api/calls?limit=${CALLERS_SHOWN_MAX}`).catch(() => null);
    if (told === null) callersDue = true;
    else callers = { at: performance.now(), total: told.total, calls: told.calls };
  }
}

// Who may be acted on.

const switchOf = (kind, name) => floor.switches.get(`${kind} ${name}`);
const mayDirect = (agent) => agent.queues.every((one) => reach("direct_agent").queues.includes(one.queue));
const mayWith = (deed, call) => (call.line === null ? reach(deed).queues.includes(call.queue) : reach(deed).lines.includes(call.line));

function standOf(one) {
  const word = one.setting === null || !one.is_in_force ? "free" : one.setting.stand;
  return say(word === "free" ? `free_${one.kind}` : word);
}

export function settingText(one) {
  if (!one || one.setting === null || !one.is_in_force) return "";
  const set = one.setting;
  const until = set.until ? ` ${say("until")} ${time(set.until)}` : "";
  const pending = Object.keys(one.pending).length ? ` · ${say("pending")} ${Object.keys(one.pending).join(", ")}` : "";
  return `${standOf(one)}${until} ${say("by")} ${set.who}: ${set.reason}${pending}`;
}

export function agentText(agent) {
  return agent.queues.map((one) => {
    const why = one.pause_reason ? ` (${one.pause_reason})` : "";
    return `${queueTitle(one.queue)}: ${say(STATES[one.state])}${why}`;
  }).join(" · ");
}

const waitOf = (call) => call.wait_s + sinceToldS(callers.at);

function callerText(call) {
  const number = call.number || say("hidden");
  const more = call.moving_to ? ` · ${say("moving")} ${queueTitle(call.moving_to)}` : call.is_offered ? ` · ${say("ringing")}` : "";
  return `${queueTitle(call.queue)}, ${say("place")} ${call.place} · ${call.line || say("unknown_line")} · ${number}${more}`;
}

const callerTitle = (call) => `${queueTitle(call.queue)}, ${say("place")} ${call.place}`;

// Rows.

function agentRow(agent) {
  const state = element("span", `${SIGNS[agent.state]} ${say(STATES[agent.state])}`, `state ${agent.state}`);
  const what = [element("strong", agent.agent), " ", state, element("span", agentText(agent), "more")];
  if (agent.is_in_call) what.splice(3, 0, ` · ${say("in_call")}`);
  return row(`agent ${agent.system}/${agent.agent}`, what, mayDirect(agent) && agent.agent);
}

function callerRow(call) {
  const may = mayWith("move_caller", call) || mayWith("rank_caller", call);
  const what = [element("strong", duration(waitOf(call)), "figure"), ` ${callerText(call)}`];
  return row(`caller ${call.call_id}`, what, may && callerTitle(call));
}

function switchRow(one) {
  const said = settingText(one);
  const what = [`${say(one.kind)} `, element("strong", one.name), ` · ${said || standOf(one)}`];
  return row(`${one.kind} ${one.name}`, what, mayTurn(one) && `${say(one.kind)} ${one.name}`);
}

function mayTurn(one) {
  const mine = reach(`switch_${one.kind}`);
  return { line: mine.lines, notice: mine.notices, rule: mine.rules }[one.kind].includes(one.name);
}

export function lineRow(line, text) {
  const one = switchOf("line", line.line);
  const said = settingText(one);
  return row(`line ${line.line}`, [said ? `${text} · ${said}` : text], one && mayTurn(one) && `${say("line")} ${line.line}`);
}

export function paintActs() {
  const agents = [...floor.agents.values()].sort((one, other) => one.agent.localeCompare(other.agent));
  $("agents-part").hidden = agents.length === 0 && !("direct_agent" in me.may);
  $("log-in-other").hidden = reach("direct_agent").queues.length === 0;
  settle($("agents"), agents.map(agentRow));
  $("callers-part").hidden = !actsOnCallers();
  settle($("callers"), callers.calls.map(callerRow));
  const hidden = callers.total - callers.calls.length;
  $("callers-more").textContent = hidden > 0 ? `+ ${hidden} ${say("more")}` : callers.total ? "" : say("nobody");
  const shown = [...floor.switches.values()].filter((one) => one.kind !== "line" && mayTurn(one));
  $("switches-part").hidden = shown.length === 0;
  settle($("switches"), shown.map(switchRow));
  $("who").textContent = me.is_signed_in ? me.name : "";
  $("sign-in").hidden = me.is_signed_in;
  $("sign-out").hidden = !me.is_signed_in;
}

// What can be done: each choice with its way, its form and its needs. board_dialog.js asks for them.

const REASON = ["reason"];
const UNTIL = ["until", "reason"];
const untilOf = (fields) => ({ until: fields.until, reason: fields.reason });
const reasonOf = (fields) => ({ reason: fields.reason });

function agentSubject(agent) {
  const places = agent.queues.map((one) => ({ value: one.queue, text: queueTitle(one.queue) }));
  const others = reach("direct_agent").queues.filter((name) => !agent.queues.some((one) => one.queue === name));
  const body = (fields) => ({ agent: agent.agent, queues: fields.queue ? [fields.queue] : [], reason: fields.reason });
  const every = { value: "", text: say("every_queue") };
  const here = { needs: ["queue", "reason"], queues: places.length > 1 ? [every, ...places] : [], body, undo: true };
  const choices = [];
  if (agent.queues.some((one) => one.state !== "paused")) choices.push({ word: "pause", path: "/api/agents/pause", ...here });
  if (agent.queues.some((one) => one.state === "paused" || one.pause_reason)) choices.push({ word: "unpause", path: "/api/agents/unpause", ...here });
  if (others.length) {
    const there = others.map((name) => ({ value: name, text: queueTitle(name) }));
    choices.push({ word: "log_in", path: "/api/agents/log-in", ...here, queues: there });
  }
  if (agent.queues.some((one) => !one.is_fixed)) {
    const loose = places.filter((one) => !agent.queues.find((each) => each.queue === one.value).is_fixed);
    const queues = loose.length < places.length ? loose : here.queues;
    choices.push({ word: "log_out", path: "/api/agents/log-out", ...here, queues });
  }
  choices.push({ word: "undo_last", path: "/api/agents/undo", needs: [], body: () => ({ agent: agent.agent }) });
  return {
    title: agent.agent, facts: agentText(agent), seen: agent.version, choices, home: "agents-title",
    undo: { path: "/api/agents/undo", body: { agent: agent.agent } },
  };
}

function otherAgentSubject() {
  const own = { value: "", text: say("every_queue") };
  const queues = [own, ...reach("direct_agent").queues.map((name) => ({ value: name, text: queueTitle(name) }))];
  const body = (fields) => ({ agent: fields.agent, queues: fields.queue ? [fields.queue] : [], reason: fields.reason });
  return {
    title: say("log_in_other").replace(" …", ""), facts: "", seen: null, home: "log-in-other",
    choices: [{ word: "log_in", path: "/api/agents/log-in", needs: ["agent", "queue", "reason"], queues, body }],
  };
}

function callerSubject(call) {
  const rank = (isUrgent) => (fields) => ({ call: call.call_id, is_urgent: isUrgent, reason: fields.reason });
  const choices = [];
  if (mayWith("move_caller", call)) {
    const queues = queueNames().filter((name) => name !== call.queue).map((name) => ({ value: name, text: queueTitle(name) }));
    const body = (fields) => ({ call: call.call_id, to_queue: fields.queue, reason: fields.reason });
    choices.push({ word: "move", path: "/api/calls/move", needs: ["to_queue", "reason"], queues, body });
  }
  if (mayWith("rank_caller", call)) {
    choices.push({ word: "first", path: "/api/calls/rank", needs: REASON, body: rank(true) });
    choices.push({ word: "by_arrival", path: "/api/calls/rank", needs: REASON, body: rank(false) });
  }
  return { title: callerTitle(call), facts: `${duration(waitOf(call))} · ${callerText(call)}`, seen: null, choices, home: "callers-title" };
}

function switchSubject(one) {
  const at = `/api/${one.kind}s/${encodeURIComponent(one.name)}`;
  const set = (word, path) => ({ word, path: `${at}/${path}`, needs: UNTIL, body: untilOf, undo: true });
  const free = (word, path) => ({ word, path: `${at}/${path}`, needs: REASON, body: reasonOf, undo: true });
  const choices = {
    line: () => [set("close", "close"), set("force_open", "open"), free("release_line", "release")],
    notice: () => [set("notice_on", "on"), free("notice_off", "off")],
    rule: () => [
      set("rule_on", "set/on"), set("rule_off", "set/off"), set("rule_dry", "set/dry_run"), set("rule_forced", "set/forced"),
      free("release_rule", "release"),
    ],
  }[one.kind]();
  if (one.version > 0) choices.push({ word: "undo_last", path: `${at}/undo`, needs: [], body: () => ({}) });
  return {
    title: `${say(one.kind)} ${one.name}`, facts: settingText(one) || standOf(one), seen: one.version, choices,
    home: one.kind === "line" ? "lines-title" : "switches-title", undo: { path: `${at}/undo`, body: {} },
  };
}

// Return what can be done to the thing with a row's key; null when it has gone.
export function subjectOf(key) {
  const [kind, name] = [key.slice(0, key.indexOf(" ")), key.slice(key.indexOf(" ") + 1)];
  if (key === "other") return otherAgentSubject();
  if (kind === "agent") return floor.agents.has(name) ? agentSubject(floor.agents.get(name)) : null;
  if (kind === "caller") {
    const call = callers.calls.find((one) => one.call_id === name);
    return call ? callerSubject(call) : null;
  }
  const one = switchOf(kind, name);
  return one ? switchSubject(one) : null;
}
