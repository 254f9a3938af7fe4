// Timeline of the memory: scores with both thresholds, gaps, moments and thumbnails; a click plays a moment.

import { byId, clock, h, s, timeOfDay } from "/page/dom.js";
import { thumbnail } from "/page/turn.js";

const [WIDTH, HEIGHT] = [1000, 110]; // units of the SVG view box
const MARKS_TOP = 90;
const MOST_THUMBNAILS = 40;
const EVERY_MS = 3000;
const ZOOMS = { "Last minute": 60, "Last hour": 3600, All: Infinity };
const KEY = {
  curve: "score",
  keep: "kept from",
  clear: "clear from",
  "mark clear-mark": "clear moment",
  "mark fuzzy-mark": "fuzzy",
  "mark past-mark": "dropped",
  "mark pinned-mark": "pinned",
  "mark cited-mark": "cited",
  hatch: "no picture",
};
/** Show a room's timeline until the signal aborts. Returns `mark(citations)`; `hooks.play(t, frameId)` plays a moment. */
export function showTimeline(room, hooks, signal) {
  let data = null;
  let zoom = Infinity;
  let cited = [];
  let at = null; // the moment under the pointer or keyboard cursor
  let drawn = "";

  const plot = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "plot", "aria-hidden": "true" });
  const slider = h("div", { class: "slider", role: "slider", tabIndex: 0, "aria-label": "Moments in memory", "aria-describedby": "timeline-help" }, plot);
  const tip = h("p", { class: "tip muted" });
  const axis = h("div", { class: "axis muted" });
  const strip = h("div", { class: "strip thumbs", role: "group", "aria-label": "Pictures of remembered moments" });
  const words = h("p", { class: "muted", id: "timeline-words" });
  const help = h("p", { class: "hidden", id: "timeline-help" }, "Use the arrow keys to move between moments and Enter to open one.");
  const key = h(
    "p",
    { class: "key muted" },
    Object.entries(KEY).map(([name, label]) => h("span", {}, h("span", { class: `swatch ${name}`, "aria-hidden": "true" }), label)),
  );
  byId("timeline").replaceChildren(slider, axis, tip, strip, key, words, help);

  byId("zoom").replaceChildren(
    ...Object.entries(ZOOMS).map(([name, length]) =>
      h("button", {
        type: "button",
        class: "quiet",
        textContent: name,
        "aria-pressed": String(length === zoom),
        on: {
          click: (event) => {
            zoom = length;
            for (const button of byId("zoom").children) button.setAttribute("aria-pressed", String(button === event.target));
            draw();
          },
        },
      }),
    ),
  );

  async function refresh() {
    if (document.hidden || room.info.state !== "open") return;
    try {
      const found = await room.get("timeline");
      if (signal.aborted) return;
      const text = JSON.stringify(found);
      if (text === drawn) return;
      drawn = text;
      data = found;
      draw();
    } catch (error) {
      words.textContent = error.message;
    }
  }

  const span = () => {
    const end = Math.max(data.now_s ?? 0, data.begin_s + 1);
    return [Math.max(data.begin_s, end - zoom), end];
  };
  const inside = (moment) => moment.t_s >= span()[0];

  function draw() {
    if (!data) return;
    const [from, to] = span();
    const x = (t) => (WIDTH * (t - from)) / (to - from);
    const scores = data.curve.filter((point) => point.t_s >= from);
    const top = Math.max(0.05, ...scores.flatMap((point) => [point.score ?? 0, point.clear_from ?? 0])) * 1.1;
    const y = (value) => MARKS_TOP - 6 - (MARKS_TOP - 12) * (value / top);
    const gaps = data.gaps.filter(([, end]) => end === null || end >= from);
    // Gaps have no scores: break the line there.
    const apart = (before, after) => gaps.some(([start, end]) => start < after.t_s && (end ?? Infinity) > before.t_s);
    const begins = new Set(scores.filter((point, n) => n > 0 && apart(scores[n - 1], point)));
    const path = (name, name_class) => {
      let [line, pen] = ["", "M"];
      for (const point of scores) {
        if (begins.has(point) || point[name] === null) pen = "M";
        if (point[name] !== null) {
          const [at_x, at_y] = [x(point.t_s).toFixed(1), y(point[name]).toFixed(1)];
          line += pen === "M" ? `M${at_x} ${at_y}h0` : `L${at_x} ${at_y}`; // h0 draws a single point as a dot
          pen = "L";
        }
      }
      return s("path", { d: line, class: name_class });
    };
    const ticks = (moments, name_class, from_y, to_y) =>
      s("path", { d: moments.map((m) => `M${x(m.t_s).toFixed(1)} ${from_y}V${to_y}`).join(""), class: `tick ${name_class}` });
    const seen = data.moments.filter(inside);
    plot.replaceChildren(
      s("defs", {}, s("pattern", { id: "hatch", width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, s("line", { x1: 0, y1: 0, x2: 0, y2: 8, class: "hatch-line" }))),
      ...gaps.slice(-100).map(([start, end]) => s("rect", { x: x(Math.max(start, from)), y: 0, width: Math.max(3, x(end ?? to) - x(Math.max(start, from))), height: HEIGHT, fill: "url(#hatch)" })),
      path("keep_from", "keep"),
      path("clear_from", "clear"),
      path("score", "curve"),
      ticks(seen.filter((m) => m.tier === "past"), "past", MARKS_TOP + 8, HEIGHT),
      ticks(seen.filter((m) => m.tier !== "past" && m.detail === "fuzzy"), "fuzzy", MARKS_TOP + 3, HEIGHT),
      ticks(seen.filter((m) => m.tier !== "past" && m.detail === "clear"), "clear", MARKS_TOP, HEIGHT),
      ticks(seen.filter((m) => m.pinned), "pinned", 0, HEIGHT),
      ticks(cited.filter((c) => c.t_s >= from), "cited", 0, HEIGHT),
      ...(at !== null && at.t_s >= from ? [ticks([at], "at", 0, HEIGHT)] : []),
    );
    axis.replaceChildren(h("span", {}, clock(from)), h("span", {}, clock(to)));
    drawThumbnails(seen);
    describeAll(seen, gaps, scores);
  }

  const thumbs = new Map();

  function drawThumbnails(seen) {
    const pictured = seen.filter((moment) => moment.tier !== "past");
    const pinned = pictured.filter((moment) => moment.pinned);
    const others = pictured.filter((moment) => !moment.pinned);
    const room_left = Math.max(2, MOST_THUMBNAILS - pinned.length);
    const chosen = spread(others, room_left).concat(pinned.slice(-MOST_THUMBNAILS));
    chosen.sort((a, b) => a.t_s - b.t_s);
    const wanted = new Map(chosen.map((moment) => [`${moment.t_s} ${moment.frame_id}`, moment]));
    for (const [name, element] of thumbs) {
      if (!wanted.has(name)) {
        element.remove();
        thumbs.delete(name);
      }
    }
    const newest = strip.scrollWidth - strip.scrollLeft - strip.clientWidth < 90;
    let before = null;
    for (const [name, moment] of wanted) {
      let element = thumbs.get(name);
      if (!element) {
        element = thumbnail(room, moment, hooks.play);
        element.tabIndex = -1;
        thumbs.set(name, element);
      }
      element.className = `thumb ${moment.detail}${moment.pinned ? " pinned" : ""}`;
      element.title = [clock(moment.t_s), moment.note].filter(Boolean).join(": ");
      const next = before ? before.nextSibling : strip.firstChild;
      if (next !== element) strip.insertBefore(element, next);
      before = element;
    }
    if (strip.lastChild && ![...strip.children].some((child) => child.tabIndex === 0)) strip.lastChild.tabIndex = 0;
    if (newest) strip.scrollLeft = strip.scrollWidth;
  }

  /** Describe the drawing in words. */
  function describeAll(seen, gaps, scores) {
    const count = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;
    const clear = seen.filter((m) => m.tier !== "past" && m.detail === "clear").length;
    const fuzzy = seen.filter((m) => m.tier !== "past" && m.detail === "fuzzy").length;
    const past = seen.filter((m) => m.tier === "past").length;
    const [from, to] = span();
    const parts = [`${count(seen.length, "moment")} from ${clock(from)} to ${clock(to)}: ${clear} clear, ${fuzzy} fuzzy`];
    if (past) parts.push(`${past} dropped`);
    const best = scores.reduce((most, point) => ((point.score ?? -1) > (most?.score ?? -1) ? point : most), null);
    if (best?.score) parts.push(`highest score ${best.score.toFixed(2)} at ${clock(best.t_s)}`);
    parts.push(
      ...gaps.slice(-3).map(([start, end, reason]) => `no picture from ${clock(start)} to ${end === null ? "now" : clock(end)} (${reason})`),
    );
    words.textContent = `${parts.join("; ")}.`;
    const moments = data.moments;
    slider.setAttribute("aria-valuemin", from.toFixed(1));
    slider.setAttribute("aria-valuemax", to.toFixed(1));
    const current = at ?? moments.at(-1);
    if (current) {
      slider.setAttribute("aria-valuenow", current.t_s.toFixed(1));
      slider.setAttribute("aria-valuetext", describe(current));
    }
  }

  function describe(moment) {
    const parts = [clock(moment.t_s)];
    if (moment.wall_s !== null) parts.push(timeOfDay(moment.wall_s));
    parts.push(moment.tier === "past" ? "dropped" : moment.detail);
    if (moment.pinned) parts.push("pinned");
    if (moment.tier === "key") parts.push("key moment");
    const judged = data.curve.find((point) => point.t_s === moment.t_s);
    if (moment.score !== null) parts.push(`score ${moment.score.toFixed(2)}`);
    if (judged?.clear_from != null) {
      parts.push(`kept from ${judged.keep_from.toFixed(2)} and clear from ${judged.clear_from.toFixed(2)}`);
    }
    if (moment.note) parts.push(moment.note);
    return parts.join(", ");
  }

  function point(moment) {
    at = moment;
    tip.textContent = moment ? describe(moment) : "";
    draw();
  }

  const timeAt = (event) => {
    const box = plot.getBoundingClientRect();
    const [from, to] = span();
    return from + ((to - from) * (event.clientX - box.left)) / box.width;
  };
  const nearest = (t) =>
    data.moments.filter(inside).reduce((best, m) => (!best || Math.abs(m.t_s - t) < Math.abs(best.t_s - t) ? m : best), null);

  slider.addEventListener("pointermove", (event) => {
    if (!data) return;
    const t = timeAt(event);
    const gap = data.gaps.find(([start, end]) => start <= t && t <= (end ?? Infinity));
    point(nearest(t));
    if (gap) tip.textContent = `No picture from ${clock(gap[0])} to ${gap[1] === null ? "now" : clock(gap[1])}: ${gap[2]}`;
  });
  slider.addEventListener("pointerleave", () => data && point(null));
  slider.addEventListener("click", (event) => {
    const moment = data && nearest(timeAt(event));
    if (moment) hooks.play(moment.t_s, moment.frame_id);
  });
  slider.addEventListener("keydown", (event) => {
    const moments = data?.moments.filter(inside) ?? [];
    if (!moments.length) return;
    const now = at ? moments.findIndex((m) => m.t_s === at.t_s) : moments.length;
    const last = moments.length - 1;
    const targets = { ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, Home: 0, End: last, PageDown: now - 10, PageUp: now + 10 };
    if (event.key in targets) {
      event.preventDefault();
      point(moments[Math.min(last, Math.max(0, targets[event.key]))]);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      const moment = at ?? moments[last];
      hooks.play(moment.t_s, moment.frame_id);
    }
  });
  strip.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const items = [...strip.children];
    const next = step && items[items.indexOf(document.activeElement) + step];
    if (!next) return;
    event.preventDefault();
    for (const item of items) item.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  const timer = setInterval(refresh, EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  room.addEventListener("memory", refresh, { signal });
  room.addEventListener("snapshot", refresh, { signal });
  document.addEventListener("visibilitychange", refresh, { signal });
  refresh();
  return {
    mark(citations) {
      cited = citations;
      draw();
    },
  };
}

/** Return at most `most` items of a list, evenly spaced, including both ends. */
function spread(list, most) {
  if (list.length <= most) return list;
  return Array.from({ length: most }, (_, step) => list[Math.round((step * (list.length - 1)) / (most - 1))]);
}
