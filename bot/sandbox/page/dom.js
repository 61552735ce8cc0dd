// Builds DOM nodes. Text always goes in as a text node: nothing on this page parses data as HTML.

let serial = 0;

/** A page-wide unique id, for label and description references. */
export function freshId(prefix) {
  serial += 1;
  return `${prefix}-${serial}`;
}

/** Make an element. `on…` functions become listeners, true/false toggles an attribute, null is left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

/** The URL if it is plain http(s), else null: no javascript:, data: or relative link can come from a message. */
export function webUrl(text) {
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

/** A link that opens in a new tab, or the label as text where the address isn't http(s). */
export function link(address, label, attributes = {}) {
  const href = webUrl(address);
  if (!href) return el("span", {}, label);
  return el("a", { ...attributes, href, target: "_blank", rel: "noopener noreferrer" }, label);
}
