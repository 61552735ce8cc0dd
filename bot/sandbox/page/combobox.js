// Every select menu: a searchable combobox for one or several options, by keyboard too.
// ARIA pattern: "Editable Combobox With List Autocomplete".
import { el, freshId } from "./dom.js";
import { plainText } from "./mrkdwn.js";
import { findOptions } from "./options.js";
import { popUp } from "./popup.js";

const TYPING_PAUSE_MS = 200;
const DEFAULT_MIN_QUERY_LENGTH = 3; // Slack docs: reference/block-kit/block-elements/select-menu-element, external

/** `chosen`: option objects. `ask(query)` fetches an external select's options; `onChange(options)` tells the choice. */
export class Combobox {
  constructor({ element, chosen, clearable, labels, ask, onChange }) {
    this.element = element;
    this.multiple = element.type.startsWith("multi_");
    this.chosen = chosen;
    this.ask = ask;
    this.onChange = onChange;
    this.clearable = clearable;
    this.active = -1;
    this.asked = 0;
    this.listId = freshId("list");
    this.input = el("input", {
      type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", "aria-autocomplete": "list",
      "aria-expanded": "false", "aria-haspopup": "listbox", "aria-controls": this.listId, ...labels,
      oninput: () => this.typed(), onkeydown: (event) => this.pressed(event), onclick: () => this.open(),
      onfocus: () => this.input.select(), onblur: () => this.left(),
    });
    this.clear = el("button", { type: "button", class: "combo-clear", tabindex: "-1", "aria-label": "Clear choice", onclick: () => { this.choose(null); this.input.focus(); } }, "✕");
    this.node = el("div", { class: this.multiple ? "combo multiple" : "combo", onclick: (event) => { if (event.target === this.node) this.input.focus(); } },
      this.input, this.clear, el("span", { class: "combo-arrow", "aria-hidden": "true" }));
    this.show();
  }

  get external() { return this.element.type.endsWith("external_select"); }

  show() {
    this.node.querySelectorAll(".combo-chip").forEach((chip) => chip.remove());
    if (this.multiple) {
      this.input.before(...this.chosen.map((option) => this.chip(option)));
      this.input.value = "";
    } else this.input.value = plainText(this.chosen[0]?.text);
    this.input.placeholder = this.multiple && this.chosen.length ? "" : plainText(this.element.placeholder) || "Choose…";
    this.clear.hidden = this.multiple || !this.clearable || !this.chosen.length;
  }

  chip(option) {
    const label = plainText(option.text);
    const remove = el("button", { type: "button", "aria-label": `Remove ${label}`, onclick: () => this.choose(option) }, "✕");
    return el("span", { class: "combo-chip" }, label, remove);
  }

  open() {
    if (this.takeAway) return;
    this.list = el("div", { class: "listbox", role: "listbox", id: this.listId, "aria-multiselectable": this.multiple ? "true" : null,
      "aria-label": this.input.getAttribute("aria-label") ?? "Options", onpointerdown: (event) => event.preventDefault() });
    this.takeAway = popUp(this.list, this.node, () => this.close(), { matchWidth: true });
    this.input.setAttribute("aria-expanded", "true");
    this.search("");
  }

  close() {
    if (!this.takeAway) return;
    clearTimeout(this.pause);
    this.asked += 1;
    this.takeAway();
    this.takeAway = null;
    this.active = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  left() {
    this.close();
    this.show();
  }

  typed() {
    this.open();
    clearTimeout(this.pause);
    if (!this.external) return void this.search(this.input.value);
    this.asked += 1;
    this.pause = setTimeout(() => this.search(this.input.value), TYPING_PAUSE_MS);
  }

  async search(query) {
    const fewest = this.element.min_query_length ?? DEFAULT_MIN_QUERY_LENGTH;
    if (this.external && query.length < fewest) {
      return this.say(`Type at least ${fewest} character${fewest === 1 ? "" : "s"} to search.`);
    }
    const mine = (this.asked += 1);
    if (this.external && !this.list.querySelector("[role=option]")) this.say("Loading…");
    const found = await findOptions(this.element, query, this.ask);
    if (mine !== this.asked || !this.takeAway) return undefined;
    if (found.error) return this.say(`Options couldn't be loaded: ${found.error}`);
    return this.fill(found.groups, query);
  }

  say(text) {
    this.active = -1;
    this.input.removeAttribute("aria-activedescendant");
    this.list.replaceChildren(el("div", { class: "listbox-note", role: "status" }, text));
  }

  fill(groups, query) {
    const full = groups.filter((group) => group.options.length);
    if (!full.length) return this.say("No matches.");
    this.list.replaceChildren(...full.flatMap((group) => {
      const options = group.options.map((option) => this.drawOption(option));
      if (!group.label) return options;
      return [el("div", { role: "group", "aria-label": group.label }, el("div", { class: "listbox-group", "aria-hidden": "true" }, group.label), ...options)];
    }));
    const selected = this.options().findIndex((node) => node.getAttribute("aria-selected") === "true");
    return this.point(selected >= 0 ? selected : query ? 0 : -1);
  }

  drawOption(option) {
    const selected = this.chosen.some((one) => one.value === option.value);
    const nameId = freshId("option-name");
    const node = el("div", { role: "option", id: freshId("option"), "aria-selected": String(selected), "aria-labelledby": nameId, onclick: () => this.choose(option) },
      el("span", { id: nameId }, plainText(option.text)), option.description ? el("small", {}, plainText(option.description)) : null);
    node.option = option;
    return node;
  }

  options() { return [...this.list.querySelectorAll("[role=option]")]; }

  point(index) {
    const options = this.options();
    this.active = options.length ? Math.max(-1, Math.min(index, options.length - 1)) : -1;
    options.forEach((node, at) => node.classList.toggle("active", at === this.active));
    const node = options[this.active];
    if (!node) return this.input.removeAttribute("aria-activedescendant");
    node.scrollIntoView({ block: "nearest" });
    return this.input.setAttribute("aria-activedescendant", node.id);
  }

  choose(option) {
    if (!option) this.chosen = [];
    else if (!this.multiple) this.chosen = [option];
    else if (this.chosen.some((one) => one.value === option.value)) this.chosen = this.chosen.filter((one) => one.value !== option.value);
    else if (!this.element.max_selected_items || this.chosen.length < this.element.max_selected_items) this.chosen = [...this.chosen, option];
    this.close();
    this.show();
    this.onChange(this.chosen);
  }

  pressed(event) {
    const open = Boolean(this.takeAway);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) this.open();
      else this.point(event.key === "ArrowDown" ? this.active + 1 : Math.max(0, this.active - 1));
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!open) this.open();
      else if (this.options()[this.active]) this.choose(this.options()[this.active].option);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      event.stopPropagation();
      this.left();
    } else if (event.key === "Backspace" && this.multiple && !this.input.value && this.chosen.length) {
      this.choose(this.chosen.at(-1));
    } else if (event.key === "Tab") this.close();
  }
}
