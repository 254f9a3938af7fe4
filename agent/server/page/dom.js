// DOM helpers: elements, drawings, times, screen-reader announcements.

/** Create an element. Known properties are set, others become attributes; `on` maps events to listeners. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "class") element.className = value;
    else if (name in element && typeof value !== "object") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Create an element of a drawing. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Format seconds as m:ss or h:mm:ss, with one decimal unless it is a whole second. */
export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const whole = Math.floor(tenths / 10);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  const text = hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
  return tenths % 10 ? `${text}.${tenths % 10}` : text;
}

/** Parse m:ss, h:mm:ss or seconds; return null for anything else. */
export function parseClock(text) {
  const match = /^(?:(?:(\d+):)?(\d{1,3}):(\d{2}(?:\.\d+)?)|(\d+(?:\.\d+)?))$/.exec(text.trim());
  if (!match) return null;
  const [, hours = 0, minutes = 0, seconds = 0, plain] = match;
  return plain === undefined ? hours * 3600 + minutes * 60 + Number(seconds) : Number(plain);
}

/** Return whether a time in seconds lies in a span, which can be null. */
export const isIn = (stretch, t) => Boolean(stretch) && t >= stretch.start_s && t <= stretch.end_s;

/** Format a Unix time in seconds as time of day. */
export const timeOfDay = (wall) => new Date(wall * 1000).toLocaleTimeString([], { hour12: false });

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Return whether the page is dark: the person's choice, else the system's. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

const SPOKEN_HELD = 6;

/** Have a screen reader announce a text, politely. */
export function announce(text) {
  const log = byId("spoken");
  log.append(h("p", { textContent: text }));
  while (log.children.length > SPOKEN_HELD) log.firstChild.remove();
}
