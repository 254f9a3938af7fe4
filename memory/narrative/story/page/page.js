// Controls, details of an event, chains, and keyboard and pointer handling.

const byId = (id) => document.getElementById(id);
const [axis, chart, overview] = ["axis", "chart", "overview"].map(byId);

let view = null; // what is drawn at present
let waiting = 0;
let printing = false;
const PRINTED_PX = 1020; // a landscape page of A4 with its margins

/** Schedule one redraw for all changes until then. */
function draw() {
  if (!waiting) waiting = requestAnimationFrame(drawNow);
}

function drawNow() {
  cancelAnimationFrame(waiting);
  waiting = 0;
  view = drawStory(axis, chart, printing ? PRINTED_PX : chart.clientWidth);
  drawWindow(overview);
  tell();
  point();
  if (byId("list").open) drawList();
}

function tell() {
  const parts = [stretch(chosen.from, chosen.to)];
  const { here, drawn, events, links } = view;
  parts.push(drawn.length < here.length
    ? `the ${count(drawn.length, "event")} that matter most of ${here.length.toLocaleString("en")} here, the others as columns`
    : count(here.length, "event")); // prettier-ignore
  if (events.length < story.events.length) parts.push(`${count(events.length, "event")} of the story found`);
  if (links.drawn.length === links.all) parts.push(count(links.all, "link"));
  else parts.push(`${count(links.drawn.length, "link")} of ${links.all.toLocaleString("en")}: ${links.heavy ? "the heaviest; " : ""}zoom in for short ones`);
  byId("shown").textContent = parts.join("; ");
  byId("list").querySelector("summary").textContent = `These ${count(drawn.length, "event")} as a list`;
}

/** Mark the focused event and show its details, without a redraw. */
function point() {
  for (const node of chart.querySelectorAll(".at")) node.classList.remove("at");
  const number = chosen.at ?? chosen.event;
  for (const node of chart.querySelectorAll(`[data-event="${number}"]`)) node.classList.add("at");
  const there = number !== null && byId(`event-${number}`);
  if (there) chart.setAttribute("aria-activedescendant", `event-${number}`);
  else chart.removeAttribute("aria-activedescendant");
  showDetails(number === null ? null : story.events[number]);
}

function pointAt(number) {
  if (number === chosen.at) return;
  chosen.at = number;
  chart.querySelector("svg.links").replaceWith(drawLinks(view));
  point();
}

function keep(number) {
  chosen.event = number;
  chosen.at = null;
  if (number !== null) reveal(story.events[number].start_s, story.events[number].end_s);
  drawNow();
  byId(`event-${number}`)?.scrollIntoView({ block: "nearest" });
}

function chooseChain(chain) {
  chosen.chain = chain;
  if (chain) {
    const events = chain.events.map((number) => story.events[number]);
    reveal(Math.min(...events.map((event) => event.start_s)), Math.max(...events.map((event) => event.end_s)));
  }
  for (const button of byId("chains").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(Boolean(chain) && button.value === String(chain.number)));
  }
  draw();
}

/** Create a button that shows an event. */
function leadTo(event, why = "") {
  const button = make("button", "", { type: "button", title: why }, make("b", "", {}, moment(event.start_s)), " ", make("bdi", "", {}, event.summary));
  button.addEventListener("click", () => keep(event.number));
  return button;
}

/** Draw a sample of a link type. */
const swatch = (type) =>
  svg("svg", { class: "swatch", viewBox: "0 0 26 6", "aria-hidden": "true" }, svg("path", { d: "M0 3H26", class: `link near ${type}` }));

let detailed; // the event whose details are shown

