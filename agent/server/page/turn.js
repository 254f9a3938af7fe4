// View of a turn: the question, tool calls, requests to the person, and the answer.

import { announce, clock, h } from "/page/dom.js";
import { renderWords } from "/page/words.js";

const SENTENCE = /^[\s\S]*?[.!?…](?=\s)\s*/;
const STATES = { stopped: "Stopped.", failed: "Failed." };

/** Build the view of a turn. It has `element`, `event(event)` and `settle()`; `hooks.open` opens a moment. */
export function showTurn(room, turn, hooks) {
  const steps = h("div", { class: "steps" });
  const outcome = h("div", { class: "outcome" });
  const element = h(
    "article",
    { class: "turn", "aria-label": turn.question },
    h("p", { class: "question" }, h("span", { class: "who" }, "You"), h("span", { class: "said" }, turn.question)),
    steps,
    outcome,
  );
  element.dataset.turn = turn.id;
  let streaming = null; // the paragraph being streamed
  let unsaid = ""; // text streamed since the last whole sentence
  let call = null; // the pending tool call
  let asking = null; // the form of a request to the person
  let silent = true; // no announcements while replaying past events

  const speak = (text) => silent || announce(text);

  function token(text) {
    if (!streaming) steps.append((streaming = h("p", { class: "answer streaming" })));
    streaming.append(text);
    unsaid += text;
    for (let match; (match = SENTENCE.exec(unsaid)); unsaid = unsaid.slice(match[0].length)) speak(match[0].trim());
  }

  function endStream() {
    streaming?.classList.remove("streaming");
    streaming = null;
    unsaid = "";
  }

  function called({ name, args }) {
    endStream();
    const words = JSON.stringify(args);
    if (call?.words === name + words) return; // a resumed run repeats its step
    const summary = h("summary", {}, h("span", { class: "tool" }, name), h("span", { class: "muted" }, " running"));
    const shown = Object.entries(args).filter(([, value]) => value !== null && String(value) !== "");
    const list = h("dl", {}, shown.map(([key, value]) => [h("dt", {}, key), h("dd", {}, asText(value))]));
    const details = h("details", { class: "bubble" }, summary, list);
    steps.append(details);
    call = { details, words: name + words };
  }

  function returned({ name, ok, text, frames = [] }) {
    if (!call) called({ name, args: {} });
    const { details } = call;
    call = null;
    details.classList.toggle("failed", !ok);
    const found = text.replace(/<\/?untrusted>/g, "“");
    const short = found.length > 70 ? `${found.slice(0, 70)}…` : found;
    details.firstChild.lastChild.textContent = ` ${ok ? "" : "failed: "}${short}`;
    details.append(h("p", { class: "result" }, found));
    if (frames.length) {
      const picture = (frame) => thumbnail(room, frame, hooks.open);
      details.append(h("div", { class: "strip" }, frames.map(picture)));
    }
  }

  function needs(asked) {
    endStream();
    asking?.remove();
    asking = showRequest(room, asked);
    outcome.append(asking);
    speak(`The agent asks: ${asked.request.request}`);
  }

  function answered({ answer }) {
    const last = unsaid.trim();
    streaming?.remove();
    if (last && streaming) speak(last);
    else if (!streaming) speak(answer.text);
    endStream();
    const elsewhere = turn.asked_s === null && room.info.about; // the conversation was about another source then
    const open = elsewhere ? null : hooks.open;
    outcome.append(h("div", { class: "answer" }, renderWords(answer.text, answer.citations, open)));
    hooks.cited?.(answer.citations);
  }

  function event(happened) {
    switch (happened.type) {
      case "token":
        return token(happened.text);
      case "tool_called":
        return called(happened);
      case "sent":
        return steps.append(h("p", { class: "muted" }, `Sent to ${happened.source}: ${happened.query}`));
      case "tool_returned":
        return returned(happened);
      case "revising":
        streaming?.remove();
        endStream();
        steps.append(h("p", { class: "muted" }, "That answer was unreliable; asking the model again."));
        return speak("Asking again.");
      case "needs":
        return needs(happened);
      case "answered":
        return answered(happened);
    }
  }

  /** Show the state of the turn. */
  function settle() {
    element.dataset.state = turn.state;
    element.setAttribute("aria-busy", String(turn.state === "running"));
    if (turn.state !== "waiting") {
      asking?.remove();
      asking = null;
    }
    element.querySelector(".ended")?.remove();
    if (turn.state === "running" || turn.state === "waiting") return;
    endStream();
    const parts = [];
    if (turn.error) parts.push(h("span", { class: "problem" }, sentence(turn.error)));
    else if (STATES[turn.state]) parts.push(STATES[turn.state]);
    if (turn.latency) parts.push(latencyWords(turn.latency));
    if (parts.length) element.append(h("p", { class: "ended muted" }, parts));
    if (turn.error) speak(sentence(turn.error));
    if (turn.state === "stopped") speak("Stopped.");
  }

  turn.events.forEach(event);
  settle();
  silent = false;
  return { element, event, settle };
}

