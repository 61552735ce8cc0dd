// The live snapshot: one Server-Sent Events connection for the acting person, opened again when the person changes.
// EventSource reconnects by itself after a dropped connection; after a refused one this does.

const AGAIN_AFTER_MS = 2000;

let source = null;
let again = null;

/** Follow the workspace as `person` sees it. `onState` gets "live", "lost" or "refused" (nobody named, and the server chooses nobody). */
export function follow(person, onSnapshot, onState) {
  clearTimeout(again);
  source?.close();
  const mine = new EventSource(person ? `/ui/stream?as=${encodeURIComponent(person)}` : "/ui/stream");
  source = mine;
  mine.onopen = () => onState("live");
  mine.onmessage = (event) => {
    if (mine === source) onSnapshot(JSON.parse(event.data));
  };
  mine.onerror = () => {
    if (mine !== source) return;
    const refused = mine.readyState === EventSource.CLOSED;
    onState(refused && !person ? "refused" : "lost");
    if (!refused) return;
    // Refused: an address may name somebody who isn't here, so let the server choose who acts.
    again = setTimeout(() => follow(null, onSnapshot, onState), AGAIN_AFTER_MS);
  };
}