function showDetails(event) {
  const panel = byId("details");
  panel.classList.toggle("held", chosen.event !== null);
  if (detailed === event) return;
  detailed = event;
  const facts = make("dl");
  const fact = (name, value) => {
    if (value === "" || value === null || value === undefined) return;
    facts.append(make("dt", "", {}, name), make("dd", "", {}, make("bdi", "", {}, String(value))));
  };
  if (!event) {
    panel.replaceChildren(make("h2", "", {}, "Event"), make("p", "muted", {}, "Point at an event to see its details; click it to keep them here."));
    return;
  }
  fact("when", stretch(event.start_s, event.end_s));
  if (event.elsewhen) fact("in the story", `${moment(event.story_s)}, a ${foretold(event)}`);
  fact("who", event.actors.join(", "));
  fact("names", event.objects.join(", "));
  fact("place", event.place);
  fact("goal", event.goal);
  fact("before", event.state_before);
  fact("after", event.state_after);
  fact("confidence", `${event.confidence.toFixed(2)}, salience ${event.salience.toFixed(2)}`);
  fact("written by", event.writer);
  const quotes = event.quotes.map((quote) =>
    make("blockquote", "", { title: `${quote.field} of segment ${quote.segment.number + 1}` },
      make("bdi", "", {}, shortened(quote.before, -80), make("mark", "", {}, spaced(quote.told)), shortened(quote.after, 80)),
      make("footer", "muted", {}, `${quote.field}, ${bySections ? "" : `segment ${quote.segment.number + 1}, `}${moment(quote.segment.start_s)}`))); // prettier-ignore
  const links = make("ul", "plain");
  for (const link of event.links) {
    const from = link.src === event.number;
    const other = story.events[from ? link.dst : link.src];
    const sure = `${link.confidence.toFixed(2)}, ${link.method}`;
    const type = make("span", "type", {}, from ? link.type : `← ${link.type}`);
    links.append(make("li", "", {}, swatch(link.type), type, make("span", "muted", {}, sure), leadTo(other, link.why)));
  }
  const chains = event.chains.map((chain) => {
    const button = make("button", "", { type: "button" }, `chain ${chain.number + 1}, ${chain.kind}`);
    button.addEventListener("click", () => chooseChain(chain));
    return button;
  });
  const picture = frameOf(pictureOf(event));
  const close = make("button", "close", { type: "button" }, "Let go");
  close.addEventListener("click", () => keep(null));
  panel.replaceChildren(
    ...[
      close,
      make("h2", "", {}, make("bdi", "", {}, event.summary)),
      picture, facts,
      quotes.length > 0 && make("h3", "", {}, "Rests on"), ...quotes,
      event.links.length > 0 && make("h3", "", {}, "Links"), event.links.length > 0 && links,
      chains.length > 0 && make("h3", "", {}, "Chains"), ...chains,
    ].filter(Boolean), // prettier-ignore
  );
}

/** Return the end (for a negative length) or the beginning of a text, cut between words. */
function shortened(text, length) {
  const whole = text.replace(/\s+/g, " ");
  if (whole.length <= Math.abs(length)) return whole;
  return length < 0 ? `… ${whole.slice(length).replace(/^\S*\s/, "")}` : `${whole.slice(0, length).replace(/\s\S*$/, "")} …`;
}

function drawList() {
  const nodes = view.drawn.toSorted(byTime).map((event) => make("li", "", {}, leadTo(event)));
  byId("list").querySelector("ol").replaceChildren(...nodes);
}

function drawChains() {
  const nodes = story.chains.map((chain) => {
    const first = story.events[chain.events[0]];
    const told = chain.summary || chain.events.map((number) => story.events[number].summary).join(" → ");
    const facts = `${chain.kind}, ${count(chain.events.length, "event")}, score ${chain.score.toFixed(2)}, over ${lasting(chain.span_s)} from ${moment(first.start_s)}`;
    const button = make("button", "", { type: "button", value: String(chain.number), "aria-pressed": "false" },
      make("b", "", {}, `Chain ${chain.number + 1}`), " ", make("span", "muted", {}, facts), make("bdi", "told", {}, told)); // prettier-ignore
    button.addEventListener("click", () => chooseChain(chosen.chain === chain ? null : chain));
    return make("li", "", {}, button);
  });
  if (!nodes.length) byId("chains").append(make("p", "muted", {}, "There are no chains."));
  byId("chains").querySelector("ol").replaceChildren(...nodes);
}

