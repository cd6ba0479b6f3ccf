import { fail } from '../errors/index.ts';
import { crc32, type Tensor } from '../tensor/index.ts';
import type { StreamHost, StreamLike } from './host.ts';
import { type Inputs, isNumbers, type Numbers } from './ports.ts';

const magic = 0x31534647; // "GFS1"
const headerWords = 5;

/** One sequence in progress: the states of a session's recurrent layers, windows and state ports. */
export class Stream implements StreamLike {
  /** Steps taken since the zero state. */
  position = 0;
  private readonly session: StreamHost;
  private slot: number;
  private readonly self: readonly Stream[];
  private readonly single: Numbers[];

  /** @internal Use `session.stream()`. */
  constructor(session: StreamHost, slot: number) {
    this.session = session;
    this.slot = slot;
    this.self = [this];
    this.single = [[]];
  }

  /** @internal The slot, where the stream is open and of this session. */
  slotOf(session: StreamHost): number {
    if (session !== this.session) fail('STATE_INVALID', 'the stream belongs to another session');
    if (this.slot < 0) fail('STATE_INVALID', 'the stream is closed');
    return this.slot;
  }

  /**
   * One step. Returns the first output's row, valid until the session's next call, or undefined where a strided model
   * has none due; further outputs are read with `session.output(name)`.
   * @throws INPUT_SHAPE, INPUT_VALUE, NOT_STREAMABLE
   */
  step(inputs: Inputs): Float32Array | undefined {
    const { session } = this;
    const port = session.inputs[0]!;
    if (session.streams && session.inputs.length === 1 && isNumbers(inputs) && inputs.length === port.width) {
      this.single[0] = inputs;
      session.callStep(this.self, this.single);
    } else {
      session.step(this.self, inputs);
    }
    return session.output();
  }

  /** Any number of steps at once, [time, …] row-major; the results are the caller's to keep. */
  push(inputs: Inputs): Record<string, Tensor> {
    return this.session.push(this.self, inputs);
  }

  /** Back to the zero state. */
  reset(): void {
    this.state().fill(0);
    this.position = 0;
  }

  /** The state as bytes, for {@link restore} in this or another process; checked by length, model and checksum. */
  save(): Uint8Array {
    const state = this.state();
    const bytes = new Uint8Array(headerWords * 4 + state.byteLength);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < state.length; i++) view.setFloat32((headerWords + i) * 4, state[i]!, true);
    view.setUint32(0, magic, true);
    view.setUint32(4, this.session.fingerprint, true);
    view.setFloat64(8, this.position, true);
    view.setUint32(16, crc32(bytes.subarray(headerWords * 4)), true);
    return bytes;
  }

  /** @throws STATE_INVALID where the bytes are damaged or of another model */
  restore(bytes: Uint8Array): void {
    const state = this.state();
    const expected = headerWords * 4 + state.byteLength;
    const refuse = (what: string, detail = {}) => fail('STATE_INVALID', what, detail);
    if (bytes.length !== expected) {
      refuse('the saved state has the wrong length', { expected: `${expected} bytes`, found: `${bytes.length}` });
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (view.getUint32(0, true) !== magic) refuse('these bytes are no saved state');
    if (view.getUint32(4, true) !== this.session.fingerprint) refuse('the state was saved from another model');
    if (view.getUint32(16, true) !== crc32(bytes.subarray(headerWords * 4))) refuse('the saved state is damaged');
    const position = view.getFloat64(8, true);
    if (!Number.isInteger(position) || position < 0) refuse('the saved state is damaged');
    for (let i = 0; i < state.length; i++) state[i] = view.getFloat32((headerWords + i) * 4, true);
    this.position = position;
  }

  /** A new stream that continues from here on its own. */
  clone(): Stream {
    const copy = new Stream(this.session, this.session.image.acquire());
    copy.state().set(this.state());
    copy.position = this.position;
    return copy;
  }

  /** Gives the slot back; the stream cannot be used afterwards. */
  close(): void {
    this.session.image.release(this.slotOf(this.session));
    this.slot = -1;
  }

  private state(): Float32Array {
    return this.session.image.state(this.slotOf(this.session));
  }
}
