// What has been typed or chosen, kept apart from the DOM: it outlives any redraw of its view or message.
// A field is known by its container, block_id and action_id; {raw, options} holds the value and, for selects, the
// chosen option objects (an external select's options can't be looked up again).

const kept = new Map();

const keyOf = (container, block, action) => JSON.stringify([container, block, action]);

export function valueOf(container, block, action) {
  return kept.get(keyOf(container, block, action));
}

export function keepValue(container, block, action, value) {
  kept.set(keyOf(container, block, action), value);
}

/** {block_id: {action_id: raw}} of a container's fields, only those still drawn. */
export function valuesOf(container, fields) {
  const values = {};
  for (const [block, action] of fields) {
    const value = valueOf(container, block, action);
    if (value) (values[block] ??= {})[action] = value.raw;
  }
  return values;
}

/** Whether the server knows a field's value; the first value drawn came from the server itself. */
export function isTold(container, block, action) {
  return valueOf(container, block, action)?.told !== false;
}

export function markTold(container, block, action) {
  const value = valueOf(container, block, action);
  if (value) value.told = true;
}

export function forget(container) {
  for (const key of kept.keys()) if (JSON.parse(key)[0] === container) kept.delete(key);
}

/** Drop the values of fields that are gone, so that a block_id that comes back starts afresh as it does in Slack. */
export function keepOnly(container, fields) {
  const alive = new Set(fields.map(([block, action]) => keyOf(container, block, action)));
  for (const key of kept.keys()) if (JSON.parse(key)[0] === container && !alive.has(key)) kept.delete(key);
}
