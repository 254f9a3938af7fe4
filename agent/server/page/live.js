// The live picture. The page requests the next one after drawing the last, so a slow browser never falls behind.

import { keepSocket } from "/page/api.js";
import { clock, isIn, timeOfDay } from "/page/dom.js";

const HEADER_BYTES = 16;
const IN_FLIGHT = 2; // one in transit while one is drawn

/** Draw a room's live picture on a canvas until the signal aborts, with a pause of `restMs` after each picture. */
export function showLive(room, canvas, signal, restMs = 0) {
  const context = canvas.getContext("2d");
  const clear = () => {
    context.clearRect(0, 0, canvas.width, canvas.height);
    delete canvas.dataset.t;
    canvas.setAttribute("aria-label", `Live picture of ${room.info.name}`);
  };
  clear(); // remove the previous source's picture
  room.addEventListener(
    "memory",
    ({ detail: { forgotten } }) => {
      if (isIn(forgotten, Number(canvas.dataset.t))) clear();
    },
    { signal },
  );
  const draw = async (data) => {
    const header = new DataView(data, 0, HEADER_BYTES);
    const [t, wall] = [header.getFloat64(0, true), header.getFloat64(8, true)];
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(data, HEADER_BYTES)], { type: "image/jpeg" }));
    if (signal.aborted) return;
    if (!restMs && (canvas.width !== bitmap.width || canvas.height !== bitmap.height)) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    canvas.dataset.t = t;
    const at = Number.isNaN(wall) ? clock(t) : `${clock(t)}, ${timeOfDay(wall)}`;
    canvas.setAttribute("aria-label", `Live picture of ${room.info.name} at ${at}`);
  };
  keepSocket(
    `${room.path}/live`,
    {
      open: (socket) => {
        for (let number = 0; number < (restMs ? 1 : IN_FLIGHT); number += 1) socket.send("next");
      },
      message: async (data, socket) => {
        await draw(data);
        if (restMs) await new Promise((done) => setTimeout(done, restMs));
        if (document.hidden) await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
        if (socket.readyState === WebSocket.OPEN) socket.send("next");
      },
    },
    signal,
  );
}
