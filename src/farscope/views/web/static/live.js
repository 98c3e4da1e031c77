// The stream of frames, and what to say when it breaks.

/** Keeps a world up to date; tells "link" when the connection comes or goes. */
export class Live extends EventTarget {
  constructor(world) {
    super();
    this._world = world;
    this._source = null;
    this._opened = "";
    this._retry = 0;
    /** "" while frames come; otherwise what is wrong. */
    this.trouble = "connecting";
  }

  /** Follow these charts step by step, besides the rows of all. */
  open(numbers) {
    const opened = numbers.join(",");
    if (this._source && opened === this._opened) return;
    this._opened = opened;
    this._connect();
  }

  _connect() {
    clearTimeout(this._retry);
    this._source?.close();
    const source = new EventSource(`/api/live${this._opened ? `?open=${this._opened}` : ""}`);
    this._source = source;
    source.onmessage = (message) => {
      if (source !== this._source) return;
      const frame = JSON.parse(message.data);
      this._tell(frame.account.failure ? `the log cannot be read any more: ${frame.account.failure}` : "");
      this._world.take(frame);
    };
    source.onerror = () => {
      if (source !== this._source) return;
      this._tell("no connection to farscope web; trying again");
      // The browser tries again by itself unless the answer was a refusal.
      if (source.readyState === EventSource.CLOSED) this._retry = setTimeout(() => this._connect(), 2000);
    };
  }

  _tell(trouble) {
    if (trouble === this.trouble) return;
    this.trouble = trouble;
    this.dispatchEvent(new Event("link"));
  }
}
