// What a person types, as Slack's client sends it: entities for & < >, ids for @names and #channels.
import { workspace } from "./workspace.js";

const NAME = /(?<![\w<|@#&])([@#])([\w.-]*\w)/g;

export function encoded(text) {
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const { people, channels } = workspace.snapshot;
  return escaped.replace(NAME, (all, sign, name) => {
    const wanted = name.toLowerCase();
    const known = sign === "@"
      ? people.find((person) => person.name.toLowerCase() === wanted || person.real_name?.toLowerCase() === wanted)
      : channels.find((channel) => channel.kind === "channel" && channel.name === wanted);
    return known ? `<${sign}${known.id}>` : all;
  });
}