/** Build the legend, which also selects the link types to draw. */
function drawTypes() {
  const held = new Map();
  for (const link of story.links) held.set(link.type, (held.get(link.type) ?? 0) + 1);
  for (const type of story.types.filter((name) => held.has(name))) {
    const box = make("input", "", { type: "checkbox", checked: chosen.types.has(type), value: type });
    box.addEventListener("change", () => {
      if (box.checked) chosen.types.add(type);
      else chosen.types.delete(type);
      draw();
    });
    byId("types").append(make("label", "", {}, box, swatch(type), `${type} (${held.get(type).toLocaleString("en")})`));
  }
  byId("types").hidden = !held.size;
}

function drawWho() {
  const held = new Map();
  for (const event of story.events) for (const name of [...event.actors, ...event.objects]) held.set(name, (held.get(name) ?? 0) + 1);
  const often = [...held].toSorted((a, b) => b[1] - a[1]).slice(0, 200).toSorted((a, b) => a[0].localeCompare(b[0]));
  byId("who").append(...often.map(([name, number]) => make("option", "", { value: name, textContent: `${name} (${number})` })));
}

/** Show the totals, and what this page omits. */
function drawTotals() {
  const { totals, pictures, version } = story;
  const chains = count(totals.chains, "chain");
  const what = bySections ? count(totals.segments, "section") : `${count(totals.segments, "segment")}, ${lasting(story.end - story.start)}`;
  byId("counts").textContent = `${what}; ${count(totals.events, "event")}, ${count(totals.links, "link")}, ${chains}; version ${version} of the memory`;
  const left = [];
  if (story.events.length < totals.events) {
    left.push(`Only the ${count(story.events.length, "event")} that matter most are on this page, with the links and chains between them.`);
  }
  const shown = story.segments.filter((segment) => segment.picture.startsWith("data:")).length;
  if (story.chains.length < totals.chains) left.push(`${story.chains.length} of the chains are on this page.`);
  if (pictures.gone) left.push(`The pictures of ${count(pictures.gone, "segment")} were removed to make room for newer ones and appear as empty boxes.`);
  if (shown + pictures.gone < pictures.named) left.push(`Pictures of ${shown} of ${count(pictures.named, "segment")} are on this page.`);
  byId("left-out").textContent = left.join(" ");
  byId("left-out").hidden = !left.length;
}

/** Return the next event in time, or the nearest of another lane, among those drawn. */
function neighbour(key) {
  const order = view.drawn.toSorted(byTime);
  const now = story.events[chosen.at ?? chosen.event];
  if (!now || !view.drawn.includes(now)) return order[0];
  if (key === "ArrowLeft" || key === "ArrowRight") return order[order.indexOf(now) + (key === "ArrowRight" ? 1 : -1)];
  const far = (event) => Math.abs(event.start_s - now.start_s);
  const step = key === "ArrowDown" ? 1 : -1;
  for (let lane = view.laneOf.get(now) + step; lane >= 0 && lane < view.lanes.length; lane += step) {
    const there = order.filter((event) => view.laneOf.get(event) === lane);
    if (there.length) return there.reduce((a, b) => (far(b) < far(a) ? b : a));
  }
  return undefined;
}

const KEYS = { "+": () => zoom(1 / 1.5), "=": () => zoom(1 / 1.5), "-": () => zoom(1.5), 0: () => show(story.start, story.end) };

chart.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in KEYS) KEYS[event.key]();
  else if (event.shiftKey && ["ArrowLeft", "ArrowRight"].includes(event.key)) move(event.key === "ArrowRight" ? 0.25 : -0.25);
  else if (event.key.startsWith("Arrow")) {
    const next = neighbour(event.key);
    event.preventDefault();
    if (next) pointAt(next.number);
    byId(`event-${next?.number}`)?.scrollIntoView({ block: "nearest" });
    return;
  } else if (event.key === "Enter" || event.key === " ") keep(chosen.at ?? chosen.event);
  else if (event.key === "Escape") {
    keep(null);
    chooseChain(null);
  } else return;
  event.preventDefault();
  draw();
});

