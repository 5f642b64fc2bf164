// Makes elements, and puts them on the page without disturbing those that have not changed: whoever
// stands on a button, or lets a page be read aloud, is not thrown out because a figure beside it moved.

import { say } from "./board_words.js";

export const $ = (id) => document.getElementById(id);

export function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// One item of a list: what is said, and a button when something may be done.
export function row(key, what, title) {
  const item = element("li");
  item.dataset.key = key;
  const said = element("div", undefined, "said");
  said.append(...what);
  item.append(said);
  if (title) {
    const button = element("button", say("acts"), "act");
    button.type = "button";
    button.dataset.act = key;
    button.setAttribute("aria-label", `${say("acts")}: ${title}`);
    button.setAttribute("aria-haspopup", "dialog");
    item.append(button);
  }
  return item;
}

function mend(old, made) {
  if (old.isEqualNode(made)) return;
  if (old.dataset.key === made.dataset.key && old.querySelector(".act") && made.querySelector(".act")) {
    old.className = made.className;
    const [was, is] = [old.querySelector(".said"), made.querySelector(".said")];
    if (!was.isEqualNode(is)) was.replaceWith(is);
    const [before, now] = [old.querySelector(".act"), made.querySelector(".act")];
    before.textContent = now.textContent;
    before.setAttribute("aria-label", now.getAttribute("aria-label"));
  } else {
    old.replaceWith(made);
  }
}

// Let a list have these items, each with a key of its own, in this order.
export function settle(list, made) {
  const known = new Map([...list.children].map((one) => [one.dataset.key, one]));
  const wanted = new Set(made.map((one) => one.dataset.key));
  const focused = document.activeElement;
  for (const [key, old] of known) if (!wanted.has(key)) old.remove();
  made.forEach((item, at) => {
    const old = known.get(item.dataset.key);
    if (old === undefined) {
      list.insertBefore(item, list.children[at] || null);
      return;
    }
    if (list.children[at] !== old) list.insertBefore(old, list.children[at] || null);
    mend(old, item);
  });
  if (focused === document.activeElement) return;
  // Moved within the list, or gone with its row: then its list's heading is the place to go on from.
  if (list.contains(focused)) focused.focus();
  else if (list.dataset.home) $(list.dataset.home).focus();
}
