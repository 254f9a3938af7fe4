// Entry point of the page: sources, the selected room, and shared elements.

import { begin } from "/page/api.js";
import { showChat } from "/page/chat.js";
import { announce, byId, h, isDark, pause } from "/page/dom.js";
import { openForget } from "/page/forget.js";
import { showLive } from "/page/live.js";
import { openMoment } from "/page/moment.js";
import { showNumbers } from "/page/numbers.js";
import { Room } from "/page/room.js";
import { showScreens } from "/page/screens.js";
import { showStories } from "/page/stories.js";
import { showTimeline } from "/page/timeline.js";
import { showWatches } from "/page/watches.js";

const PREVIEW_REST_MS = 1000;
const AGAIN_MS = 1000;

let leave = new AbortController(); // aborts the views of the selected room
let shown = null; // the selected room

function select(room) {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  shown = room;
  for (const id of ["trouble", "done", "ask-problem"]) byId(id).textContent = "";
  const on = (target, type, listener) => target.addEventListener(type, listener, { signal });
  document.title = `${room.info.name} – Attend`;
  room.missed = 0;
  room.tell("seen");
  const open = (t, frameId, plays) => {
    timeline.mark([{ t_s: t }]);
    openMoment(room, t, frameId, hooks, plays);
  };
  const hooks = {
    open: (t, frameId) => open(t, frameId, false),
    play: (t, frameId) => open(t, frameId, true),
    cited: (citations) => timeline.mark(citations),
    ask: (words) => {
      byId("question").value = words;
      byId("question").focus();
    },
  };
  const timeline = showTimeline(room, hooks, signal);

  const showInfo = () => {
    const { info, status } = room;
    byId("source-name").textContent = info.name;
    const badge = info.state === "open" ? (status?.badge ?? "opening") : info.state;
    byId("badge").textContent = badge;
    byId("badge").dataset.badge = badge;
    byId("notes").textContent = [...info.notes, ...info.findings].join(" ");
    byId("retry").hidden = info.state !== "failed";
    for (const id of ["forget", "export"]) byId(id).hidden = info.state !== "open";
    byId("pause").hidden = info.state !== "open" || badge === "ended";
    byId("problem").textContent = info.problem ? `${info.problem.problem} ${info.problem.remedy}` : (status?.eyes.problem ?? "");
    byId("picture-note").textContent = badge === "paused" ? "Paused" : "";
    byId("pause").textContent = badge === "paused" ? "Resume" : "Pause";
  };
  on(room, "room", showInfo);
  on(room, "status", showInfo);
  const attempt = (work) => async () => {
    byId("trouble").textContent = "";
    try {
      await work();
    } catch (error) {
      byId("trouble").textContent = error.message;
    }
  };
  on(byId("retry"), "click", attempt(() => room.post("retry")));
  on(byId("pause"), "click", attempt(() => room.post(room.status?.badge === "paused" ? "resume" : "pause")));
  on(byId("forget"), "click", attempt(() => openForget(room)));
  byId("export").href = `${room.path}/export`;
  showInfo();
  showLive(room, byId("picture"), signal);
  showChat(room, hooks, signal);
  showNumbers(room, signal);
  showWatches(room, signal);
  for (const button of byId("sources").children) button.setAttribute("aria-pressed", String(button.value === room.info.id));
}

/** Show what leaves the machine, to the model or through webhooks of any source, once all rooms are known. */
function showEgress({ local, text }, rooms) {
  if (!rooms.every((room) => room.known)) return;
  const places = [...new Set(rooms.flatMap((room) => room.status?.alerts_leave_to ?? []))].join(", ");
  const banner = byId("egress");
  if (!places) banner.textContent = text;
  else banner.textContent = local ? `Alerts go to ${places}; nothing else leaves this machine` : `${text}; alerts go to ${places}`;
  banner.dataset.local = local && !places;
}

let searching = false;

/** After a lost connection, show a notice until all rooms are reconnected; `begin` reloads if the server is another. */
async function findServer(rooms) {
  if (searching) return;
  searching = true;
  byId("link").textContent = "Disconnected; reconnecting …";
  for (let found = false; !found; ) {
    await pause(AGAIN_MS);
    try {
      await begin();
      found = rooms.every((room) => room.connected);
    } catch {
      // No answer yet.
    }
  }
  byId("link").textContent = "";
  searching = false;
}

function showTheme() {
  const button = byId("theme");
  const label = () => (button.textContent = isDark() ? "Light" : "Dark");
  button.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  label();
}

/** Create a button that selects a source, with a live preview. */
function sourceButton(room) {
  const preview = h("canvas", { width: 96, height: 54, "aria-hidden": "true" });
  const name = h("span", {}, room.info.name);
  const label = () => {
    const badge = room.info.state === "open" ? room.status?.badge : room.info.state;
    const alerts = room.missed ? `, ${room.missed} new alert${room.missed > 1 ? "s" : ""}` : "";
    name.textContent = `${room.info.name}${badge && badge !== "open" ? ` (${badge})` : ""}${alerts}`;
  };
  for (const type of ["room", "status", "alert", "seen"]) room.addEventListener(type, label);
  showLive(room, preview, new AbortController().signal, PREVIEW_REST_MS);
  return h("button", { type: "button", value: room.info.id, on: { click: () => select(room) } }, preview, name);
}

function tellAlert(room, alert) {
  if (room !== shown) room.missed += 1;
  room.tell("seen");
  const words = `Alert from ${room.info.name}: ${alert.condition}. ${alert.text}`;
  announce(words);
  if (document.hidden && "Notification" in window && Notification.permission === "granted")
    new Notification(`Attend: ${alert.condition}`, { body: words });
}

/** Let the conversation fill the window below the header. */
function fitWindow() {
  const main = document.querySelector("main");
  const fit = () => document.documentElement.style.setProperty("--top", `${main.offsetTop}px`);
  new ResizeObserver(fit).observe(document.body);
}

async function start() {
  let session;
  try {
    session = await begin();
  } catch (error) {
    byId("link").textContent = error.message;
    setTimeout(start, AGAIN_MS);
    return;
  }
  byId("link").textContent = "";
  byId("egress").title = `Model: ${session.egress.model}`;
  const rooms = session.rooms.map((info) => new Room(info));
  const sources = byId("sources");
  sources.hidden = rooms.length < 2;
  if (rooms.length > 1) sources.append(...rooms.map(sourceButton));
  for (const room of rooms) {
    room.addEventListener("alert", ({ detail: alert }) => tellAlert(room, alert));
    room.addEventListener("lost", () => findServer(rooms));
    room.addEventListener("status", () => showEgress(session.egress, rooms));
  }
  showScreens(rooms);
  select(rooms[0]);
}

showTheme();
showStories();
fitWindow();
start();
