export { type Layout, layout, type Shape } from './layout.ts';
export { executedWeights } from './linear.ts';
export { isSequential, lower } from './lower.ts';
export { instructionSet, memoryMap, type Opcode, opcodeNames } from './opcodes.ts';
export type { Program, ProgramPort } from './program.ts';
