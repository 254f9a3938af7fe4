// State of the page: the story, and the selection that is shown. Nothing here touches the DOM.

const MAX_DRAWN = 400; // maximum number of events drawn individually, the most important of the visible stretch
const MAX_ARCS = 300; // maximum number of links drawn, the heaviest
const SPANS = ["caption", "dialogue", "text"];

const records = ({ columns, rows }) => rows.map((row) => Object.fromEntries(columns.map((name, place) => [name, row[place]])));

/** Slice by code points, as the memory counts characters; some take two UTF-16 units of a string here. */
const cut = (text, start, end) => (/[\ud800-\udfff]/.test(text) ? [...text].slice(start, end).join("") : text.slice(start, end));
const spaced = (text) => text.split(/\s+/).filter(Boolean).join(" ");

function read(given) {
  const segments = records(given.segments);
  const chains = records(given.chains).map((chain, number) => ({ ...chain, number }));
  const types = given.types.map(([name]) => name);
  const events = records(given.events).map((event, number) => {
    const quotes = event.spans.map(([segment, field, start, end]) => {
      const whole = segments[segment][SPANS[field]];
      return { segment: segments[segment], field: SPANS[field], before: cut(whole, 0, start), told: cut(whole, start, end), after: cut(whole, end) };
    });
    const summary = event.summary || spaced(quotes[0].told);
    const [actors, objects] = [event.actors, event.objects].map((some) => some.map((name) => given.names[name]));
    const sought = [summary, event.place, event.goal, ...actors, ...objects].join("\n").toLowerCase();
    const more = { quotes, summary, actors, objects, sought, number, rank: given.ranks[number], links: [], chains: [] };
    return { ...event, ...more, writer: given.writers[event.writer] };
  });
  const links = records(given.links).map((link, number) => {
    const weight = given.types[link.type][1] * link.confidence;
    return { ...link, number, weight, type: types[link.type], why: given.whys[link.why] };
  });
  for (const link of links) for (const end of [link.src, link.dst]) events[end].links.push(link);
  for (const event of events) event.links.sort((a, b) => b.weight - a.weight || a.number - b.number);
  for (const chain of chains) for (const number of chain.events) events[number].chains.push(chain);
  return { ...given, segments, events, links, chains, types };
}

const story = read(JSON.parse(document.getElementById("story").textContent));
const bySections = story.clock === "sections";

/** Format a time: h:mm:ss, with a decimal unless it is a whole second, or the number of a section. */
function moment(t) {
  if (bySections) return `section ${Math.floor(t) + 1}`;
  const tenths = Math.round(t * 10);
  const whole = Math.floor(tenths / 10);
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return (hours ? `${hours}:${two(minutes)}` : `${minutes}`) + `:${two(seconds)}` + (tenths % 10 ? `.${tenths % 10}` : "");
}

/** Format a stretch of time, or the sections it touches. */
function stretch(start, end) {
  if (!bySections) return moment(start) === moment(end) ? moment(start) : `${moment(start)} to ${moment(end)}`;
  const [first, last] = [Math.floor(start) + 1, Math.ceil(end)];
  return last > first ? `sections ${first} to ${last}` : moment(start);
}

const lasting = (span) => (bySections ? `${Math.max(1, Math.round(span))} sections` : moment(span));
const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
const byTime = (a, b) => a.start_s - b.start_s || a.number - b.number;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** The user's selection. */
const chosen = {
  from: story.start, to: story.end, // the visible stretch
  words: "", who: "", lanes: "who",
  types: new Set(story.types.filter((type) => type !== "next")),
  chain: null, event: null, // pinned by a click
  at: null, // the event under the pointer, or reached by keyboard
};

const least = Math.min(bySections ? 1 : 4, story.end - story.start); // the shortest visible stretch

function show(from, to) {
  const width = clamp(to - from, least, story.end - story.start);
  const start = clamp(from + (to - from - width) / 2, story.start, story.end - width);
  [chosen.from, chosen.to] = [start, start + width];
}

