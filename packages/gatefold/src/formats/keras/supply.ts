import { fail } from '@gatefold/runtime';
import type { Hdf5Array, Hdf5File } from '../hdf5/index.ts';
import type { LayerConfig } from './config.ts';

/** A weight as the file holds it, row-major. */
export interface StoredArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Where a layer takes its weights from, in the order Keras created them. */
export interface Supply {
  /** The next weight; `name` is Keras' own (kernel, recurrent_kernel, …). */
  take(name: string): StoredArray;
  /** Passes over a weight that inference does not need. */
  skip(name: string): void;
  /** Weights of something inside the layer: `cell`, `layer`, `forward_layer`, `backward_layer`. */
  part(name: string): Supply;
  /** Weights of the layers of a model inside the layer, or of a list of cells. */
  parts(layers: readonly LayerConfig[], kind?: 'layers' | 'cells'): (index: number) => Supply;
}

/** All weights of a file and which of them were taken. */
export class Weights {
  readonly file: Hdf5File;
  readonly taken = new Set<string>();
  private readonly arrays: ReadonlyMap<string, Hdf5Array>;

  constructor(file: Hdf5File) {
    this.file = file;
    this.arrays = file.arrays('');
  }

  has(path: string): boolean {
    return this.arrays.has(path);
  }

  read(path: string): StoredArray {
    this.taken.add(path);
    const array = this.arrays.get(path) ?? fail('FILE_CORRUPT', 'an array is missing', { place: path });
    return { shape: array.shape, data: array.read() };
  }

  hasGroup(path: string): boolean {
    return this.file.hasGroup(path);
  }

  /** @throws FILE_UNUSED naming the first array that belongs to a layer and that none took */
  checkUsed(belongs: (path: string) => boolean): void {
    const odd = [...this.arrays.keys()].find((path) => belongs(path) && !this.taken.has(path));
    if (odd !== undefined) {
      fail('FILE_UNUSED', 'the file holds a weight that no layer of the architecture uses', {
        place: odd,
        hint: 'the architecture and the weights belong to different models',
      });
    }
  }
}

interface Named {
  readonly path: string;
  /** Path components without the ":0" of TensorFlow. */
  readonly parts: readonly string[];
}

/**
 * The layout of Keras 2: each layer of the outermost model has a group and a list of weight names in order. Weights of
 * nested layers stand in the list of the outermost.
 */
export class NamedSupply implements Supply {
  private readonly weights: Weights;
  private readonly place: string;
  private readonly entries: readonly Named[];

  constructor(weights: Weights, place: string, entries: readonly Named[]) {
    this.weights = weights;
    this.place = place;
    this.entries = entries;
  }

  skip(name: string): void {
    const found = this.entries.find(({ path, parts }) => parts.at(-1) === name && !this.weights.taken.has(path));
    if (found) this.weights.taken.add(found.path);
  }

  take(name: string): StoredArray {
    const found = this.entries.find(({ path, parts }) => parts.at(-1) === name && !this.weights.taken.has(path));
    if (!found) {
      fail('FILE_CORRUPT', `the file lacks the weight "${name}" of a layer`, {
        place: this.place,
        found: this.entries.map(({ parts }) => parts.join('/')).join(', ') || 'no weights',
      });
    }
    return this.weights.read(found.path);
  }

  part(name: string): Supply {
    const half = this.entries.length / 2;
    if (name === 'forward_layer') return this.only(this.entries.slice(0, half));
    if (name === 'backward_layer') return this.only(this.entries.slice(half));
    return this;
  }

  parts(layers: readonly LayerConfig[]): (index: number) => Supply {
    return (index) => {
      // Names carry the inner layer's name where Keras knew it; otherwise order decides.
      const { name } = layers[index]!;
      const own = this.entries.filter(({ parts }) => parts.includes(name));
      return own.length > 0 ? this.only(own) : this;
    };
  }

  private only(entries: readonly Named[]): Supply {
    return new NamedSupply(this.weights, this.place, entries);
  }
}

/** The layout of Keras 3 (and `.keras` of 2.12 and later): a group per object, its variables numbered under `vars`. */
export class NumberedSupply implements Supply {
  private readonly weights: Weights;
  private readonly path: string;
  private next = 0;

  constructor(weights: Weights, path: string) {
    this.weights = weights;
    this.path = path;
  }

  skip(): void {
    this.weights.taken.add(`${this.path}/vars/${this.next++}`);
  }

  take(name: string): StoredArray {
    const path = `${this.path}/vars/${this.next++}`;
    if (!this.weights.has(path)) {
      fail('FILE_CORRUPT', `the file lacks the weight "${name}" of a layer`, { place: path });
    }
    return this.weights.read(path);
  }

  part(name: string): Supply {
    return new NumberedSupply(this.weights, `${this.path}/${name}`);
  }

  parts(layers: readonly LayerConfig[], kind: 'layers' | 'cells' = 'layers'): (index: number) => Supply {
    const { weights } = this;
    const folders = kind === 'cells' ? ['cells'] : ['layers', '_layer_checkpoint_dependencies'];
    const folder = folders
      .map((name) => (this.path === '' ? name : `${this.path}/${name}`))
      .find((path) => weights.hasGroup(path));
    if (folder === undefined) return () => new NumberedSupply(this.weights, `${this.path}/${folders[0]}`);
    const keys = weights.file.names(folder);
    const named = new Map(
      keys.map((key) => [
        weights.hasGroup(`${folder}/${key}/vars`) ? weights.file.text(`${folder}/${key}/vars`, 'name') : undefined,
        key,
      ]),
    );
    const counted = countedKeys(layers);
    return (index) => {
      const { name } = layers[index]!;
      const key = named.get(name) ?? (keys.includes(counted[index]!) ? counted[index]! : name);
      return new NumberedSupply(this.weights, `${folder}/${key}`);
    };
  }
}

/** Keras names groups after classes, in snake case, with a counter from the second on. */
function countedKeys(layers: readonly LayerConfig[]): string[] {
  const seen = new Map<string, number>();
  return layers.map(({ className }) => {
    const base = snakeCase(className);
    const count = seen.get(base) ?? 0;
    seen.set(base, count + 1);
    return count === 0 ? base : `${base}_${count}`;
  });
}

function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
