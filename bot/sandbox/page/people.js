// Who acts: the switcher in the bar, and avatars.
import { el } from "./dom.js";
import { menuAt } from "./menu.js";
import { personOf, workspace } from "./workspace.js";

const KIND_WORDS = { guest: "guest", bot: "bot", deactivated: "deactivated", external: "other organisation" };

/** A person's initials on their colour; an app gets its own mark. */
export function avatar(person) {
  const name = person.real_name || person.name || "?";
  const initials = person.initials || name.split(/\s+/).map((word) => word.charAt(0)).slice(0, 2).join("").toUpperCase();
  const node = el("span", { class: person.kind === "bot" ? "avatar app" : "avatar", "aria-hidden": "true" }, person.kind === "bot" ? "▶" : initials);
  if (person.color && person.kind !== "bot") node.style.background = person.color;
  return node;
}

function describe(person) {
  return [KIND_WORDS[person.kind], person.note].filter(Boolean).join(" · ");
}

/** Wire the switcher; `onSwitch(id)` is told of a choice. */
export function wirePeople(onSwitch) {
  const button = document.getElementById("person");
  menuAt(button, () => workspace.snapshot.people.filter((person) => person.kind !== "bot").map((person) => ({
    label: person.real_name || person.name, note: describe(person), icon: avatar(person), testid: `person-${person.id}`,
    checked: person.id === workspace.as, choose: () => onSwitch(person.id),
  })), "Act as");
}

export function drawPeople() {
  const person = personOf(workspace.as);
  if (!person) return;
  const button = document.getElementById("person");
  button.replaceChildren(avatar(person), el("span", { class: "person-words" }, el("span", { class: "wide" }, "Acting as "), person.real_name || person.name), el("span", { "aria-hidden": "true" }, " ▾"));
  const note = document.getElementById("who-note");
  note.replaceChildren("You act as ", el("strong", {}, person.real_name || person.name), describe(person) ? `: ${describe(person)}` : "");
}
