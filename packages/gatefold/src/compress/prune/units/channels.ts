/** A channel by number; what belongs together shares a root. {@link none} where an index belongs to no channel. */
export type Atoms = readonly number[];

/** An index of a weight that no channel owns: a tap of a depthwise convolution, a row of a lookup table. */
export const none = -1;

/**
 * Which features of values and which rows and columns of weights are one and the same hidden unit: numbered atoms, tied where an
 * op combines them (union–find), pinned where one of them must stay.
 */
export class Channels {
  private readonly parents: number[] = [];
  private readonly reasons = new Map<number, string>();
  private readonly bound = new Map<string, (number[] | undefined)[]>();

  /** So many new channels. */
  fresh(count: number): number[] {
    const from = this.parents.length;
    for (let i = 0; i < count; i++) this.parents.push(from + i);
    return this.parents.slice(from);
  }

  /** Atoms there are; all numbers are below. */
  get count(): number {
    return this.parents.length;
  }

  /** The one that stands for all that are tied to it. */
  rootOf(atom: number): number {
    let root = atom;
    while (this.parents[root] !== root) root = this.parents[root]!;
    for (let at = atom; at !== root; ) {
      const next = this.parents[at]!;
      this.parents[at] = root;
      at = next;
    }
    return root;
  }

  /** Makes a and b stay or go together, element by element. */
  tie(a: Atoms, b: Atoms): void {
    a.forEach((atom, i) => {
      if (atom === none || b[i] === none) return;
      const [x, y] = [this.rootOf(atom), this.rootOf(b[i]!)];
      if (x === y) return;
      const [root, other] = [Math.min(x, y), Math.max(x, y)];
      this.parents[other] = root;
      const reason = this.reasons.get(root) ?? this.reasons.get(other);
      if (reason !== undefined) this.reasons.set(root, reason);
    });
  }

  /** Keeps channels from being removed; the first reason is the one that is said. */
  pin(atoms: Atoms, reason: string): void {
    for (const atom of atoms) {
      if (atom === none) continue;
      const root = this.rootOf(atom);
      if (!this.reasons.has(root)) this.reasons.set(root, reason);
    }
  }

  reasonFor(atom: number): string | undefined {
    return this.reasons.get(this.rootOf(atom));
  }

  /** Says whose the indices of a weight's axis are; of a weight used twice, both uses must agree, and are tied. */
  bind(weight: string, axis: number, atoms: Atoms): void {
    const axes = this.bound.get(weight) ?? [];
    this.bound.set(weight, axes);
    const before = axes[axis];
    if (!before) {
      axes[axis] = [...atoms];
      return;
    }
    this.tie(before, atoms);
    atoms.forEach((atom, i) => {
      if (before[i] === none) before[i] = atom;
    });
  }

  /** The root of every index of a weight's axis; undefined for an axis that no channel runs along. */
  axis(weight: string, axis: number): Int32Array | undefined {
    const atoms = this.bound.get(weight)?.[axis];
    return atoms && Int32Array.from(atoms, (atom) => (atom === none ? none : this.rootOf(atom)));
  }
}
