import { editMessage } from '../proto/edit.ts';
import { encodeMessage } from '../proto/encode.ts';
import { messages } from '../proto/schema.ts';
import type { Writer } from '../write/writer.ts';
import { type Frame, type Held, initializersAreInputs } from './frames.ts';

/** What changes in a graph. */
export interface EditedFrame {
  /** Tensors that are added, and nodes that come before all others. */
  readonly writer: Writer;
  /** What stands in the place of nodes, by their places: made of the bytes that they are. */
  readonly nodes: Map<number, (own: Uint8Array) => readonly Uint8Array[]>;
  /** What becomes of constants; undefined removes them. */
  readonly tensors: Map<Held, ((tensor: Uint8Array) => Uint8Array) | undefined>;
}

const { Graph: graphFields, Node: nodeFields, Attribute: attributeFields, Tensor: tensorFields } = messages;

/** The bytes of a graph with what changes in it and in the graphs inside it. */
export function editFrame(
  bytes: Uint8Array,
  frame: Frame,
  edits: ReadonlyMap<Frame, EditedFrame>,
  irVersion: number,
): Uint8Array {
  const { writer, nodes, tensors } = edits.get(frame)!;
  const at = (kind: Held['kind']) =>
    new Map([...tensors].filter(([held]) => held.kind === kind).map(([held, edit]) => [held.index, edit]));
  const [initializers, constants] = [at('initializer'), at('node')];
  const removed = new Set([...tensors].filter(([, edit]) => !edit).map(([{ name }]) => name));
  const before = writer.nodes.map((node) => encodeMessage('Node', node));
  const nodeAt = (index: number, content: Uint8Array): readonly Uint8Array[] | undefined => {
    const own = nodes.get(index);
    if (own) return own(content);
    if (constants.has(index)) {
      const edit = constants.get(index);
      return edit ? [editConstant(content, edit)] : [];
    }
    const inner = frame.inner.get(index);
    if (!inner) return undefined;
    const edited = editMessage(content, (field, place, attribute) => {
      const graph = field === nodeFields.attribute[0] ? inner.get(place) : undefined;
      return (
        graph && [
          editMessage(attribute, (key, _, body) =>
            key === attributeFields.g[0] ? [editFrame(body, graph, edits, irVersion)] : undefined,
          ),
        ]
      );
    });
    return [edited];
  };
  const inputs = initializersAreInputs(irVersion) ? writer.tensors : [];
  return editMessage(
    bytes,
    (field, index, content) => {
      if (field === graphFields.node[0]) {
        const own = nodeAt(index, content);
        return index === 0 && before.length > 0 ? [...before, ...(own ?? [content])] : own;
      }
      if (field === graphFields.initializer[0] && initializers.has(index)) {
        const edit = initializers.get(index);
        return edit ? [edit(content)] : [];
      }
      return field === graphFields.input[0] && removed.has(frame.graph.input[index]?.name ?? '') ? [] : undefined;
    },
    encodeMessage('Graph', {
      initializer: writer.tensors,
      input: inputs.map(({ name = '', dims = [], dataType = 1 }) => ({
        name,
        type: { tensorType: { elemType: dataType, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
      })),
    }),
  );
}

function editConstant(node: Uint8Array, edit: (tensor: Uint8Array) => Uint8Array): Uint8Array {
  return editMessage(node, (field, _, attribute) =>
    field === nodeFields.attribute[0]
      ? [editMessage(attribute, (key, __, tensor) => (key === attributeFields.t[0] ? [edit(tensor)] : undefined))]
      : undefined,
  );
}

const dataFields: readonly number[] = [
  tensorFields.floatData,
  tensorFields.rawData,
  tensorFields.externalData,
  tensorFields.dataLocation,
].map(([number]) => number);

/** A tensor with other raw data, wherever its own stood. */
export function withNumbers(tensor: Uint8Array, rawData: Uint8Array): Uint8Array {
  return editMessage(
    tensor,
    (field) => (dataFields.includes(field) ? [] : undefined),
    encodeMessage('Tensor', { rawData }),
  );
}
