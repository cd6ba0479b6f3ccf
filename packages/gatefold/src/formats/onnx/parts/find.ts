import type { LeftNode } from '../../types.ts';
import type { CellName } from '../ops/recurrent-weights.ts';
import type { Message } from '../proto/schema.ts';
import { constantAt, type Frame, framesOf, type Held, isStandard, type User } from './frames.ts';
import { UniqueNames } from './names.ts';

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
  const names = new UniqueNames();
  const sites: Site[] = [];
  for (const frame of frames) {
    frame.graph.node.forEach((node, index) => {
      const op = node.opType ?? '';
      if (!isStandard(node) || !(op in cells || op === 'MatMul' || op === 'Gemm')) {
        if (frame.constants.has(node.output[0] ?? '')) return;
        const name = isStandard(node) ? op : `${node.domain}.${op}`;
        rest[name] = (rest[name] ?? 0) + 1;
        return;
      }
      const name = names.take(node.name || node.output.find((output) => output !== '') || op);
      const shape = op in cells ? recurrentSite(frame, node) : denseSite(frame, node);
      if (typeof shape === 'string') left.push({ name, op, reason: shape });
      else sites.push({ frame, index, node, name, ...shape });
    });
  }
  const kept = withoutShared(sites);
  return { frames, sites: kept.sites, left: [...left, ...kept.left], rest };
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

/**
 * Leaves out sites one of whose tensors somebody else needs as it is: it would stand in the file twice. Whoever is left out needs
 * its tensors too, so that the sites which share them are asked again, and no others: a file may chain any number of them.
 */
function withoutShared(all: readonly Site[]): Pick<Found, 'sites' | 'left'> {
  const known = new Map(all.map((site) => [site.node, site]));
  const left: LeftNode[] = [];
  let asked: Iterable<Site> = all;
  for (;;) {
    const others = new OtherUsers(known);
    const shared = [...asked].flatMap((site) => {
      const reason = sharedWith(site, others);
      return reason === undefined ? [] : [{ site, reason }];
    });
    if (shared.length === 0) return { sites: [...known.values()], left };
    for (const { site, reason } of shared) {
      known.delete(site.node);
      left.push({ name: site.name, op: site.node.opType!, reason });
    }
    const tensors = new Set(shared.flatMap(({ site }) => site.slots.map(({ held }) => held)));
    const users = [...tensors].flatMap((held) => held.users);
    asked = new Set(users.flatMap(({ node }) => (node && known.get(node)) ?? []));
  }
}

/** Who needs tensors beside the sites that take them in the same form: looked for once, however many take them. */
class OtherUsers {
  private readonly sites: ReadonlyMap<Message<'Node'>, Site>;
  private readonly found: Readonly<Record<Form, Map<Held, User | undefined>>> = {
    gates: new Map(),
    columns: new Map(),
    rows: new Map(),
  };

  constructor(sites: ReadonlyMap<Message<'Node'>, Site>) {
    this.sites = sites;
  }

  of(held: Held, form: Form): User | undefined {
    const found = this.found[form];
    if (!found.has(held))
      found.set(
        held,
        held.users.find((user) => !this.takes(user, form)),
      );
    return found.get(held);
  }

  private takes({ node, slot }: User, form: Form): boolean {
    const site = node && this.sites.get(node);
    return site?.form === form && site.slots.some(({ at }) => at === slot);
  }
}

/** Why a site cannot be: one of its tensors has another user. */
function sharedWith({ node, form, slots }: Site, others: OtherUsers): string | undefined {
  for (const { held } of slots) {
    if (held.of && held.of.users.length > 1) return `its weight "${held.of.name}" is used by other nodes too`;
    const other = others.of(held, form);
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
