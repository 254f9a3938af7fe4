// The conversation of a room: its questions and alerts in order, and the box that asks.

import { showAlert } from "/page/alerts.js";
import { byId, h } from "/page/dom.js";
import { fetchAgain, showTurn } from "/page/turn.js";

const NEAR_END_PX = 80;

/** Show a room's conversation until the signal ends it; `hooks.open(t, frameId)` opens a moment. */
export function showChat(room, hooks, signal) {
  const list = byId("conversation");
  const [form, box, send, stop] = ["ask", "question", "send", "stop"].map(byId);
  const problem = byId("ask-problem");
  const views = new Map(); // of each item of the conversation, the oldest first
  const on = (target, type, listener) => target.addEventListener(type, listener, { signal });

  let followed = false; // whether the end was in view when the list changed last, and where it was scrolled to then
  let scrolledTo = {};

  const belowList = () => list.scrollHeight - list.scrollTop - list.clientHeight;
  const belowWindow = () => list.closest("section").getBoundingClientRect().bottom - innerHeight; // on a phone

  function showEnd() {
    list.scrollTop = list.scrollHeight;
    window.scrollBy(0, Math.max(0, belowWindow()));
  }

  /** Change the list; whoever sees its end goes on seeing its end, also where what stands above it grew meanwhile. */
  function keepAtEnd(change) {
    const atEnd = belowList() < NEAR_END_PX && belowWindow() < NEAR_END_PX;
    const scrolled = scrolledTo.list !== list.scrollTop || scrolledTo.window !== window.scrollY;
    followed = atEnd || (followed && !scrolled);
    change();
    if (followed) showEnd();
    scrolledTo = { list: list.scrollTop, window: window.scrollY };
  }

  function add(item) {
    const view = item.type === "alert" ? { element: showAlert(room, item, hooks) } : showTurn(room, item, hooks);
    list.append(view.element);
    views.set(item, view);
    for (const [oldest, { element }] of views) {
      if (views.size <= room.conversation.length) break;
      element.remove();
      views.delete(oldest);
    }
  }

  function rebuild() {
    views.clear();
    list.replaceChildren();
    if (room.info.about) list.append(h("p", { class: "muted" }, room.info.about));
    room.conversation.forEach(add);
    if (!room.conversation.length) list.append(h("p", { class: "muted empty" }, "Nothing was asked yet."));
    list.scrollTop = list.scrollHeight;
    settle();
  }

  function settle() {
    const state = room.last?.state;
    const busy = state === "running" || state === "waiting";
    stop.hidden = !busy;
    send.disabled = busy || room.info.state !== "open";
    grow(); // the buttons beside it come and go
    byId("thread").textContent = room.info.thread ? `“${room.info.thread}”` : "";
  }

  async function tell(work) {
    problem.textContent = "";
    try {
      await work();
      return true;
    } catch (error) {
      problem.textContent = error.message;
      return false;
    }
  }

  async function ask() {
    const text = box.value.trim();
    if (!text) return;
    if (await tell(() => room.post("ask", { text }))) {
      box.value = "";
      keepDraft();
      showEnd();
    }
  }

  function grow() {
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
  }

  /** The page may be loaded anew while somebody writes. */
  function keepDraft() {
    sessionStorage.setItem("draft", box.value);
    grow();
  }

  on(form, "submit", (event) => {
    event.preventDefault();
    ask();
  });
  on(box, "input", keepDraft);
  on(box, "keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      ask();
    }
  });
  on(stop, "click", () => tell(() => room.post("stop")));
  on(document, "keydown", (event) => {
    if (event.key === "Escape" && !event.repeat && !stop.hidden && !document.querySelector("dialog[open]")) {
      tell(() => room.post("stop"));
      box.focus();
    }
  });
  on(room, "snapshot", rebuild);
  on(room, "room", settle);
  on(room, "turn", ({ detail: turn }) => {
    list.querySelector(".empty")?.remove();
    keepAtEnd(() => add(turn));
    settle();
  });
  // Who opens something in a turn looks at that, and is not taken to the end.
  on(list, "pointerdown", () => (scrolledTo = {}));
  on(room, "alert", ({ detail: alert }) => keepAtEnd(() => add(alert)));
  on(room, "event", ({ detail: { turn, event } }) => keepAtEnd(() => views.get(turn)?.event(event)));
  on(room, "turn_state", ({ detail: turn }) => {
    keepAtEnd(() => views.get(turn)?.settle());
    settle();
  });
  on(room, "memory", ({ detail: { forgotten } }) => {
    if (forgotten) list.querySelectorAll(".thumb img").forEach(fetchAgain);
  });
  box.value ||= sessionStorage.getItem("draft") ?? "";
  rebuild();
}
