const floatProduct = [
  ['rows', 'rows'],
  ['src', 'ref'],
  ['dst', 'ref'],
  ['add', 'ref'],
  ['weights', 'addr'],
  ['bias', 'addr'],
  ['strips', 'int'],
  ['k', 'int'],
] as const;

const integerProduct = [
  ['rows', 'rows'],
  ['codes', 'ref'],
  ['meta', 'ref'],
  ['dst', 'ref'],
  ['add', 'ref'],
  ['weights', 'addr'],
  ['bias', 'addr'],
  ['strips', 'int'],
  ['scales', 'addr'],
  ['offsets', 'addr'],
  ['start', 'addr'],
  ['digits', 'int'],
  ['plane', 'int'],
] as const;
const integerDense = [...integerProduct, ['k', 'int']] as const;
const integerSparse = [...integerProduct, ['index', 'addr']] as const;

/** The products of a matrix with each row, and the coding of rows for those in integers; see opcodes.ts for how to read this. */
export const productInstructions = {
  /**
   * y = W·x over k in order, float32, no fused multiply-add; then y + bias where bias is given, else add + y where add is.
   * Weights: per strip of 16 rows, per column, 16 float32; k columns, not padded. Reads k floats of a row of src.
   */
  linearF32: floatProduct,
  /**
   * Weights int8 or int16 (`wide`), operand float32: v = scale·Σ float(q)·x [+ offset·Σ x], both sums in order. Then
   * bias and add as in linearF32. Weights: per strip, per column, 16 values.
   */
  linearCodes: [...floatProduct, ['scales', 'addr'], ['offsets', 'addr'], ['wide', 'int']],
  /**
   * Codes each row's first n floats as `digits` (1 or 2) digits of 7 bits. code = nearest(clamp(x·inverse, −zero,
   * top − zero)) + zero, top = 128^digits − 1, NaN to the lowest. Static: scale and inverse are given. Dynamic (scale 0):
   * m = max|x| (NaN does not count), inverse = limit/m, scale = m/limit; m < 2^−100: all codes = zero, scale 0. Writes
   * the code bytes (second digit: high plane first, low plane `plane` bytes later; bytes 0 up to the next multiple of
   * 16) and, to `meta`, the float32 pair (scale, Σ(code − zero)), the sum taken in int32.
   */
  quantize: [
    ['rows', 'rows'],
    ['src', 'ref'],
    ['codes', 'ref'],
    ['meta', 'ref'],
    ['n', 'int'],
    ['digits', 'int'],
    ['zero', 'int'],
    ['limit', 'float'],
    ['scale', 'float'],
    ['inverse', 'float'],
    ['plane', 'int'],
  ],
  /**
   * acc = Σ q·code + start (start = −zero·Σq) in int32 per digit (`start` belongs to the high, or only, digit; with two
   * digits zero = 64·128, so start = −64·Σq); f = float(acc), or float(high)·128 + float(low);
   * v = f·(scale·sx) [+ float Σ(code − zero) · (offset·sx)]; then bias and add as in linearF32. (scale, offset, bias and
   * start are per row of W.) Weights int8: per strip of 16 rows, per 4 columns, 4 blocks of [4 rows][4 columns]; k is
   * not padded, the columns are (weights 0). Reads codes up to the next multiple of 4.
   */
  linearI8: integerDense,
  /**
   * As linearI8 with q looked up: 4-bit indices into the strip's table of 16 int8 (`tables`, 16 bytes per strip). Per
   * strip, per 4 columns, 32 bytes: byte j of the first half holds block 0's byte j low and block 1's byte j high, the
   * second half blocks 2 and 3.
   */
  linearI4: [...integerDense, ['tables', 'addr']],
  /**
   * linearF32 over the tiles of W that are not all zero; a tile is 8 rows by 4 columns from a multiple of 4 on. What was left out
   * does not exist: it has the value that linearF32 adds for a zero weight and a finite x, +0, also where x is infinite or NaN. So
   * for finite x the bits are those of linearF32, and a removed connection carries nothing.
   * W is cut into strips of 8 rows, and these are paired in any order such that the second of a pair has no fewer tiles than the first
   * (lowering sorts them: see assembly/sparse-tiles.ts). `index`, uint16: per pair (there are `strips` of them) the numbers of both strips,
   * their numbers of tiles, then of each tile of the first strip its first column / 4, ascending, then of the second. Weights in the
   * same order: per tile, per column, 8 float32; columns from k on are stored but not used.
   */
  sparseF32: [...floatProduct, ['index', 'addr']],
  /** linearI8 over the tiles of W that are not all zero, `index` as in sparseF32. Per tile 2 blocks of [4 rows][4 columns]. */
  sparseI8: integerSparse,
  /**
   * As sparseI8 with q looked up as in linearI4 (tables per 16 rows): a tile has 16 bytes, byte j holding the upper block's
   * byte j low and the lower block's byte j high.
   */
  sparseI4: [...integerSparse, ['tables', 'addr']],
  /**
   * linearF32 over single weights, as a list; what was left out does not exist, as in sparseF32. Rows of W come in fours (4·`strips` of
   * them), in any order such that none has fewer weights than the one before it in its four. `index`, uint16: per four their rows, how
   * many weights each has, then the columns, ascending in each row: by turns of all four as long as the first has some, then what the
   * second has more, the third, the fourth. Weights in the same order, float32.
   */
  csrF32: [...floatProduct, ['index', 'addr']],
} as const;
