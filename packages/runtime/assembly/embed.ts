import { Embed } from './generated/opcodes';
import { MemoryMap } from './generated/memory-map';
import { address, base, int, rowCount, stride } from './operands';
import { copyFloats, fillFloats } from './rows';

/** value = q·scale [+ offset] */
function decodeRow(y: usize, codes: usize, n: i32, scale: f32, offset: f32, shifted: bool): void {
  for (let i = 0; i < n; i++, codes++, y += 4) {
    let value = <f32>load<i8>(codes) * scale;
    if (shifted) value += offset;
    store<f32>(y, value);
  }
}

export function embed(pc: usize): void {
  const n = int(pc + Embed.n);
  const vocabulary = int(pc + Embed.vocabulary);
  const table = address(pc + Embed.table);
  const rowBytes = <usize>int(pc + Embed.stride);
  const scales = address(pc + Embed.scales);
  const offsets = address(pc + Embed.offsets);
  const srcStride = stride(pc + Embed.src);
  const dstStride = stride(pc + Embed.dst);
  let x = base(pc + Embed.src);
  let y = base(pc + Embed.dst);
  for (let rows = rowCount(pc + Embed.rows); rows > 0; rows--, x += srcStride, y += dstStride) {
    const id = load<f32>(x);
    const inside = id >= 0 && id < <f32>vocabulary;
    const row: i32 = inside ? <i32>id : 0;
    if (!inside || <f32>row != id) {
      store<i32>(MemoryMap.error, 1);
      store<f32>(MemoryMap.errorValue, id);
      fillFloats(y, 0, n);
    } else if (scales) {
      const offset: f32 = offsets ? load<f32>(offsets + (row << 2)) : 0;
      decodeRow(y, table + row * rowBytes, n, load<f32>(scales + (row << 2)), offset, offsets != 0);
    } else {
      copyFloats(y, table + row * rowBytes, n);
    }
  }
}
