// Slack's mrkdwn as DOM nodes. Slack docs: messaging/formatting-message-text.
// Order matters: code first (nothing inside it is formatted), then <…>, then styles, then emoji and the three entities.
import { dateText } from "./dates.js";
import { el, link, webUrl } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { channelOf, personOf } from "./workspace.js";

const BROADCASTS = new Set(["here", "channel", "everyone"]);
const STYLES = { "*": "strong", _: "em", "~": "del" };
const INLINE = /`([^`\n]+)`|<([^<>\n]+)>|(?<![\p{L}\p{N}*_~])([*_~])(?=\S)([^\n]*?\S)\3(?![\p{L}\p{N}])/u;

/** Slack escapes only & < >, so only those come back. */
export function unescape(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

export function userMention(id, label) {
  const person = personOf(id);
  return el("span", { class: "mention" }, `@${person?.real_name ?? person?.name ?? label ?? id}`);
}

export function channelMention(id, label) {
  return el("span", { class: "mention" }, `#${channelOf(id)?.name ?? label ?? id}`);
}

export function broadcastMention(range) {
  return el("span", { class: "mention broadcast" }, `@${range}`);
}

function special(inside) {
  const [command, label] = splitLabel(inside.slice(1));
  if (BROADCASTS.has(command)) return broadcastMention(command);
  if (command.startsWith("subteam^")) return el("span", { class: "mention" }, label ?? `@${command.split("^")[1]}`);
  if (command.startsWith("date^")) {
    const [, seconds, format, address] = command.split("^");
    const text = dateText(seconds, format ?? "") ?? label ?? "";
    const time = el("time", { title: dateText(seconds, "{date_long} {time_secs}") }, text);
    return address ? link(address, time) : time;
  }
  return `<${unescape(inside)}>`;
}

function splitLabel(text) {
  const bar = text.indexOf("|");
  return bar < 0 ? [text, undefined] : [text.slice(0, bar), unescape(text.slice(bar + 1))];
}

function angle(inside) {
  if (inside.startsWith("!")) return special(inside);
  const [target, label] = splitLabel(inside);
  if (/^@[UWB][A-Z0-9_]+$/.test(target)) return userMention(target.slice(1), label);
  if (/^#[CGD][A-Z0-9_]+$/.test(target)) return channelMention(target.slice(1), label);
  const address = unescape(target);
  if (webUrl(address)) return link(address, label ?? address);
  if (address.startsWith("mailto:")) return label ?? address.slice("mailto:".length);
  return `<${unescape(inside)}>`;
}

function inline(text) {
  const nodes = [];
  let rest = text;
  for (let found = INLINE.exec(rest); found; found = INLINE.exec(rest)) {
    if (found.index) nodes.push(unescape(withEmoji(rest.slice(0, found.index))));
    if (found[1] !== undefined) nodes.push(el("code", {}, unescape(found[1])));
    else if (found[2] !== undefined) nodes.push(angle(found[2]));
    else nodes.push(el(STYLES[found[3]], {}, ...inline(found[4])));
    rest = rest.slice(found.index + found[0].length);
  }
  if (rest) nodes.push(unescape(withEmoji(rest)));
  return nodes;
}

function paragraphs(text) {
  const nodes = [];
  let quote = null;
  let first = true;
  for (const line of text.split("\n")) {
    const quoted = /^(?:&gt;|>) ?(.*)$/.exec(line);
    if (quoted) {
      if (quote) quote.append(el("br"));
      else nodes.push((quote = el("blockquote")));
      quote.append(...inline(quoted[1]));
      first = true;
    } else {
      if (!first) nodes.push(el("br"));
      quote = null;
      nodes.push(...inline(line));
      first = false;
    }
  }
  return nodes;
}

/** Nodes for a mrkdwn text. */
export function mrkdwn(text) {
  const nodes = [];
  String(text ?? "").split(/```\n?([\s\S]+?)```\n?/).forEach((part, index) => {
    if (index % 2) nodes.push(el("pre", {}, unescape(part.replace(/\n$/, ""))));
    else if (part) nodes.push(...paragraphs(index ? part : part.replace(/\n$/, "")));
  });
  return nodes;
}

/** Nodes for a text object ({type: plain_text | mrkdwn}) or a bare string. */
export function textNodes(object) {
  if (!object) return [];
  if (typeof object === "string") return [object];
  if (object.type === "mrkdwn") return mrkdwn(object.text);
  return [plainText(object)];
}

/** A text object's words alone, for labels and options. */
export function plainText(object) {
  const text = typeof object === "string" ? object : object?.text ?? "";
  return object?.emoji === false ? text : withEmoji(text);
}
