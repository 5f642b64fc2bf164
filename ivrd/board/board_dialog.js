// The one dialog of the board: what is to be done to one agent, caller, line, notice or rule. It sends
// the version that was looked at, so of two who act at once the second is told, and decides anew.

import { $, element } from "./board_rows.js";
import { floor } from "./board_floor.js";
import { agentText, lookAgain, settingText, subjectOf } from "./board_acts.js";
import { say, screen, time } from "./board_words.js";

const SILENT_MS = 15000;
const HOUR_MS = 3600000;
const FIELDS = { agent: "field-agent", queue: "field-queue", to_queue: "field-queue", until: "field-until", reason: "field-reason" };

let subject = null;
let opened = "";
let isBusy = false;
let undoable = null;

const chosen = () => subject.choices[Number(new FormData($("act-form")).get("choice"))];

function local(moment) {
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

export function open(key) {
  subject = subjectOf(key);
  if (subject === null || $("act").open) return;
  opened = key;
  $("act-title").textContent = subject.title;
  $("act-facts").textContent = subject.facts;
  $("act-fault").replaceChildren();
  $("act-choices").replaceChildren(...subject.choices.map(choice));
  $("act-choices").closest("fieldset").hidden = subject.choices.length === 1;
  $("act-agents").replaceChildren(...[...floor.left].map((name) => Object.assign(element("option"), { value: name })));
  $("act-agent").value = "";
  $("act-reason").value = "";
  $("act-until").value = local(new Date(Date.now() + HOUR_MS));
  showFields();
  $("act").showModal();
}

function choice(one, at) {
  const label = element("label", undefined, "choice");
  const radio = Object.assign(element("input"), { type: "radio", name: "choice", value: String(at), checked: at === 0 });
  label.append(radio, ` ${say(one.word)}`);
  return label;
}

function showFields() {
  const { needs = [], queues = [] } = chosen() || {};
  for (const id of new Set(Object.values(FIELDS))) $(id).hidden = true;
  for (const need of needs) $(FIELDS[need]).hidden = false;
  $("field-queue").hidden = queues.length === 0;
  $("act-queue-label").textContent = say(needs.includes("to_queue") ? "to_queue" : "queue");
  $("act-queue").replaceChildren(...queues.map((one) => Object.assign(element("option", one.text), { value: one.value })));
}

function lacking(needs) {
  if (needs.includes("agent") && !$("act-agent").value.trim()) return ["act-agent", "no_agent"];
  if (needs.includes("until") && !$("act-until").value) return ["act-until", "no_time"];
  if (needs.includes("reason") && !$("act-reason").value.trim()) return ["act-reason", "no_reason"];
  return null;
}

function complain(text, more) {
  const told = [element("span", text)];
  if (more) told.push(" ", Object.assign(element("span", more), { lang: "en" }));
  $("act-fault").replaceChildren(...told);
}

async function send(path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
      signal: AbortSignal.timeout(SILENT_MS),
    });
    return { status: answer.status, said: await answer.json() };
  } catch {
    return { status: 0, said: {} };
  }
}

// Why it was not done, in words; what the server says of itself is English.
function explain({ status, said }) {
  if (status === 401) return [say("signed_out")];
  if (status === 403) return [say("not_allowed"), said.detail];
  if (status === 404) return [say("not_there"), said.detail];
  if (status === 409) return conflict(said);
  if (status === 422) return [say("not_taken"), said.detail];
  if (status === 429) return [say("too_often")];
  return [say("silent")];
}

function conflict(said) {
  if (said.setting) {
    const set = said.setting;
    if (subject) subject.seen = set.version;
    const until = set.until ? ` ${say("until")} ${time(set.until)}` : "";
    const stand = say(set.stand === "free" ? `free_${opened.split(" ")[0]}` : set.stand);
    return [`${set.who} ${say("was_first")}: ${stand}${until}, ${set.reason}. ${say("unchanged")}`];
  }
  if (said.version) {
    if (subject) subject.seen = said.version;
    const agent = opened.startsWith("agent ") && floor.agents.get(opened.slice("agent ".length));
    if (agent) $("act-facts").textContent = agentText(agent);
    return [`${say("somebody")} ${say("was_first")}. ${say("unchanged")}`, said.detail];
  }
  return [`${say("somebody")} ${say("was_first")}. ${say("look_again")}`, said.detail];
}

function outcomeText(said) {
  const words = { done: "done", pending: "outcome_pending", already: "already" };
  const away = Object.keys(said.pending || {});
  return `${say(words[said.outcome])}${away.length ? ` (${away.join(", ")})` : ""}`;
}

async function submit(event) {
  event.preventDefault();
  const one = chosen();
  if (isBusy) return;
  if (!one) { complain(say("no_choice")); return; }
  const lacks = lacking(one.needs);
  if (lacks) {
    complain(say(lacks[1]));
    $(lacks[0]).focus();
    return;
  }
  const until = $("act-until").value ? new Date($("act-until").value).toISOString() : "";
  const fields = { agent: $("act-agent").value.trim(), queue: $("act-queue").value, until, reason: $("act-reason").value.trim() };
  const seen = subject.seen === null ? {} : { seen: subject.seen };
  isBusy = true;
  complain(say("working"));
  const answer = await send(one.path, { ...one.body(fields), ...seen });
  isBusy = false;
  lookAgain();
  if (answer.status !== 200) {
    complain(...explain(answer));
    return;
  }
  const undo = one.undo && answer.said.outcome !== "already" ? subject.undo : null;
  tell(`${subject.title}: ${say(one.word)} – ${outcomeText(answer.said)}.`, undo && { ...undo, title: subject.title, seen: answer.said.version });
  $("act").close();
}

// What came of it, for all who look and listen; with the way back, where there is one.
function tell(text, undo) {
  undoable = undo;
  // It stays as it was said, also when the page goes on in the other language.
  $("told-text").lang = screen.language;
  $("told-text").textContent = text;
  $("told-undo").hidden = !undo;
  $("told").classList.add("on");
}

async function undoLast() {
  if (!undoable || isBusy) return;
  isBusy = true;
  const one = undoable;
  const answer = await send(one.path, { ...one.body, ...(one.seen === null ? {} : { seen: one.seen }) });
  isBusy = false;
  lookAgain();
  const came = answer.status === 200 ? outcomeText(answer.said) : explain(answer).join(" ");
  tell(`${one.title}: ${say("undo")} – ${came}.`, null);
  $("told-text").focus();
}

// The row may have been made anew, or have gone with the caller.
function comeBack() {
  const button = document.querySelector(`[data-act="${CSS.escape(opened)}"]`);
  const home = subject && $(subject.home);
  subject = null;
  if (button) button.focus();
  else if (home) home.focus();
}

export function listen() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (button) open(button.dataset.act);
  });
  $("act-form").addEventListener("submit", submit);
  $("act-choices").addEventListener("change", showFields);
  $("act-cancel").addEventListener("click", () => $("act").close());
  $("act").addEventListener("close", comeBack);
  $("told-undo").addEventListener("click", undoLast);
}
