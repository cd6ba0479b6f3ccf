import { GatefoldError } from '@gatefold/runtime';
import type { Build } from './backend/builds.ts';
import type { Backend } from './backend/types.ts';
import { WasmBackend } from './backend/wasm.ts';
import type { TrainBatch } from './batches.ts';
import type { CarriedState } from './ops/index.ts';
import type { Parameters } from './parameters.ts';
import { Replica, type ReplicaSpec } from './replica.ts';

/** One end of a channel to another thread: a web worker, or a port of Node's worker_threads. */
export interface Channel {
  post(message: unknown): void;
  listen(receive: (message: unknown) => void): void;
  close(): void;
}

/** More threads: each call starts a worker that runs `serveReplica`. */
export interface Workers {
  /** Threads beside the caller's own. */
  readonly count: number;
  readonly spawn: () => Channel;
}

type States = ReadonlyMap<string, CarriedState>;

type Request =
  | {
      kind: 'start';
      spec: ReplicaSpec;
      /** Of the kernels; default the best. */
      build: Build | undefined;
      index: number;
      values: SharedArrayBuffer;
      gradients: SharedArrayBuffer;
    }
  | { kind: 'step'; batch: TrainBatch; step: number; share: number }
  | { kind: 'states' }
  | { kind: 'restore'; states: States };

type Answer = { loss: number } | { states: States } | { error: string; code?: string };

/** All trained values, or gradients, one after the other. */
function copyOut(backend: Backend, { trained }: Parameters, what: 'value' | 'gradient', to: Float32Array): void {
  let at = 0;
  for (const parameter of trained) {
    const { rows, cols } = parameter[what];
    backend.read(parameter[what], to.subarray(at, at + rows * cols));
    at += rows * cols;
  }
}

function sizeOfAll({ trained }: Parameters): number {
  return trained.reduce((sum, { value }) => sum + value.rows * value.cols, 0);
}

/** What a worker runs: a replica of the model that computes gradients on request. */
export function serveReplica(channel: Channel): void {
  let replica: Replica | undefined;
  let values: Float32Array = new Float32Array();
  let gradients: Float32Array = new Float32Array();
  const answer = (request: Request): Answer | undefined => {
    if (request.kind === 'start') {
      replica = new Replica(new WasmBackend(undefined, request.build), request.spec, request.index);
      values = new Float32Array(request.values);
      gradients = new Float32Array(request.gradients);
      return undefined;
    }
    const { backend, parameters, graph } = replica!;
    if (request.kind === 'restore') {
      graph.restoreStates(request.states);
      return undefined;
    }
    if (request.kind === 'states') return { states: graph.carriedStates() };
    let at = 0;
    for (const { value } of parameters.trained) {
      const size = value.rows * value.cols;
      backend.write(value, values.subarray(at, at + size));
      at += size;
    }
    const loss = replica!.gradients(request.batch, request.step, request.share);
    copyOut(backend, parameters, 'gradient', gradients);
    return { loss };
  };
  channel.listen((message) => {
    try {
      const made = answer(message as Request);
      if (made) channel.post(made);
    } catch (error) {
      const code = error instanceof GatefoldError ? { code: error.code } : {};
      channel.post({ error: (error as Error).message, ...code });
    }
  });
}

/** Workers that share a run: each takes a part of every batch, and their gradients are added in order. */
export class Team {
  private readonly own: Replica;
  private readonly values: Float32Array;
  private readonly helpers: {
    readonly channel: Channel;
    readonly gradients: Float32Array;
    waiting: ((answer: Answer) => void) | undefined;
    /** What went wrong while nobody waited. */
    failed: Answer | undefined;
  }[];

