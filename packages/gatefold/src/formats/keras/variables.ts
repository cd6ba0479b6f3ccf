import { fail } from '@gatefold/runtime';
import type { Hdf5Dataset } from '../hdf5.ts';

/** A variable that a layer has, in the order in which Keras makes them. */
export interface VariableSpec {
  /** `layer/role`, `bidirectional/forward/kernel`. */
  readonly key: string;
  /** Group and number in the layout of Keras 3: `layers/lstm/cell`, 0. */
  readonly group: string;
  readonly index: number;
  readonly trainable: boolean;
}

export interface Variable {
  readonly shape: readonly number[];
  /** Row-major float32. */
  read(): Float32Array;
}

/** The variables of a file by layer and role, and which of them were used. */
export class Variables {
  private readonly bound = new Map<string, Hdf5Dataset>();
  private readonly used = new Set<string>();

  bind(key: string, dataset: Hdf5Dataset): void {
    if (this.bound.has(key)) fail('FILE_CORRUPT', 'two variables have the same name', { place: key });
    this.bound.set(key, dataset);
  }

  take(key: string): Variable {
    const dataset = this.bound.get(key) ?? fail('FILE_CORRUPT', 'the file lacks a weight of the model', { place: key });
    this.used.add(key);
    return { shape: dataset.shape, read: () => dataset.read() };
  }

  /** Marks a variable that inference does not need. */
  ignore(key: string): void {
    this.used.add(key);
  }

  /** @throws FILE_UNUSED where a variable was never asked for */
  checkUsed(): void {
    for (const [key, dataset] of this.bound) {
      if (!this.used.has(key)) fail('FILE_UNUSED', 'the file holds a weight that nothing refers to', { place: dataset.path, found: key });
    }
  }
}
