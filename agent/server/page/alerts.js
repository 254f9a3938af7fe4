// Alerts of watches in the conversation, with their pictures.

import { clock, h, timeOfDay } from "/page/dom.js";
import { thumbnail } from "/page/turn.js";
import { renderWords } from "/page/words.js";

/** Build the view of an alert. */
export function showAlert(room, alert, hooks) {
  const at = alert.wall_s === null ? clock(alert.t_s) : `${clock(alert.t_s)}, ${timeOfDay(alert.wall_s)}`;
  return h(
    "article",
    { class: "alert", "aria-label": `Alert: ${alert.condition}` },
    h("p", {}, h("span", { class: "who" }, "Alert"), h("strong", {}, alert.condition), h("span", { class: "muted" }, ` ${at}`)),
    h("p", {}, renderWords(alert.text, [], hooks.open)),
    h("div", { class: "strip" }, alert.frames.map((frame) => thumbnail(room, frame, hooks.open))),
  );
}
