import { fail } from '@gatefold/runtime';
import { isModelClass, type LayerConfig } from './config.ts';

/** A weight as the file holds it, row-major. */
export interface StoredArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Where a layer takes its weights from, in the order Keras created them. */
export interface Supply {
  /**
   * The next weight, by Keras' name for it (kernel, recurrent_kernel, …), or an older one. `shape` is what the configuration
   * says of it; a file may hold another.
   */
  take(shape: readonly number[], name: string, ...others: readonly string[]): StoredArray;
  /** Passes over a weight that inference does not need. */
  skip(name: string): void;
  /** Weights of something inside the layer: `cell`, `layer`, `forward_layer`, `backward_layer`. */
  part(name: string): Supply;
  /** Weights of the layers of a model inside the layer, or of a list of cells. */
  parts(layers: readonly LayerConfig[], kind?: 'layers' | 'cells'): (index: number) => Supply;
}

/** An array of a file that is decoded when it is asked for. */
export interface FileArray {
  readonly shape: readonly number[];
  read(): Float32Array;
}

/** All weights of a file and which of them were taken. */
export class Weights {
  readonly taken = new Set<string>();
  readonly arrays: ReadonlyMap<string, FileArray>;
  /** Which layer a group of numbered variables says it is of, where it does. */
  readonly ownerOf: (group: string) => string | undefined;
  /** Names in every folder that leads to an array. */
  private readonly folders = new Map<string, Set<string>>();

  constructor(
    arrays: ReadonlyMap<string, FileArray>,
    ownerOf: (group: string) => string | undefined = () => undefined,
  ) {
    this.ownerOf = ownerOf;
    // Windows' separators have got into the names of some files of Keras 2.12.
    this.arrays = new Map([...arrays].map(([path, array]) => [path.replaceAll('\\', '/'), array]));
    for (const path of this.arrays.keys()) {
      const parts = path.split('/');
      parts.forEach((name, depth) => {
        const folder = parts.slice(0, depth).join('/');
        const names = this.folders.get(folder);
        if (names) names.add(name);
        else this.folders.set(folder, new Set([name]));
      });
    }
  }

  /** What stands in a folder on the way to arrays. */
  names(folder: string): ReadonlySet<string> {
    return this.folders.get(folder) ?? new Set();
  }

  has(path: string): boolean {
    return this.arrays.has(path);
  }

  read(path: string): StoredArray {
    this.taken.add(path);
    const array = this.arrays.get(path) ?? fail('FILE_CORRUPT', 'an array is missing', { place: path });
    return { shape: array.shape, data: array.read() };
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

export interface NamedArray {
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
  private readonly entries: readonly NamedArray[];

  constructor(weights: Weights, place: string, entries: readonly NamedArray[]) {
    this.weights = weights;
    this.place = place;
    this.entries = entries;
  }

  private find(names: readonly string[]): NamedArray | undefined {
    // TensorFlow 1 numbers variables of the same name: kernel, kernel_1.
    const pattern = new RegExp(`^(${names.join('|')})(_\\d+)?$`);
    return this.entries.find(({ path, parts }) => pattern.test(parts.at(-1)!) && !this.weights.taken.has(path));
  }

  skip(name: string): void {
    const found = this.find([name]);
    if (found) this.weights.taken.add(found.path);
  }

  take(_shape: readonly number[], ...names: readonly string[]): StoredArray {
    const found = this.find(names);
    if (!found) {
      fail('FILE_CORRUPT', `the file lacks the weight "${names[0]}" of a layer`, {
        place: this.place,
        found:
          this.entries
            .slice(0, 20)
            .map(({ parts }) => parts.join('/'))
            .join(', ') || 'no weights',
      });
    }
    return this.weights.read(found.path);
  }

  part(name: string): Supply {
    if (name !== 'forward_layer' && name !== 'backward_layer') return this;
    const prefix = name === 'forward_layer' ? 'forward_' : 'backward_';
    const named = this.entries.filter(({ parts }) => parts.some((part) => part.startsWith(prefix)));
    if (named.length > 0) return this.only(named);
    const half = this.entries.length / 2;
    return this.only(name === 'forward_layer' ? this.entries.slice(0, half) : this.entries.slice(half));
  }

  parts(layers: readonly LayerConfig[]): (index: number) => Supply {
    return (index) => {
      const { name, className } = layers[index]!;
      // A model's name need not be part of its weights' names: those of shared layers name where they stood first.
      if (isModelClass(className)) return this;
      // A layer's is, where Keras knew it; otherwise order decides.
      const own = this.entries.filter(({ parts }) => parts.slice(0, -1).includes(name));
      return own.length > 0 ? this.only(own) : this;
    };
  }

  private only(entries: readonly NamedArray[]): Supply {
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

  take(_shape: readonly number[], name: string): StoredArray {
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
    const { weights, path } = this;
    const inside = (folder: string) => (path === '' ? folder : `${path}/${folder}`);
    const folders = (kind === 'cells' ? ['cells'] : ['layers', '_layer_checkpoint_dependencies']).map(inside);
    const folder = folders.find((candidate) => weights.names(candidate).size > 0) ?? folders[0]!;
    const keys = weights.names(folder);
    // Since 3.9 or so a group says which layer it is of.
    const named = new Map([...keys].map((key) => [weights.ownerOf(`${folder}/${key}/vars`), key]));
    const counted = countedKeys(layers);
    return (index) => {
      const { name } = layers[index]!;
      const key = named.get(name) ?? (keys.has(counted[index]!) ? counted[index]! : name);
      return new NumberedSupply(weights, `${folder}/${key}`);
    };
  }
}

/** Keras names groups after classes, in snake case, with a counter from the second on; operations are no layers. */
export function countedKeys(layers: readonly Pick<LayerConfig, 'className' | 'isOperation'>[]): string[] {
  const seen = new Map<string, number>();
  return layers.map(({ className, isOperation }) => {
    if (isOperation) return '';
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
