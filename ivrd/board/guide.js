// The guide's page. The server has the truth: after each piece of news the lists are asked for
// again. An act carries an id of its own and is sent until it is answered, so that a lost
// connection loses nothing, and nothing is done twice.

import { WORDS } from "./guide_words.js";

const $ = (id) => document.getElementById(id);
const ACT_AGAIN_MS = 2000;
const ASK_AGAIN_MS = 15000;
const PROMISE_DAYS_MAX = 90;
const LANGUAGES = { sv: "sv-SE", en: "en-GB" };
const LANGUAGE_KEY = "ivrd-language";

let mine = { drafts: [], promised: [], recent: [] };
let departments = [];
let byPhone = new Map();
let chosen = null;
let typed = "";
let waiting = 0;
let asking = false;
let askAgain = false;

// Words.

function startLanguage() {
  const asked = new URLSearchParams(location.search).get("lang");
  if (asked in LANGUAGES) return asked;
  try {
    const kept = localStorage.getItem(LANGUAGE_KEY);
    return kept in LANGUAGES ? kept : "sv";
  } catch {
    return "sv"; // A browser may allow no store.
  }
}

let language = startLanguage();

function say(word, values = {}) {
  const text = WORDS[language][word];
  return text === undefined ? word : text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

const nameOf = (one) => one[`name_${language}`];
const labelOf = (one) => one[`label_${language}`];
const time = (text) => new Date(text).toLocaleString(LANGUAGES[language], { dateStyle: "short", timeStyle: "short" });
const clock = (text) => new Date(text).toLocaleTimeString(LANGUAGES[language], { hour: "2-digit", minute: "2-digit" });

function paint() {
  document.documentElement.lang = language;
  for (const each of document.querySelectorAll("[data-say]")) each.textContent = say(each.dataset.say);
  $("help").replaceChildren(...say("help").split(/[[\]]/).map((text, number) => (number % 2 ? element("kbd", text) : text)));
  $("language").textContent = say("other");
  $("language").lang = language === "sv" ? "en" : "sv";
  offerLabels();
  showLink();
}

function switchLanguage() {
  language = language === "sv" ? "en" : "sv";
  try {
    localStorage.setItem(LANGUAGE_KEY, language);
  } catch {
    // Then it is chosen again the next time.
  }
  tell("");
  paint();
  return refresh();
}

function local(moment) {
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// What the page has no word for, of an ivrd that is newer than it, stands as it came.
function said(group, word) {
  const text = say(`${group}_${word}`);
  return text === `${group}_${word}` ? word : text;
}

function titleOf(one) {
  const about = labelOf(one) || (one.state === "draft" ? say("no_label") : say(`class_${one.class}`));
  return `${clock(one.answered_at)} ${about}`;
}

function linesOf(one) {
  const words = { line: one.line || say("unknown_line"), queue: one.queue, class: say(`class_${one.class}`), state: say(`state_${one.state}`) };
  const said = [say("in_queue", words)];
  if (one.linked_case_id) said.push(say("linked", { id: one.linked_case_id }));
  if (one.external_status) said.push(say("from_department", { status: one.external_status }));
  if (one.note) said.push(one.note.slice(0, 80));
  return said;
}

// The server.

async function ask(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  // What is not saved yet would be lost with the page: it waits for a sign-in in another tab.
  if (answer.status === 401 && !waiting) location.assign("/login?next=/guide");
  if (!answer.ok) throw new Error(why(answer.status, await read(answer)));
  return answer.json().catch(() => { throw new Error(say("not_ivrd")); });
}

// A network's own sign-in, and other proxies, answer 200 to whatever they are asked: an act is done
// when the answer is the case that it was done to, as it is then.
function isCase(said, id) { return said?.id === id && Number.isInteger(said.version); }

// A proxy before the server answers in its own form.
const read = (answer) => answer.json().catch(() => ({ detail: `HTTP ${answer.status}` }));

// A code or a status that this page does not know is told as the server puts it, in English.
function why(status, problem) {
  const known = [`because_${problem.code}`, `status_${status}`].find((word) => word in WORDS[language]);
  return known === undefined ? problem.detail : say(known);
}

function tell(text) { $("told").textContent = text; $("fault").textContent = ""; }
function complain(text) { $("fault").textContent = text; $("told").textContent = ""; }

// One act at a time, each upon what the one before it has made of the case.
const versions = new Map();
let queue = Promise.resolve();

function learn(one) { versions.set(one.id, Math.max(one.version, versions.get(one.id) || 0)); }

function act(one, body, done) {
  learn(one);
  queue = queue.then(() => send(one.id, body, done));
  return queue;
}

async function send(id, body, done) {
  const sent = JSON.stringify({ ...body, version: versions.get(id), act_id: `page-${crypto.randomUUID()}` });
  waiting += 1;
  showLink();
  try {
    for (;;) {
      let answer;
      try {
        answer = await fetch(`/api/cases/${id}/acts`, {
          method: "POST", headers: { "content-type": "application/json" }, body: sent,
        });
      } catch {
        answer = null;
      }
      if (answer !== null && answer.status < 500 && ![401, 429].includes(answer.status)) {
        const said = await read(answer);
        if (!answer.ok || isCase(said, id)) {
          if (answer.ok) learn(said);
          if (said.case) learn(said.case);
          if (answer.ok) tell(done());
          else if (answer.status === 409) complain(say("conflict"));
          else complain(say("refused", { why: why(answer.status, said) }));
          break;
        }
        complain(say("not_ivrd_saved"));
      } else {
        complain(say(answer !== null && answer.status === 401 ? "signed_out" : "unsaved"));
      }
      await new Promise((resolve) => setTimeout(resolve, ACT_AGAIN_MS));
    }
  } finally {
    waiting -= 1;
    showLink();
  }
  await refresh();
}

async function refresh() {
  if (asking) { askAgain = true; return; }
  asking = true;
  try {
    do {
      askAgain = false;
      mine = await ask("/api/cases/mine");
      show();
      if (chosen !== null) await showPanel();
    } while (askAgain);
  } catch (error) {
    if (!(error instanceof TypeError)) complain(error.message);
  } finally {
    asking = false;
  }
}

// The lists.

function known(id) {
  return [...mine.drafts, ...mine.promised, ...mine.recent].find((one) => one.id === id);
}

function button(one) {
  const made = element("button", undefined, "case");
  made.type = "button";
  made.dataset.id = one.id;
  made.setAttribute("aria-pressed", String(one.id === chosen));
  made.append(element("strong", titleOf(one)));
  for (const line of linesOf(one)) made.append(element("span", line), document.createElement("br"));
  if (one.deadline && one.state === "open") {
    const late = new Date(one.deadline) < new Date();
    made.append(element("span", say("promised_by", { time: time(one.deadline) }) + (late ? say("late") : ""), late ? "late" : ""));
  }
  for (const each of one.suggestions || []) {
    const row = element("span", undefined, "keys");
    const clues = each.because.map((clue) => say(`clue_${clue}`)).join(", ");
    row.append(element("b", each.phone_code || "–"), ` ${nameOf(each)} (${clues})`);
    made.append(row);
  }
  // In one column the case opens below all lists: a finger is taken there, a keyboard keeps its place.
  made.addEventListener("click", async (event) => {
    await choose(one.id);
    if (event.detail > 0 && matchMedia("(max-width: 56rem)").matches) $("panel").scrollIntoView();
  });
  return made;
}

function fill(list, cases) {
  const had = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.id : undefined;
  const within = list.contains(document.activeElement);
  list.replaceChildren(...cases.map((one) => {
    const item = element("li");
    item.append(button(one));
    return item;
  }));
  if (!within) return;
  const same = list.querySelector(`[data-id="${had}"]`) || list.querySelector(".case");
  if (same) same.focus();
}

function show() {
  $("who").textContent = mine.agent === null ? say("nobody") : mine.agent;
  $("count").textContent = `(${mine.drafts.length})`;
  $("none").hidden = mine.drafts.length > 0;
  document.title = `${mine.drafts.length ? `(${mine.drafts.length}) ` : ""}${say("title")} · ivrd`;
  fill($("drafts"), mine.drafts);
  fill($("promised"), mine.promised);
  fill($("recent"), mine.recent.filter((one) => one.state !== "open"));
}

async function choose(id) {
  chosen = id;
  typed = "";
  for (const each of document.querySelectorAll(".case")) {
    each.setAttribute("aria-pressed", String(Number(each.dataset.id) === id));
  }
  await showPanel(true);
}

// One case.

let shown = null;

async function showPanel(isNew = false) {
  const id = chosen;
  let story;
  try {
    story = await ask(`/api/cases/${id}`);
  } catch (error) {
    if (!(error instanceof TypeError)) complain(error.message);
    return;
  }
  if (id !== chosen) return;
  const one = story.case;
  const isOther = isNew || shown === null || shown.id !== one.id;
  shown = one;
  $("panel").hidden = false;
  $("panel-title").textContent = say("case", { id: one.id, title: titleOf(one) });
  const facts = [
    ["state", say(`state_${one.state}`)], ["class", say(`class_${one.class}`)], ["label", labelOf(one) || say("missing")],
    ["department", one[`department_${language}`] || say("unknown")], ["line", one.line || say("unknown")],
    ["call", time(one.answered_at)],
    ["number", one.caller ? say("hidden_number", { caller: one.caller }) : say("unknown_number")],
  ].map(([what, is]) => [say(`fact_${what}`), is]);
  if (one.deadline) facts.push([say("fact_deadline"), time(one.deadline)]);
  if (one.feedback) facts.push([say(`kind_${one.feedback.kind}`), say("said_to", one.feedback)]);
  if (one.external_id) facts.push([say("fact_external"), `${one.external_id} ${one.external_status || ""}`]);
  $("facts").replaceChildren(...facts.flatMap(([what, is]) => [element("dt", what), element("dd", is)]));
  if (isOther) {
    $("note").value = one.note;
    $("label").value = "";
    $("deadline").value = "";
    $("deadline").min = local(new Date());
    $("deadline").max = local(new Date(Date.now() + PROMISE_DAYS_MAX * 86400000));
    $("kind").value = one.feedback ? one.feedback.kind : "complaint";
    $("receiver").value = one.feedback ? one.feedback.receiver : "";
    $("said").value = one.feedback ? one.feedback.text : "";
  }
  $("half").hidden = one.class === "half_helped";
  $("whole").hidden = one.class === "resolved";
  $("over").hidden = !one.label || one.state === "handed_over";
  $("done").hidden = !one.label || one.state === "closed";
  $("again").hidden = one.state === "draft" || one.state === "open" || !one.is_case;
  const earlier = story.earlier.map((each) => element("li", `${time(each.answered_at)} ${labelOf(each) || say("no_label_small")}, ${say(`state_${each.state}`)}`));
  $("earlier").replaceChildren(...(earlier.length ? earlier : [element("li", say("nothing"))]));
  $("history").replaceChildren(...story.changes.map((each) => element("li", `${time(each.at)} ${said("what", each.what)}, ${each.who} (${said("from", each.origin)})`)));
}

// Acts.

function subjectOf(text) {
  const wanted = text.trim().toLowerCase();
  const all = departments.flatMap((department) => department.subjects);
  return all.find((each) => [each.phone_code, each.code, each.name_sv.toLowerCase(), each.name_en.toLowerCase()].includes(wanted) && wanted)
    || byPhone.get(wanted.split(" ")[0]);
}

function label(one, subject) {
  return act(one, { do: "label", code: subject.code }, () => say("labelled", { name: nameOf(subject) }));
}

function onKey(event) {
  const at = event.target.closest(".case");
  if (!at || event.ctrlKey || event.altKey || event.metaKey) return;
  const one = known(Number(at.dataset.id));
  if (!one) return;
  const key = event.key.toLowerCase();
  if (/^[0-9]$/.test(key)) {
    event.preventDefault();
    typeCode(one, key);
  } else if (key === "arrowdown" || key === "arrowup") {
    event.preventDefault();
    step(at, key === "arrowdown" ? 1 : -1);
  } else if (key === "escape" || key === "backspace") {
    typed = "";
    tell("");
  } else if (key === "h") {
    event.preventDefault();
    act(one, { do: "set_class", class: "half_helped" }, () => say("did_half"));
  } else if (["e", "a", "r", "t"].includes(key)) {
    event.preventDefault();
    const field = { e: "label", a: "note", r: "deadline", t: "receiver" }[key];
    choose(one.id).then(() => $(field).focus());
  }
}

function typeCode(one, key) {
  if (chosen !== one.id) choose(one.id);
  typed += key;
  const subject = byPhone.get(typed);
  if (subject) {
    typed = "";
    label(one, subject);
  } else if (![...byPhone.keys()].some((code) => code.startsWith(typed))) {
    complain(say("no_code", { code: typed }));
    typed = "";
  } else {
    tell(say("code", { code: typed }));
  }
}

function step(at, by) {
  const all = [...document.querySelectorAll("#drafts .case, #promised .case, #recent .case")];
  const next = all[all.indexOf(at) + by];
  if (!next) return;
  next.focus();
  choose(Number(next.dataset.id));
}

function on(form, then) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    if (shown) then(shown);
  });
}

