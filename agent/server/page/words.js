// Rendering of answer text: cited times become buttons, unverified ones are marked.

import { h } from "/page/dom.js";

const BRACKET = /\[([^[\]\n]*)\]/g;
const CLOCK = /(?:(\d+):)?(\d{1,3}):(\d{2}(?:\.\d+)?)/g;
const NEAR_S = 0.55; // tolerance between a rounded time and its frame, as on the server
const INLINE = /\*\*([^*\n]+)\*\*|`([^`\n]+)`/g;

const seconds = ([, hours = 0, minutes, rest]) => Number(hours) * 3600 + Number(minutes) * 60 + Number(rest);

/**
 * Render a text as nodes. A click on a time calls `open(t, frameId)`; without `open`, times stay text.
 * `citations` are the verified ones: `{t_s, frame_id}`.
 */
export function renderWords(text, citations, open) {
  const nodes = [];
  let end = 0;
  for (const bracket of text.matchAll(BRACKET)) {
    const clocks = [...bracket[1].matchAll(CLOCK)];
    if (!clocks.length) continue;
    nodes.push(...plain(text.slice(end, bracket.index)), bracket_(bracket[1], clocks, citations, open));
    end = bracket.index + bracket[0].length;
  }
  return [...nodes, ...plain(text.slice(end))];
}

function bracket_(inside, clocks, citations, open) {
  const unverified = inside.startsWith("unverified");
  const parts = [];
  let end = 0;
  for (const match of clocks) {
    const t = seconds(match);
    const cited = citations.find((citation) => Math.abs(citation.t_s - t) <= NEAR_S);
    parts.push(inside.slice(end, match.index).replace(/^unverified /, ""), time(match[0], t, cited, unverified, open));
    end = match.index + match[0].length;
  }
  parts.push(inside.slice(end));
  return h("span", { class: unverified ? "cited unverified" : "cited" }, parts);
}

function time(words, t, cited, unverified, open) {
  if (!open) return words;
  const title = unverified ? "The model was shown nothing at this time" : "Show this moment";
  return h("button", {
    type: "button",
    class: "time",
    textContent: unverified ? `${words} unverified` : words,
    title,
    "aria-label": unverified ? `${words}, unverified: the model was shown nothing then` : `Show ${words}`,
    on: { click: () => open(cited ? cited.t_s : t, cited?.frame_id) },
  });
}

/** Render bold and code, which models often write; leave everything else unchanged. */
function plain(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(text.slice(end, match.index), match[1] ? h("strong", {}, match[1]) : h("code", {}, match[2]));
    end = match.index + match[0].length;
  }
  nodes.push(text.slice(end));
  return nodes.filter(Boolean);
}
