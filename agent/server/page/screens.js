// Work on screens, which other processes of this machine do. The button is always there: one that had to find out first
// whether there is something to stop might be missing when it is needed.

import { request } from "/page/api.js";
import { byId } from "/page/dom.js";

const STOPPED = "Let it begin again in a terminal: attend stop --clear";

function show(stoppedBy) {
  const words = stoppedBy ? `Screen work is stopped, by ${stoppedBy}. ${STOPPED}` : "";
  const note = byId("screens-note");
  if (note.textContent !== words) note.textContent = words; // else it would be read out every second
}

/** Have the button stop work on screens, and say when it is stopped, whoever did it. */
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
