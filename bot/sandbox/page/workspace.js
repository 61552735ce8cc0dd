// What the page knows: the newest snapshot, whom it acts for and which place is on show.
// The person and the place live in the address (#as=U…&in=C…): a second tab can act as somebody else.

export const HOME = "home";

export const workspace = { snapshot: null, as: null, place: null };

export function readAddress() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  workspace.as = parameters.get("as");
  workspace.place = parameters.get("in");
}

export function writeAddress() {
  const parameters = new URLSearchParams();
  if (workspace.as) parameters.set("as", workspace.as);
  if (workspace.place) parameters.set("in", workspace.place);
  history.replaceState(null, "", `#${parameters}`);
}

export function personOf(id) {
  return workspace.snapshot?.people.find((person) => person.id === id) ?? null;
}

export function channelOf(id) {
  return workspace.snapshot?.channels.find((channel) => channel.id === id) ?? null;
}

/** "#ops", "🔒secret" or a direct message's bare name. */
export function channelTitle(channel) {
  if (channel.kind !== "channel") return channel.name;
  return `${channel.is_private ? "🔒" : "#"}${channel.name}`;
}
