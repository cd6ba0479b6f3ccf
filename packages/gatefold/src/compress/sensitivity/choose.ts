/** One way to code a weight: what share of the model's bytes and time it takes, and what it alone does to the outputs. */
export interface Choice {
  readonly cost: number;
  /** Squared divergence of the outputs with this weight alone coded so. */
  readonly damage: number;
}

/** Which choice each weight takes, by its place in the weight's list. */
export type Assignment = readonly number[];

/** One weight's step to its next dearer choice that is worth it. */
interface Upgrade {
  readonly weight: number;
  readonly from: number;
  readonly to: number;
  /** Damage that falls for what it costs more. */
  readonly gain: number;
}

/**
 * The cheapest choice of each weight, and the steps from there to the most precise ones, those that gain most first. Choices that are
 * neither cheaper nor better than a mixture of two others are left out: damages of weights add up, nearly, so that such a choice
 * is never the best one.
 */
export function upgradesFor(lists: readonly (readonly Choice[])[]): { cheapest: Assignment; upgrades: Upgrade[] } {
  const hulls = lists.map(lowerHull);
  const upgrades = hulls.flatMap((hull, weight) =>
    hull.slice(1).map((to, i) => {
      const from = hull[i]!;
      const [a, b] = [lists[weight]![from]!, lists[weight]![to]!];
      return { weight, from, to, gain: (a.damage - b.damage) / (b.cost - a.cost) };
    }),
  );
  // Within a weight gains fall from one upgrade to the next, so that sorting keeps their order.
  upgrades.sort((a, b) => b.gain - a.gain);
  return { cheapest: hulls.map((hull) => hull[0]!), upgrades };
}

/** Assignments from the cheapest to the most precise one. Each differs from the one before it in one weight. */
export function pathOf(lists: readonly (readonly Choice[])[]): Assignment[] {
  const { cheapest, upgrades } = upgradesFor(lists);
  const path = [cheapest];
  for (const { weight, to } of upgrades) path.push(path.at(-1)!.map((now, i) => (i === weight ? to : now)));
  return path;
}

/** Choices on the lower left of the convex hull of (cost, damage), cheapest first. */
function lowerHull(choices: readonly Choice[]): number[] {
  const order = choices.map((_, i) => i);
  order.sort((a, b) => choices[a]!.cost - choices[b]!.cost || choices[a]!.damage - choices[b]!.damage);
  const hull: number[] = [];
  for (const i of order) {
    const { cost, damage } = choices[i]!;
    const last = hull.length > 0 ? choices[hull.at(-1)!]! : undefined;
    if (last && damage >= last.damage) continue;
    while (hull.length > 1) {
      const [a, b] = [choices[hull.at(-2)!]!, choices[hull.at(-1)!]!];
      if ((a.damage - b.damage) * (cost - b.cost) > (b.damage - damage) * (b.cost - a.cost)) break;
      hull.pop();
    }
    hull.push(i);
  }
  return hull;
}

/**
 * The first assignment of the path that holds, by halving: the last one must hold.
 * `holds` is asked some log2(n) times.
 */
export function firstThatHolds(path: readonly Assignment[], holds: (assignment: Assignment) => boolean): Assignment {
  let low = 0;
  let high = path.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(path[middle]!)) high = middle;
    else low = middle + 1;
  }
  return path[high]!;
}

/**
 * Gives each weight, the dearest first, the cheapest choice with which the whole still holds.
 */
export function descend(
  lists: readonly (readonly Choice[])[],
  from: Assignment,
  holds: (assignment: Assignment) => boolean,
): Assignment {
  let current = from;
  const cost = (weight: number) => lists[weight]![from[weight]!]!.cost;
  const weights = lists.map((_, i) => i).sort((a, b) => cost(b) - cost(a));
  for (const weight of weights) {
    const list = lists[weight]!;
    const cheaper = list.flatMap((choice, i) => (choice.cost < list[current[weight]!]!.cost ? [i] : []));
    cheaper.sort((a, b) => list[a]!.cost - list[b]!.cost);
    const replaced = (choice: number) => current.map((now, i) => (i === weight ? choice : now));
    const found = cheaper.find((choice) => holds(replaced(choice)));
    if (found !== undefined) current = replaced(found);
  }
  return current;
}
