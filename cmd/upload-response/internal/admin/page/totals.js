// Rates of all requests together.

const average = 5; // seconds: the server counts the bytes of long requests once a second
const minute = 60;

/** What all requests together do, by the counters of the statuses that came so far. */
export class Totals {
  #before = []; // the counters of the last minute

  /** Takes a status, and returns rates by the second, and the errors of the last minute; null: not known yet. */
  add(status) {
    const { exchanges, failed, received_bytes: received, sent_bytes: sent } = status.stats;
    const now = { at: Date.parse(status.at) / 1000, exchanges, failed, received, sent, process: process(status) };
    if (this.#before.at(-1)?.process !== now.process) this.#before = [];
    this.#before = this.#before.filter((b) => now.at - b.at <= minute);
    const one = this.#before.at(-1), some = this.#before.find((b) => now.at - b.at <= average + 0.5);
    const oldest = this.#before[0];
    this.#before.push(now);
    if (!one || !some || now.at - one.at < 0.05) return null;
    const rise = (name, since) => Math.max(0, now[name] - since[name]) / (now.at - since.at);
    return { requests: rise("exchanges", one), in: rise("received", some), out: rise("sent", some),
      errors: now.failed - oldest.failed };
  }
}

const process = (status) => `${status.pid} ${status.started}`;
