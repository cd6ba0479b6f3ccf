// Written by assembly/fit-coefficients.mjs; do not edit.

/**
 * Constants of the approximations in scalar.ts, constant term first. Every value is an exact float32: the same numbers
 * go into the AssemblyScript kernels and generated C.
 */
export const coefficients = {
  /** x·P(x²)/Q(x²), exactly ±1 from the clamp on. */
  tanh: {
    clamp: 8.5009765625,
    p: [1, 0.1338030844926834, 0.003494748380035162, 0.000020595905880327336, 1.3337827731163543e-8],
    q: [1, 0.4671362638473511, 0.025873754173517227, 0.0003284287522546947, 7.769356784592674e-7],
  },
  /** ½ + x·P(x²)/Q(x²): tanh's coefficients scaled by powers of two. */
  sigmoid: {
    clamp: 17.001953125,
    p: [0.25, 0.008362692780792713, 0.000054605443438049406, 8.045275734502866e-8, 1.3025222393714397e-11],
    q: [1, 0.11678406596183777, 0.0016171096358448267, 0.000005131699253979605, 3.034904993981513e-9],
  },
  /** x·P(x²)/Q(x²), exactly ±1 from the clamp on. */
  erf: {
    clamp: 3.7009765625,
    p: [
      1.128378987312317, 0.19624990224838257, 0.05346750095486641, 0.004003661219030619, 0.00028803752502426505,
      0.0000019747651549550937,
    ],
    q: [1, 0.507253110408783, 0.11647672206163406, 0.015444451943039894, 0.0012163559440523386, 0.00003747999289771542],
  },
  /** P(x) on [−ln 2/2, ln 2/2]. */
  exp: [1, 1, 0.4999999403953552, 0.1666651964187622, 0.04166840761899948, 0.008368914015591145, 0.0013814190169796348],
  /** log(1 + x) = x·P(x) on [√½ − 1, √2 − 1]. */
  log: [
    1, -0.4999998211860657, 0.3333393335342407, -0.25002583861351013, 0.19963476061820984, -0.1655178815126419,
    0.14883685111999512, -0.14426873624324799, 0.08979516476392746,
  ],
  /** log(1 + x) = x·P(x) on [0, 1]. */
  log1p: [
    1, -0.4999968707561493, 0.3332236707210541, -0.24866169691085815, 0.19190463423728943, -0.13834285736083984,
    0.08017182350158691, -0.030668342486023903, 0.00551685830578208,
  ],
  /** ln 2 in two parts; the first has 12 bits. */
  ln2High: 0.693115234375,
  ln2Low: 0.00003194618329871446,
  log2e: 1.4426950216293335,
  /** exp's argument is clamped to this range, whose values are normal numbers. */
  expLow: -87.30000305175781,
  expHigh: 88.69999694824219,
  /** √½ and the smallest normal number, as bits and as a value: where log splits and ends. */
  sqrtHalfBits: 1060439283,
  smallestNormal: 1.1754943508222875e-38,
  sqrtHalf: 0.7071067690849304,
  /** √(2/π) and Hendrycks & Gimpel's cubic term, for the tanh form of GELU. */
  sqrtTwoOverPi: 0.7978845834732056,
  geluCubic: 0.044714998453855515,
} as const;
