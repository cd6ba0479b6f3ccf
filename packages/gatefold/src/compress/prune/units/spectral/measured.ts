import type { Model } from '@gatefold/runtime';
import type { PassContext } from '../../../pass.ts';
import type { UnitMap } from '../analyse.ts';
import { type Moments, measureMoments } from './moments.ts';
import { type View, viewsOf } from './views.ts';

/** The values that matrices multiply and their moments on the data, taken once, when they are first asked for. */
export class Measured {
  private readonly model: Model;
  private readonly map: UnitMap;
  private readonly context: PassContext;
  private taken: { readonly view: View; readonly moments: Moments }[] | undefined;

  constructor(model: Model, map: UnitMap, context: PassContext) {
    this.model = model;
    this.map = map;
    this.context = context;
  }

  /**
   * Views that show any of the channels; of all views some unit of which may be removed.
   * @throws DATA_INVALID without any data
   */
  showing(channels: ReadonlySet<number>): { readonly view: View; readonly moments: Moments }[] {
    this.taken ??= this.measure();
    return this.taken.filter(({ view }) => view.channels.some((channel) => channels.has(channel)));
  }

  private measure(): { view: View; moments: Moments }[] {
    const { model, map, context } = this;
    const views = viewsOf(model, map).filter(({ channels }) =>
      channels.some((channel) => map.reasonFor(channel) === undefined),
    );
    return measureMoments(model, views, context).map((moments, i) => ({ view: views[i]!, moments }));
  }
}
