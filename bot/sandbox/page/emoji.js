// The emoji shortcodes a chat-ops bot uses; any other stays visible as its :shortcode:.

const EMOJI = {
  "+1": "👍", "-1": "👎", alarm_clock: "⏰", arrow_forward: "▶️", arrow_right: "➡️", arrows_counterclockwise: "🔄", ballot_box_with_check: "☑️",
  bar_chart: "📊", bell: "🔔", black_circle: "⚫", black_square_for_stop: "⏹️", blue_circle: "🔵", book: "📖", bulb: "💡",
  busts_in_silhouette: "👥", calendar: "📅", clipboard: "📋", clock1: "🕐", clock3: "🕒", closed_lock_with_key: "🔐",
  construction: "🚧", eyes: "👀", exclamation: "❗", fast_forward: "⏩", fire: "🔥", gear: "⚙️", grey_exclamation: "❕",
  grey_question: "❔", hammer_and_wrench: "🛠️", heavy_check_mark: "✔️", heavy_minus_sign: "➖", heavy_multiplication_x: "✖️",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", house: "🏠", information_source: "ℹ️", key: "🔑", large_blue_circle: "🔵",
  large_green_circle: "🟢", large_orange_circle: "🟠", large_red_circle: "🔴", large_yellow_circle: "🟡", link: "🔗",
  lock: "🔒", mag: "🔍", memo: "📝", no_entry: "⛔", no_entry_sign: "🚫", octagonal_sign: "🛑", ok: "🆗", package: "📦",
  page_facing_up: "📄", pencil: "📝", pencil2: "✏️", question: "❓", raised_hand: "✋", red_circle: "🔴", repeat: "🔁",
  robot_face: "🤖", rocket: "🚀", rotating_light: "🚨", scroll: "📜", shield: "🛡️", snowflake: "❄️", sparkles: "✨",
  star: "⭐", stop_button: "⏹️", stop_sign: "🛑", stopwatch: "⏱️", tada: "🎉", thumbsdown: "👎", thumbsup: "👍", timer_clock: "⏲️",
  unlock: "🔓", warning: "⚠️", wave: "👋", white_check_mark: "✅", white_circle: "⚪", wrench: "🔧", x: "❌", zap: "⚡",
};

/** The character for a shortcode without its colons, or null. */
export function emojiOf(name) {
  return Object.hasOwn(EMOJI, name) ? EMOJI[name] : null;
}

/** Replace each known :shortcode: in a text. */
export function withEmoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/g, (all, name) => emojiOf(name) ?? all);
}
