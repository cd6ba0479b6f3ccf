import type { Engine } from '../engine/types.ts';
import { fail } from '../errors/index.ts';
import { isSequential, lower, memoryMap, type Program, type ProgramPort } from '../lower/index.ts';
import type { Model } from '../model/index.ts';
import { crc32, type Tensor } from '../tensor/index.ts';
import type { StreamHost, StreamLike } from './host.ts';
import { Image } from './image.ts';
import { copyRows, joinPieces, View } from './outputs.ts';
import { arraysOf, type Inputs, isSequencePort, type Numbers, stepsOf } from './ports.ts';
import { RowCounter } from './rows.ts';
import { Stream } from './stream.ts';

export interface SessionOptions {
  readonly engine: Engine;
  /** The graph to run; by default the model's first. */
  readonly graph?: string;
  /** Upper bound of the memory image, in bytes; default 1 GiB. */
  readonly maxBytes?: number;
}

/** Steps that a streaming program takes at once: longer calls run chunk by chunk, with the same bits. */
const chunkSteps = 128;

/** Holds a model's weights, packed for an engine, and runs it over whole sequences or over streams. */
export class Session implements StreamHost {
  readonly program: Program;
  readonly engine: Engine;
  /** @internal */
  readonly image: Image;
  /** Whether the inputs are sequences; otherwise each call is one step. */
  readonly sequential: boolean;
  private readonly embeds: boolean;
  private readonly views: ReadonlyMap<string, View>;
  private readonly counter: RowCounter;
  private readonly stepArrays: Numbers[] = [];
  private lastBatch = 0;
  private fingerprinted: number | undefined;

  /** @throws MODEL_*, MEMORY_LIMIT, ENGINE_UNAVAILABLE */
  constructor(model: Model, { engine, graph, maxBytes = 2 ** 30 }: SessionOptions) {
    const reason = engine.unavailable();
    if (reason !== undefined)
      fail('ENGINE_UNAVAILABLE', `the ${engine.name} engine does not run here`, { found: reason });
    this.engine = engine;
    this.program = lower(model, graph);
    this.sequential = isSequential(this.program);
    this.embeds = this.program.blocks.some((block) => block.instructions.some(({ op }) => op === 'embed'));
    const steps = Object.fromEntries(this.program.inputs.map((port) => [port.name, 1]));
    this.image = new Image(this.program, (bytes) => engine.create(bytes), { batch: 1, steps, slots: 1 }, maxBytes);
    this.counter = new RowCounter(this.program);
    this.views = new Map(this.program.outputs.map((port) => [port.name, new View(port)]));
  }

  get inputs(): readonly ProgramPort[] {
    return this.program.inputs;
  }

  get outputs(): readonly ProgramPort[] {
    return this.program.outputs;
  }

  /** Whether steps can be given one at a time. */
  get streams(): boolean {
    return this.program.wholeReasons.length === 0;
  }

  /** Bytes of memory the session holds: weights, buffers and states. */
  get residentBytes(): number {
    return this.image.bytes;
  }

  /** Tells saved states of this program from those of others. */
  get fingerprint(): number {
    this.fingerprinted ??= crc32(this.program.constants) ^ this.program.stateBytes;
    return this.fingerprinted >>> 0;
  }

  /** A new stream, at its zero state. */
  stream(): Stream {
    return new Stream(this, this.image.acquire());
  }

