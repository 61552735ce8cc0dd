// Block Kit's input elements. Each drawer gets the element and its slot: {labels, raw, change(raw, options), entered()}.
// `raw` is what the server is sent: a string, a list of strings or null. Slack docs: reference/block-kit/block-elements.
import { Combobox } from "./combobox.js";
import { el, freshId } from "./dom.js";
import { plainText, textNodes } from "./mrkdwn.js";
import { optionsFor } from "./options.js";

const COUNTER_FROM = 50; // characters left at which a limited text starts to count them down

function textInput(element, slot) {
  const many = element.multiline === true;
  const input = el(many ? "textarea" : "input", {
    class: "text", ...(many ? { rows: 4 } : { type: "text" }), ...slot.labels, autocomplete: "off",
    placeholder: plainText(element.placeholder) || null,
    oninput: () => { count(); slot.change(input.value || null, null, "on_character_entered"); },
    onkeydown: (event) => {
      if (event.key === "Enter" && !many && slot.entered()) event.preventDefault();
    },
  });
  const counter = el("span", { class: "counter", "aria-live": "polite" });
  const count = () => {
    const left = (element.max_length ?? Infinity) - input.value.length;
    counter.textContent = left <= COUNTER_FROM ? (left < 0 ? `${-left} too many` : `${left} left`) : "";
    counter.classList.toggle("over", left < 0);
  };
  input.value = slot.raw ?? "";
  count();
  return el("div", { class: "text-box" }, input, counter);
}

const NATIVE = {
  number_input: { type: "text", inputmode: "decimal" }, // text: the server must see what isn't a number, to say so
  email_text_input: { type: "text", inputmode: "email" },
  url_text_input: { type: "text", inputmode: "url" },
  datepicker: { type: "date" },
  timepicker: { type: "time" },
};

function nativeInput(element, slot) {
  const input = el("input", {
    class: "text", ...NATIVE[element.type], ...slot.labels, autocomplete: "off", placeholder: plainText(element.placeholder) || null,
    oninput: () => slot.change(input.value || null, null, "on_character_entered"),
    onkeydown: (event) => { if (event.key === "Enter" && slot.entered()) event.preventDefault(); },
  });
  input.value = slot.raw ?? "";
  return input;
}

const pad = (number) => String(number).padStart(2, "0");

function localMoment(seconds) {
  const at = new Date(Number(seconds) * 1000);
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

function momentInput(element, slot) {
  const input = el("input", {
    class: "text", type: "datetime-local", ...slot.labels,
    oninput: () => slot.change(input.value ? String(new Date(input.value).getTime() / 1000) : null),
  });
  if (slot.raw) input.value = localMoment(slot.raw);
  return input;
}

function choices(element, slot) {
  const many = element.type === "checkboxes";
  const name = freshId("choice");
  const { "data-focus": focusKey, id, "aria-label": label, "aria-labelledby": labelledBy, ...described } = slot.labels;
  const raws = new Set(many ? slot.raw ?? [] : [slot.raw]);
  const boxes = (element.options ?? []).map((option) => {
    const box = el("input", { type: many ? "checkbox" : "radio", name, "data-focus": `${focusKey}|${option.value}`, onchange: () => tell() });
    box.value = option.value;
    box.checked = raws.has(option.value);
    const note = option.description ? el("small", {}, ...textNodes(option.description)) : null;
    return { box, option, node: el("label", { class: "choice" }, box, el("span", {}, el("span", {}, ...textNodes(option.text)), note)) };
  });
  const tell = () => {
    const on = boxes.filter(({ box }) => box.checked).map(({ option }) => option);
    slot.change(many ? on.map((option) => option.value) : on[0]?.value ?? null, on);
  };
  return el("div", { class: "choices", role: many ? "group" : "radiogroup", id, "aria-label": label, "aria-labelledby": labelledBy, ...described },
    ...boxes.map(({ node }) => node));
}

function select(element, slot) {
  const many = element.type.startsWith("multi_");
  const combobox = new Combobox({
    element, labels: slot.labels, clearable: slot.optional, ask: slot.ask,
    chosen: slot.options ?? optionsFor(element, slot.raw),
    onChange: (options) => slot.change(many ? options.map((option) => option.value) : options[0]?.value ?? null, options),
  });
  return combobox.node;
}

const DRAWERS = {
  plain_text_input: textInput, datetimepicker: momentInput, radio_buttons: choices, checkboxes: choices,
  ...Object.fromEntries(Object.keys(NATIVE).map((type) => [type, nativeInput])),
  ...Object.fromEntries(["static", "external", "users", "conversations", "channels"]
    .flatMap((kind) => [[`${kind}_select`, select], [`multi_${kind}_select`, select]])),
};

/** The drawer of an element that holds a value, or undefined (buttons and overflow menus hold none). */
export function inputDrawer(type) {
  return DRAWERS[type];
}

const firstGiven = (...values) => values.find((value) => value !== undefined && value !== null) ?? null;

/** What an element holds before anybody has touched it. */
export function initialRaw(element) {
  if (element.initial_options) return element.initial_options.map((option) => option.value);
  const list = firstGiven(element.initial_users, element.initial_conversations, element.initial_channels);
  if (list) return list;
  const one = firstGiven(element.initial_value, element.initial_option?.value, element.initial_date, element.initial_time,
    element.initial_date_time, element.initial_user, element.initial_conversation, element.initial_channel);
  if (one !== null) return String(one);
  return element.type === "checkboxes" || element.type.startsWith("multi_") ? [] : null;
}

/** {raw, options} from an entry of view.state.values, or undefined where there is none. */
export function stateValue(entry) {
  if (!entry || typeof entry !== "object") return undefined;
  if (entry.selected_option) return { raw: entry.selected_option.value, options: [entry.selected_option] };
  if (entry.selected_options) return { raw: entry.selected_options.map((option) => option.value), options: entry.selected_options };
  for (const [name, value] of Object.entries(entry)) {
    if ((name === "value" || name.startsWith("selected_")) && value !== null) {
      return { raw: Array.isArray(value) ? value : String(value), options: null };
    }
  }
  return undefined;
}
