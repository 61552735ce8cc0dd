// Where a select's options come from: the element itself, the people or channels of the workspace, or the app.
// Everything is given as groups: [{label, options: [{text, value, description?}]}].
import { plainText } from "./mrkdwn.js";
import { channelTitle, workspace } from "./workspace.js";

const ungrouped = (options) => [{ label: null, options }];

const plainOption = (text, value, note) => ({ text: { type: "plain_text", text, emoji: false }, value, ...(note && { description: note }) });

function groupsOf(source) {
  if (source.option_groups) return source.option_groups.map((group) => ({ label: plainText(group.label), options: group.options ?? [] }));
  return ungrouped(source.options ?? []);
}

function people() {
  return workspace.snapshot.people.map((person) => plainOption(person.real_name || person.name, person.id));
}

const CONVERSATION_KINDS = { private: (c) => c.kind === "channel" && c.is_private, public: (c) => c.kind === "channel" && !c.is_private, im: (c) => c.kind !== "channel", mpim: () => false };

function conversations(element) {
  const wanted = element.type.includes("channels_select") ? ["public"] : element.filter?.include;
  return workspace.snapshot.channels
    .filter((channel) => !wanted || wanted.some((kind) => CONVERSATION_KINDS[kind]?.(channel)))
    .map((channel) => plainOption(channelTitle(channel), channel.id));
}

const matches = (option, query) =>
  `${plainText(option.text)} ${plainText(option.description)}`.toLowerCase().includes(query.trim().toLowerCase());

/** The options the page knows by itself, or null where the app must be asked. */
export function knownGroups(element) {
  if (element.type.endsWith("external_select")) return null;
  if (element.type.endsWith("users_select")) return ungrouped(people());
  if (element.type.endsWith("conversations_select") || element.type.endsWith("channels_select")) return ungrouped(conversations(element));
  return groupsOf(element);
}

/** The options that fit what has been typed; asks the app for an external select. Returns {groups} or {error}. */
export async function findOptions(element, query, ask) {
  const known = knownGroups(element);
  if (known) {
    return { groups: known.map((group) => ({ ...group, options: group.options.filter((option) => matches(option, query)) })) };
  }
  const answer = await ask(query);
  return answer.error ? { error: answer.error } : { groups: groupsOf(answer) };
}

/** Option objects for raw values, as far as the page knows them; a bare value stands for itself. */
export function optionsFor(element, raw) {
  const known = (knownGroups(element) ?? []).flatMap((group) => group.options);
  const given = [element.initial_option, ...(element.initial_options ?? [])].filter(Boolean);
  const values = Array.isArray(raw) ? raw : [raw].filter(Boolean);
  return values.map((value) => [...known, ...given].find((option) => option.value === value) ?? plainOption(value, value));
}
