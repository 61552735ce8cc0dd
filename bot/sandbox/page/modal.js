// The app's modals: a stack of views, the newest on top, drawn again in place when the app updates one.
import { drawBlocks, numbered, showError } from "./blocks.js";
import { fieldsOf } from "./controls.js";
import { openDialog } from "./dialog.js";
import { el, freshId } from "./dom.js";
import { plainText } from "./mrkdwn.js";
import { post, whileBusy } from "./server.js";
import { forget, keepOnly, valuesOf } from "./values.js";

const FIRST_FIELD = ".field input, .field textarea, .modal-body button, .modal-body input";

const open = new Map();

class Modal {
  constructor(view) {
    this.id = view.id;
    this.errors = {};
    this.surface = { key: view.id, address: { view_id: view.id }, blocks: () => this.blocks };
    this.title = el("h2", { id: freshId("modal-title") });
    this.body = el("div", { class: "modal-body" });
    this.note = el("p", { class: "modal-note", role: "alert", hidden: true });
    this.closeButton = el("button", { type: "button", class: "button", "data-testid": "modal-close", onclick: () => this.close() });
    this.submitButton = el("button", { type: "submit", class: "button primary", "data-testid": "modal-submit" });
    const dismiss = el("button", { type: "button", class: "plain dismiss", "aria-label": "Dismiss", onclick: () => this.close({ all: true }) }, "✕");
    this.box = el("form", {
      class: "modal", role: "dialog", "aria-modal": "true", "aria-labelledby": this.title.id, "data-testid": "modal", novalidate: true,
      onsubmit: (event) => { event.preventDefault(); this.submit(); },
    }, el("div", { class: "modal-head" }, this.title, dismiss), this.body, this.note, el("div", { class: "modal-foot" }, this.closeButton, this.submitButton));
    this.takeAway = openDialog(this.box, () => this.close());
  }

  draw(view) {
    const asEmpty = !this.body.querySelector(".field");
    this.blocks = numbered(view.blocks);
    this.surface.state = view.state?.values;
    this.title.textContent = plainText(view.title);
    this.closeButton.textContent = plainText(view.close) || (view.submit ? "Cancel" : "Close");
    this.submitLabel = plainText(view.submit) || "Submit";
    this.submitButton.hidden = !view.submit;
    if (!this.submitButton.hasAttribute("aria-busy")) this.submitButton.textContent = this.submitLabel;
    keepOnly(this.surface.key, fieldsOf(this.blocks));
    drawBlocks(this.body, this.blocks, this.surface);
    this.followErrors(view.errors ?? {});
    const active = document.activeElement;
    if (asEmpty && (active === this.box || active === document.body)) this.box.querySelector(FIRST_FIELD)?.focus();
  }

  /** Take over what changed in the snapshot's errors: neither the focus moves, nor does a mended field's error return. */
  followErrors(errors) {
    for (const field of this.body.querySelectorAll(".field")) {
      const { block } = field.dataset;
      if (errors[block] !== this.errors[block]) showError(field, errors[block]);
    }
    this.errors = errors;
  }

  /** Show the errors of a refused submission, and go to the first. */
  showErrors(errors) {
    this.errors = errors;
    const fields = [...this.body.querySelectorAll(".field")];
    fields.forEach((field) => showError(field, errors[field.dataset.block]));
    const wrong = fields.find((field) => errors[field.dataset.block]);
    wrong?.scrollIntoView({ block: "nearest" });
    wrong?.querySelector("input, textarea")?.focus();
    const homeless = Object.keys(errors).filter((block) => !fields.some((field) => field.dataset.block === block));
    this.say(homeless.map((block) => errors[block]).join(" "));
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  async submit() {
    if (this.submitButton.hidden) return;
    this.say("");
    await whileBusy(this.submitButton, async () => {
      this.submitButton.textContent = "Working…";
      const answer = await post("/ui/submit", { view_id: this.id, values: valuesOf(this.surface.key, fieldsOf(this.blocks)) });
      if (answer.errors) this.showErrors(answer.errors);
      else if (answer.ok === false) this.say("The app didn't answer. What you typed is still here: try again.");
      else if (answer.error) this.say(answer.error);
      else this.showErrors({});
    });
    this.submitButton.textContent = this.submitLabel;
  }

  /** Close this view; with `all`, as Slack's × does, every view of the stack. */
  async close(more = {}) {
    await whileBusy(this.closeButton, () => post("/ui/close", { view_id: this.id, ...more }));
  }
}

/** Bring the open dialogs in step with the snapshot's stack of views, bottom to top. */
export function drawModals(views) {
  const stack = views ?? [];
  for (const [id, modal] of [...open].reverse()) {
    if (stack.some((view) => view.id === id)) continue;
    modal.takeAway();
    open.delete(id);
    forget(id);
  }
  for (const view of stack) {
    if (!open.has(view.id)) open.set(view.id, new Modal(view));
    open.get(view.id).draw(view);
  }
}

/** Another person acts: their modals are others. What was typed is kept for when this one comes back. */
export function putModalsAside() {
  for (const modal of [...open.values()].reverse()) modal.takeAway();
  open.clear();
}
