/** What an axis counts; learnt from the layers that it arrives at. */
export interface Axis {
  role?: 'batch' | 'time' | 'features';
}

/** A layer's output, or the input, as forward() handles it. */
export interface LayerValue {
  readonly kind: 'value';
  /** Shared by those who see the same numbers: the name of a layer of the architecture, or "input". */
  readonly memory: { layer: string };
  /** Whether it is cut out of numbers that others see whole. */
  readonly isPart?: true;
  /** Unknown for an input whose number of dimensions nothing has told yet. */
  axes: readonly Axis[] | undefined;
}

/** Last states of a recurrent layer, [levels, batch, features]; of one direction where it was picked. */
export interface StateValue {
  readonly kind: 'state';
  readonly layer: string;
  readonly levels: number;
  readonly both: boolean;
  readonly picked?: 'forward' | 'backward';
  readonly axes: readonly Axis[];
}

export interface ModuleValue {
  readonly kind: 'module';
  readonly path: string;
}

/** A parameter, by its key in the file. */
export interface TensorValue {
  readonly kind: 'tensor';
  readonly key: string;
}

export interface ListValue {
  readonly kind: 'list';
  readonly items: readonly Value[];
}

/** A function that is called by its name: of torch, or of the archive's own code. */
export interface FunctionValue {
  readonly kind: 'function';
  readonly path: string;
}

/** Numbers, texts, truths; zeros that states start with; and what is not followed, with its reason. */
export type Value =
  | number
  | string
  | boolean
  | null
  | LayerValue
  | StateValue
  | ModuleValue
  | TensorValue
  | ListValue
  | FunctionValue
  | { readonly kind: 'zeros' }
  | { readonly kind: 'unknown'; readonly why: string };

export function isKind<K extends string>(value: Value | undefined, kind: K): value is Extract<Value, { kind: K }> {
  return typeof value === 'object' && value !== null && value.kind === kind;
}

/** The items of a list; undefined for anything else. */
export const itemsOf = (value: Value | undefined): readonly Value[] | undefined =>
  isKind(value, 'list') ? value.items : undefined;

/** What stands before the names of a module's own tensors and children. */
export const prefixOf = (path: string): string => (path === '' ? '' : `${path}.`);

/** Why forward() is not followed. Caught where the archive is opened: names and shapes are asked instead. */
export class NotFollowed extends Error {}

export function stop(why: string): never {
  throw new NotFollowed(why);
}

/** @throws NotFollowed where the axis counts something else already */
export function setRole(axis: Axis | undefined, role: NonNullable<Axis['role']>, place: string): void {
  if (!axis || (axis.role ?? role) !== role) stop(`${place} takes its ${role} from another dimension`);
  axis.role = role;
}

/** The axes of a value of so many dimensions. @throws NotFollowed where it has another number of them */
export function axesOf(value: LayerValue, dimensions: number, place: string): readonly Axis[] {
  value.axes ??= Array.from({ length: dimensions }, () => ({}));
  if (value.axes.length !== dimensions) stop(`${place} takes ${dimensions} dimensions, not ${value.axes.length}`);
  return value.axes;
}

/** The dimension of a number that may count from the end. */
export function axisAt(axes: readonly Axis[], at: Value, place: string): number {
  if (typeof at !== 'number' || !Number.isInteger(at) || at < -axes.length || at >= axes.length) {
    stop(`${place} names no dimension`);
  }
  return at < 0 ? at + axes.length : at;
}
