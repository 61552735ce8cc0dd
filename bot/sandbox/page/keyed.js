// Keeps a parent's children in step with a list, touching only what changed, so that a new snapshot neither wipes
// what is being typed nor steals the focus.

const drawn = new WeakMap();

function focusWithin(node) {
  const active = document.activeElement;
  if (!active || !node.contains(active)) return null;
  return { key: active.dataset.focus, start: active.selectionStart ?? null, end: active.selectionEnd ?? null };
}

function giveFocusBack(node, focus) {
  if (!focus?.key) return;
  const target = [...node.querySelectorAll("[data-focus]")].find((item) => item.dataset.focus === focus.key);
  if (!target) return;
  target.focus({ preventScroll: true });
  if (focus.start !== null && target.setSelectionRange) {
    try {
      target.setSelectionRange(focus.start, focus.end);
    } catch {
      // Date and number inputs have no text selection to give back.
    }
  }
}

/** `items`: [{key, data, draw}]. A child is drawn again only when its `data` differs from what it was drawn from. */
export function keepInStep(parent, items) {
  const before = drawn.get(parent) ?? new Map();
  const after = new Map();
  let previous = null;
  for (const { key, data, draw } of items) {
    const json = JSON.stringify(data);
    const old = before.get(key);
    let node = old?.node;
    if (!old || old.json !== json) {
      node = draw();
      if (old) {
        const focus = focusWithin(old.node);
        old.node.replaceWith(node);
        giveFocusBack(node, focus);
      }
    }
    const wanted = previous ? previous.nextSibling : parent.firstChild;
    if (node !== wanted) {
      // Drop what is gone first: moving a node that has the focus would lose it.
      const gone = [...before].filter(([name]) => !items.some((item) => item.key === name));
      gone.forEach(([name, entry]) => { entry.node.remove(); before.delete(name); });
      const place = previous ? previous.nextSibling : parent.firstChild;
      if (node !== place) parent.insertBefore(node, place);
    }
    after.set(key, { json, node });
    previous = node;
  }
  for (const [key, entry] of before) if (!after.has(key)) entry.node.remove();
  drawn.set(parent, after);
}

/** Forget and empty: the next call draws everything anew. */
export function startOver(parent) {
  drawn.delete(parent);
  parent.replaceChildren();
}
