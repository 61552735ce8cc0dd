// The markdown block: the common part of standard Markdown (headings, lists, quotes, code, bold, italic, links).
import { el, link } from "./dom.js";
import { withEmoji } from "./emoji.js";

const INLINE = /`([^`]+)`|\[([^\]]+)\]\(([^)\s]+)\)|\*\*(.+?)\*\*|~~(.+?)~~|(?<![\w*])[*_](?=\S)(.+?)[*_](?!\w)/;

function inline(text) {
  const nodes = [];
  let rest = text;
  for (let found = INLINE.exec(rest); found; found = INLINE.exec(rest)) {
    if (found.index) nodes.push(withEmoji(rest.slice(0, found.index)));
    const [all, code, label, address, bold, struck, slanted] = found;
    if (code !== undefined) nodes.push(el("code", {}, code));
    else if (label !== undefined) nodes.push(link(address, label));
    else if (bold !== undefined) nodes.push(el("strong", {}, ...inline(bold)));
    else if (struck !== undefined) nodes.push(el("del", {}, ...inline(struck)));
    else nodes.push(el("em", {}, ...inline(slanted)));
    rest = rest.slice(found.index + all.length);
  }
  if (rest) nodes.push(withEmoji(rest));
  return nodes;
}

const KINDS = [
  { pattern: /^#{1,6} +(.*)$/, wrap: null, item: (text) => el("p", { class: "heading" }, ...inline(text)) },
  { pattern: /^[-*+] +(.*)$/, wrap: "ul", item: (text) => el("li", {}, ...inline(text)) },
  { pattern: /^\d+[.)] +(.*)$/, wrap: "ol", item: (text) => el("li", {}, ...inline(text)) },
  { pattern: /^> ?(.*)$/, wrap: "blockquote", item: (text) => el("div", {}, ...inline(text)) },
  { pattern: /^(?:---+|\*\*\*+)$/, wrap: null, item: () => el("hr") },
];

function lines(text) {
  const nodes = [];
  let open = null;
  for (const line of text.split("\n")) {
    const kind = KINDS.find(({ pattern }) => pattern.test(line.trim()));
    if (!kind) {
      open = null;
      if (line.trim()) nodes.push(el("p", {}, ...inline(line)));
      continue;
    }
    const item = kind.item(kind.pattern.exec(line.trim())[1]);
    if (!kind.wrap) {
      open = null;
      nodes.push(item);
    } else {
      if (open?.localName !== kind.wrap) nodes.push((open = el(kind.wrap)));
      open.append(item);
    }
  }
  return nodes;
}

export function markdown(text) {
  const box = el("div", { class: "rich-text markdown" });
  String(text ?? "").split(/```[\w-]*\n?([\s\S]*?)```/).forEach((part, index) => {
    if (index % 2) box.append(el("pre", {}, part.replace(/\n$/, "")));
    else box.append(...lines(part));
  });
  return box;
}
