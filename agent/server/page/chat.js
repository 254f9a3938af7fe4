// The conversation of a room: questions and alerts in order, and the question box.

import { showAlert } from "/page/alerts.js";
import { byId, h } from "/page/dom.js";
import { fetchAgain, showTurn } from "/page/turn.js";

const NEAR_END_PX = 80;

/** Show a room's conversation until the signal aborts; `hooks.open(t, frameId)` opens a moment. */
export function showChat(room, hooks, signal) {
  const list = byId("conversation");
  const [form, box, send, stop] = ["ask", "question", "send", "stop"].map(byId);
  const problem = byId("ask-problem");
  const views = new Map(); // by item of the conversation, oldest first
  const on = (target, type, listener) => target.addEventListener(type, listener, { signal });

  let followed = false; // whether the end was in view at the last change of the list, and its scroll position then
  let scrolledTo = {};

  const belowList = () => list.scrollHeight - list.scrollTop - list.clientHeight;
  const belowWindow = () => list.closest("section").getBoundingClientRect().bottom - innerHeight; // on a phone

  function showEnd() {
    list.scrollTop = list.scrollHeight;
    window.scrollBy(0, Math.max(0, belowWindow()));
  }

  /** Change the list; if its end was in view, keep it in view, even if content above it has grown. */
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
    if (!room.conversation.length) list.append(h("p", { class: "muted empty" }, "No questions yet."));
    list.scrollTop = list.scrollHeight;
    settle();
  }

  function settle() {
    const state = room.last?.state;
    const busy = state === "running" || state === "waiting";
    stop.hidden = !busy;
    send.disabled = busy || room.info.state !== "open";
    grow(); // the buttons beside it change its width
    byId("thread").textContent = room.info.thread ? `“${room.info.thread}”` : "";
  }

  async function attempt(work) {
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
    if (await attempt(() => room.post("ask", { text }))) {
      box.value = "";
      keepDraft();
      showEnd();
    }
  }

  function grow() {
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
  }

  /** Keep the draft across a reload of the page. */
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
  on(stop, "click", () => attempt(() => room.post("stop")));
  on(document, "keydown", (event) => {
    if (event.key === "Escape" && !event.repeat && !stop.hidden && !document.querySelector("dialog[open]")) {
      attempt(() => room.post("stop"));
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
  // After a click inside the list, do not scroll to the end.
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
