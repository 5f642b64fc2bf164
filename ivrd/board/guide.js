"use strict";

// The guide's page. The server has the truth: after each piece of news the lists are asked for
// again. An act carries an id of its own and is sent until it is answered, so that a lost
// connection loses nothing, and nothing is done twice.

const $ = (id) => document.getElementById(id);
const ACT_AGAIN_MS = 2000;
const ASK_AGAIN_MS = 15000;
const PROMISE_DAYS_MAX = 90;
const CLASSES = { resolved: "löst", half_helped: "halvt hjälpt", contact: "kopplad vidare" };
const STATES = { draft: "utkast", open: "öppet", handed_over: "överlämnat", closed: "stängt" };
const CLUES = {
  transfer: "kopplat till", choice: "knappval", caller: "ringt om förut", line: "linjen",
  guide: "du nyss", queue: "kön",
};
const WHAT = {
  opened: "öppnades", label: "etikett", note: "anteckning", set_class: "klass", promise: "löfte",
  feedback: "tyck till", hand_over: "lämnades över", tell_status: "besked", close: "stängdes",
  reopen: "togs upp igen",
};
const KINDS = { complaint: "Klagomål", praise: "Beröm", idea: "Förslag" };

let mine = { drafts: [], promised: [], recent: [] };
let departments = [];
let byPhone = new Map();
let chosen = null;
let typed = "";
let waiting = 0;
let asking = false;
let askAgain = false;

// Words.

const time = (text) => new Date(text).toLocaleString("sv-SE", { dateStyle: "short", timeStyle: "short" });
const clock = (text) => new Date(text).toLocaleTimeString("sv-SE", { hour: "2-digit", minute: "2-digit" });

function local(moment) {
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function titleOf(one) {
  const about = one.label_sv || (one.state === "draft" ? "Utan etikett" : CLASSES[one.class]);
  return `${clock(one.answered_at)} ${about}`;
}

function linesOf(one) {
  const said = [`${one.line || "okänd linje"}, kö ${one.queue}, ${CLASSES[one.class]}, ${STATES[one.state]}`];
  if (one.linked_case_id) said.push(`Hör ihop med ärende ${one.linked_case_id}`);
  if (one.external_status) said.push(`Förvaltningen: ${one.external_status}`);
  if (one.note) said.push(one.note.slice(0, 80));
  return said;
}

// The server.

async function ask(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  if (answer.status === 401) location.assign("/login?next=/guide");
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return answer.json();
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
      if (answer !== null && answer.status < 500 && answer.status !== 429) {
        const said = await answer.json();
        if (answer.ok) learn(said);
        if (answer.status === 409) learn(said.case);
        if (answer.ok) tell(done);
        else if (answer.status === 409) complain("Någon annan hann före. Ärendet visas nu som det är; gör om om det behövs.");
        else complain(`Inte gjort: ${said.detail}`);
        break;
      }
      complain("Inte sparat än. Det görs om tills det går; stäng inte sidan.");
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
    made.append(element("span", `Ring upp senast ${time(one.deadline)}${late ? " – försenat" : ""}`, late ? "late" : ""));
  }
  for (const each of one.suggestions || []) {
    const row = element("span", undefined, "keys");
    const why = each.because.map((clue) => CLUES[clue]).join(", ");
    row.append(element("b", each.phone_code || "–"), ` ${each.name_sv} (${why})`);
    made.append(row);
  }
  made.addEventListener("click", () => choose(one.id));
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
  $("who").textContent = mine.agent === null ? "Den här nyckeln hör inte till någon som svarar i telefon." : mine.agent;
  $("count").textContent = `(${mine.drafts.length})`;
  $("none").hidden = mine.drafts.length > 0;
  document.title = `${mine.drafts.length ? `(${mine.drafts.length}) ` : ""}Mina ärenden · ivrd`;
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
  $("panel-title").textContent = `Ärende ${one.id}: ${titleOf(one)}`;
  const facts = [
    ["Läge", STATES[one.state]], ["Klass", CLASSES[one.class]], ["Etikett", one.label_sv || "saknas"],
    ["Förvaltning", one.department_sv || "okänd"], ["Linje", one.line || "okänd"], ["Samtalet", time(one.answered_at)],
    ["Nummer", one.caller ? `dolt, kännetecken ${one.caller}` : "okänt"],
  ];
  if (one.deadline) facts.push(["Ring upp senast", time(one.deadline)]);
  if (one.feedback) facts.push([KINDS[one.feedback.kind], `${one.feedback.text} (till ${one.feedback.receiver})`]);
  if (one.external_id) facts.push(["Hos förvaltningen", `${one.external_id} ${one.external_status || ""}`]);
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
  const earlier = story.earlier.map((each) => element("li", `${time(each.answered_at)} ${each.label_sv || "utan etikett"}, ${STATES[each.state]}`));
  $("earlier").replaceChildren(...(earlier.length ? earlier : [element("li", "Inget.")]));
  $("history").replaceChildren(...story.changes.map((each) => element("li", `${time(each.at)} ${WHAT[each.what] || each.what}, ${each.who} (${each.origin})`)));
}

