// Client of the server: requests with the CSRF token, and sockets that reconnect.

let csrf = "";

/** An error reported by the server. */
export class Trouble extends Error {
  constructor({ problem, expected = "", remedy = "" }) {
    const whole = [problem, expected && `Expected ${expected}.`, remedy].filter(Boolean).join(" ");
    super(whole.charAt(0).toUpperCase() + whole.slice(1));
  }
}

/**
 * Start a session: the rooms, and what leaves the machine. After a restart, the server may have other sources and
 * another model, so the page reloads.
 */
export async function begin() {
  const session = await request("GET", "/session");
  if (csrf && csrf !== session.csrf) {
    location.reload();
    return new Promise(() => {}); // never resolves: the page is reloading
  }
  csrf = session.csrf;
  return session;
}

export async function request(method, path, body) {
  const headers = method === "GET" ? {} : { "x-attend-csrf": csrf, "content-type": "application/json" };
  let reply;
  try {
    reply = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Trouble({ problem: "the server does not answer.", remedy: "Check its terminal." });
  }
  if (reply.status === 401) location.reload();
  if (reply.status === 403 && method !== "GET") await begin(); // the server may have restarted
  if (reply.status === 204) return null;
  const answer = await reply.json().catch(() => null);
  if (!answer) throw new Trouble({ problem: `unreadable response from the server (status ${reply.status}).` });
  if (!reply.ok) throw new Trouble(answer);
  return answer;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5000;

/**
 * Keep a socket open until the signal aborts; reconnect when it breaks.
 * Calls `on.open(socket)`, `on.message(data, socket)` and `on.closed(code)`.
 */
export function keepSocket(path, on, signal) {
  let pause = FIRST_PAUSE_MS;
  const connect = () => {
    if (signal.aborted) return;
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}${path}`);
    socket.binaryType = "arraybuffer";
    const end = () => socket.close();
    signal.addEventListener("abort", end, { once: true });
    socket.addEventListener("open", () => on.open?.(socket));
    socket.addEventListener("message", (event) => {
      pause = FIRST_PAUSE_MS;
      on.message(event.data, socket);
    });
    socket.addEventListener("close", (event) => {
      signal.removeEventListener("abort", end);
      if (signal.aborted) return;
      on.closed?.(event.code);
      setTimeout(connect, pause);
      pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
    });
  };
  connect();
}
