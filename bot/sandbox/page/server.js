// Talks to the sandbox's server. Every failure becomes a toast: nothing the person does may fail silently.
import { toast } from "./toasts.js";
import { workspace } from "./workspace.js";

/** POST as the acting person. Returns the answer's JSON, or {error} after a toast; never throws. */
export async function post(path, body) {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ as: workspace.as, ...body }),
    });
    const text = await response.text();
    const answer = parsed(text);
    if (response.ok) return answer ?? {};
    const error = answer?.error ?? `The sandbox answered ${response.status}.`;
    toast(error);
    return { error };
  } catch {
    const error = "The sandbox can't be reached. Is it still running?";
    toast(error);
    return { error };
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Show a button as busy, and deaf to a second press, until the work is over. */
export async function whileBusy(button, work) {
  if (button.getAttribute("aria-busy") === "true") return undefined;
  button.setAttribute("aria-busy", "true");
  try {
    return await work();
  } finally {
    button.removeAttribute("aria-busy");
  }
}
