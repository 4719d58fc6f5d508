// What was typed and is not stored yet: sent in order, tried again until the bridge has taken or refused it.

const KEPT = "threadbridge.unsent";
const REQUEST_TIME = 10_000;  // milliseconds

export class Outbox {
  // `changed(said)` is called whenever the status of something changes.
  constructor(changed) {
    this.changed = changed;
    this.waiting = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
    this.done = new Map();
    this.busy = false;
    this.hurry = () => {};
    this.drain();
  }

  // Resolves when `said` ({id, conversation, ...}) is stored or refused.
  add(said) {
    const kept = { body: said, id: said.id, conversation: said.conversation, at: new Date().toISOString() };
    this.waiting.push(kept);
    this.tell(kept, "sending");
    const settled = new Promise((resolve) => this.done.set(said.id, resolve));
    this.drain();
    return settled;
  }

  unsent(conversation) {
    return this.waiting.filter((kept) => kept.conversation === conversation).map(view);
  }

  async drain() {
    if (this.busy) return;
    this.busy = true;
    for (let tries = 0; this.waiting.length; ) {
      const [first] = this.waiting;
      const [status, reason] = await post(first.body);
      this.tell(first, status, reason);
      if (status === "retrying") {
        await this.pause(Math.min(500 * 2 ** tries++, 4000));
        continue;
      }
      tries = 0;
      this.waiting.shift();
      this.keep();
      this.done.get(first.id)?.();
      this.done.delete(first.id);
    }
    this.busy = false;
  }

  // Until the time is over or the stream is back, which is when trying is worth it.
  pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.hurry = () => { clearTimeout(timer); resolve(); };
    });
  }

  tell(kept, status, reason = "") {
    Object.assign(kept, { status, reason });
    this.keep();
    this.changed(view(kept));
  }

  keep() {
    sessionStorage.setItem(KEPT, JSON.stringify(this.waiting));
  }
}

function view({ body, ...kept }) {
  return { ...body, ...kept };
}

async function post(body) {
  try {
    const answer = await fetch(new URL("../say", import.meta.url), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_TIME),
    });
    if (answer.ok) return ["stored"];
    if (answer.status >= 500 || answer.status === 408) return ["retrying"];
    return ["refused", (await answer.json().catch(() => ({}))).error ?? String(answer.status)];
  } catch {
    return ["retrying"];
  }
}
