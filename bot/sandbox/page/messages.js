// The message list: days, messages with their thread replies beneath them, and what can be done with a message.
import { drawBlocks, numbered } from "./blocks.js";
import { replyTo } from "./composer.js";
import { clockOf, dayOf } from "./dates.js";
import { el, link } from "./dom.js";
import { keepInStep, startOver } from "./keyed.js";
import { menuAt } from "./menu.js";
import { mrkdwn } from "./mrkdwn.js";
import { avatar } from "./people.js";
import { shortcutsFor, useShortcut } from "./shortcuts.js";
import { personOf, workspace } from "./workspace.js";

const NEAR_BOTTOM_PX = 80;

const list = () => document.getElementById("messages");
let shown = null;
let atBottom = true;

/** Each message followed by its replies, oldest first; a reply whose parent isn't here stands by itself. */
function inReadingOrder(messages) {
  const sorted = [...messages].sort((one, other) => Number(one.ts) - Number(other.ts));
  const known = new Set(sorted.map((message) => message.ts));
  const isReply = (message) => message.thread_ts && message.thread_ts !== message.ts && known.has(message.thread_ts);
  return sorted.filter((message) => !isReply(message)).flatMap((parent) => [
    { message: parent, reply: false },
    ...sorted.filter((message) => isReply(message) && message.thread_ts === parent.ts).map((message) => ({ message, reply: true })),
  ]);
}

function fileCard(file) {
  const name = file.title || file.name || "File";
  const address = file.url ?? file.permalink ?? file.url_private;
  const path = typeof address === "string" && address.startsWith("/") && !address.startsWith("//") ? new URL(address, location.href).href : address;
  return el("div", { class: "file" }, "📄 ", link(path, name));
}

function tools(message, channel) {
  const thread = message.thread_ts || message.ts;
  const reply = el("button", { type: "button", title: "Reply in thread", "aria-label": "Reply in thread", onclick: () => replyTo(channel, thread, message.user_name) }, "💬");
  if (!shortcutsFor("message").length) return el("div", { class: "tools" }, reply);
  const more = el("button", { type: "button", title: "More", "aria-label": "Message shortcuts" }, "⋯");
  menuAt(more, () => shortcutsFor("message").map((shortcut) => ({
    label: shortcut.name, choose: () => useShortcut(shortcut, { channel, ts: message.ts }),
  })), "Message shortcuts");
  return el("div", { class: "tools" }, reply, more);
}

function drawMessage({ message, reply }, channel) {
  const body = el("div", { class: "message-body" });
  const surface = { key: `${workspace.as} ${channel} ${message.ts}`, address: { message: { channel, ts: message.ts } } };
  const blocks = numbered(message.blocks);
  surface.blocks = () => blocks;
  if (blocks.length) drawBlocks(body, blocks, surface);
  else body.append(el("div", { class: "words" }, ...mrkdwn(message.text)));
  if (message.edited) body.append(el("small", { class: "edited" }, "(edited)"));
  body.append(...(message.files ?? []).map(fileCard));
  const person = personOf(message.user) ?? { id: message.user, name: message.user_name, kind: message.is_bot ? "bot" : "member" };
  const head = el("div", { class: "message-head" },
    el("strong", {}, message.user_name || person.name), message.is_bot ? el("span", { class: "tag" }, "APP") : null,
    el("time", { datetime: new Date(Number(message.ts) * 1000).toISOString() }, clockOf(message.ts)),
    reply ? el("span", { class: "thread-mark" }, "↳ thread") : null);
  return el("article", {
    class: `message${reply ? " reply" : ""}${message.ephemeral ? " ephemeral" : ""}`, "data-testid": "message", "data-ts": message.ts,
    "aria-label": `${message.user_name || person.name}, ${clockOf(message.ts)}`,
  }, avatar(person), el("div", { class: "message-main" },
    message.ephemeral ? el("p", { class: "only-you" }, "👁 Only visible to you") : null, head, body),
  message.ephemeral ? null : tools(message, channel));
}

function emptyNote() {
  return el("p", { class: "empty" }, `Nothing here yet. Type ${workspace.snapshot.command} and press Enter.`);
}

/** Show a channel's messages; stays at the newest unless the reader has scrolled up. */
export function drawMessages(channel) {
  const parent = list();
  const place = `${workspace.as} ${channel}`;
  const anew = shown !== place;
  if (anew) startOver(parent);
  shown = place;
  if (anew) atBottom = true;
  const entries = inReadingOrder(workspace.snapshot.messages[channel] ?? []);
  const items = [];
  let day = null;
  for (const entry of entries) {
    const its = dayOf(entry.message.ts);
    if (!entry.reply && its !== day) {
      day = its;
      items.push({ key: `day ${its}`, data: its, draw: () => el("div", { class: "day", role: "separator" }, el("span", {}, its)) });
    }
    items.push({ key: `${entry.message.ts} ${Boolean(entry.message.ephemeral)}`, data: entry, draw: () => drawMessage(entry, channel) });
  }
  if (!items.length) items.push({ key: "empty", data: null, draw: emptyNote });
  keepInStep(parent, items);
  if (atBottom) parent.scrollTop = parent.scrollHeight;
}

/** Stay at the newest message when the list changes its size, unless the reader has scrolled up. */
export function wireMessages() {
  const parent = list();
  parent.addEventListener("scroll", () => {
    atBottom = parent.scrollHeight - parent.scrollTop - parent.clientHeight < NEAR_BOTTOM_PX;
  });
  new ResizeObserver(() => { if (atBottom) parent.scrollTop = parent.scrollHeight; }).observe(parent);
}