on("label-form", (one) => {
  const subject = subjectOf($("label").value);
  if (subject) label(one, subject).then(() => $("panel-title").focus());
  else complain(say("no_name", { name: $("label").value || say("so") }));
});
on("note-form", (one) => act(one, { do: "note", text: $("note").value }, () => say("did_note")));
on("promise-form", (one) => act(one, { do: "promise", deadline: new Date($("deadline").value).toISOString() }, () => say("did_promise")));
on("feedback-form", (one) => act(one, { do: "feedback", kind: $("kind").value, receiver: $("receiver").value, text: $("said").value }, () => say("did_feedback")));
$("half").addEventListener("click", () => act(shown, { do: "set_class", class: "half_helped" }, () => say("did_half")));
$("whole").addEventListener("click", () => act(shown, { do: "set_class", class: "resolved" }, () => say("did_whole")));
$("over").addEventListener("click", () => act(shown, { do: "hand_over" }, () => say("did_over")));
$("done").addEventListener("click", () => act(shown, { do: "close" }, () => say("did_done")));
$("again").addEventListener("click", () => act(shown, { do: "reopen" }, () => say("did_again")));
document.addEventListener("keydown", onKey);
window.addEventListener("beforeunload", (event) => { if (waiting) event.preventDefault(); });

// News.

