export { callPython } from './python.ts';
export { readPickle } from './read.ts';
export type { PickleHost } from './state.ts';
export { PickleExtension, type PickleValue, PyDict, PyGlobal, PyList, PyObject } from './values.ts';
