// A menu at a button: arrows move, Enter or a press chooses, Esc and Tab close.
import { el } from "./dom.js";
import { popUp } from "./popup.js";

/** Make `button` open a menu. `entries()` gives [{label, note?, icon?, testid?, checked?, choose}]. */
export function menuAt(button, entries, label) {
  let takeAway = null;
  const close = (focusButton = true) => {
    if (!takeAway) return;
    takeAway();
    takeAway = null;
    button.setAttribute("aria-expanded", "false");
    if (focusButton) button.focus({ preventScroll: true });
  };
  const open = () => {
    const menu = drawMenu(entries(), label, close);
    takeAway = popUp(menu, button, () => close(false));
    button.setAttribute("aria-expanded", "true");
    (menu.querySelector('[aria-checked="true"]') ?? menu.firstElementChild)?.focus({ preventScroll: true });
  };
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => (takeAway ? close() : open()));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" || takeAway) return;
    event.preventDefault();
    open();
  });
}

function drawMenu(entries, label, close) {
  const menu = el("div", { class: "menu", role: "menu", "aria-label": label });
  for (const entry of entries) {
    const radio = entry.checked !== undefined;
    menu.append(el("button", {
      type: "button", role: radio ? "menuitemradio" : "menuitem", tabindex: "-1",
      "aria-checked": radio ? String(entry.checked) : null, "data-testid": entry.testid,
      onclick: () => { close(); entry.choose(); },
    }, entry.icon, el("span", { class: "menu-words" }, el("span", {}, entry.label),
      entry.note ? el("small", {}, entry.note) : null)));
  }
  menu.addEventListener("keydown", (event) => {
    const items = [...menu.children];
    const at = items.indexOf(document.activeElement);
    const goTo = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (goTo !== undefined) {
      event.preventDefault();
      items.at(goTo % items.length)?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  });
  return menu;
}
