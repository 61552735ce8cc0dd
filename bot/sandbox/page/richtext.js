// rich_text blocks as DOM nodes. Slack docs: reference/block-kit/blocks/rich-text-block.
import { dateText } from "./dates.js";
import { el, link } from "./dom.js";
import { emojiOf } from "./emoji.js";
import { broadcastMention, channelMention, userMention } from "./mrkdwn.js";

const STYLE_TAGS = { bold: "strong", italic: "em", strike: "del", underline: "u", code: "code" };

function bare(part) {
  switch (part.type) {
    case "text": return part.text;
    case "link": return link(part.url, part.text || part.url);
    case "user": return userMention(part.user_id);
    case "channel": return channelMention(part.channel_id);
    case "usergroup": return el("span", { class: "mention" }, `@${part.usergroup_id}`);
    case "broadcast": return broadcastMention(part.range);
    case "emoji": return emojiOf(part.name) ?? `:${part.name}:`;
    case "date": return el("time", {}, dateText(part.timestamp, part.format) ?? part.fallback ?? "");
    case "color": return el("code", {}, part.value);
    default: return el("span", { class: "unknown" }, `rich text part ${part.type} isn't drawn here`);
  }
}

function styled(part) {
  let node = bare(part);
  for (const [name, tag] of Object.entries(STYLE_TAGS)) if (part.style?.[name]) node = el(tag, {}, node);
  return node;
}

const parts = (element) => (element.elements ?? []).map(styled);

function drawElement(element) {
  switch (element.type) {
    case "rich_text_section": return el("p", {}, ...parts(element));
    case "rich_text_preformatted": return el("pre", {}, ...parts(element));
    case "rich_text_quote": return el("blockquote", {}, ...parts(element));
    case "rich_text_list": {
      const tag = element.style === "ordered" ? "ol" : "ul";
      const items = (element.elements ?? []).map((item) => el("li", {}, ...parts(item)));
      return el(tag, { class: `indent-${element.indent ?? 0}`, start: element.offset ? element.offset + 1 : null }, ...items);
    }
    default: return el("p", { class: "unknown" }, `rich text element ${element.type} isn't drawn here`);
  }
}

export function richText(block) {
  return el("div", { class: "rich-text" }, ...(block.elements ?? []).map(drawElement));
}
