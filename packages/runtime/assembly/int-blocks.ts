// How the blocks of 4 rows × 4 columns of linearI8 and linearI4 are read.

/** q itself, or four-bit indices into the strip's table. */
export const INT8 = 0;
export const INT4 = 1;

/** Bytes of four columns of a strip: four blocks. */
@inline
export function columnsBytes(kind: i32): usize {
  return kind == INT8 ? 64 : 32;
}

/** Looks up in the strip's 16 levels. */
@inline
function lookUp(table: v128, indices: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i8x16.relaxed_swizzle(table, indices) : i8x16.swizzle(table, indices);
}

/** Blocks 0 and 1 of 16 bytes of indices; `nibble` is 15 in every byte. */
@inline
export function lowLevels(table: v128, indices: v128, nibble: v128): v128 {
  return lookUp(table, v128.and(indices, nibble));
}

@inline
export function highLevels(table: v128, indices: v128, nibble: v128): v128 {
  // There is no cheap shift of bytes: words are shifted and what came over from the neighbour is masked away.
  return lookUp(table, v128.and(i16x8.shr_u(indices, 4), nibble));
}
