// Client-side state of a room, updated from its WebSocket; an event target for changes.

import { keepSocket, request } from "/page/api.js";

const ITEMS_HELD = 200; // newest questions and alerts, as on the server

export class Room extends EventTarget {
  constructor(info) {
    super();
    this.info = info;
    this.status = null;
    this.conversation = [];
    this.connected = false;
    this.known = false; // whether a snapshot has arrived
    this.missed = 0; // alerts while another room was selected
    keepSocket(
      `${this.path}/events`,
      {
        message: (data) => this.take(JSON.parse(data)),
        closed: () => {
          this.connected = false;
          this.tell("lost");
        },
      },
      new AbortController().signal,
    );
  }

  get path() {
    return `/rooms/${this.info.id}`;
  }

  /** The last question, or undefined. */
  get last() {
    return this.conversation.findLast((item) => item.type === "turn");
  }

  post(verb, body = {}) {
    return request("POST", `${this.path}/${verb}`, body);
  }

  get(what, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
    return request("GET", `${this.path}/${what}?${new URLSearchParams(given)}`);
  }

  pictureUrl(frameId, sidePx) {
    return `${this.path}/frames/${frameId}?side_px=${sidePx}`;
  }

  tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  take(message) {
    switch (message.type) {
      case "snapshot":
        this.info = message.room;
        this.status = message.status;
        this.conversation = message.conversation;
        this.connected = this.known = true;
        for (const type of ["room", "status", "snapshot"]) this.tell(type);
        return;
      case "room":
        this.info = message;
        return this.tell("room");
      case "status":
        this.status = message;
        return this.tell("status");
      case "event": {
        const turn = this.conversation.find((item) => item.id === message.turn);
        if (!turn) return;
        keep(turn.events, message.event);
        return this.tell("event", { turn, event: message.event });
      }
      case "turn_state": {
        const turn = this.conversation.find((item) => item.id === message.turn);
        if (!turn) return;
        Object.assign(turn, { state: message.state, error: message.error, latency: message.latency });
        return this.tell("turn_state", turn);
      }
      case "turn":
      case "alert":
        this.conversation.push(message);
        if (this.conversation.length > ITEMS_HELD) this.conversation.shift();
        return this.tell(message.type, message);
      case "memory":
        return this.tell("memory", message);
    }
  }
}

/** Add an event to a turn; successive tokens are merged. */
function keep(events, event) {
  const last = events.at(-1);
  if (event.type === "token" && last?.type === "token") last.text += event.text;
  else events.push(event);
}
