// The app's Home tab for the acting person.
import { drawBlocks, numbered } from "./blocks.js";
import { fieldsOf } from "./controls.js";
import { el } from "./dom.js";
import { startOver } from "./keyed.js";
import { forget, keepOnly } from "./values.js";
import { workspace } from "./workspace.js";

let shown = null;

export function drawHome(view) {
  const parent = document.getElementById("home");
  const key = view ? `${workspace.as} ${view.id}` : null;
  if (key !== shown || !view) {
    startOver(parent);
    if (shown) forget(shown);
  }
  shown = key;
  if (!view) return void parent.append(el("p", { class: "empty" }, "The app hasn't published its Home for this person yet."));
  const blocks = numbered(view.blocks);
  const surface = { key, address: { view_id: view.id }, state: view.state?.values, blocks: () => blocks };
  keepOnly(key, fieldsOf(blocks));
  return drawBlocks(parent, blocks, surface);
}
