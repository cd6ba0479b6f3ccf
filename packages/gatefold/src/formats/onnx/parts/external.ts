import type { WriteOptions } from '../../types.ts';
import { externalBytes } from '../graph/initializer.ts';
import { type EditedFrame, withNumbers } from './edited-frame.ts';
import type { Frame } from './frames.ts';

/** Puts tensors whose data stand beside the source into the file, which then needs no other. @throws FILE_* */
export async function inlined(
  frames: readonly Frame[],
  edits: ReadonlyMap<Frame, EditedFrame>,
  beside: WriteOptions['beside'],
): Promise<void> {
  for (const frame of frames) {
    const { tensors } = edits.get(frame)!;
    for (const [index, tensor] of frame.graph.initializer.entries()) {
      const name = tensor.name ?? '';
      if (tensor.dataLocation !== 1) continue;
      const held = frame.constants.get(name) ?? {
        ...{ name, tensor, frame, index, kind: 'initializer' as const, users: [] },
      };
      if (tensors.has(held)) continue;
      const data = await externalBytes(tensor, name, beside);
      tensors.set(held, (bytes) => withNumbers(bytes, data));
    }
  }
}
