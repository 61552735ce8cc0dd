// Places a floating list beneath its anchor (above, where there is more room) and closes it on a press elsewhere.

const GAP = 4;
const MARGIN = 8;

/** Show `node` at `anchor`; returns a function that takes it away. `onAway` is called on a press outside both. */
export function popUp(node, anchor, onAway, { matchWidth = false } = {}) {
  const layer = document.getElementById("popups");
  const place = () => {
    const box = anchor.getBoundingClientRect();
    const width = matchWidth ? box.width : Math.min(node.offsetWidth, innerWidth - 2 * MARGIN);
    if (matchWidth) node.style.width = `${width}px`;
    const below = innerHeight - box.bottom - GAP - MARGIN;
    const above = box.top - GAP - MARGIN;
    const upward = below < Math.min(node.scrollHeight, 220) && above > below;
    node.style.maxHeight = `${Math.max(120, Math.min(320, upward ? above : below))}px`;
    node.style.left = `${Math.max(MARGIN, Math.min(box.left, innerWidth - width - MARGIN))}px`;
    node.style.top = upward ? "auto" : `${box.bottom + GAP}px`;
    node.style.bottom = upward ? `${innerHeight - box.top + GAP}px` : "auto";
  };
  const away = (event) => {
    if (!node.contains(event.target) && !anchor.contains(event.target)) onAway();
  };
  layer.append(node);
  place();
  const watch = new ResizeObserver(place);
  watch.observe(node);
  watch.observe(anchor);
  addEventListener("resize", place);
  addEventListener("scroll", place, true);
  document.addEventListener("pointerdown", away, true);
  return () => {
    watch.disconnect();
    removeEventListener("resize", place);
    removeEventListener("scroll", place, true);
    document.removeEventListener("pointerdown", away, true);
    node.remove();
  };
}
