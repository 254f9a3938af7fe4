// Rendering of the visible stretch: the axis, the lanes with their events, and the links between them.

const CARD = { width: 148, height: 52, gap: 4 };
const GUTTER = 26; // room above the bars of a lane, for arcs within it
const BAR = 12;
const EDGE = 10; // room at both sides
const FRAME = { width: 96, height: 54 };
const STEPS_S = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];
const TICK_PX = 84;
const SHORT_PX = 14; // shorter links are drawn only for the focused event: many of them would only clutter

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Create an element with a class, properties and attributes; text is never parsed as HTML. */
function make(tag, name = "", properties = {}, ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function place(element, left, top, width, height) {
  Object.assign(element.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  return element;
}

const foretold = (event) => (event.story_s < event.start_s ? "flashback" : "flash-forward");

/** Describe an event for screen readers. */
function spoken(event) {
  const who = event.actors.length ? `${event.actors.join(", ")}: ` : "";
  return `${stretch(event.start_s, event.end_s)}. ${who}${event.summary}${event.elsewhen ? ` (${foretold(event)})` : ""}`;
}

/** Return the first picture of an event's segments: its URL, "gone", or "". */
const pictureOf = (event) => {
  const found = event.segments.map((number) => story.segments[number].picture);
  return found.find((picture) => picture.startsWith("data:")) ?? found.find(Boolean) ?? "";
};

function frameOf(picture) {
  if (!picture) return null;
  return picture === "gone"
    ? make("span", "frame gone", { title: "The picture was removed to make room for newer ones" }, "gone")
    : make("img", "frame", { src: picture, alt: "" });
}

/** Create a row of cards that do not overlap: `take` returns whether there was room from `left` on. */
function row() {
  const taken = [];
  return {
    take(left) {
      if (taken.some((other) => Math.abs(other - left) < CARD.width + CARD.gap)) return false;
      taken.push(left);
      return true;
    },
  };
}

/** Compute the layout of a view, in pixels of the chart. */
function lay(view, width) {
  const { lanes, laneOf, drawn } = view;
  const x = (t) => EDGE + ((t - chosen.from) / (chosen.to - chosen.from)) * (width - 2 * EDGE);
  const most = lanes.length > 5 ? 1 : lanes.length > 2 ? 2 : 3;
  const rows = lanes.map(() => Array.from({ length: most }, row));
  const cards = new Map();
  const used = lanes.map(() => 1);
  for (const event of drawn) {
    const lane = laneOf.get(event);
    const left = clamp(x(event.start_s), EDGE, Math.max(EDGE, width - CARD.width - EDGE));
    const free = rows[lane].findIndex((one) => one.take(left));
    if (free < 0) continue;
    cards.set(event, { left, row: free });
    used[lane] = Math.max(used[lane], free + 1);
  }
  let top = 0;
  const tops = lanes.map((_, lane) => {
    const here = top;
    top += GUTTER + BAR + 6 + used[lane] * (CARD.height + CARD.gap) + 4;
    return here;
  });
  const bar = (lane) => tops[lane] + GUTTER;
  return { x, cards, tops: [...tops, top], bar, card: (lane, at) => bar(lane) + BAR + 6 + at * (CARD.height + CARD.gap) };
}

function drawAxis(axis, x, width) {
  const nodes = [];
  const shown = story.segments.filter((segment) => segment.end_s >= chosen.from && segment.start_s <= chosen.to);
  const bands = width / Math.max(1, shown.length) > 5;
  if (bands) {
    for (const segment of shown) {
      const [left, right] = [Math.max(0, x(segment.start_s)), Math.min(width, x(segment.end_s))];
      const band = make("i", segment.number % 2 ? "band odd" : "band");
      nodes.push(place(band, left, 0, Math.max(1, right - left), 24));
    }
  }
  const steps = bySections ? STEPS : STEPS_S;
  const perTick = ((chosen.to - chosen.from) * TICK_PX) / width;
  const step = steps.find((one) => one >= perTick) ?? steps.at(-1);
  for (let t = Math.ceil(chosen.from / step) * step; t <= chosen.to; t += step) {
    if ((bySections && t >= story.end) || x(t) > width - TICK_PX / 2) break;
    const tick = make("span", "tick", { textContent: bySections ? `${t ? "" : "section "}${t + 1}` : moment(t) });
    nodes.push(place(tick, x(t), 0, TICK_PX, 24));
  }
  let last = -Infinity;
  const strip = story.segments.some((segment) => segment.picture);
  for (const segment of strip ? shown : []) {
    const left = Math.max(0, x(segment.start_s));
    if (!segment.picture || left < last + FRAME.width + 4 || left > width - FRAME.width) continue;
    last = left;
    const frame = frameOf(segment.picture);
    frame.title = stretch(segment.start_s, segment.end_s);
    nodes.push(place(frame, left, 28, FRAME.width, FRAME.height));
  }
  axis.style.height = `${strip ? 28 + FRAME.height + 6 : 26}px`;
  axis.replaceChildren(...nodes);
}

/** Return the path of a link between two points: an arc above a lane, or a curve from lane to lane, offset by `beside`. */
function way(x1, y1, x2, y2, beside = 0) {
  const high = Math.min(2 * GUTTER - 8, 12 + Math.abs(x2 - x1) / 5) - 12 * beside;
  if (y1 === y2) return `M${x1} ${y1} Q${(x1 + x2) / 2} ${y1 - Math.max(6, high)} ${x2} ${y2}`;
  const middle = (y1 + y2) / 2 - 14 * beside;
  return `M${x1} ${y1} C${x1 + (x2 - x1) / 5} ${middle} ${x2 - (x2 - x1) / 5} ${middle} ${x2} ${y2}`;
}

function arrows() {
  const head = (name) =>
    svg("marker", { id: `arrow-${name}`, class: name, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" },
      svg("path", { d: "M0 0 L8 4 L0 8 Z" })); // prettier-ignore
  return svg("defs", {}, ...[...story.types, "chain"].map(head));
}

function drawLinks(view) {
  const { laneOf, at, width } = view;
  view.links = linksOf(view.events, view.drawn, (SHORT_PX * (chosen.to - chosen.from)) / width);
  const point = (event) => [clamp(at.x(event.start_s), -width, 2 * width), at.bar(laneOf.get(event))];
  const drawing = svg("svg", { width, height: at.tops.at(-1), class: "links", "aria-hidden": "true" }, arrows());
  const focus = chosen.at ?? chosen.event;
  const between = new Map(); // number of links drawn between two events
  for (const link of view.links.drawn) {
    const pair = `${link.src} ${link.dst}`;
    const beside = between.get(pair) ?? 0;
    between.set(pair, beside + 1);
    const path = svg("path", {
      d: way(...point(story.events[link.src]), ...point(story.events[link.dst]), beside),
      class: `link ${link.type}${focus !== null && (link.src === focus || link.dst === focus) ? " near" : ""}`,
      "marker-end": `url(#arrow-${link.type})`,
      "data-link": link.number,
    });
    drawing.append(path);
  }
  const event = focus === null ? null : story.events[focus];
  if (event?.elsewhen && laneOf.has(event)) {
    const [left, top] = point(event);
    const there = at.x(event.story_s);
    drawing.append(svg("path", { class: "story-time", d: `M${left} ${top + BAR / 2} L${there} ${top + BAR / 2}` }));
    drawing.append(svg("circle", { class: "story-time", cx: there, cy: top + BAR / 2, r: 5 }));
  }
  const steps = (chosen.chain?.events ?? []).map((number) => story.events[number]).filter((one) => laneOf.has(one));
  for (const [place_, one] of steps.slice(1).entries()) {
    const d = way(...point(steps[place_]), ...point(one));
    drawing.append(svg("path", { class: "chain", d, "marker-end": "url(#arrow-chain)" }));
  }
  return drawing;
}

/** Draw a histogram of the events of each lane along the time line, if not all are drawn individually. */
function drawDensity(view, at, width) {
  const step = 4;
  const held = view.lanes.map(() => new Map());
  for (const event of view.here) {
    const bins = held[view.laneOf.get(event)];
    const bin = Math.floor(at.x(event.start_s) / step);
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  }
  const highest = Math.max(1, ...held.flatMap((bins) => [...bins.values()]));
  const drawing = svg("svg", { width, height: at.tops.at(-1), class: "density", "aria-hidden": "true" });
  for (const [lane, bins] of held.entries()) {
    const bottom = at.bar(lane) + BAR;
    const parts = [...bins].map(([bin, number]) => `M${bin * step} ${bottom}v${-Math.max(2, (number / highest) * (GUTTER + BAR))}h3V${bottom}Z`);
    drawing.append(svg("path", { d: parts.join("") }));
  }
  return drawing;
}

function drawEvents(view, at) {
  const dim = (event) => chosen.chain && !chosen.chain.events.includes(event.number);
  const marks = (event) =>
    (event.elsewhen ? " elsewhen" : "") + (dim(event) ? " dim" : "") + (event.number === chosen.event ? " kept" : "") +
    (event.number === chosen.at ? " at" : "") + (chosen.chain && !dim(event) ? " chained" : ""); // prettier-ignore
  const nodes = [];
  for (const event of view.drawn.toSorted(byTime)) {
    const lane = view.laneOf.get(event);
    const [left, right] = [at.x(event.start_s), at.x(event.end_s)];
    const bar = make("i", `bar${marks(event)}`, { "data-event": event.number });
    bar.style.setProperty("--sure", event.confidence);
    nodes.push(place(bar, left - 1, at.bar(lane), Math.max(5, right - left), BAR));
    const option = { id: `event-${event.number}`, role: "option", "data-event": event.number };
    option["aria-label"] = spoken(event);
    option["aria-selected"] = String(event.number === chosen.event);
    const card = at.cards.get(event);
    if (card) {
      const when = make("b", "when", {}, `${event.elsewhen ? (event.story_s < event.start_s ? "↶ " : "↷ ") : ""}${moment(event.start_s)}`);
      const words = make("span", "words", {}, when, " ", make("bdi", "", {}, event.summary));
      const node = make("div", `card${marks(event)}`, option, frameOf(pictureOf(event)), words);
      nodes.push(place(node, card.left, at.card(lane, card.row), CARD.width, CARD.height));
    } else {
      for (const [name, value] of Object.entries(option)) bar.setAttribute(name, value);
    }
  }
  return nodes;
}

function drawLanes(view, at, width) {
  return view.lanes.flatMap((name, lane) => {
    const band = make("div", lane % 2 ? "lane odd" : "lane", { "aria-hidden": "true" });
    const label = make("div", "lane-name", { "aria-hidden": "true" }, make("bdi", "", {}, name));
    label.style.top = `${at.tops[lane] + 3}px`;
    return [place(band, 0, at.tops[lane], width, at.tops[lane + 1] - at.tops[lane]), label];
  });
}

/** Draw everything, and return the view. */
function drawStory(axis, chart, width) {
  const found = filtered();
  const view = { ...found, ...inView(found) };
  const at = lay(view, width);
  Object.assign(view, { at, width });
  drawAxis(axis, at.x, width);
  chart.style.height = `${Math.max(60, at.tops.at(-1) ?? 0)}px`;
  const layers = [...drawLanes(view, at, width)];
  if (view.drawn.length < view.here.length) layers.push(drawDensity(view, at, width));
  layers.push(drawLinks(view), ...drawEvents(view, at));
  chart.replaceChildren(...layers);
  chart.classList.toggle("focused", chosen.event !== null || chosen.chain !== null);
  return view;
}

/** Draw the overview: a histogram of all events, and the visible stretch. */
function drawOverview(overview, width) {
  const bins = new Array(Math.max(1, Math.floor(width / 4))).fill(0);
  const whole = story.end - story.start;
  for (const event of story.events) {
    bins[Math.min(bins.length - 1, Math.floor(((event.start_s - story.start) / whole) * bins.length))] += 1;
  }
  const highest = Math.max(1, ...bins);
  const parts = bins.map((number, bin) => (number ? `M${bin * 4} 30v${-2 - (26 * number) / highest}h3V30Z` : ""));
  const drawing = overview.querySelector("svg");
  drawing.setAttribute("viewBox", `0 0 ${bins.length * 4} 30`);
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.replaceChildren(svg("path", { d: parts.join("") }));
}

function drawWindow(overview) {
  const whole = story.end - story.start;
  const window_ = overview.querySelector(".window");
  window_.style.left = `${((chosen.from - story.start) / whole) * 100}%`;
  window_.style.width = `${((chosen.to - chosen.from) / whole) * 100}%`;
}
