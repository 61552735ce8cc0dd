// Block Kit blocks as DOM nodes. Slack docs: reference/block-kit/blocks.
// A surface is {key, address: {view_id} | {message: {channel, ts}}, blocks(), state?}: where its presses are sent.
import { control } from "./controls.js";
import { el, freshId, link } from "./dom.js";
import { keepInStep } from "./keyed.js";
import { markdown } from "./markdown.js";
import { plainText, textNodes } from "./mrkdwn.js";
import { richText } from "./richtext.js";

function section(block, surface) {
  const words = el("div", { class: "section-words" }, block.text ? el("div", { class: "words" }, ...textNodes(block.text)) : null);
  if (block.fields) words.append(el("div", { class: "section-fields" }, ...block.fields.map((text) => el("div", { class: "words" }, ...textNodes(text)))));
  const accessory = block.accessory;
  if (!accessory) return el("div", { class: "section" }, words);
  const side = accessory.type === "image" ? picture(accessory, "thumb") : control(surface, block, accessory, { labels: namedBy(block, accessory) });
  return el("div", { class: "section" }, words, el("div", { class: "section-side" }, side));
}

function namedBy(block, element) {
  return { "aria-label": plainText(element.placeholder) || plainText(block.text) || element.type.replaceAll("_", " ") };
}

/** Only pictures from this very server load (the page's content policy); any other is named and linked. */
function picture(image, size) {
  const address = image.image_url ?? image.slack_file?.url ?? "";
  const sameOrigin = address.startsWith("/") && !address.startsWith("//");
  if (sameOrigin) return el("img", { class: size, src: address, alt: image.alt_text ?? "" });
  if (size === "icon") return el("span", { class: "picture-icon", role: "img", "aria-label": image.alt_text, title: image.alt_text }, "🖼");
  return el("span", { class: `picture ${size}` }, "🖼 ", link(address, image.alt_text || "Image"));
}

function imageBlock(block) {
  const title = block.title ? el("figcaption", {}, plainText(block.title)) : null;
  return el("figure", { class: "image" }, title, picture(block, "full"));
}

function context(block) {
  return el("div", { class: "context" }, ...(block.elements ?? []).map((item) =>
    item.type === "image" ? picture(item, "icon") : el("span", { class: "words" }, ...textNodes(item))));
}

function actions(block, surface) {
  return el("div", { class: "actions" }, ...(block.elements ?? []).map((element) => control(surface, block, element)));
}

function input(block, surface) {
  const id = freshId("field");
  const [labelId, hintId, errorId] = [`${id}-label`, `${id}-hint`, `${id}-error`];
  const grouped = ["radio_buttons", "checkboxes"].includes(block.element.type);
  const error = el("p", { class: "error", id: errorId, "data-testid": `error-${block.block_id}`, role: "alert", hidden: true });
  const labels = { id, ...(grouped && { "aria-labelledby": labelId }), "aria-describedby": block.hint ? `${hintId} ${errorId}` : errorId };
  const onTouched = () => { if (!error.hidden) showError(node, null); };
  const optional = block.optional ? el("span", { class: "optional", "aria-hidden": "true" }, " (optional)") : null;
  const node = el("div", { class: "field", "data-testid": `field-${block.block_id}`, "data-block": block.block_id },
    el("div", { class: "label-line" }, el("label", { id: labelId, for: grouped ? null : id }, plainText(block.label)), optional),
    control(surface, block, block.element, { labels, inInput: true, onTouched }),
    error,
    block.hint ? el("p", { class: "hint", id: hintId }, plainText(block.hint)) : null);
  return node;
}

/** Put a text under an input block's field, or take it away. */
export function showError(field, text) {
  const error = field.querySelector(":scope > .error");
  error.hidden = !text;
  error.textContent = text ?? "";
  field.classList.toggle("wrong", Boolean(text));
  const control = document.getElementById(error.id.replace(/-error$/, ""));
  if (text) control?.setAttribute("aria-invalid", "true");
  else control?.removeAttribute("aria-invalid");
}

function cell(content, setting, tag) {
  const inside = content?.type === "rich_text" ? richText(content) : String(content?.text ?? content?.value ?? "");
  const align = ["left", "center", "right"].includes(setting?.align) ? `align-${setting.align}` : "";
  return el(tag, { class: align || null, scope: tag === "th" ? "col" : null }, inside);
}

function table(block) {
  const settings = block.column_settings ?? [];
  const row = (cells, tag) => el("tr", {}, ...cells.map((content, at) => cell(content, settings[at], tag)));
  const [head, ...rest] = block.rows ?? [];
  return el("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Table" },
    el("table", {}, el("thead", {}, head ? row(head, "th") : null), el("tbody", {}, ...rest.map((cells) => row(cells, "td")))));
}

const DRAWERS = {
  section, context, actions, input, table,
  divider: () => el("hr"),
  header: (block) => el("h3", {}, plainText(block.text)),
  image: imageBlock,
  rich_text: richText,
  markdown: (block) => markdown(block.text),
};

function drawBlock(block, surface) {
  const drawer = DRAWERS[block.type];
  const inside = drawer ? drawer(block, surface) : el("p", { class: "unknown" }, `block type ${block.type} isn't drawn here`);
  return el("div", { class: "block", "data-type": block.type }, inside);
}

/** Blocks with every block_id in place: the server gives them, and a missing one must not mix two fields. */
export function numbered(blocks) {
  return (blocks ?? []).map((block, index) => (block.block_id ? block : { ...block, block_id: `block-${index}` }));
}

/** Bring `parent` in step with `blocks`; what did not change keeps its nodes, its focus and what is typed. */
export function drawBlocks(parent, blocks, surface) {
  keepInStep(parent, blocks.map((block, index) => ({
    key: block.type === "divider" ? `divider ${index}` : `${block.type} ${block.block_id}`,
    data: block,
    draw: () => drawBlock(block, surface),
  })));
}