/** Return the centre of zooming: the focused or pinned event if it is in view, else the middle. */
function middle() {
  const event = story.events[chosen.at ?? chosen.event];
  return event && event.start_s >= chosen.from && event.start_s <= chosen.to ? event.start_s : (chosen.from + chosen.to) / 2;
}

/** Zoom by a factor, below 1 in, about a time that keeps its position. */
function zoom(factor, about = middle()) {
  show(about - (about - chosen.from) * factor, about + (chosen.to - about) * factor);
}

const move = (share) => show(chosen.from + share * (chosen.to - chosen.from), chosen.to + share * (chosen.to - chosen.from));

/** Scroll a stretch into view, zooming out only if needed. */
function reveal(start, end) {
  if (start >= chosen.from && end <= chosen.to) return;
  const width = Math.max(chosen.to - chosen.from, (end - start) * 1.2);
  show((start + end - width) / 2, (start + end + width) / 2);
}

/** Return the events that match the search, and their lanes. */
function filtered() {
  const words = chosen.words.toLowerCase().split(/\s+/).filter(Boolean);
  const events = story.events.filter(
    (event) =>
      words.every((word) => event.sought.includes(word)) &&
      (!chosen.who || event.actors.includes(chosen.who) || event.objects.includes(chosen.who)),
  );
  const chainOf = (event) => (event.chains.includes(chosen.chain) ? chosen.chain : event.chains[0]);
  const lane = (event) => (chosen.lanes === "who" ? event.lane : (chainOf(event)?.number ?? Infinity));
  const used = [...new Set(events.map(lane))].sort((a, b) => a - b);
  const most = chosen.lanes === "who" ? used.length : 10; // of many chains, only the best have a lane
  const shown = used.length > most + 1 ? [...used.slice(0, most), Infinity] : used;
  const place = new Map(shown.map((value, number) => [value, number]));
  const laneOf = new Map(events.map((event) => [event, place.get(lane(event)) ?? shown.length - 1]));
  const name = (value) => {
    if (chosen.lanes === "who") return story.lanes[value] || "others";
    if (value !== Infinity) return `chain ${value + 1}`;
    return shown.length < used.length ? "other chains, or none" : "in no chain";
  };
  return { events, laneOf, lanes: shown.map(name) };
}

/** Select what is drawn of the visible stretch: its events by importance, and their number. */
function inView({ events }) {
  const here = events.filter((event) => event.end_s >= chosen.from && event.start_s <= chosen.to);
  const kept = new Set([chosen.event, ...(chosen.chain ? chosen.chain.events : [])]);
  const order = here.toSorted((a, b) => kept.has(b.number) - kept.has(a.number) || a.rank - b.rank);
  return { here, drawn: order.slice(0, MAX_DRAWN) };
}

/**
 * The links drawn between events that are not filtered out, of which one end at least is drawn. Those over less than
 * `short` of the time line are left for when it is nearer, but for those of the event that is kept or pointed at.
 */
function linksOf(events, drawn, short) {
  const [known, seen] = [new Set(events.map(({ number }) => number)), new Set(drawn.map(({ number }) => number))];
  const focus = chosen.at ?? chosen.event;
  const near = (link) => link.src === focus || link.dst === focus;
  const wanted = story.links.filter(
    (link) =>
      chosen.types.has(link.type) && known.has(link.src) && known.has(link.dst) && (seen.has(link.src) || seen.has(link.dst)),
  );
  const long = (link) => Math.abs(story.events[link.dst].start_s - story.events[link.src].start_s) >= short;
  const shown = wanted.filter((link) => near(link) || long(link));
  const order = shown.toSorted((a, b) => near(b) - near(a) || b.weight - a.weight);
  return { drawn: order.slice(0, MAX_ARCS), heavy: shown.length > MAX_ARCS, all: wanted.length };
}