  /**
   * Runs whole sequences, each from the zero state; or, with `streams` (one per batch element), from and to their
   * states as Keras' stateful layers do. Arrays are [batch, time, …] row-major; `batch` defaults to 1. The results are
   * the caller's to keep.
   * @throws INPUT_SHAPE, INPUT_VALUE, MEMORY_LIMIT
   */
  run(
    inputs: Inputs,
    { batch = 1, streams }: { batch?: number; streams?: readonly StreamLike[] } = {},
  ): Record<string, Tensor> {
    if (streams && streams.length !== batch) {
      fail('INPUT_SHAPE', 'one stream per batch element', { expected: `${batch}`, found: `${streams.length}` });
    }
    const arrays = arraysOf(this.program, inputs);
    const lengths = this.lengths(arrays, batch);
    for (const port of this.program.inputs) {
      const fixed = port.shape[1];
      if (isSequencePort(this.program, port) && typeof fixed === 'number' && lengths[port.name] !== fixed) {
        fail('INPUT_SHAPE', `input "${port.name}" has the wrong number of steps`, {
          place: port.name,
          expected: `${fixed}`,
          found: `${lengths[port.name]}`,
        });
      }
    }
    const own = streams ? [] : Array.from({ length: batch }, () => this.stream());
    const used = streams ?? own;
    // What a masked step repeats is the output of this call alone.
    for (const stream of used) this.image.clear(stream.slotOf(this), this.program.callStates);
    try {
      if (this.streams && this.sequential && isCommon(lengths)) return this.pushAll(used, arrays, lengths);
      if (!this.sequential) this.checkSingle(lengths);
      this.call(used, arrays, lengths, 0, lengths);
      return this.collect(batch);
    } finally {
      for (const stream of own) stream.close();
    }
  }

  /** One step of several streams at once; x is [streams, features]. Outputs are read with {@link output}. */
  step(streams: readonly StreamLike[], inputs: Inputs): void {
    this.needStreaming();
    const arrays = arraysOf(this.program, inputs, this.stepArrays);
    for (let i = 0; i < arrays.length; i++) {
      const port = this.program.inputs[i]!;
      if (arrays[i]!.length !== port.width * streams.length) stepMismatch(port, streams.length, arrays[i]!.length);
    }
    this.callStep(streams, arrays);
  }

  /** Steps of several streams at once; arrays are [streams, time, …]. The results are the caller's to keep. */
  push(streams: readonly StreamLike[], inputs: Inputs): Record<string, Tensor> {
    this.needStreaming();
    const arrays = arraysOf(this.program, inputs);
    const lengths = this.lengths(arrays, streams.length);
    if (!isCommon(lengths)) {
      fail('INPUT_SHAPE', 'the inputs have different numbers of steps', { found: JSON.stringify(lengths) });
    }
    return this.pushAll(streams, arrays, lengths);
  }

  /**
   * An output of the last step: [streams, …] row-major, valid until the next call; undefined where no row was due.
   */
  output(name?: string): Float32Array | undefined {
    const view =
      this.views.get(name ?? this.program.outputs[0]!.name) ?? fail('INPUT_SHAPE', `the model has no output "${name}"`);
    return view.read(this.image, this.lastBatch, this.counter.rows[view.port.time]!);
  }

  /** @internal One step of one stream, checked by the caller. */
  callStep(streams: readonly StreamLike[], arrays: readonly Numbers[]): void {
    this.image.fit(streams.length);
    this.execute(streams, arrays, undefined, 0, 1);
  }

  private needStreaming(): void {
    if (!this.streams) {
      fail('NOT_STREAMABLE', 'the model needs whole sequences', {
        found: this.program.wholeReasons.join('; '),
        hint: 'use run() on the whole sequence',
      });
    }
  }

  private checkSingle(lengths: Readonly<Record<string, number>>): void {
    for (const [name, steps] of Object.entries(lengths)) {
      if (steps !== 1)
        fail('INPUT_SHAPE', `input "${name}" has no time: give one row per batch element`, { found: `${steps} rows` });
    }
  }

  private lengths(arrays: readonly Numbers[], batch: number): Record<string, number> {
    const ports = this.program.inputs;
    return Object.fromEntries(arrays.map((array, i) => [ports[i]!.name, stepsOf(ports[i]!, array.length, batch)]));
  }

  /** Runs a streaming program chunk by chunk and collects its outputs. */
  private pushAll(
    streams: readonly StreamLike[],
    arrays: readonly Numbers[],
    lengths: Readonly<Record<string, number>>,
  ): Record<string, Tensor> {
    const batch = streams.length;
    const total = Object.values(lengths)[0]!;
    const single = !this.sequential || this.program.stepwise;
    const most = single ? 1 : Math.max(1, Math.min(chunkSteps, Math.floor(4096 / batch)));
    const pieces: Record<string, Tensor>[] = [];
    for (let from = 0; from < total; from += most) {
      const steps = Math.min(most, total - from);
      const now = Object.fromEntries(this.program.inputs.map((port) => [port.name, steps]));
      this.call(streams, arrays, now, from, lengths);
      pieces.push(this.collect(batch));
    }
    return pieces.length === 1 ? pieces[0]! : joinPieces(this.program, batch, pieces, this.sequential);
  }

