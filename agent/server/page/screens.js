// Button that stops work on screens in other processes of this machine. It is always shown: a button that first checked
// whether there is work to stop could be missing when it is needed.

import { request } from "/page/api.js";
import { byId } from "/page/dom.js";

const STOPPED = "To allow it again, run in a terminal: attend stop --clear";

function show(stoppedBy) {
  const words = stoppedBy ? `Screen work was stopped by ${stoppedBy}. ${STOPPED}` : "";
  const note = byId("screens-note");
  if (note.textContent !== words) note.textContent = words; // otherwise screen readers would announce it every second
}

/** Connect the button, and show when work on screens is stopped, by anyone. */
export function showScreens(rooms) {
  byId("screens-stop").addEventListener("click", async () => {
    try {
      show((await request("POST", "/screens/stop")).stopped_by);
    } catch (error) {
      byId("screens-note").textContent = `Screen work was not stopped: ${error.message} Stop it in a terminal: attend stop`;
    }
  });
  for (const room of rooms) room.addEventListener("status", () => show(room.status?.screens_stopped_by ?? ""));
}
