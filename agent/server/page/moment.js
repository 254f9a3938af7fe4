// Dialog of a moment: its picture, its details, and playback from it.

import { withBoxes } from "/page/boxes.js";
import { byId, clock, h, isIn, pause, timeOfDay } from "/page/dom.js";

const PLAY_S = 8; // length of one fetched span
const FRAMES_A_SECOND = 4;
const LONGEST_MS = 1000;
const SIDE_PX = 1600;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/** Open a moment of a room in a dialog, and play from it if `plays`; `hooks.ask(words)` starts a question about it. */
export async function openMoment(room, t, frameId, hooks, plays) {
  const dialog = byId("moment");
  const title = h("h2", { id: "moment-title", tabIndex: -1 });
  const picture = h("img", { class: "large", alt: "" });
  const boxes = withBoxes(picture);
  const facts = h("p", { class: "facts" });
  const problem = h("p", { class: "problem", role: "alert" });
  const end = h("p", { class: "muted", role: "status" });
  const play = h("button", { type: "button", class: "primary", textContent: "Play from here" });
  const pin = h("button", { type: "button", hidden: true });
  const ask = h("button", { type: "button", textContent: "Ask about it" });
  const close = h("button", { type: "button", textContent: "Close" });
  const keys = new AbortController();
  let shown = { t_s: t };
  let moment = null;
  let playing = null;

  dialog.replaceChildren(
    h("div", { class: "heading" }, title, close),
    boxes.frame,
    facts,
    boxes.words,
    h("div", { class: "choices" }, play, pin, boxes.button, ask),
    end,
    problem,
  );

  function show(frame) {
    shown = frame;
    title.textContent = clock(frame.t_s);
    picture.src = room.pictureUrl(frame.frame_id, SIDE_PX);
    picture.alt = `${room.info.name} at ${clock(frame.t_s)}`;
    boxes.draw(null);
  }

  function label() {
    pin.hidden = !moment || moment.tier === "past";
    pin.textContent = moment && `${moment.pinned ? "Unpin" : "Pin"} ${clock(moment.t_s)}`;
    pin.setAttribute("aria-pressed", String(Boolean(moment?.pinned)));
  }

  /** Show the details of a moment; return it as the server knows it. */
  async function describeMoment(t_s, frame_id) {
    const known = await room.get("moment", { t_s, frame_id });
    moment = known.moment;
    facts.textContent = describe(known);
    label();
    return known;
  }

  async function load(t_s, frame_id) {
    const { frame, detections } = await describeMoment(t_s, frame_id);
    if (frame) {
      show(frame);
      boxes.draw(detections);
      return;
    }
    boxes.draw(null);
    title.textContent = clock(t_s);
    picture.removeAttribute("src");
    problem.textContent = "There is no picture of this moment: it was never kept, was dropped for newer ones, or was forgotten.";
  }

  function stop() {
    playing?.abort();
    playing = null;
    play.textContent = "Play from here";
  }

  /** Return what to play after a time: the frames that follow soon, else the next moment that has a picture. */
  async function follow(from) {
    const until = from + PLAY_S;
    const frames = await room.get("frames", { start_s: from, end_s: until, limit: PLAY_S * FRAMES_A_SECOND });
    const next = frames.filter((frame) => frame.t_s > shown.t_s);
    if (next.length) return next;
    const { moments } = await room.get("timeline");
    const later = moments.find((one) => one.t_s > until && one.tier !== "past");
    return later ? [later] : [];
  }

  async function run() {
    playing = new AbortController();
    const { signal } = playing;
    play.textContent = "Stop playing";
    const begun = shown;
    try {
      for (let next = await follow(begun.t_s); next.length && !signal.aborted; next = await follow(shown.t_s)) {
        for (const frame of next) {
          await pause(Math.min(LONGEST_MS, 1000 * (frame.t_s - shown.t_s)));
          if (signal.aborted) return;
          facts.textContent = "";
          show(frame);
          await picture.decode().catch(() => {}); // if the picture is gone, keep the previous one
        }
      }
      if (!signal.aborted) end.textContent = "Nothing later is in memory.";
    } catch (error) {
      problem.textContent = error.message;
    }
    if (!signal.aborted) rest(begun);
  }

  /** Stop playing, and show the details of the current frame. */
  function rest(begun) {
    stop();
    if (shown === begun) return;
    attempt(async () => {
      const { frame, detections } = await describeMoment(shown.t_s, shown.frame_id);
      if (frame?.frame_id === shown.frame_id) boxes.draw(detections);
    });
  }

  async function attempt(work) {
    try {
      await work();
    } catch (error) {
      problem.textContent = error.message;
    }
  }

  play.addEventListener("click", () => {
    problem.textContent = end.textContent = "";
    if (playing) rest();
    else run();
  });
  room.addEventListener(
    "memory",
    ({ detail: { forgotten } }) => {
      if (!isIn(forgotten, shown.t_s)) return;
      stop();
      picture.removeAttribute("src");
      attempt(() => load(shown.t_s, shown.frame_id));
    },
    { signal: keys.signal },
  );
  pin.addEventListener("click", () =>
    attempt(async () => {
      moment = await room.post(moment.pinned ? "unpin" : "pin", { t_s: moment.t_s });
      label();
    }),
  );
  ask.addEventListener("click", () => {
    const at = clock(shown.t_s);
    dialog.close();
    hooks.ask(`At [${at}], `);
  });
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener(
    "close",
    () => {
      stop();
      keys.abort();
    },
    { signal: keys.signal },
  );

  if (!dialog.open) dialog.showModal();
  title.textContent = clock(t);
  title.focus();
  await attempt(async () => {
    await load(t, frameId);
    if (!plays || STILL.matches || !picture.hasAttribute("src")) return;
    await picture.decode().catch(() => {});
    if (!keys.signal.aborted && !playing) run();
  });
}

function describe({ frame, moment, reason }) {
  const parts = [];
  if (moment?.wall_s) parts.push(timeOfDay(moment.wall_s));
  if (!moment) parts.push(frame ? "read from the file; not kept in memory" : "");
  else {
    parts.push(moment.detail === "clear" ? "kept clear" : "kept fuzzy: shown to the model at low resolution");
    parts.push({ recent: "recent", key: "a key moment", past: "dropped for others" }[moment.tier]);
    if (moment.score !== null) parts.push(`score ${moment.score.toFixed(2)}`);
    if (reason) parts.push(reason);
    if (moment.note) parts.push(`note: ${moment.note}`);
  }
  return parts.filter(Boolean).join(" · ");
}
