// Statistics of capture, memory and the last answer.

import { byId, clock, h } from "/page/dom.js";

const seconds = (value) => (value === null || value === undefined ? "–" : `${value.toFixed(value < 1 ? 2 : 1)} s`);

/** Show a room's statistics until the signal aborts. */
export function showNumbers(room, signal) {
  const list = byId("numbers");
  function draw() {
    const { status } = room;
    const rows = [];
    const turn = room.conversation.findLast((item) => item.latency);
    if (turn) {
      const { age_s, late_s, queue_s, first_token_s, total_s, tokens_in, tokens_out } = turn.latency;
      rows.push(["Last answer", seconds(total_s)], ["· first words after", seconds(first_token_s)]);
      if (age_s !== null) rows.push(["· newest picture", `${seconds(age_s)} old`]);
      if (late_s !== null) rows.push(["· mean picture delay", seconds(late_s)]);
      if (queue_s !== null) rows.push(["· last picture queued for", seconds(queue_s)]);
      rows.push(["· tokens in, out", `${tokens_in}, ${tokens_out}`]);
    }
    if (status) {
      const { eyes } = status;
      rows.push(
        ["Now at", status.position_s === null ? "–" : clock(status.position_s)],
        ["Frames seen", eyes.seen],
        ["Frames kept", eyes.kept],
        ["Key moments", eyes.key_moments],
        ["Frames dropped", eyes.dropped],
        ["Notes", eyes.notes],
        ["Detections", eyes.detections],
        ["Last picture", `${seconds(eyes.quiet_s)} ago`],
        ["Encoding per frame", `${eyes.encode_ms.toFixed(0)} ms`],
        ["Pictures on disk", `${eyes.disk_mb.toFixed(1)} of ${eyes.quota_mb.toFixed(0)} MiB`],
        ["Process memory", `${status.process_mb.toFixed(0)} MiB`],
      );
      for (const trouble of eyes.troubles.slice(-3)) rows.push(["Problem", trouble]);
    }
    list.replaceChildren(...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))]));
  }
  for (const type of ["status", "snapshot", "turn_state"]) room.addEventListener(type, draw, { signal });
  draw();
}
