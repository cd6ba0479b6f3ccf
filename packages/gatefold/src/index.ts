export * from './compress/index.ts';
export * from './recipe/index.ts';
