// Requests frames one after the other, and reports when none arrive.

const RETRY_MS = 1000; // pause before retrying a server that did not answer

/**
 * Keeps a world up to date; emits "link" when the connection is made or lost.
 *
 * A browser has six connections to a server for all its pages, so each request holds one only briefly. A hidden page
 * requests only its first frame; when it is shown again, it gets everything that it missed.
 */
export class Live extends EventTarget {
  constructor(world) {
    super();
    this._world = world;
    this._name = [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("");
    this._opened = null;
    this._seen = 0; // frames received
    this._asking = null; // the AbortController of the current requests; null if there are none
    this._failure = "";
    /** "" while frames arrive; otherwise what is wrong. */
    this.trouble = "connecting";
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this._opened !== null && !this._asking) this._connect();
    });
  }

  /** Follow these charts step by step, in addition to the rows of all charts. */
  open(numbers) {
    const opened = numbers.join(",");
    if (opened === this._opened) return;
    this._opened = opened;
    this._connect();
  }

  _connect() {
    this._asking?.abort();
    this._asking = new AbortController();
    this._follow(this._asking);
  }

  async _follow(asking) {
    while (asking === this._asking && (!document.hidden || !this._seen)) {
      try {
        const frame = await this._ask(asking.signal);
        if (asking !== this._asking) return;
        if (frame) this._take(frame);
        this._tell(this._failure);
      } catch {
        if (asking !== this._asking) return;
        this._tell("no connection to farscope web; trying again");
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    if (asking === this._asking) this._asking = null;
  }

  /** Return the next frame, or null if nothing has changed for a while. */
  async _ask(signal) {
    const query = new URLSearchParams({ page: this._name, seen: this._seen, open: this._opened });
    const answer = await fetch(`/api/frame?${query}`, { signal });
    if (answer.status === 204) return null;
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    return answer.json();
  }

  _take(frame) {
    this._seen += 1;
    const failure = frame.account.failure;
    this._failure = failure ? `the log cannot be read any more: ${failure}` : "";
    this._world.take(frame);
  }

  _tell(trouble) {
    if (trouble === this.trouble) return;
    this.trouble = trouble;
    this.dispatchEvent(new Event("link"));
  }
}
