import { fail } from '@gatefold/runtime';
import type { Architecture, ArchitectureLayer } from './architecture.ts';
import { type Candidate, candidateOf } from './candidate.ts';
import { softmaxDimension } from './classes.ts';
import { ordersOf } from './order.ts';
import type { WeightFile } from './types.ts';

/** A layer of the draft and what a person should know of it. */
export interface DraftLayer {
  readonly layer: ArchitectureLayer;
  readonly remark?: string;
}

/** An architecture as far as the file tells it. */
export interface Draft {
  readonly input: Architecture['input'];
  readonly layers: readonly DraftLayer[];
  /** What was taken for granted. */
  readonly assumptions: readonly string[];
  /** What names and shapes do not decide: with any, the file is not read without an architecture. */
  readonly problems: readonly string[];
  /** Keys of modules that are of no known layer. */
  readonly unknown: readonly string[];
}

const recurrentTypes = new Set(['lstm', 'gru', 'rnn']);
const isRecurrent = ({ layers: [layer] }: Candidate) => layer !== undefined && recurrentTypes.has(layer.type);
const isLinear = (layer: ArchitectureLayer) => layer.type === 'linear' || layer.type === 'conv1d';
const hasWeights = (layer: ArchitectureLayer) => 'weights' in layer;
const nameOf = (candidate: Candidate) => candidate.entry.path || candidate.layers[0]?.type || 'the file';

/** Drafts the architecture of a file's modules: their order is the order of the file where shapes chain. */
export function draftOf({ modules, isOrdered }: WeightFile): Draft {
  const found = modules.flatMap((entry) => candidateOf(entry) ?? []);
  const orders = isOrdered || found.length < 2 ? [found] : ordersOf(found.map(linearUnlessNamed));
  const ordered = orders[0] ?? found;
  const candidates = ordered.map((candidate, i) => decideEmbedding(candidate, i, ordered));
  const drafter = new Drafter(candidates);
  if (orders.length !== 1) drafter.problems.push('the keys are sorted by name, and shapes do not tell one order');
  for (const i of candidates.keys()) drafter.add(i);
  const { layers, assumptions, problems, unknown } = drafter;
  const weighted = candidates.filter(({ layers: [layer] }) => layer !== undefined && hasWeights(layer));
  // One module of PyTorch's own is all that there is; around any other stands a forward() that is not in the file.
  if (modules.length !== 1 || modules[0]!.path !== '') noteOrder(layers, assumptions);
  if (!candidates.some(isRecurrent)) problems.push('no recurrent layer is known in the file');
  const [first] = weighted;
  const input = first?.layers[0]?.type === 'embedding' ? { ids: true } : { features: Math.max(1, first?.takes ?? 1) };
  return { input, layers, assumptions, problems, unknown };
}

class Drafter {
  readonly layers: DraftLayer[] = [];
  readonly assumptions: string[] = [];
  readonly problems: string[] = [];
  readonly unknown: string[] = [];
  private readonly candidates: readonly Candidate[];
  private readonly lastRecurrent: number;
  /** Width of the values so far, and the layer that gave it. */
  private width: number | undefined;
  private giver: Candidate | undefined;
  /** Whether the values are one vector, not a sequence. */
  private isVector = false;
  /** A linear layer after which no function came yet. */
  private open: Candidate | undefined;

  constructor(candidates: readonly Candidate[]) {
    this.candidates = candidates;
    this.lastRecurrent = candidates.findLastIndex(isRecurrent);
  }

  add(i: number): void {
    const candidate = this.candidates[i]!;
    const { entry, undecided, assumed } = candidate;
    const [layer] = candidate.layers;
    if (undecided) this.problems.push(`${nameOf(candidate)}: ${undecided}`);
    if (assumed) this.assumptions.push(assumed);
    if (!layer) {
      for (const name of entry.tensors.keys()) this.unknown.push(entry.path === '' ? name : `${entry.path}.${name}`);
      return;
    }
    if (candidate.layers.length > 1)
      this.problems.push(`${nameOf(candidate)}: an embedding, or a linear layer without bias`);
    this.checkPlace(candidate, i, layer);
    this.layers.push({ layer, ...(undecided ? { remark: undecided } : {}) });
    if (i === this.lastRecurrent && this.isFollowedByWeights(i)) this.decideHead(candidate);
    if (candidate.gives !== undefined) {
      this.width = candidate.gives;
      this.giver = candidate;
    }
    if (isLinear(layer)) this.open = candidate;
    else if (!isNorm(layer)) this.open = undefined;
  }

  private isFollowedByWeights(i: number): boolean {
    return this.candidates.slice(i + 1).some(({ layers: [next] }) => next !== undefined && hasWeights(next));
  }

