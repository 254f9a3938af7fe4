// One moment, large: its picture, what is known of it, and the frames that follow it, played.

import { byId, clock, h, timeOfDay } from "/page/dom.js";

const PLAY_S = 8; // one stretch is fetched at a time
const FRAMES_A_SECOND = 4;
const LONGEST_MS = 1000;
const SIDE_PX = 1600;

/** Open a moment of a room in a dialog; `hooks.ask(words)` begins a question about it. */
export async function openMoment(room, t, frameId, hooks) {
  const dialog = byId("moment");
  const title = h("h2", { id: "moment-title", tabIndex: -1 });
  const picture = h("img", { class: "large", alt: "" });
  const facts = h("p", { class: "facts" });
  const problem = h("p", { class: "problem", role: "alert" });
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
    picture,
    facts,
    h("div", { class: "choices" }, play, pin, ask),
    problem,
  );

  function show(frame) {
    shown = frame;
    title.textContent = clock(frame.t_s);
    picture.src = room.pictureUrl(frame.frame_id, SIDE_PX);
    picture.alt = `${room.info.name} at ${clock(frame.t_s)}`;
  }

  function label() {
    pin.hidden = !moment || moment.tier === "past";
    pin.textContent = moment?.pinned ? "Unpin" : "Pin";
    pin.setAttribute("aria-pressed", String(Boolean(moment?.pinned)));
  }

  async function load(t_s, frame_id) {
    const known = await room.get("moment", { t_s, frame_id });
    moment = known.moment;
    if (known.frame) show(known.frame);
    else {
      title.textContent = clock(t_s);
      picture.removeAttribute("src");
      problem.textContent = "No picture is left of this moment: it was never kept, gave way to newer ones, or was forgotten.";
    }
    facts.textContent = describe(known);
    label();
  }

  function stop() {
    playing?.abort();
    playing = null;
    play.textContent = "Play from here";
  }

  async function run() {
    playing = new AbortController();
    const { signal } = playing;
    play.textContent = "Stop playing";
    facts.textContent = "";
    try {
      let from = shown.t_s;
      for (;;) {
        const frames = await room.get("frames", { start_s: from, end_s: from + PLAY_S, limit: PLAY_S * FRAMES_A_SECOND });
        const next = frames.filter((frame) => frame.t_s > shown.t_s);
        if (!next.length || signal.aborted) break;
        for (const frame of next) {
          await pause(Math.min(LONGEST_MS, 1000 * (frame.t_s - shown.t_s)));
          if (signal.aborted) return;
          show(frame);
          await picture.decode().catch(() => {}); // a picture that has just gone leaves the one before
        }
        from = shown.t_s;
      }
      problem.textContent = "Nothing more is remembered after this.";
    } catch (error) {
      problem.textContent = error.message;
    }
    stop();
  }

  play.addEventListener("click", () => {
    problem.textContent = "";
    if (playing) stop();
    else run();
  });
  pin.addEventListener("click", async () => {
    try {
      moment = await room.post(moment.pinned ? "unpin" : "pin", { t_s: moment.t_s });
      label();
    } catch (error) {
      problem.textContent = error.message;
    }
  });
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
  try {
    await load(t, frameId);
  } catch (error) {
    problem.textContent = error.message;
  }
}

function describe({ frame, moment, reason }) {
  const parts = [];
  if (moment?.wall_s) parts.push(timeOfDay(moment.wall_s));
  if (!moment) parts.push(frame ? "read again from the file; memory did not keep it" : "");
  else {
    parts.push(moment.detail === "clear" ? "kept clear" : "kept fuzzy: a model is shown it small");
    parts.push({ recent: "recent", key: "a key moment", past: "gave way to others" }[moment.tier]);
    if (moment.score !== null) parts.push(`score ${moment.score.toFixed(2)}`);
    if (reason) parts.push(reason);
    if (moment.note) parts.push(`noted: ${moment.note}`);
  }
  return parts.filter(Boolean).join(" · ");
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
