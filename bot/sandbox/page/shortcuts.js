// The app's shortcuts, global and on a message, where the snapshot names them: [{type, callback_id, name}].
import { post } from "./server.js";
import { workspace } from "./workspace.js";

export function shortcutsFor(type) {
  return (workspace.snapshot?.shortcuts ?? []).filter((shortcut) => shortcut.type === type);
}

export function useShortcut(shortcut, message) {
  return post("/ui/shortcut", { callback_id: shortcut.callback_id, ...(message && { message }) });
}
