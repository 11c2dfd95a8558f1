"use strict";
// Asks for the status again every two seconds, says when it gets none, and filters the rows.
const status = document.getElementById("status");
const stale = document.getElementById("stale");
const filter = document.getElementById("filter");
const found = document.getElementById("found");

// become makes one node like another of its kind. What is the same already is not touched: a
// focus, a selection or what is typed stays, and a screen reader says only what is new. What
// has data-own belongs to the page itself.
function become(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  if ("own" in old.dataset) return;
  for (const {name} of [...old.attributes]) if (name !== "hidden" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const {name, value} of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  becomeWithin(old, fresh);
}

const keyOf = (node) => node.dataset?.key ?? node.id ?? "";

// becomeWithin does so with all that is in it. Rows are found again by their keys, wherever
// they have gone.
function becomeWithin(old, fresh) {
  const keys = new Set([...fresh.children].map(keyOf));
  for (const child of [...old.children]) if (keyOf(child) && !keys.has(keyOf(child))) child.remove();
  const keyed = new Map([...old.children].map((child) => [keyOf(child), child]));
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    let same = keyOf(next) ? keyed.get(keyOf(next)) : at;
    if (same && (same.nodeName !== next.nodeName || keyOf(same) !== keyOf(next))) same = null;
    if (!same) {
      old.insertBefore(next, at);
      continue;
    }
    if (same === at) at = at.nextSibling;
    else old.insertBefore(same, at);
    become(same, next);
  }
  while (at) {
    const rest = at.nextSibling;
    at.remove();
    at = rest;
  }
}

const set = (node, text) => { if (node.textContent !== text) node.textContent = text; };

const hide = (node, hidden) => { if (node.hidden !== hidden) node.hidden = hidden; };

// sift shows the rows in which every word of the search is, and says how many.
function sift() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const counts = [];
  for (const table of status.querySelectorAll("table[data-filter]")) {
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      hide(row, !words.every((word) => text.includes(word)));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    counts.push(`${shown} of ${rows.length} ${table.dataset.filter}`);
    hide(table.nextElementSibling, shown > 0);
  }
  set(found, words.length ? "Shown: " + (counts.join(", ") || "nothing, there are no rows") + "." : "");
}

async function update() {
  const begun = performance.now();
  try {
    const answer = await fetch("status", {cache: "no-store"});
    if (!answer.ok) throw new Error(answer.status);
    const fresh = document.createElement("template");
    fresh.innerHTML = await answer.text();
    const focus = document.activeElement;
    becomeWithin(status, fresh.content);
    if (focus.isConnected && focus !== document.activeElement) focus.focus({preventScroll: true}); // it was moved
    sift();
    set(stale, "");
  } catch (_) {
    set(stale, "no answer, this is old");
  }
  // A page that takes long to make is asked for less often; one that nobody sees, not at all.
  setTimeout(next, Math.max(2000, 20 * (performance.now() - begun)));
}

function next() {
  if (!document.hidden) update();
  else document.addEventListener("visibilitychange", next, {once: true});
}

filter.addEventListener("input", sift);
// Whoever comes to a command by the keyboard can copy it at once.
status.addEventListener("focusin", ({target}) => {
  if (target.matches(".command")) getSelection().selectAllChildren(target);
});
sift(); // what the browser has kept in the field over a reload
setTimeout(next, 2000);
