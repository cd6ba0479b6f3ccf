import type { Machine } from '../engine/types.ts';
import { fail } from '../errors/index.ts';
import { type Layout, layout, memoryMap, type Program, type Shape } from '../lower/index.ts';

/** A program's memory on one machine: grows as calls and streams need, and hands out state slots. */
export class Image {
  readonly program: Program;
  readonly machine: Machine;
  private readonly limit: number;
  private shape: Shape;
  private placed: Layout;
  private readonly free: number[] = [];
  private used = 0;
  /** Counts layouts, so that cached views know when to be made anew. */
  version = 0;
  f32 = new Float32Array(0);
  i32 = new Int32Array(0);

  constructor(program: Program, create: (bytes: number) => Machine, shape: Shape, limit: number) {
    this.program = program;
    this.limit = limit;
    this.shape = shape;
    this.placed = layout(program, shape, limit);
    this.machine = create(this.placed.bytes);
    this.refresh();
    new Uint8Array(this.machine.memory.buffer).set(program.constants, this.placed.constantsAt);
    this.writeCode();
  }

  get layout(): Layout {
    return this.placed;
  }

  /** Bytes of the whole image. */
  get bytes(): number {
    return this.placed.bytes;
  }

  private refresh(): void {
    const { buffer } = this.machine.memory;
    this.f32 = new Float32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.version++;
  }

  private writeCode(): void {
    const { code, codeAt, basesAt, rowsAt } = this.placed;
    this.i32.set(code, codeAt >> 2);
    this.i32[memoryMap.bases >> 2] = basesAt;
    this.i32[rowsAt >> 2] = 1;
  }

  /** Makes room for calls of this batch and these steps; without `steps`, of one step, which always fits. */
  fit(batch: number, steps?: Readonly<Record<string, number>>): void {
    // Step after step nothing may be allocated, not even a list of names.
    if (steps === undefined && batch <= this.shape.batch) return;
    const known = this.shape.steps;
    const wanted = Object.entries(steps ?? {});
    if (batch <= this.shape.batch && wanted.every(([name, count]) => count <= (known[name] ?? 0))) return;
    const grown: Record<string, number> = { ...known };
    for (const [name, count] of wanted) grown[name] = Math.max(count, known[name] ?? 0);
    this.reshape({ batch: Math.max(batch, this.shape.batch), steps: grown, slots: this.shape.slots });
  }

  private reshape(shape: Shape): void {
    const next = layout(this.program, shape, this.limit);
    const words = (this.placed.stateStride * this.used) >> 2;
    const states = this.f32.slice(this.placed.statesAt >> 2, (this.placed.statesAt >> 2) + words);
    this.machine.reserve(next.bytes);
    this.placed = next;
    this.shape = shape;
    this.refresh();
    this.writeCode();
    this.f32.set(states, next.statesAt >> 2);
  }

  /** A state slot, all zero. */
  acquire(): number {
    let slot = this.free.pop();
    if (slot === undefined) {
      if (this.used === this.shape.slots) this.reshape({ ...this.shape, slots: Math.max(1, this.shape.slots * 2) });
      slot = this.used++;
    }
    this.state(slot).fill(0);
    return slot;
  }

  release(slot: number): void {
    if (this.free.includes(slot)) fail('STATE_INVALID', 'the stream is closed already');
    this.free.push(slot);
  }

  /** The state block of a slot; the view is valid until the image grows. */
  state(slot: number): Float32Array {
    const at = this.stateAt(slot) >> 2;
    return this.f32.subarray(at, at + (this.program.stateBytes >> 2));
  }

  /** Zeroes parts of a slot's state, given as byte offsets and float counts. */
  clear(slot: number, parts: readonly { readonly at: number; readonly floats: number }[]): void {
    for (const { at, floats } of parts) {
      const from = (this.stateAt(slot) + at) >> 2;
      this.f32.fill(0, from, from + floats);
    }
  }

  stateAt(slot: number): number {
    return this.placed.statesAt + slot * this.placed.stateStride;
  }
}
