// One element in its place: joins a drawn element to its kept value, its accessible name and the server.
import { confirmed } from "./dialog.js";
import { el, webUrl } from "./dom.js";
import { initialRaw, inputDrawer, stateValue } from "./elements.js";
import { menuAt } from "./menu.js";
import { plainText, textNodes } from "./mrkdwn.js";
import { post, whileBusy } from "./server.js";
import { isTold, keepValue, markTold, valueOf } from "./values.js";

const TYPING_PAUSE_MS = 400;

/** Let the server know the value of an input that doesn't dispatch: it reaches the app with the next action. */
function tell(surface, block, element) {
  markTold(surface.key, block.block_id, element.action_id);
  const { raw } = valueOf(surface.key, block.block_id, element.action_id);
  return post("/ui/action", { ...surface.address, block_id: block.block_id, action_id: element.action_id, value: raw });
}

/**
 * Tell the app of a press or a choice. What was typed elsewhere on the surface is told first, since Slack's payload
 * carries the whole state; the server keeps a plain input's value to itself.
 */
async function act(surface, block, element, value) {
  const untold = surface.blocks().filter((other) => other.type === "input" && !other.dispatch_action
    && other.block_id !== block.block_id && !isTold(surface.key, other.block_id, other.element.action_id));
  await Promise.all(untold.map((other) => tell(surface, other, other.element)));
  markTold(surface.key, block.block_id, element.action_id);
  return post("/ui/action", { ...surface.address, block_id: block.block_id, action_id: element.action_id, value });
}

function button(surface, block, element) {
  const style = ["primary", "danger"].includes(element.style) ? ` ${element.style}` : "";
  const node = el("button", {
    type: "button", class: `button${style}`, "aria-label": element.accessibility_label,
    "data-focus": `${block.block_id}|${element.action_id}`,
    onclick: async () => {
      if (!(await confirmed(element.confirm, plainText, textNodes))) return;
      const href = webUrl(element.url);
      if (href) window.open(href, "_blank", "noopener,noreferrer");
      await whileBusy(node, () => act(surface, block, element, element.value ?? null));
    },
  }, plainText(element.text), element.url ? el("span", { "aria-hidden": "true" }, " ↗") : null);
  return node;
}

function overflow(surface, block, element) {
  const node = el("button", { type: "button", class: "button more", "aria-label": "More actions", "data-focus": `${block.block_id}|${element.action_id}` }, "⋯");
  const choose = async (option) => {
    if (!(await confirmed(element.confirm, plainText, textNodes))) return;
    const href = webUrl(option.url);
    if (href) window.open(href, "_blank", "noopener,noreferrer");
    await whileBusy(node, () => act(surface, block, element, option.value));
  };
  menuAt(node, () => (element.options ?? []).map((option) => ({
    label: plainText(option.text), note: plainText(option.description), choose: () => choose(option),
  })), "More actions");
  return node;
}

function startingValue(surface, block, element) {
  const kept = valueOf(surface.key, block.block_id, element.action_id);
  if (kept) return kept;
  const value = stateValue(surface.state?.[block.block_id]?.[element.action_id]) ?? { raw: initialRaw(element), options: null };
  keepValue(surface.key, block.block_id, element.action_id, value);
  return value;
}

/** When an element in an input block tells the app of a change; elsewhere every choice does. */
function dispatches(inInput, block, element, cause) {
  if (!inInput) return cause !== "on_character_entered" || element.dispatch_action_config?.trigger_actions_on?.includes(cause);
  if (!block.dispatch_action) return false;
  const causes = element.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  return cause === "choice" || causes.includes(cause);
}

function field(surface, block, element, { labels, inInput, onTouched }) {
  const { raw, options } = startingValue(surface, block, element);
  let pause = null;
  const current = () => valueOf(surface.key, block.block_id, element.action_id).raw;
  const send = async () => {
    clearTimeout(pause);
    if (!(await confirmed(element.confirm, plainText, textNodes))) return;
    node.setAttribute("aria-busy", "true");
    await act(surface, block, element, current());
    node.removeAttribute("aria-busy");
  };
  const slot = {
    raw, options, optional: block.optional === true,
    labels: { "data-focus": `${block.block_id}|${element.action_id}`, ...labels },
    change(value, chosen, cause = "choice") {
      keepValue(surface.key, block.block_id, element.action_id, { raw: value, options: chosen, told: false });
      onTouched?.();
      if (!dispatches(inInput, block, element, cause)) {
        // At once, while the server still holds the list that the choice was made from.
        if (element.type.endsWith("external_select")) tell(surface, block, element);
        return;
      }
      clearTimeout(pause);
      if (cause === "choice") send();
      else pause = setTimeout(send, TYPING_PAUSE_MS);
    },
    entered() {
      if (!dispatches(inInput, block, element, "on_enter_pressed")) return false;
      send();
      return true;
    },
    ask: (query) => post("/ui/options", { ...surface.address, block_id: block.block_id, action_id: element.action_id, query }),
  };
  const node = inputDrawer(element.type)(element, slot);
  return node;
}

/** Draw an element. `labels` are the aria attributes that name it; without them its placeholder does. */
export function control(surface, block, element, { labels, inInput = false, onTouched } = {}) {
  if (element.type === "button") return button(surface, block, element);
  if (element.type === "overflow") return overflow(surface, block, element);
  if (element.type === "image") return null;
  if (!inputDrawer(element.type)) return el("span", { class: "unknown" }, `element type ${element.type} isn't drawn here`);
  const name = plainText(element.placeholder) || element.type.replaceAll("_", " ");
  return field(surface, block, element, { labels: labels ?? { "aria-label": name }, inInput, onTouched });
}

/** [block_id, action_id] of every element of a view that holds a value. */
export function fieldsOf(blocks) {
  return blocks.flatMap((block) => [block.element, block.accessory, ...(block.type === "actions" ? block.elements ?? [] : [])]
    .filter((element) => element && inputDrawer(element.type))
    .map((element) => [block.block_id, element.action_id]));
}
