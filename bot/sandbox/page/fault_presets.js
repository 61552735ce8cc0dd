// What can be broken on purpose, in words, and the switches of each stand-in that stand for it.
// A dial reads its side of the snapshot's faults and says which of its choices is in force (null: none of these).

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** A dial over plain properties: each choice is a set of properties and their values. */
function ofProperties(label, choices) {
  const names = [...new Set(choices.flatMap(([, wanted]) => Object.keys(wanted)))];
  const asUsual = choices[0][1];
  return {
    label,
    choices: choices.map(([words]) => words),
    current: (side) => choices.findIndex(([, wanted]) => names.every((name) => same(side[name] ?? asUsual[name], wanted[name] ?? asUsual[name]))),
    put: (side, at) => ({ ...side, ...asUsual, ...choices[at][1] }),
  };
}

/** A dial over one of Slack's methods: each choice is the fault of that method, the first being none. */
function ofMethod(label, method, choices) {
  const lists = choices.map(([, fault]) => (fault ? [fault] : []));
  const essence = ({ error, status, drop }) => [error ?? null, status ?? 200, drop ?? null];
  const mine = (side) => (side.faults ?? []).filter((fault) => fault.method === method);
  return {
    label,
    choices: choices.map(([words]) => words),
    current: (side) => lists.findIndex((list) => same(list.map(essence), mine(side).map(essence))),
    put: (side, at) => ({ ...side, faults: [...(side.faults ?? []).filter((fault) => fault.method !== method), ...lists[at].map((fault) => ({ method, ...fault }))] }),
  };
}

const ok = { status: null, on: "", headers: {}, body: null };

export const DIALS = {
  datadog: [
    ofProperties("Speed", [["as usual", { delay: 0 }], ["2 s slower", { delay: 2 }], ["10 s slower", { delay: 10 }]]),
    ofProperties("A start is answered", [
      ["as usual", ok],
      ["403: the key may not do that", { ...ok, status: 403, on: "execute" }],
      ["429: too many requests", { ...ok, status: 429, on: "execute", headers: { "X-RateLimit-Reset": "20" } }],
      ["500: before anything happened", { ...ok, status: 500, on: "execute" }],
    ]),
    ofProperties("After accepting a start", [
      ["the answer arrives", { fail_after_accept: "" }],
      ["500, though it runs", { fail_after_accept: "500" }],
      ["the answer is lost", { fail_after_accept: "drop" }],
      ["the answer comes 20 s late", { fail_after_accept: "slow:20" }],
      ["the answer is garbage", { fail_after_accept: "garbage" }],
    ]),
    ofProperties("A new instance is visible", [["at once", { invisible_gets: 0 }], ["only after 3 looks", { invisible_gets: 3 }]]),
  ],
  slack: [
    ofProperties("Speed", [["as usual", { delay: 0 }], ["2 s slower", { delay: 2 }], ["10 s slower", { delay: 10 }]]),
    ofMethod("chat.postMessage", "chat.postMessage", [
      ["works", null],
      ["refused: not in the channel", { error: "not_in_channel" }],
      ["429: too many requests", { error: "ratelimited", status: 429, retry_after: 5 }],
      ["500", { error: "internal_error", status: 500 }],
      ["posted, answer lost", { drop: "after" }],
    ]),
    ofMethod("chat.update", "chat.update", [
      ["works", null],
      ["refused: too old to edit", { error: "edit_window_closed" }],
      ["429: too many requests", { error: "ratelimited", status: 429, retry_after: 5 }],
    ]),
    ofMethod("views.open", "views.open", [
      ["works", null],
      ["refused: too late", { error: "expired_trigger_id" }],
      ["500", { error: "internal_error", status: 500 }],
    ]),
  ],
};

/** The switches that break nothing, for both sides. */
export const ALL_WELL = { slack: {}, datadog: {} };
