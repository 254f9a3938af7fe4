// The page: which sources there are, which one is looked at, and what all of it shares.

import { begin } from "/page/api.js";
import { showChat } from "/page/chat.js";
import { byId, h } from "/page/dom.js";
import { showLive } from "/page/live.js";
import { Room } from "/page/room.js";

const BADGES = {
  live: "live",
  playing: "playing",
  reading: "reading",
  ended: "ended",
  paused: "paused",
  stale: "stale",
};

let leave = new AbortController(); // ends what is shown of the room looked at

function select(room, rooms) {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const on = (target, type, listener) => target.addEventListener(type, listener, { signal });
  document.title = `${room.info.name} – Attend`;
  room.missed = 0;
  const hooks = { open: (t, frameId) => console.debug("open", t, frameId) };

  const showInfo = () => {
    const { info, status } = room;
    byId("source-name").textContent = info.name;
    const badge = info.state === "open" ? (status?.badge ?? "opening") : info.state;
    byId("badge").textContent = BADGES[badge] ?? badge;
    byId("badge").dataset.badge = badge;
    byId("notes").textContent = [...info.notes, ...info.findings].join(" ");
    byId("retry").hidden = info.state !== "failed";
    byId("problem").textContent = info.problem ? `${info.problem.problem} ${info.problem.remedy}` : (status?.problem ?? "");
    byId("picture-note").textContent = badge === "paused" ? "Paused: nothing is looked at" : "";
    byId("pause").textContent = badge === "paused" ? "Go on" : "Pause";
  };
  on(room, "room", showInfo);
  on(room, "status", showInfo);
  on(room, "link", () => showLink(rooms));
  on(byId("retry"), "click", () => room.post("retry"));
  showInfo();
  showLive(room, byId("picture"), signal);
  showChat(room, hooks, signal);
  for (const button of byId("sources").children) button.setAttribute("aria-pressed", String(button.value === room.info.id));
}

function showLink(rooms) {
  const lost = rooms.some((room) => !room.connected);
  byId("link").textContent = lost ? "Not connected; trying again …" : "";
}

function showTheme() {
  const dark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const button = byId("theme");
  const label = () => (button.textContent = dark() ? "Light" : "Dark");
  button.addEventListener("click", () => {
    const theme = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  label();
}

async function start() {
  showTheme();
  const session = await begin();
  const egress = byId("egress");
  egress.textContent = session.egress.text;
  egress.dataset.local = session.egress.local;
  egress.title = `Model: ${session.egress.model}`;
  const rooms = session.rooms.map((info) => new Room(info));
  const sources = byId("sources");
  sources.hidden = rooms.length < 2;
  sources.append(
    ...rooms.map((room) =>
      h("button", { type: "button", value: room.info.id, on: { click: () => select(room, rooms) } }, room.info.name),
    ),
  );
  select(rooms[0], rooms);
}

start();