// Acts.

function subjectOf(text) {
  const wanted = text.trim().toLowerCase();
  const all = departments.flatMap((department) => department.subjects);
  return all.find((each) => [each.phone_code, each.code, each.name_sv.toLowerCase()].includes(wanted) && wanted)
    || byPhone.get(wanted.split(" ")[0]);
}

function label(one, subject) {
  return act(one, { do: "label", code: subject.code }, `Märkt: ${subject.name_sv}.`);
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
    act(one, { do: "set_class", class: "half_helped" }, "Halvt hjälpt.");
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
    complain(`Ingen etikett har koden ${typed}.`);
    typed = "";
  } else {
    tell(`Kod ${typed} …`);
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
  else complain(`Ingen etikett heter ${$("label").value || "så"}. Välj ur listan.`);
});
on("note-form", (one) => act(one, { do: "note", text: $("note").value }, "Anteckningen är sparad."));
on("promise-form", (one) => act(one, { do: "promise", deadline: new Date($("deadline").value).toISOString() }, "Löftet är sparat."));
on("feedback-form", (one) => act(one, { do: "feedback", kind: $("kind").value, receiver: $("receiver").value, text: $("said").value }, "Tyck till är sparat."));
$("half").addEventListener("click", () => act(shown, { do: "set_class", class: "half_helped" }, "Halvt hjälpt."));
$("whole").addEventListener("click", () => act(shown, { do: "set_class", class: "resolved" }, "Löst."));
$("over").addEventListener("click", () => act(shown, { do: "hand_over" }, "Lämnat över."));
$("done").addEventListener("click", () => act(shown, { do: "close" }, "Stängt."));
$("again").addEventListener("click", () => act(shown, { do: "reopen" }, "Taget upp igen."));
document.addEventListener("keydown", onKey);
window.addEventListener("beforeunload", (event) => { if (waiting) event.preventDefault(); });

// News.

let isLinked = false;

function showLink() {
  $("link").dataset.state = isLinked ? "live" : "lost";
  const unsaved = waiting ? ` ${waiting} sparas …` : "";
  $("link").textContent = (isLinked ? "Ansluten: nya ärenden kommer av sig själva." : "Ingen förbindelse. Sidan visar hur det var; den försöker igen.") + unsaved;
}

function listen() {
  const news = new EventSource("/api/cases/news");
  news.addEventListener("open", () => { isLinked = true; showLink(); });
  news.addEventListener("cases", refresh);
  news.addEventListener("error", () => {
    isLinked = false;
    showLink();
    if (news.readyState === EventSource.CLOSED) setTimeout(listen, ACT_AGAIN_MS);
  });
}

async function begin() {
  try {
    departments = (await ask("/api/labels")).departments;
  } catch (error) {
    complain(error.message);
    setTimeout(begin, ACT_AGAIN_MS);
    return;
  }
  const subjects = departments.flatMap((department) => department.subjects.map((each) => ({ ...each, department })));
  byPhone = new Map(subjects.filter((each) => each.phone_code).map((each) => [each.phone_code, each]));
  $("labels").replaceChildren(...subjects.map((each) => {
    const option = element("option");
    option.value = `${each.phone_code || each.code} ${each.name_sv}`;
    option.label = each.department.name_sv;
    return option;
  }));
  await refresh();
  listen();
  setInterval(refresh, ASK_AGAIN_MS);
  const first = document.querySelector("#drafts .case");
  if (first) first.focus();
}

begin();
