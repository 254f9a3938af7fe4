// The way to the server: requests that carry the page's token, and sockets that come back by themselves.

let csrf = "";

/** An error in the server's words. */
export class Trouble extends Error {
  constructor({ problem, expected = "", remedy = "" }) {
    const whole = [problem, expected && `Expected ${expected}.`, remedy].filter(Boolean).join(" ");
    super(whole.charAt(0).toUpperCase() + whole.slice(1));
  }
}

/**
 * Begin a session: the rooms, and what leaves the machine. A server that was started anew may have other sources and
 * another model: then the page begins anew too.
 */
export async function begin() {
  const session = await request("GET", "/session");
  if (csrf && csrf !== session.csrf) {
    location.reload();
    return new Promise(() => {}); // nothing more may be asked or said meanwhile
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
    throw new Trouble({ problem: "the server does not answer.", remedy: "Look into the terminal it was started in." });
  }
  if (reply.status === 401) location.reload();
  if (reply.status === 403 && method !== "GET") await begin(); // perhaps the server was started anew
  if (reply.status === 204) return null;
  const told = await reply.json().catch(() => null);
  if (!told) throw new Trouble({ problem: `the server answered ${reply.status}, and nothing that this page can read.` });
  if (!reply.ok) throw new Trouble(told);
  return told;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5000;

/**
 * Keep a socket open until the signal ends it; it is opened again when it breaks.
 * `on.open(socket)`, `on.message(data, socket)` and `on.closed(code)` are called as that happens.
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
