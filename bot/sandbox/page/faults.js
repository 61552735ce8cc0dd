// The drawer in which one breaks things on purpose, to see what the bot says: slow or failing stand-ins.
import { el, freshId } from "./dom.js";
import { ALL_WELL, DIALS } from "./fault_presets.js";
import { keepInStep } from "./keyed.js";
import { post } from "./server.js";
import { workspace } from "./workspace.js";

const SIDES = { datadog: "Datadog", slack: "Slack" };

let asked = Promise.resolve();

const drawer = () => document.getElementById("faults");
const toggle = () => document.getElementById("faults-toggle");
const sideOf = (side) => workspace.snapshot.faults?.[side] ?? {};

/** Send both sides whole; one request after the other, so that none overwrites a newer one. */
function send(faults) {
  if (faults !== ALL_WELL) workspace.snapshot.faults = faults;
  asked = asked.then(() => post("/ui/faults", faults));
  drawFaults();
}

function change(side, dial, choice) {
  send({ slack: sideOf("slack"), datadog: sideOf("datadog"), [side]: dial.put(sideOf(side), choice) });
}

function drawDial(side, dial) {
  const id = freshId("fault");
  const current = dial.current(sideOf(side));
  const select = el("select", { id, class: "text", "data-focus": `${side} ${dial.label}`, onchange: () => change(side, dial, Number(select.value)) },
    ...dial.choices.map((words, at) => el("option", { value: at, selected: at === current }, words)),
    current < 0 ? el("option", { value: -1, selected: true, disabled: true }, "something else") : null);
  return el("div", { class: current === 0 ? "fault" : "fault on" }, el("label", { for: id }, dial.label), select);
}

function part(side) {
  return DIALS[side].map((dial) => ({ key: `${side} ${dial.label}`, data: dial.current(sideOf(side)), draw: () => drawDial(side, dial) }));
}

export function drawFaults() {
  const on = Object.keys(SIDES).flatMap((side) => DIALS[side].filter((dial) => dial.current(sideOf(side)) !== 0)).length;
  toggle().replaceChildren(el("span", { "aria-hidden": "true" }, "⚠ "), "Faults", on ? el("span", { class: "badge", "aria-label": `${on} on` }, String(on)) : "");
  const sides = Object.keys(SIDES).filter((side) => Object.keys(sideOf(side)).length);
  const groups = sides.map((side) => ({
    key: side, data: null, draw: () => el("div", { role: "group", "aria-label": SIDES[side] }, el("h3", {}, SIDES[side]), el("div", { class: "dials" })),
  }));
  keepInStep(drawer(), [
    { key: "head", data: null, draw: () => el("div", { class: "faults-head" }, el("h2", {}, "Faults"),
      el("button", { type: "button", class: "plain", "aria-label": "Hide the faults", onclick: () => openFaults(false) }, "✕")) },
    { key: "words", data: null, draw: () => el("p", { class: "hint" }, "Break something, then use the bot: each failure should tell you what happened and what to do next.") },
    ...groups,
    { key: "clear", data: on > 0, draw: () => el("button", { type: "button", class: "button", "data-focus": "clear", disabled: on === 0, onclick: () => send(ALL_WELL) }, "All well again") },
  ]);
  for (const side of sides) keepInStep(drawer().querySelector(`[aria-label=${SIDES[side]}] .dials`), part(side));
}

function openFaults(open) {
  drawer().hidden = !open;
  toggle().setAttribute("aria-expanded", String(open));
  if (open) drawer().querySelector("select")?.focus();
  else toggle().focus();
}

export function wireFaults() {
  toggle().addEventListener("click", () => openFaults(drawer().hidden));
  drawer().addEventListener("keydown", (event) => { if (event.key === "Escape") openFaults(false); });
}
