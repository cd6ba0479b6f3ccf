import { fail, gatesOf, type Model, type Node, usesOf } from '@gatefold/runtime';

/** A place in a model that methods, recipes and reports can name: `node/role` or `node/role/gate`. */
export interface Place {
  readonly node: Node;
  readonly role: string;
  /** The weight's name. */
  readonly weight: string;
  /** Gates stacked along its rows, in order; undefined without gates. */
  readonly gates: readonly string[] | undefined;
}

/** Roles that are matrices of a product or a lookup: what compression passes work on unless told otherwise. */
const matrixRoles = ['W', 'U', 'R', 'kernel', 'table'] as const;

/** Every weight of the model that is a matrix, once per weight (first use), in graph order. */
export function matricesOf(model: Model): Place[] {
  const seen = new Set<string>();
  return usesOf(model).flatMap((use) => {
    if (seen.has(use.weight) || !(matrixRoles as readonly string[]).includes(use.role)) return [];
    seen.add(use.weight);
    return [placeOf(use)];
  });
}

/** A use of a weight as a place. */
export function placeOf({ node, role, weight }: { node: Node; role: string; weight: string }): Place {
  return { node, role, weight, gates: gatesOf(node, role) };
}

/** What an address selects of a place: all of it, some gates, or nothing. */
export function match(address: string, place: Place): 'all' | readonly string[] | undefined {
  const path = [...place.node.name.split('/'), place.role];
  if (matchesTail(address, path)) return 'all';
  const gates = place.gates?.filter((gate) => matchesTail(address, [...path, gate]));
  return gates && gates.length > 0 ? gates : undefined;
}

/** Addresses are matched from the right: `U/forget` fits `lstm_1/U/forget`. `*` stands for any run of characters. */
export function matchesTail(address: string, path: readonly string[]): boolean {
  const parts = address.split('/');
  if (parts.length > path.length) return false;
  return parts.every((part, i) => glob(part).test(path[path.length - parts.length + i]!));
}

function glob(pattern: string): RegExp {
  return new RegExp(
    `^${pattern
      .split('*')
      .map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
  );
}

/** Fails where an address selects nothing, listing what there is. */
export function requireMatch(address: string, places: readonly Place[]): void {
  if (places.some((place) => match(address, place) !== undefined)) return;
  fail('TARGET_EMPTY', `no weight matches "${address}"`, {
    expected: places.map((place) => `${place.node.name}/${place.role}`).join(', ') || 'a model with matrices',
    hint: 'addresses are node/role or node/role/gate, matched from the right, with * as a wildcard',
  });
}