  private call(
    streams: readonly StreamLike[],
    arrays: readonly Numbers[],
    lengths: Readonly<Record<string, number>>,
    from: number,
    totals: Readonly<Record<string, number>>,
  ): void {
    this.image.fit(streams.length, lengths);
    this.execute(streams, arrays, { lengths, totals }, from, Object.values(lengths)[0] ?? 1);
  }

  private execute(
    streams: readonly StreamLike[],
    arrays: readonly Numbers[],
    spans: Spans | undefined,
    from: number,
    steps: number,
  ): void {
    const { image, program } = this;
    const { i32, layout: at } = image;
    const batch = streams.length;
    i32[memoryMap.batch >> 2] = batch;
    for (let b = 0; b < batch; b++) i32[(at.basesAt >> 2) + b] = image.stateAt(streams[b]!.slotOf(this));
    if (spans) this.counter.call(image, streams, spans.lengths);
    else this.counter.step(image, streams);
    for (let i = 0; i < arrays.length; i++) {
      const port = program.inputs[i]!;
      const span = spans?.lengths[port.name] ?? 1;
      this.writeInput(port, arrays[i]!, batch, span, from, spans?.totals[port.name] ?? 1);
    }
    if (this.embeds) i32[memoryMap.error >> 2] = 0;
    image.machine.run(at.codeAt);
    this.lastBatch = batch;
    for (let b = 0; b < batch; b++) streams[b]!.position += steps;
    if (this.embeds && i32[memoryMap.error >> 2] !== 0) {
      fail('INPUT_VALUE', 'an id is outside its embedding', { found: String(image.f32[memoryMap.errorValue >> 2]) });
    }
  }

  private writeInput(
    port: ProgramPort,
    array: Numbers,
    batch: number,
    steps: number,
    from: number,
    total: number,
  ): void {
    const { f32, layout: at } = this.image;
    const base = at.buffersAt[port.buffer]! >> 2;
    const stride = this.program.buffers[port.buffer]!.width;
    const { width } = port;
    if (batch === 1 && total === 1) {
      for (let i = 0; i < width; i++) f32[base + i] = array[i]!;
      return;
    }
    for (let b = 0; b < batch; b++) {
      const first = (b * total + from) * width;
      if (steps > 1 && width === stride && array instanceof Float32Array) {
        f32.set(array.subarray(first, first + steps * width), base + b * steps * stride);
        continue;
      }
      for (let t = 0; t < steps; t++) {
        const src = first + t * width;
        const dst = base + (b * steps + t) * stride;
        for (let i = 0; i < width; i++) f32[dst + i] = array[src + i]!;
      }
    }
  }

  private collect(batch: number): Record<string, Tensor> {
    const out: Record<string, Tensor> = {};
    for (const { port } of this.views.values()) {
      const rows = this.counter.rows[port.time]!;
      const timed = isSequencePort(this.program, port);
      const inner = port.shape.slice(timed ? 2 : 1) as number[];
      const data = new Float32Array(batch * rows * port.width);
      copyRows(this.image, this.program, port, data, batch * rows);
      out[port.name] = { shape: timed ? [batch, rows, ...inner] : [rows === 0 ? 0 : batch, ...inner], data };
    }
    return out;
  }
}

function isCommon(lengths: Readonly<Record<string, number>>): boolean {
  return new Set(Object.values(lengths)).size === 1;
}

interface Spans {
  readonly lengths: Readonly<Record<string, number>>;
  readonly totals: Readonly<Record<string, number>>;
}

function stepMismatch(port: ProgramPort, batch: number, found: number): never {
  return fail('INPUT_SHAPE', `input "${port.name}" has the wrong number of values for one step`, {
    place: port.name,
    expected: `${batch} × ${port.width}`,
    found: `${found}`,
  });
}
