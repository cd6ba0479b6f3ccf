// The TypeScript tables of the runtime, written as AssemblyScript constants.

const header = '// Written by assembly/build.mjs; do not edit.\n';

/** `function` is a keyword; every other operand name may be a constant's name. */
const identifier = (name) => (name === 'function' ? 'kind' : name);
const pascal = (name) => name[0].toUpperCase() + name.slice(1);

/** One namespace per instruction: its number, the bytes of the whole instruction and each operand's byte offset. */
export function opcodeSource(instructionSet) {
  const namespaces = Object.entries(instructionSet).map(([name, operands], number) => {
    let words = 1;
    const lines = operands.map(([operand, kind]) => {
      const line = `  export const ${identifier(operand)}: usize = ${4 * words};`;
      words += kind === 'ref' ? 2 : 1;
      return line;
    });
    return [`export namespace ${pascal(name)} {`, `  export const opcode: i32 = ${number};`, ...lines, '}'].join('\n');
  });
  return `${header}${namespaces.join('\n')}\n`;
}

export function memorySource(memoryMap) {
  const lines = Object.entries(memoryMap).map(([name, address]) => `  export const ${name}: usize = ${address};`);
  return `${header}export namespace MemoryMap {\n${lines.join('\n')}\n}\n`;
}

export function functionSource(names) {
  const lines = names.map((name, number) => `  export const ${name}: i32 = ${number};`);
  return `${header}export namespace Fn {\n${lines.join('\n')}\n}\n`;
}

/** A polynomial as an unrolled Horner scheme over four lanes, a number as a float constant. */
export function coefficientSource(coefficients) {
  const polynomial = (name, c) => {
    const steps = c
      .slice(0, -1)
      .reverse()
      .map((value) => `  y = f32x4.add(f32x4.mul(y, x), f32x4.splat(${value}));`);
    return [
      '@inline',
      `export function ${name}(x: v128): v128 {`,
      `  let y = f32x4.splat(${c.at(-1)});`,
      ...steps,
      '  return y;',
      '}',
    ].join('\n');
  };
  const parts = Object.entries(coefficients).flatMap(([name, value]) => {
    if (Array.isArray(value)) return [polynomial(`${name}P`, value)];
    if (typeof value === 'number') {
      return [`export const ${name}: ${name.endsWith('Bits') ? 'i32' : 'f32'} = ${value};`];
    }
    return [
      `export const ${name}Clamp: f32 = ${value.clamp};`,
      polynomial(`${name}P`, value.p),
      polynomial(`${name}Q`, value.q),
    ];
  });
  return `${header}${parts.join('\n')}\n`;
}
