// Short notices at the edge of the page: the workspace's own ("/workflow failed because …") and the page's.
import { el } from "./dom.js";

const SHOWN_FOR_MS = 9000;
const AT_MOST = 4;

const seen = new Map();
const region = () => document.getElementById("toasts");

export function toast(text) {
  const note = el("div", { class: "toast", "data-testid": "toast" }, el("span", {}, text));
  note.append(el("button", { type: "button", "aria-label": "Dismiss this notice", onclick: () => note.remove() }, "✕"));
  region().append(note);
  while (region().childElementCount > AT_MOST) region().firstElementChild.remove();
  let timer = setTimeout(() => note.remove(), SHOWN_FOR_MS);
  note.addEventListener("pointerenter", () => clearTimeout(timer));
  note.addEventListener("pointerleave", () => { timer = setTimeout(() => note.remove(), SHOWN_FOR_MS); });
}

/** Show the snapshot's toasts, each once; what was there before this page first looked is old news. */
export function showToasts(person, toasts) {
  const known = seen.get(person);
  for (const { id, text } of toasts ?? []) if (known && !known.has(id)) toast(text);
  seen.set(person, new Set((toasts ?? []).map(({ id }) => id)));
}
