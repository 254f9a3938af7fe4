// The watches of a room: a form to add one, and the state of each.

import { request } from "/page/api.js";
import { byId, h } from "/page/dom.js";

/** Show a room's watches until the signal aborts. */
export function showWatches(room, signal) {
  const problem = h("p", { class: "problem", role: "alert" });
  const condition = h("input", { type: "text", required: true, maxLength: 500, placeholder: "a bicycle appears", autocomplete: "off" });
  const cooldown = h("input", { type: "number", min: 0, step: 1, value: "60", inputMode: "numeric" });
  const webhook = h("input", { type: "url", placeholder: "http://…", autocomplete: "off" });
  const list = h("ul", { class: "watches", "aria-label": "Watches" });
  const form = h(
    "form",
    { class: "form" },
    h("label", {}, "Condition", condition),
    h(
      "details",
      {},
      h("summary", {}, "More"),
      h("label", {}, "Seconds between alerts", cooldown),
      h("label", {}, "Also send alerts to this address", webhook),
      "Notification" in window && h("button", { type: "button", class: "quiet", on: { click: () => Notification.requestPermission() } }, "Also notify me outside this page"),
    ),
    h("button", { type: "submit" }, "Watch for this"),
  );
  byId("watches").replaceChildren(form, problem, list);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    const seconds = cooldown.value === "" ? null : Number(cooldown.value);
    try {
      await room.post("watches", { condition: condition.value, cooldown_s: seconds, webhook: webhook.value || null });
      condition.value = "";
    } catch (error) {
      problem.textContent = error.message;
    }
  });

  const items = new Map();

  function item(id, words) {
    const state = h("span", { class: "badge" });
    const reason = h("p", { class: "muted" });
    const remove = async () => {
      try {
        await request("DELETE", `${room.path}/watches/${id}`);
        condition.focus();
      } catch (error) {
        problem.textContent = error.message;
      }
    };
    const button = h("button", { type: "button", class: "quiet", "aria-label": `Stop watching for ${words}`, on: { click: remove } }, "Remove");
    const element = h("li", {}, h("div", { class: "heading" }, h("strong", {}, words), state, button), reason);
    return { element, state, reason };
  }

  function draw() {
    const statuses = room.status?.watches ?? [];
    const known = new Set(statuses.map(({ watch }) => watch.id));
    for (const [id, { element }] of items) {
      if (!known.has(id)) {
        element.remove();
        items.delete(id);
      }
    }
    for (const { watch, state, reason, checked, fired, skipped } of statuses) {
      if (!items.has(watch.id)) {
        items.set(watch.id, item(watch.id, watch.condition));
        list.append(items.get(watch.id).element);
      }
      const view = items.get(watch.id);
      view.state.textContent = state;
      view.state.dataset.badge = state === "watching" ? "live" : state === "cooling" ? "" : "stale";
      const sent = watch.webhook ? ` Alerts go to ${watch.webhook}` : "";
      view.reason.textContent = `${reason} ${checked} checked, ${fired} alert${fired === 1 ? "" : "s"}, ${skipped} skipped.${sent}`.trim();
    }
  }
  for (const type of ["status", "snapshot"]) room.addEventListener(type, draw, { signal });
  draw();
}
