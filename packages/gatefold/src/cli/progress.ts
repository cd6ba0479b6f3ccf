/** Where progress goes: standard error, or a stand-in for it. */
interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Milliseconds between two drawings of the bar, and between two lines of a log. */
const barPause = 60;
const linePause = 5000;
const barWidth = 24;

/** Progress of long work: a bar on a terminal, now and then a plain line elsewhere. */
export class Progress {
  private readonly silent: boolean;
  private readonly stream: ProgressStream;
  private readonly now: () => number;
  private shown = false;
  private lastTime: number;
  private lastWhat = '';

  /** `now` is a clock in milliseconds. */
  constructor(silent: boolean, stream: ProgressStream = process.stderr, now = Date.now) {
    this.silent = silent;
    this.stream = stream;
    this.now = now;
    this.lastTime = now();
  }

  /** `done` of `total` parts of `what`. */
  readonly update = (done: number, total: number, what: string): void => {
    if (this.silent || total <= 0) return;
    const terminal = this.stream.isTTY === true;
    const time = this.now();
    const isDue = time - this.lastTime >= (terminal ? barPause : linePause);
    // A log gets a line when work lasts, not one for each piece that flashes by; a bar always shows where it stands.
    if (!isDue && !(terminal && (what !== this.lastWhat || done >= total))) return;
    this.lastTime = time;
    this.lastWhat = what;
    const share = Math.min(1, done / total);
    const percent = `${Math.floor(share * 100)} %`;
    if (!terminal) {
      this.stream.write(`${what}: ${percent}\n`);
      return;
    }
    const filled = Math.round(share * barWidth);
    const line = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} ${percent.padStart(5)}  ${what}`;
    // A line that wraps could not be taken back.
    this.stream.write(`\r\x1b[K${line.slice(0, (this.stream.columns ?? 80) - 1)}`);
    this.shown = true;
  };

  /** Removes the bar. */
  done(): void {
    if (this.shown) this.stream.write('\r\x1b[K');
    this.shown = false;
  }
}
