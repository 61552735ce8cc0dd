// A dialog over the workspace: the focus stays inside, Esc closes, and the workspace beneath is inert.
// The bar at the top stays usable: it belongs to the sandbox (who acts, faults), not to the workspace.
import { el } from "./dom.js";

const FOCUSABLE = 'button, [href], input, select, textarea, [tabindex]:not([tabindex="-1"])';
const stack = [];

const layer = () => document.getElementById("modals");

function restack() {
  document.getElementById("workspace").inert = stack.length > 0;
  stack.forEach(({ scrim }, index) => { scrim.hidden = index < stack.length - 1; });
}

function keepFocusInside(event, box) {
  const items = [...box.querySelectorAll(FOCUSABLE)].filter((item) => !item.disabled && item.offsetParent);
  const first = items[0] ?? box;
  const last = items.at(-1) ?? box;
  const active = document.activeElement;
  if (event.shiftKey && (active === first || active === box)) {
    event.preventDefault();
    last.focus();
  } else if (!event.shiftKey && active === last) {
    event.preventDefault();
    first.focus();
  }
}

/** Put `box` (a role=dialog element) on top. Returns a function that takes it away and gives the focus back. */
export function openDialog(box, onEscape) {
  const scrim = el("div", { class: "scrim" }, box);
  const entry = { scrim, cameFrom: document.activeElement };
  box.setAttribute("tabindex", "-1");
  scrim.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      onEscape();
    } else if (event.key === "Tab") keepFocusInside(event, box);
  });
  layer().append(scrim);
  stack.push(entry);
  restack();
  box.focus({ preventScroll: true });
  return () => {
    const hadFocus = scrim.contains(document.activeElement) || document.activeElement === document.body;
    scrim.remove();
    stack.splice(stack.indexOf(entry), 1);
    restack();
    if (!hadFocus) return;
    const below = stack.at(-1)?.scrim.querySelector("[role=dialog]");
    const target = below && !below.contains(entry.cameFrom) ? below : entry.cameFrom;
    (target?.isConnected ? target : document.querySelector("[data-testid=composer]"))?.focus({ preventScroll: true });
  };
}

/** Slack's confirm object as a question; resolves to true or false. */
export function confirmed(question, plainText, textNodes) {
  if (!question) return Promise.resolve(true);
  return new Promise((resolve) => {
    let close = null;
    const answer = (yes) => { close(); resolve(yes); };
    const style = question.style === "danger" ? "danger" : "primary";
    const yes = el("button", { type: "button", class: `button ${style}`, onclick: () => answer(true) },
      plainText(question.confirm) || "Yes");
    const box = el("div", { class: "modal small", role: "alertdialog", "aria-modal": "true", "aria-label": plainText(question.title) || "Are you sure?" },
      el("div", { class: "modal-head" }, el("h2", {}, plainText(question.title) || "Are you sure?")),
      el("div", { class: "modal-body" }, ...textNodes(question.text)),
      el("div", { class: "modal-foot" },
        el("button", { type: "button", class: "button", onclick: () => answer(false) }, plainText(question.deny) || "Cancel"), yes));
    close = openDialog(box, () => answer(false));
    yes.focus();
  });
}
