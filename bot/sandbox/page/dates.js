// Slack's date tokens, in the reader's own zone. Slack docs: messaging/formatting-message-text, "Date formatting".

const DAY_MS = 86400000;

const SHAPES = {
  date_num: { year: "numeric", month: "2-digit", day: "2-digit" },
  date: { year: "numeric", month: "long", day: "numeric" },
  date_short: { year: "numeric", month: "short", day: "numeric" },
  date_long: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
  time: { hour: "2-digit", minute: "2-digit" },
  time_secs: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
};

function startOfDay(moment) {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime();
}

/** "today", "yesterday", "tomorrow" or null. */
function nearby(moment) {
  const days = Math.round((startOfDay(moment) - startOfDay(new Date())) / DAY_MS);
  return { 0: "today", "-1": "yesterday", 1: "tomorrow" }[days] ?? null;
}

function ago(moment) {
  const minutes = Math.round((moment.getTime() - Date.now()) / 60000);
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  if (Math.abs(minutes) < 60) return words.format(minutes, "minute");
  if (Math.abs(minutes) < 1440) return words.format(Math.round(minutes / 60), "hour");
  return words.format(Math.round(minutes / 1440), "day");
}

/** Fill the {tokens} of a Slack date format; null when the time stamp is no number. */
export function dateText(seconds, format) {
  const moment = new Date(Number(seconds) * 1000);
  if (Number.isNaN(moment.getTime())) return null;
  return format.replace(/\{([a-z_]+)\}/g, (all, token) => {
    if (token === "ago") return ago(moment);
    const pretty = token.endsWith("_pretty");
    const shape = SHAPES[pretty ? token.slice(0, -"_pretty".length) : token];
    if (!shape) return all;
    return (pretty && nearby(moment)) || new Intl.DateTimeFormat("en", { ...shape, hour12: false }).format(moment);
  });
}

export function clockOf(ts) {
  return dateText(ts, "{time}") ?? "";
}

export function dayOf(ts) {
  const text = dateText(ts, "{date_long_pretty}") ?? "";
  return text.charAt(0).toUpperCase() + text.slice(1);
}
