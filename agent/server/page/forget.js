// Dialog that forgets a span: choose times, preview what is deleted, confirm.

import { byId, clock, h, parseClock } from "/page/dom.js";

/** Open the dialog that forgets a span of a room's memory. */
export async function openForget(room) {
  const timeline = await room.get("timeline");
  const dialog = byId("forgetting");
  const problem = h("p", { class: "problem", role: "alert" });
  const preview = h("p", {}, "…");
  const [from, to] = [field("From"), field("To")];
  const sure = h("button", { type: "submit", class: "danger" }, "Forget this");
  const leave = h("button", { type: "button", on: { click: () => dialog.close() } }, "Keep it");
  const form = h("form", { class: "form" }, from.label, to.label, preview, problem, h("div", { class: "choices" }, sure, leave));
  dialog.replaceChildren(h("h2", { id: "forget-title" }, `Forget part of ${room.info.name}`), form);

  const now = timeline.now_s ?? 0;
  from.input.value = clock(Math.floor(Math.max(timeline.begin_s, now - 60)));
  to.input.value = clock(Math.ceil(now));

  function span() {
    const [start, end] = [parseClock(from.input.value), parseClock(to.input.value)];
    return start === null || end === null || end < start ? null : { start_s: start, end_s: end };
  }

  function update() {
    const chosen = span();
    sure.disabled = !chosen;
    if (!chosen) {
      preview.textContent = "Enter two times as m:ss, the earlier one first.";
      return;
    }
    const moments = timeline.moments.filter((m) => m.t_s >= chosen.start_s && m.t_s <= chosen.end_s);
    const notes = moments.filter((moment) => moment.note).length;
    const pinned = moments.filter((moment) => moment.pinned).length;
    preview.textContent =
      `${moments.length} remembered moments will be permanently deleted, with pictures and vectors; ${notes} of them have notes` +
      `${pinned ? `, ${pinned} pinned` : ""}. Answers already given stay as they are.`;
  }

  from.input.addEventListener("input", update);
  to.input.addEventListener("input", update);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const gone = await room.post("forget", span());
      dialog.close();
      byId("done").textContent = `Forgotten: ${gone.moments} moments, ${gone.frames} pictures, ${gone.notes} notes.`;
    } catch (error) {
      problem.textContent = error.message;
    }
  });
  update();
  dialog.showModal();
}

function field(name) {
  const input = h("input", { type: "text", required: true, autocomplete: "off", name: name.toLowerCase() });
  return { input, label: h("label", {}, `${name} (m:ss)`, input) };
}
