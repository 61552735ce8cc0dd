// The list of channels, direct messages and the app's Home, with what is unread.
import { el } from "./dom.js";
import { keepInStep } from "./keyed.js";
import { HOME, workspace } from "./workspace.js";

const read = new Map();

const SECTIONS = [
  { title: "Channels", has: (channel) => channel.kind === "channel" },
  { title: "Direct messages", has: (channel) => channel.kind === "dm" },
  { title: "Apps", has: (channel) => channel.kind === "app" },
];

const lastTs = (id) => (workspace.snapshot.messages[id] ?? []).reduce((last, message) => Math.max(last, Number(message.ts)), 0);

/** What came since this tab last showed the channel to this person; before that, what the server says. */
function unreadIn(channel) {
  if (channel.id === workspace.place) {
    read.set(`${workspace.as} ${channel.id}`, lastTs(channel.id));
    return 0;
  }
  const since = read.get(`${workspace.as} ${channel.id}`);
  if (since === undefined) {
    if (!channel.unread) read.set(`${workspace.as} ${channel.id}`, lastTs(channel.id));
    return Number(channel.unread) || 0;
  }
  return (workspace.snapshot.messages[channel.id] ?? []).filter((message) => Number(message.ts) > since && message.user !== workspace.as).length;
}

function entry({ id, testid, sign, name, unread }, onGo) {
  const here = id === workspace.place;
  return {
    key: id, data: [name, sign, unread, here],
    draw: () => el("button", { type: "button", class: "place-link", "data-testid": testid, "data-focus": id, "aria-current": here ? "page" : null, onclick: () => onGo(id) },
      el("span", { class: "sign", "aria-hidden": "true" }, sign), el("span", { class: "name" }, name),
      unread ? el("span", { class: "badge", "aria-label": `${unread} unread` }, String(unread)) : null),
  };
}

export function drawSidebar(onGo) {
  document.getElementById("team").textContent = workspace.snapshot.team.name;
  const items = [];
  for (const { title, has } of SECTIONS) {
    const entries = workspace.snapshot.channels.filter(has).map((channel) => entry({
      id: channel.id, testid: `channel-${channel.id}`, name: channel.name, unread: unreadIn(channel),
      sign: channel.kind === "channel" ? (channel.is_private ? "🔒" : "#") : "▶",
    }, onGo));
    if (title === "Apps" && workspace.snapshot.home_tab) entries.unshift(entry({ id: HOME, testid: "app-home", name: "App Home", sign: "⌂", unread: 0 }, onGo));
    if (entries.length) items.push({ key: `title ${title}`, data: title, draw: () => el("h3", {}, title) }, ...entries);
  }
  keepInStep(document.getElementById("channels"), items);
}

/** On a narrow screen the sidebar is a drawer. */
export function openSidebar(open) {
  document.body.classList.toggle("nav-open", open);
  document.getElementById("nav-toggle").setAttribute("aria-expanded", String(open));
}

export function wireSidebar() {
  document.getElementById("nav-toggle").addEventListener("click", () => openSidebar(!document.body.classList.contains("nav-open")));
  document.getElementById("place").addEventListener("pointerdown", () => openSidebar(false));
  document.getElementById("workspace").addEventListener("keydown", (event) => { if (event.key === "Escape") openSidebar(false); });
}