  constructor(own: Replica, spec: ReplicaSpec, { count, spawn }: Workers) {
    this.own = own;
    const bytes = 4 * sizeOfAll(own.parameters);
    const shared = new SharedArrayBuffer(bytes);
    const { name } = own.backend;
    const build = name === 'simd128' || name === 'relaxed' ? name : undefined;
    this.values = new Float32Array(shared);
    this.helpers = Array.from({ length: count }, (_, i) => {
      const channel = spawn();
      const gradients = new SharedArrayBuffer(bytes);
      channel.listen((message) => {
        const helper = this.helpers[i]!;
        const { waiting } = helper;
        helper.waiting = undefined;
        if (waiting) waiting(message as Answer);
        else helper.failed = message as Answer;
      });
      channel.post({ kind: 'start', spec, build, index: i + 1, values: shared, gradients } satisfies Request);
      return { channel, gradients: new Float32Array(gradients), waiting: undefined, failed: undefined };
    });
  }

  private ask(index: number, request: Request): Promise<Answer> {
    const helper = this.helpers[index]!;
    if (helper.failed) return Promise.resolve(helper.failed);
    return new Promise((resolve) => {
      helper.waiting = resolve;
      helper.channel.post(request);
    });
  }

  /** Gradients of a whole batch, into the own replica's parameters; returns the mean loss. */
  async gradients(batch: TrainBatch, step: number): Promise<number> {
    const { own } = this;
    const parts = partsOf(batch, this.helpers.length + 1);
    copyOut(own.backend, own.parameters, 'value', this.values);
    const asked = parts.slice(1).map((part, i) => {
      return this.ask(i, { kind: 'step', batch: part, step, share: part.batch / batch.batch });
    });
    let loss = own.gradients(parts[0]!, step, parts[0]!.batch / batch.batch);
    const answers = await Promise.all(asked);
    answers.forEach((answer, i) => {
      if ('error' in answer) throw restored(answer);
      loss += (answer as { loss: number }).loss;
      this.add(this.helpers[i]!.gradients);
    });
    return loss;
  }

  private add(gradients: Float32Array): void {
    const { backend, parameters } = this.own;
    const mark = backend.mark();
    let at = 0;
    for (const { gradient } of parameters.trained) {
      const size = gradient.rows * gradient.cols;
      const m = backend.alloc(gradient.rows, gradient.cols);
      backend.write(m, gradients.subarray(at, at + size));
      backend.scaled(1, m, gradient, true);
      backend.release(mark);
      at += size;
    }
  }

  /** Carried states of all replicas, the own first. */
  async states(): Promise<States[]> {
    const others = await Promise.all(this.helpers.map((_, i) => this.ask(i, { kind: 'states' })));
    return [this.own.graph.carriedStates(), ...others.map((answer) => (answer as { states: States }).states)];
  }

  restore([own, ...others]: readonly States[]): void {
    this.own.graph.restoreStates(own ?? new Map());
    others.forEach((states, i) => {
      this.helpers[i]?.channel.post({ kind: 'restore', states } satisfies Request);
    });
  }

  close(): void {
    for (const { channel } of this.helpers) channel.close();
  }
}

function restored({ error, code }: { error: string; code?: string }): Error {
  const made = new Error(error);
  return code === undefined ? made : Object.assign(made, { code });
}

/** Examples in a row for every thread; threads beyond the examples get none. */
function partsOf(batch: TrainBatch, threads: number): TrainBatch[] {
  const parts: TrainBatch[] = [];
  for (let i = 0; i < threads; i++) {
    const from = Math.floor((batch.batch * i) / threads);
    const to = Math.floor((batch.batch * (i + 1)) / threads);
    if (to === from) continue;
    const cut = (array: Float32Array) => {
      const each = array.length / batch.batch;
      return array.slice(from * each, to * each);
    };
    const { lengths, targetLengths } = batch;
    parts.push({
      ...batch,
      batch: to - from,
      inputs: Object.fromEntries(Object.entries(batch.inputs).map(([name, array]) => [name, cut(array)])),
      targets: cut(batch.targets),
      ...(lengths
        ? { lengths: Object.fromEntries(Object.entries(lengths).map(([name, list]) => [name, list.slice(from, to)])) }
        : {}),
      ...(targetLengths ? { targetLengths: targetLengths.slice(from, to) } : {}),
    });
  }
  return parts;
}
