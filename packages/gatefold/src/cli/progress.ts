/** Progress of long work on standard error: a bar on a terminal, now and then a plain line elsewhere. */
export class Progress {
  private readonly silent: boolean;
  private readonly terminal = process.stderr.isTTY === true;
  private shown = false;
  private lastTime = Date.now();
  private lastWhat = '';

  constructor(silent: boolean) {
    this.silent = silent;
  }

  /** `done` of `total` parts of `what`. */
  readonly update = (done: number, total: number, what: string): void => {
    if (this.silent || total <= 0) return;
    const now = Date.now();
    const pause = this.terminal ? 60 : 5000;
    const changed = what !== this.lastWhat;
    if (!changed && now - this.lastTime < pause && done < total) return;
    if (!this.terminal && changed && now - this.lastTime < pause) {
      // Plain logs get a line per piece of work that lasts, not one for each that flashes by.
      this.lastWhat = what;
      return;
    }
    this.lastTime = now;
    this.lastWhat = what;
    const share = Math.min(1, done / total);
    const percent = `${Math.round(share * 100)} %`.padStart(5);
    if (!this.terminal) {
      process.stderr.write(`${what}: ${percent.trim()}\n`);
      return;
    }
    const width = 24;
    const filled = Math.round(share * width);
    process.stderr.write(`\r\x1b[K${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${percent}  ${what}`);
    this.shown = true;
  };

  /** Removes the bar. */
  done(): void {
    if (this.shown) process.stderr.write('\r\x1b[K');
    this.shown = false;
  }
}
