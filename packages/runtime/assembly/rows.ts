// Moving floats without touching what lies after them.

/** Copies exactly n floats, in ascending order. */
export function copyFloats(to: usize, from: usize, n: i32): void {
  const end = to + (<usize>n << 2);
  for (; to + 16 <= end; to += 16, from += 16) v128.store(to, v128.load(from));
  for (; to < end; to += 4, from += 4) store<u32>(to, load<u32>(from));
}

export function fillFloats(to: usize, value: f32, n: i32): void {
  const end = to + (<usize>n << 2);
  for (; to + 16 <= end; to += 16) v128.store(to, f32x4.splat(value));
  for (; to < end; to += 4) store<f32>(to, value);
}

/** All ones in the lanes of a group of four that lie before the end, `left` lanes away. */
@inline
export function lanesBefore(left: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(left));
}

/** (s0 + s1) + (s2 + s3): the order of every sum across a row. */
@inline
export function sumLanes(s: v128): f32 {
  return (
    f32x4.extract_lane(s, 0) +
    f32x4.extract_lane(s, 1) +
    (f32x4.extract_lane(s, 2) + f32x4.extract_lane(s, 3))
  );
}

/** The largest lane; NaN does not count unless it stands first. */
@inline
export function maxLanes(m: v128): f32 {
  m = f32x4.pmax(m, i8x16.shuffle(m, m, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  m = f32x4.pmax(m, i8x16.shuffle(m, m, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  return f32x4.extract_lane(m, 0);
}