let link = "wait";

function showLink() {
  $("link").dataset.state = link;
  const unsaved = waiting ? say("saving", { count: waiting }) : "";
  $("link").textContent = say(link) + unsaved;
}

function listen() {
  const news = new EventSource("/api/cases/news");
  news.addEventListener("open", () => { link = "live"; showLink(); });
  news.addEventListener("cases", refresh);
  news.addEventListener("error", () => {
    link = "lost";
    showLink();
    if (news.readyState === EventSource.CLOSED) setTimeout(listen, ACT_AGAIN_MS);
  });
}

function offerLabels() {
  $("labels").replaceChildren(...departments.flatMap((department) => department.subjects.map((each) => {
    const option = element("option");
    option.value = `${each.phone_code || each.code} ${nameOf(each)}`;
    option.label = nameOf(department);
    return option;
  })));
}

async function begin() {
  try {
    departments = (await ask("/api/labels")).departments;
  } catch (error) {
    complain(error.message);
    setTimeout(begin, ACT_AGAIN_MS);
    return;
  }
  const subjects = departments.flatMap((department) => department.subjects);
  byPhone = new Map(subjects.filter((each) => each.phone_code).map((each) => [each.phone_code, each]));
  offerLabels();
  await refresh();
  listen();
  setInterval(refresh, ASK_AGAIN_MS);
  const first = document.querySelector("#drafts .case");
  if (first) first.focus();
}

$("language").addEventListener("click", switchLanguage);
paint();
begin();