/** Create a thumbnail that opens its moment. */
export function thumbnail(room, frame, open) {
  const detail = frame.detail === "clear" ? "clear" : "fuzzy";
  const picture = h("img", {
    src: room.pictureUrl(frame.frame_id, 160),
    alt: "",
    loading: "lazy",
    on: { error: () => picture.replaceWith(h("span", { class: "gone" }, "gone")) },
  });
  return h(
    "button",
    {
      type: "button",
      class: `thumb ${detail}`,
      "aria-label": `Show ${clock(frame.t_s)}, ${detail}`,
      on: { click: () => open(frame.t_s, frame.frame_id) },
    },
    picture,
    h("span", {}, clock(frame.t_s)),
  );
}

/** Reload a thumbnail, which may be gone. */
export function fetchAgain(picture) {
  const address = new URL(picture.src);
  address.searchParams.set("again", Date.now()); // bypasses the browser cache
  picture.removeAttribute("src");
  picture.src = address;
}

function showRequest(room, { request, problem, new_frame: newFrame }) {
  const trouble = h("p", { class: "problem", role: "alert" }, problem);
  const reply = async (text) => {
    try {
      await room.post("reply", { text });
    } catch (error) {
      trouble.textContent = error.message;
    }
  };
  const button = (words, text, kind = "") =>
    h("button", { type: "button", class: kind, on: { click: () => reply(text) } }, words);
  const buttons = h("div", { class: "choices" });
  if (request.kind === "choose") buttons.append(...request.choices.map((choice) => button(choice, choice)));
  else if (request.kind === "confirm") buttons.append(button("Yes", "yes", "primary"), button("No", "no"));
  else if (newFrame) {
    const name = room.info.live || room.info.plays ? "Done: look again" : "Continue";
    buttons.append(button(name, "", "primary"));
  }
  const field = h("input", { type: "text", maxLength: 4000, "aria-label": "Your reply in words", autocomplete: "off" });
  const words = h(
    "form",
    {
      class: "words",
      on: {
        submit: (event) => {
          event.preventDefault();
          if (field.value.trim()) reply(field.value);
        },
      },
    },
    field,
    h("button", { type: "submit" }, "Reply"),
  );
  const free = request.kind === "choose" ? null : words;
  const asks = h("p", {}, h("span", { class: "who" }, "The agent asks"), request.request);
  return h("div", { class: "request", role: "group", "aria-label": "The agent asks you" }, asks, buttons, free, trouble);
}

function latencyWords({ total_s: total, first_token_s: first, tokens_out: tokens }) {
  const words = [`${total.toFixed(1)} s`];
  if (first !== null) words.push(`first words after ${first.toFixed(1)} s`);
  if (tokens) words.push(`${tokens} tokens`);
  return words.join(", ");
}

const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function sentence({ problem, remedy }) {
  const whole = [problem, remedy].filter(Boolean).join(" ");
  return whole.charAt(0).toUpperCase() + whole.slice(1);
}