const eventAt = (target) => {
  const node = target.closest?.("[data-event]");
  return node ? Number(node.dataset.event) : null;
};
const timeAt = (x) => chosen.from + ((x - chart.getBoundingClientRect().left - EDGE) / (chart.clientWidth - 2 * EDGE)) * (chosen.to - chosen.from);

let mouse = ""; // its position: an event redrawn under a resting mouse is not focused
chart.addEventListener("pointermove", (event) => {
  const before = mouse;
  mouse = `${event.clientX} ${event.clientY}`;
  if (event.pointerType === "mouse" && !event.buttons && mouse !== before) pointAt(eventAt(event.target));
});
chart.addEventListener("pointerleave", () => pointAt(null));
chart.addEventListener("wheel", (event) => {
  if (event.ctrlKey) zoom(Math.exp(clamp(event.deltaY, -60, 60) / 120), timeAt(event.clientX));
  else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) move((event.deltaX || event.deltaY) / chart.clientWidth);
  else return; // the page scrolls
  event.preventDefault();
  draw();
}, { passive: false }); // prettier-ignore

const held = new Map(); // pressed pointers and their positions
let moved = false;

chart.addEventListener("pointerdown", (event) => {
  held.set(event.pointerId, event.clientX);
  moved = false;
});
addEventListener("pointermove", (event) => {
  const before = held.get(event.pointerId);
  if (before === undefined || (!moved && Math.abs(event.clientX - before) < 4)) return;
  moved = true;
  const others = [...held].filter(([id]) => id !== event.pointerId).map(([, x]) => x);
  held.set(event.pointerId, event.clientX);
  if (others.length) zoom(clamp(Math.abs(before - others[0]) / Math.max(1, Math.abs(event.clientX - others[0])), 0.5, 2), timeAt((event.clientX + others[0]) / 2));
  else move((before - event.clientX) / chart.clientWidth);
  draw();
});
for (const type of ["pointerup", "pointercancel"]) addEventListener(type, (event) => held.delete(event.pointerId));
chart.addEventListener("click", (event) => {
  if (!moved && eventAt(event.target) !== null) keep(eventAt(event.target));
});

overview.addEventListener("pointerdown", (event) => {
  overview.setPointerCapture(event.pointerId);
  centre(event);
});
overview.addEventListener("pointermove", (event) => {
  if (overview.hasPointerCapture(event.pointerId)) centre(event);
});
function centre(event) {
  const box = overview.getBoundingClientRect();
  const [t, half] = [story.start + ((event.clientX - box.left) / box.width) * (story.end - story.start), (chosen.to - chosen.from) / 2];
  show(t - half, t + half);
  draw();
}

const choose = (id, type, take) =>
  byId(id).addEventListener(type, () => {
    take(byId(id));
    draw();
  });
choose("find", "input", ({ value }) => (chosen.words = value));
choose("who", "change", ({ value }) => (chosen.who = value));
choose("lanes", "change", ({ value }) => (chosen.lanes = value));
choose("wider", "click", () => zoom(1.5));
choose("nearer", "click", () => zoom(1 / 1.5));
choose("whole", "click", () => show(story.start, story.end));
byId("tools").addEventListener("submit", (event) => event.preventDefault());
byId("list").addEventListener("toggle", () => byId("list").open && drawList());

/** Dark or light: set in the URL by an embedding page, else chosen here. */
function dress() {
  const root = document.documentElement;
  const told = /theme=(dark|light)/.exec(location.hash)?.[1];
  if (told) root.dataset.theme = told;
  byId("theme").hidden = Boolean(told);
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  byId("theme").textContent = dark() ? "Light" : "Dark";
  byId("theme").onclick = () => {
    root.dataset.theme = dark() ? "light" : "dark";
    dress();
  };
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
addEventListener("hashchange", dress);
for (const [type, now] of [["beforeprint", true], ["afterprint", false]]) {
  addEventListener(type, () => {
    printing = now;
    drawNow();
  });
}
byId("lanes").disabled = !story.chains.length;
dress();
drawTotals();
drawTypes();
drawWho();
drawChains();
showDetails(null);
new ResizeObserver(() => {
  drawOverview(overview, overview.clientWidth);
  draw();
}).observe(overview);
drawNow();
