import { splat } from './activations';
import { CsrF32 } from './generated/opcodes';
import { address, base, int, rowCount, stride } from './operands';

// linearF32 over a list of single weights, as compressed sparse rows: four rows of W side by side, sorted by how many weights they have
// (sliced ELLPACK: Kreutzer et al. 2014, without padding: what the longer ones have more follows, row by row). Lanes hide the latency of
// the additions, and loops that run as often as the time before are predicted.

// A group of four rows in the index: their numbers, how many weights each has, the columns of these.

/** Byte offset of the output of a row. */
@inline
function outputAt(group: usize, lane: i32): usize {
  return <usize>load<u16>(group + (<usize>lane << 1)) << 2;
}

/** Weights of a row; the first of a group has the fewest, the last the most. */
@inline
function countOf(group: usize, lane: i32): usize {
  return <usize>load<u16>(group + (<usize>lane << 1), 8);
}

@inline
function columnsOf(group: usize): usize {
  return group + 16;
}

/** Weights of all four. */
@inline
function groupCount(group: usize): usize {
  return countOf(group, 0) + countOf(group, 1) + countOf(group, 2) + countOf(group, 3);
}

@inline
function hasMore(group: usize): bool {
  return countOf(group, 3) > countOf(group, 0);
}

/** Writes the outputs of the four rows, after adding the bias or other outputs (a sum has the same bits in either order). */
@inline
function finish(y: v128, group: usize, dst: usize, plus: usize): void {
  if (plus) {
    let more = v128.load32_zero(plus + outputAt(group, 0));
    more = v128.load32_lane(plus + outputAt(group, 1), more, 1);
    more = v128.load32_lane(plus + outputAt(group, 2), more, 2);
    more = v128.load32_lane(plus + outputAt(group, 3), more, 3);
    y = f32x4.add(y, more);
  }
  v128.store32_lane(dst + outputAt(group, 0), y, 0);
  v128.store32_lane(dst + outputAt(group, 1), y, 1);
  v128.store32_lane(dst + outputAt(group, 2), y, 2);
  v128.store32_lane(dst + outputAt(group, 3), y, 3);
}

/** The operands of four rows' weights, one in each lane. */
@inline
function operands(x: usize, c: usize): v128 {
  let all = v128.load32_zero(x + (<usize>load<u16>(c) << 2));
  all = v128.load32_lane(x + (<usize>load<u16>(c, 2) << 2), all, 1);
  all = v128.load32_lane(x + (<usize>load<u16>(c, 4) << 2), all, 2);
  return v128.load32_lane(x + (<usize>load<u16>(c, 6) << 2), all, 3);
}

@inline
function rest(sum: f32, w: usize, c: usize, count: usize, x: usize): f32 {
  for (const end = c + (count << 1); c < end; c += 2, w += 4) sum += load<f32>(w) * load<f32>(x + (<usize>load<u16>(c) << 2));
  return sum;
}

/** Adds what the last three rows have more than the first. */
function addMore(sum: v128, group: usize, w: usize, c: usize, x: usize): v128 {
  const shared = countOf(group, 0);
  const b = countOf(group, 1) - shared;
  sum = f32x4.replace_lane(sum, 1, rest(f32x4.extract_lane(sum, 1), w, c, b, x));
  const d = b + countOf(group, 2) - shared;
  sum = f32x4.replace_lane(sum, 2, rest(f32x4.extract_lane(sum, 2), w + (b << 2), c + (b << 1), d - b, x));
  return f32x4.replace_lane(
    sum,
    3,
    rest(f32x4.extract_lane(sum, 3), w + (d << 2), c + (d << 1), countOf(group, 3) - shared, x),
  );
}

/** One row of x, the four outputs of a group. */
@inline
function group4(group: usize, w: usize, x: usize, dst: usize, plus: usize): void {
  let sum = splat(0);
  let c = columnsOf(group);
  for (const end = c + (countOf(group, 0) << 3); c < end; c += 8, w += 16) {
    sum = f32x4.add(sum, f32x4.mul(v128.load(w), operands(x, c)));
  }
  if (hasMore(group)) sum = addMore(sum, group, w, c, x);
  finish(sum, group, dst, plus);
}

export function csrF32(pc: usize): void {
  const rows = rowCount(pc + CsrF32.rows);
  const src = base(pc + CsrF32.src);
  const srcStride = stride(pc + CsrF32.src);
  const dst = base(pc + CsrF32.dst);
  const dstStride = stride(pc + CsrF32.dst);
  const bias = address(pc + CsrF32.bias);
  const plus = bias ? bias : base(pc + CsrF32.add);
  const plusStride = bias || !plus ? 0 : stride(pc + CsrF32.add);
  let w = address(pc + CsrF32.weights);
  let group = address(pc + CsrF32.index);
  for (let count = int(pc + CsrF32.strips) << 2; count > 0; count--) {
    let x = src;
    let y = dst;
    let a = plus;
    for (let left = rows; left > 0; left--) {
      group4(group, w, x, y, a);
      x += srcStride;
      y += dstStride;
      a += plusStride;
    }
    const all = groupCount(group);
    w += all << 2;
    group = columnsOf(group) + (all << 1);
  }
}
