export { type Layout, layout, type Shape } from './layout.ts';
export { isSequential, lower } from './lower.ts';
export { instructionSet, instructionWords, memoryMap, type Opcode, type OperandKind, opcodeNames } from './opcodes.ts';
export type { Program, ProgramPort } from './program.ts';