  /** Whether the layer fits what is before it, and what may stand between both. */
  private checkPlace(candidate: Candidate, i: number, layer: ArchitectureLayer): void {
    const { takes, entry } = candidate;
    const { open, width } = this;
    if (takes !== undefined && width !== undefined && takes !== width) {
      this.problems.push(`${nameOf(candidate)} takes ${takes} features, ${nameOf(this.giver!)} gives ${width}`);
    }
    if (layer.type === 'embedding' && this.giver)
      this.problems.push(`${nameOf(candidate)}: an embedding that is not first`);
    // Inside of one Sequential nothing is hidden.
    const certain = open?.entry.sequence !== undefined && open.entry.sequence === entry.sequence;
    if (open && hasWeights(layer) && !isNorm(layer) && !certain) {
      this.problems.push(`what is between ${nameOf(open)} and ${nameOf(candidate)} (relu?) is not in the file`);
      this.layers.push({
        layer: { type: 'activation', function: 'relu' },
        remark: 'not in the file: relu, another function, or nothing (delete this line)',
      });
    }
    const dimension = softmaxDimension(entry);
    if (/softmax/i.test(layer.type) && dimension !== undefined && dimension !== (this.isVector ? 1 : 2)) {
      this.problems.push(`${nameOf(candidate)}: dim ${dimension} is not the features of what is before it`);
    }
    if (isRecurrent(candidate) && /decoder/i.test(entry.path) && this.candidates.slice(0, i).some(isRecurrent)) {
      this.problems.push(`${nameOf(candidate)}: how a decoder is fed is not in the file`);
    }
  }

  private decideHead({ entry }: Candidate): void {
    if (speaksItsOwnVocabulary(this.candidates)) {
      this.assumptions.push('the head acts on every step, as in a language model (its outputs are the vocabulary)');
      return;
    }
    const both = [...entry.tensors.keys()].some((key) => key.endsWith('_reverse'));
    const others = `${both ? 'finalState for the last state of each direction, ' : ''}mean or max over the steps`;
    this.assumptions.push(
      `the head acts on the last step, out[:, -1]${both ? ' (not on the final states h_n of both directions)' : ''}`,
    );
    this.isVector = true;
    this.layers.push({
      layer: { type: 'last' },
      remark: `not in the file: the last step; delete this line for every step, or type ${others}`,
    });
  }
}

function isNorm(layer: ArchitectureLayer): boolean {
  return layer.type === 'batchNorm' || layer.type === 'layerNorm' || layer.type === 'rmsNorm';
}

/** Without an order nothing but its name tells an embedding. */
function linearUnlessNamed(candidate: Candidate): Candidate {
  return candidate.layers.length < 2 ? candidate : asLinear(candidate);
}

function asLinear(candidate: Candidate): Candidate {
  const [rows, columns] = candidate.entry.tensors.get('weight')!.shape;
  return { ...candidate, layers: candidate.layers.slice(1), takes: columns!, gives: rows! };
}

/** [V, D] without bias is an embedding where it is first and only its rows fit what follows. */
function decideEmbedding(candidate: Candidate, i: number, all: readonly Candidate[]): Candidate {
  if (candidate.layers.length < 2) return candidate;
  const [rows, columns] = candidate.entry.tensors.get('weight')!.shape;
  const linear = asLinear(candidate);
  if (i > 0) return linear;
  const next = all.slice(1).find(({ takes }) => takes !== undefined)?.takes;
  if (next === columns && next !== rows) return { ...candidate, layers: candidate.layers.slice(0, 1) };
  return next === rows && next !== columns ? linear : candidate;
}

/** Ids in, and a number for every id out: a language model, which speaks at every step. */
function speaksItsOwnVocabulary(candidates: readonly Candidate[]): boolean {
  const [first] = candidates;
  const last = candidates.findLast(({ layers: [layer] }) => layer !== undefined && hasWeights(layer));
  const words = first?.layers[0]?.type === 'embedding' ? first.entry.tensors.get('weight')?.shape[0] : undefined;
  return words !== undefined && last !== first && last?.gives === words;
}

function noteOrder(layers: readonly DraftLayer[], assumptions: string[]): void {
  const chain = layers.map(({ layer }) => ('weights' in layer && layer.weights) || layer.type).join(' > ');
  const short = chain.length > 300 ? `${chain.slice(0, 300)} …` : chain;
  assumptions.unshift(`the layers act in the order of the file, and forward() calls no other function: ${short}`);
}

/**
 * The architecture where the file decides it but for the choices that `assumptions` tell.
 * @throws MODEL_NO_ARCHITECTURE with what is not decided and the keys of the file
 */
export function decidedArchitecture(file: WeightFile, draft: Draft): Architecture {
  if (draft.problems.length > 0 || draft.layers.length === 0) {
    const keys = [...file.tensors].map(([key, { shape }]) => `${key} [${shape.join(', ')}]`);
    fail('MODEL_NO_ARCHITECTURE', 'the file holds weights, and names and shapes do not tell their network', {
      place: draft.problems.slice(0, 6).join('; ').slice(0, 1000) || 'no module is known',
      found: keys.slice(0, 40).join(', ').slice(0, 2000) + (keys.length > 40 ? `, and ${keys.length - 40} more` : ''),
      hint: 'gatefold inspect FILE --template > arch.yaml writes what is known; complete it and pass --arch arch.yaml',
    });
  }
  return { version: 1, input: draft.input, layers: draft.layers.map(({ layer }) => layer) };
}
