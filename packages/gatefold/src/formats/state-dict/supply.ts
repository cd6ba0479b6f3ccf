import { type ErrorCode, fail, sizeOf } from '@gatefold/runtime';
import type { GraphBuilder } from '../graph-builder.ts';
import { type Binding, bind, type Form } from './binding.ts';
import type { StateDict, StateTensor } from './types.ts';

/** Gives tensors to layers, remembers which were used and what was made of them. */
export class Supply {
  readonly bindings: Binding[] = [];
  private readonly tensors: StateDict;
  private readonly builder: GraphBuilder;
  private readonly missing: ErrorCode;
  private readonly limit: number;
  private readonly used = new Set<string>();
  /** Weights that exist already, by what they were made of: tied tensors are one weight. */
  private readonly made = new Map<string, readonly string[]>();
  private numbers = 0;

  /**
   * `missing` is what it means that a tensor is not there: the file's fault, or that of who described it; `limit` the
   * numbers that may be read in all.
   */
  constructor(tensors: StateDict, builder: GraphBuilder, missing: ErrorCode, limit: number) {
    this.tensors = tensors;
    this.builder = builder;
    this.missing = missing;
    this.limit = limit;
  }

  has(key: string): boolean {
    return this.tensors.has(key);
  }

  /** The tensor of a key, of so many dimensions. @throws MODEL_SHAPE, or `missing` */
  tensor(key: string, dimensions: number, place: string): StateTensor {
    const tensor = this.tensors.get(key);
    if (!tensor) {
      fail(this.missing, 'the file has no tensor of this name', { place, expected: this.nearest(key), found: key });
    }
    if (tensor.shape.length !== dimensions || sizeOf(tensor.shape) === 0) {
      fail('MODEL_SHAPE', 'a tensor does not fit its layer', {
        place: `${place}: ${key}`,
        expected: `${dimensions} ${dimensions === 1 ? 'dimension' : 'dimensions'}`,
        found: `[${tensor.shape.join(', ')}]`,
      });
    }
    this.used.add(key);
    return tensor;
  }

  /** Weights of the model made of the tensors of `keys`; returns their names, which differ from those asked where tied. */
  weights(names: readonly string[], keys: readonly string[], form: Form): readonly string[] {
    const tensors = keys.map((key) => this.tensors.get(key)!);
    const identity = JSON.stringify([form, tensors.map((tensor) => tensor.identity)]);
    let known = this.made.get(identity);
    if (!known) {
      for (const tensor of tensors) this.numbers += sizeOf(tensor.shape);
      if (this.numbers > this.limit)
        fail('FILE_TOO_LARGE', 'the tensors hold more numbers than the file can', {
          place: keys[0]!,
          expected: `at most ${this.limit}`,
        });
      const values = bind(
        form,
        tensors.map((tensor) => ({ shape: tensor.shape, data: tensor.values() })),
      );
      known = names.map((name, i) => this.builder.weight(this.free(name), () => values[i]!));
      this.made.set(identity, known);
    }
    this.bindings.push({ weights: known, keys, form });
    return known;
  }

  weight(name: string, keys: readonly string[], form: Form): string {
    return this.weights([name], keys, form)[0]!;
  }

  /** Marks a tensor as one that inference does not need. */
  skip(key: string): void {
    if (this.tensors.has(key)) this.used.add(key);
  }

  /** Keys that no layer used. */
  unused(): string[] {
    return [...this.tensors.keys()].filter((key) => !this.used.has(key));
  }

  private free(name: string): string {
    let free = name;
    for (let n = 1; Object.hasOwn(this.builder.weights, free); n++) free = `${name}@${n}`;
    return free;
  }

  private nearest(key: string): string {
    const prefix = key.slice(0, key.lastIndexOf('.') + 1);
    const near = [...this.tensors.keys()].filter((candidate) => candidate.startsWith(prefix));
    const list = near.length > 0 ? near : [...this.tensors.keys()];
    return `${list.slice(0, 12).join(', ')}${list.length > 12 ? ', …' : ''}`;
  }
}
