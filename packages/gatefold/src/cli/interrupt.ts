/** An interrupt that training may answer by leaving a checkpoint; where it is not heeded it ends the process, as always. */
export class Interrupt {
  private readonly controller = new AbortController();
  private readonly stop = () => this.controller.abort();
  private heeded = false;

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** As if it had come. */
  now(): void {
    this.stop();
  }

  heed(yes: boolean): void {
    if (yes === this.heeded) return;
    this.heeded = yes;
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      if (yes) process.on(name, this.stop);
      else process.off(name, this.stop);
    }
  }
}
