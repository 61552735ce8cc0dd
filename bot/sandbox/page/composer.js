// Where one writes: slash commands and messages, with a history, quick commands and replies in a thread.
import { el } from "./dom.js";
import { encoded } from "./encode.js";
import { post, whileBusy } from "./server.js";
import { toast } from "./toasts.js";
import { channelOf, channelTitle, workspace } from "./workspace.js";
import { shortcutsFor, useShortcut } from "./shortcuts.js";

const HINT_SEEN = "sandbox-hint-seen";
const QUICK = ["", " list", " help"];

const history = [];
let at = 0;
let draft = "";
let thread = null;
let parts = null;

function grow() {
  parts.input.style.height = "auto";
  parts.input.style.height = `${Math.min(parts.input.scrollHeight, 160)}px`;
}

function write(text) {
  parts.input.value = text;
  parts.input.setSelectionRange(text.length, text.length);
  grow();
}

async function send(text) {
  const words = text.trim();
  if (!words) return;
  if (history.at(-1) !== words) history.push(words);
  at = history.length;
  hideHint();
  const channel = workspace.place;
  if (words.startsWith("/")) {
    if (thread) return void toast(`${words.split(/\s/)[0]} is not supported in threads. Sorry!`);
    write("");
    await whileBusy(parts.send, () => post("/ui/command", { channel, text: words }));
    return;
  }
  write("");
  const reply = thread ? { thread_ts: thread.ts } : {};
  const answer = await whileBusy(parts.send, () => post("/ui/say", { channel, text: encoded(words), ...reply }));
  if (answer?.error && !parts.input.value) write(words);
}

function recall(step) {
  if (at === history.length) draft = parts.input.value;
  const next = at + step;
  if (next < 0 || next > history.length) return false;
  at = next;
  write(at === history.length ? draft : history[at]);
  return true;
}

function pressed(event) {
  if (event.isComposing) return;
  const { selectionStart, value } = parts.input;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    send(value);
  } else if (event.key === "ArrowUp" && !value.slice(0, selectionStart).includes("\n") && recall(-1)) event.preventDefault();
  else if (event.key === "ArrowDown" && !value.slice(selectionStart).includes("\n") && recall(1)) event.preventDefault();
  else if (event.key === "Escape" && thread) leaveThread();
}

function leaveThread() {
  thread = null;
  parts.thread.hidden = true;
}

/** Write the next messages as replies in a thread. */
export function replyTo(channel, ts, name) {
  thread = { channel, ts };
  parts.threadName.textContent = `Replying in ${name ? `${name}'s` : "the"} thread`;
  parts.thread.hidden = false;
  parts.input.focus();
}

function hideHint() {
  parts.hint.hidden = true;
  try {
    localStorage.setItem(HINT_SEEN, "yes");
  } catch {
    // Storage may be switched off: the hint comes again on the next visit.
  }
}

function hintSeen() {
  try {
    return localStorage.getItem(HINT_SEEN) === "yes";
  } catch {
    return false;
  }
}

export function wireComposer() {
  const input = el("textarea", { rows: 1, "data-testid": "composer", spellcheck: "false", onkeydown: pressed, oninput: grow });
  const sendButton = el("button", { type: "button", class: "button primary send", "data-testid": "send", "aria-label": "Send", onclick: () => { send(input.value); input.focus(); } }, "➤");
  const threadName = el("span");
  const threadLine = el("div", { class: "thread-line", hidden: true }, "↳ ", threadName,
    el("button", { type: "button", class: "plain", "aria-label": "Leave the thread", onclick: leaveThread }, "✕"));
  const hintText = el("span");
  const hint = el("div", { id: "hint", role: "note", hidden: hintSeen() }, "👋 ", hintText,
    el("button", { type: "button", class: "plain", "aria-label": "Dismiss the hint", onclick: hideHint }, "✕"));
  const chips = el("div", { class: "chips", role: "group", "aria-label": "Quick commands" });
  parts = { input, send: sendButton, thread: threadLine, threadName, hint, hintText, chips };
  document.getElementById("compose").append(hint, chips, threadLine, el("div", { class: "compose-box" }, input, sendButton));
}

export function drawComposer() {
  const channel = channelOf(workspace.place);
  const { command } = workspace.snapshot;
  const title = channel ? channelTitle(channel) : "";
  if (thread && thread.channel !== workspace.place) leaveThread();
  parts.input.setAttribute("aria-label", `Message ${title}`);
  parts.input.placeholder = `Message ${title} or try ${command}`;
  parts.hintText.textContent = `Type ${command} and press Enter.`;
  if (parts.drawnFor === command) return;
  parts.drawnFor = command;
  parts.chips.replaceChildren(
    ...QUICK.map((words) => el("button", { type: "button", onclick: () => send(command + words) }, command + words)),
    ...shortcutsFor("global").map((shortcut) => el("button", { type: "button", title: "Global shortcut", onclick: () => useShortcut(shortcut) }, `⚡ ${shortcut.name}`)));
}
