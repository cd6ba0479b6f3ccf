import type { WriteOptions } from '../../types.ts';
import { externalBytes } from '../graph/initializer.ts';
import { type EditedFrame, withNumbers } from './edited-frame.ts';
import type { Frame, Held } from './frames.ts';

/** Puts tensors whose data stand beside the source into the file, which then needs no other. @throws FILE_* */
export async function inlined(
  frames: readonly Frame[],
  edits: ReadonlyMap<Frame, EditedFrame>,
  beside: WriteOptions['beside'],
): Promise<void> {
  for (const frame of frames) {
    const { tensors } = edits.get(frame)!;
    for (const held of storedIn(frame)) {
      if (held.tensor.dataLocation !== 1 || tensors.has(held)) continue;
      const data = await externalBytes(held.tensor, held.name, beside);
      tensors.set(held, (bytes) => withNumbers(bytes, data));
    }
  }
}

/** All tensors that stand in a graph: its initializers, those too that the caller may give anew, and its Constant nodes. */
function storedIn(frame: Frame): Held[] {
  const { graph, constants } = frame;
  const initializers = graph.initializer.map(
    (tensor, index): Held =>
      constants.get(tensor.name ?? '') ?? {
        ...{ name: tensor.name ?? '', tensor, frame, index, kind: 'initializer', users: [] },
      },
  );
  return [...initializers, ...[...constants.values()].filter(({ kind, of }) => kind === 'node' && !of)];
}
