/** A running engine over one linear memory. Programs and data are written into the memory by its owner. */
export interface Machine {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Grows the memory to at least `bytes`; contents stay, `memory.buffer` may be another object afterwards. */
  reserve(bytes: number): void;
  /** Executes the instructions at byte address `pc` up to `end`. */
  run(pc: number): void;
}

/** Something that executes the instruction set of lower/opcodes.ts, bit for bit as the reference does. */
export interface Engine {
  readonly name: string;
  /** Why it cannot run here; undefined where it can. */
  unavailable(): string | undefined;
  /** @throws ENGINE_UNAVAILABLE, MEMORY_LIMIT */
  create(bytes: number): Machine;
  /** Compiles ahead, off the main thread, where the platform bounds synchronous compilation. */
  prepare(): Promise<void>;
}
