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

/**
 * A polynomial as an unrolled Horner scheme over four lanes, a number as four lanes of it (as an int where it is bits).
 */
export function coefficientSource(coefficients) {
  const lanes = (name, value) => `export const ${name}: v128 = lanes(${value});`;
  const polynomial = (name, c) => {
    const last = c.length - 1;
    const steps = c.slice(0, -1).map((_, i) => `  y = f32x4.add(f32x4.mul(y, x), ${name}${i});`);
    return [
      ...c.map((value, i) => lanes(`${name}${i}`, value)),
      '@inline',
      `export function ${name}(x: v128): v128 {`,
      `  let y = ${name}${last};`,
      ...steps.reverse(),
      '  return y;',
      '}',
    ].join('\n');
  };
  const parts = Object.entries(coefficients).flatMap(([name, value]) => {
    if (Array.isArray(value)) return [polynomial(`${name}P`, value)];
    if (typeof value === 'number') {
      return name.endsWith('Bits') ? [`export const ${name}: i32 = ${value};`] : [lanes(name, value)];
    }
    return [
      lanes(`${name}Low`, -value.clamp),
      lanes(`${name}High`, value.clamp),
      polynomial(`${name}P`, value.p),
      polynomial(`${name}Q`, value.q),
    ];
  });
  return `${header}import { lanes } from '../lanes';\n${parts.join('\n')}\n`;
}
