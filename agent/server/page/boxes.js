// Boxes of detected things over a picture, with a button that shows and hides them, and a text for screen readers.

import { h, s } from "/page/dom.js";

const CAUTION = "by an object detector, which errs; nobody is identified";
let wanted = true; // for all moments until the page is closed

/** Put a picture into a frame with boxes; returns `{ frame, button, words, draw(detections) }`. */
export function withBoxes(picture) {
  const drawing = s("svg", { class: "boxes", "aria-hidden": "true" });
  const frame = h("div", { class: "framed" }, picture, drawing);
  const button = h("button", { type: "button", hidden: true, textContent: "Boxes" });
  const words = h("p", { class: "detected", id: "moment-detected" });
  button.setAttribute("aria-describedby", words.id);
  let known = null;

  function refresh() {
    const shown = wanted && known?.length ? known : [];
    drawing.replaceChildren(...shown.map(box));
    button.hidden = !known?.length;
    button.setAttribute("aria-pressed", String(wanted));
    button.title = wanted ? "Hide the boxes of detected things" : "Show the boxes of detected things";
    words.textContent = known ? `Detected: ${listed(known) || "nothing"} (${CAUTION})` : "";
  }

  button.addEventListener("click", () => {
    wanted = !wanted;
    refresh();
  });
  return {
    frame,
    button,
    words,
    /** Show detections, or none for null. */
    draw(detections) {
      known = detections;
      refresh();
    },
  };
}

function box({ label, confidence, box: [left, top, right, bottom] }) {
  const percent = (share) => `${(100 * share).toFixed(2)}%`;
  const at = { x: percent(left), y: percent(top) };
  const name = s("text", { ...at, dx: 4, dy: top < 0.05 ? 16 : -5 }, `${label} ${Math.round(100 * confidence)}%`);
  return s("g", {}, s("rect", { ...at, width: percent(right - left), height: percent(bottom - top) }), name);
}

function listed(detections) {
  const places = ({ box: [left, , right] }) => (left + right < 2 / 3 ? "left" : left + right > 4 / 3 ? "right" : "middle");
  return detections.map((one) => `${one.label} ${places(one)}`).join(", ");
}
