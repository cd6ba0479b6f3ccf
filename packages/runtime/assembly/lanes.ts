/**
 * Four lanes of a constant, for a global. V8 builds a constant anew wherever it stands, in three instructions even
 * inside a loop; a variable it keeps or loads in one. So the constants must not look constant: they are mixed with the
 * first bytes of the memory, which are zeros when a module is instantiated.
 */
export function lanes(value: f32): v128 {
  return v128.xor(f32x4.splat(value), v128.load(0));
}

/** Sixteen lanes of a constant, likewise. */
export function lanes8(value: i8): v128 {
  return v128.xor(i8x16.splat(value), v128.load(0));
}

/** 15 in every byte. */
export const nibbles: v128 = lanes8(15);

/** 1 in every 16-bit lane. */
export const ones: v128 = v128.xor(i16x8.splat(1), v128.load(0));

/**
 * 1.5·2^23: added to a number below 2^22 it leaves the number, rounded half to even, in the low bits; taking it away
 * again, as a float or as an int, leaves the whole number.
 */
export const magic: v128 = lanes(12582912);

export const minusOne: v128 = lanes(-1);
export const half: v128 = lanes(0.5);
export const one: v128 = lanes(1);
