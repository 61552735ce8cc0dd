// Starts the page: follows the snapshot, and draws each part of the workspace from it.
import { drawComposer, wireComposer } from "./composer.js";
import { link } from "./dom.js";
import { drawFaults, wireFaults } from "./faults.js";
import { drawHome } from "./home.js";
import { keepInStep } from "./keyed.js";
import { drawMessages, wireMessages } from "./messages.js";
import { drawModals, putModalsAside } from "./modal.js";
import { drawPeople, wirePeople } from "./people.js";
import { post } from "./server.js";
import { drawSidebar, openSidebar, wireSidebar } from "./sidebar.js";
import { follow } from "./stream.js";
import { showToasts } from "./toasts.js";
import { channelOf, channelTitle, HOME, readAddress, workspace, writeAddress } from "./workspace.js";

const byId = (id) => document.getElementById(id);

function drawPlace() {
  const home = workspace.place === HOME;
  const channel = channelOf(workspace.place);
  byId("place-name").textContent = home ? "App Home" : channelTitle(channel);
  byId("place-topic").textContent = home ? "What the app shows to this person alone" : channel.topic ?? "";
  byId("home").hidden = !home;
  byId("messages").hidden = home;
  byId("compose").hidden = home;
  if (home) return drawHome(workspace.snapshot.home);
  drawComposer(); // first: its height decides how much room the messages have
  return drawMessages(channel.id);
}

function drawLinks() {
  const items = (workspace.snapshot.links ?? []).map(({ label, url }) => ({
    key: url, data: label, draw: () => link(new URL(url, location.href).href, `${label} ↗`),
  }));
  keepInStep(byId("links"), items);
  keepInStep(byId("side-links"), items);
}

function drawAll() {
  const { snapshot } = workspace;
  const here = workspace.place === HOME ? snapshot.home_tab : channelOf(workspace.place);
  if (!here) workspace.place = snapshot.channels[0]?.id ?? HOME;
  writeAddress();
  document.title = `${snapshot.team.name} · sandbox`;
  byId("bar-title").textContent = "Workflow Bot sandbox";
  drawPeople();
  drawSidebar(go);
  drawLinks();
  drawFaults();
  drawPlace();
  drawModals(snapshot.modals);
  showToasts(workspace.as, snapshot.toasts);
}

function go(place) {
  workspace.place = place;
  openSidebar(false);
  if (place === HOME) post("/ui/home", {});
  drawAll();
  if (place !== HOME) document.querySelector("[data-testid=composer]").focus({ preventScroll: true });
}

function received(snapshot) {
  const first = !workspace.snapshot;
  workspace.snapshot = snapshot;
  workspace.as = snapshot.as;
  drawAll(); // which may choose another place
  if (first && workspace.place === HOME) post("/ui/home", {});
  if (first && !snapshot.modals?.length) document.querySelector("[data-testid=composer]").focus({ preventScroll: true });
}

function connectionIs(state) {
  const words = { live: "", lost: "Connection lost, trying again…", refused: "Say who acts: add #as= and a person's id to the address." };
  byId("connection").textContent = words[state];
}

function actAs(person) {
  workspace.as = person;
  putModalsAside();
  follow(person, received, connectionIs);
  if (workspace.place === HOME) post("/ui/home", {});
}

wireSidebar();
wireComposer();
wireMessages();
wireFaults();
wirePeople(actAs);
addEventListener("hashchange", () => {
  readAddress();
  actAs(workspace.as);
});
readAddress();
follow(workspace.as, received, connectionIs);
