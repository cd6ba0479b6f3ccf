import type { LeftNode } from '../../types.ts';
import type { CellName } from '../ops/recurrent-weights.ts';
import type { Message } from '../proto/schema.ts';
import { constantAt, type Frame, framesOf, type Held, isStandard } from './frames.ts';
import { uniqueName } from './names.ts';

/** How a matrix stands in the file: by direction and gate, as [inputs, outputs], or as [outputs, inputs]. */
export type Form = 'gates' | 'columns' | 'rows';

/** A matrix of a node: which input, what it is to Gatefold, and the tensor. */
export interface Slot {
  readonly at: number;
  readonly role: 'W' | 'U' | 'kernel';
  readonly held: Held;
}

/** A node whose matrices can be compressed where they stand. */
export interface Site {
  readonly frame: Frame;
  /** Place among the nodes of its graph. */
  readonly index: number;
  readonly node: Message<'Node'>;
  /** Unlike any other site's. */
  readonly name: string;
  readonly form: Form;
  readonly slots: readonly Slot[];
  readonly cell?: { readonly name: CellName; readonly units: number; readonly directions: number };
}

export interface Found {
  readonly frames: readonly Frame[];
  readonly sites: readonly Site[];
  readonly left: readonly LeftNode[];
  /** All other nodes, counted by their ops. */
  readonly rest: Readonly<Record<string, number>>;
}

const cells: Readonly<Record<string, readonly [CellName, gates: number]>> = {
  LSTM: ['lstm', 4],
  GRU: ['gru', 3],
  RNN: ['rnn', 1],
};

/** ONNX' number of float32. */
const float = 1;
const mostUnits = 1 << 16;

/** The recurrent and dense layers of a file, branches and bodies of loops included, that hold constant float32 matrices. */
export function findSites(graph: Message<'Graph'>, irVersion: number): Found {
  const frames = framesOf(graph, irVersion);
  const left: LeftNode[] = [];
  const rest: Record<string, number> = {};
  const names = new Set<string>();
  let sites: Site[] = [];
  for (const frame of frames) {
    frame.graph.node.forEach((node, index) => {
      const op = node.opType ?? '';
      if (!isStandard(node) || !(op in cells || op === 'MatMul' || op === 'Gemm')) {
        if (frame.constants.has(node.output[0] ?? '')) return;
        const name = isStandard(node) ? op : `${node.domain}.${op}`;
        rest[name] = (rest[name] ?? 0) + 1;
        return;
      }
      const name = uniqueName(names, node.name || node.output.find((output) => output !== '') || op);
      const shape = op in cells ? recurrentSite(frame, node) : denseSite(frame, node);
      if (typeof shape === 'string') left.push({ name, op, reason: shape });
      else sites.push({ frame, index, node, name, ...shape });
    });
  }
  // A tensor that somebody else needs as it is would stand in the file twice.
  for (;;) {
    const known = new Map(sites.map((site) => [site.node, site]));
    const shared = sites.filter((site) => sharedWith(site, known) !== undefined);
    if (shared.length === 0) break;
    for (const site of shared) {
      left.push({ name: site.name, op: site.node.opType!, reason: sharedWith(site, known)! });
    }
    sites = sites.filter((site) => !shared.includes(site));
  }
  return { frames, sites, left, rest };
}

type Shape = Pick<Site, 'form' | 'slots' | 'cell'>;

function recurrentSite(frame: Frame, node: Message<'Node'>): Shape | string {
  const [name, gates] = cells[node.opType!]!;
  const [w, r] = [1, 2].map((slot) => constantAt(frame, node.input[slot] ?? ''));
  if (!w || !r) return 'its weights are computed by other nodes';
  const odd = [w, r].find(({ tensor }) => tensor.dataType !== float);
  if (odd) return `its weights are of ONNX type ${odd.tensor.dataType}, not float32`;
  const [directions = 0, rows = 0, units = 0] = r.tensor.dims;
  const fits =
    r.tensor.dims.length === 3 &&
    w.tensor.dims.length === 3 &&
    (directions === 1 || directions === 2) &&
    units >= 1 &&
    units <= mostUnits &&
    rows === gates * units &&
    w.tensor.dims[0] === directions &&
    w.tensor.dims[1] === rows &&
    w.tensor.dims[2]! >= 1;
  if (!fits) return 'its weights do not fit each other';
  const slots: Slot[] = [
    { at: 1, role: 'W', held: w },
    { at: 2, role: 'U', held: r },
  ];
  return { form: 'gates', slots, cell: { name, units, directions } };
}

function denseSite(frame: Frame, node: Message<'Node'>): Shape | string {
  const held = constantAt(frame, node.input[1] ?? '');
  if (!held) {
    return constantAt(frame, node.input[0] ?? '') ? 'its constant is the first operand' : 'both operands are computed';
  }
  const { dims, dataType } = held.tensor;
  if (dataType !== float) return `its matrix is of ONNX type ${dataType}, not float32`;
  if (dims.length !== 2) return `its constant has ${dims.length} dimensions, not 2`;
  if (!dims.every((n) => n >= 1)) return 'its matrix is empty';
  const turned = node.opType === 'Gemm' && node.attribute.some(({ name, i }) => name === 'transB' && i === 1);
  return { form: turned === (held.of === undefined) ? 'rows' : 'columns', slots: [{ at: 1, role: 'kernel', held }] };
}

/** Why a site cannot be: one of its tensors has a user that is no site, or takes it in another form. */
function sharedWith({ node, form, slots }: Site, known: ReadonlyMap<Message<'Node'>, Site>): string | undefined {
  for (const { held } of slots) {
    const other = held.users.find((user) => {
      const site = user.node && known.get(user.node);
      return !site || site.form !== form || !site.slots.some(({ at }) => at === user.slot);
    });
    if (held.of && held.of.users.length > 1) return `its weight "${held.of.name}" is used by other nodes too`;
    if (!other) continue;
    const who = !other.node
      ? 'an output of the graph'
      : other.node === node
        ? 'its node elsewhere'
        : `${other.node.opType} "${other.node.name || other.node.output[0]}"`;
    return `its weight "${held.name}" is used by ${who} too`;
  }
  return undefined;
}
