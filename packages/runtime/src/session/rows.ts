import { fail } from '../errors/index.ts';
import type { Program } from '../lower/index.ts';
import { ChunkRows } from '../model/index.ts';
import type { StreamLike } from './host.ts';
import type { Image } from './image.ts';

/** Tells the program how many rows each time class has in a call. */
export class RowCounter {
  private readonly program: Program;
  private readonly chunk: ChunkRows;
  private readonly meetings: readonly Meeting[];
  private readonly windowed: boolean;
  /** The image's version and what was counted for it: single steps without windows all have the same rows. */
  private known = -1;
  private single = false;

  constructor(program: Program) {
    this.program = program;
    this.chunk = new ChunkRows(program.times);
    this.meetings = meetingsOf(program);
    this.windowed = program.times.some((time) => time.kind === 'window');
  }

  /** Rows per batch element of each time class in the last call. */
  get rows(): Float64Array {
    return this.chunk.rows;
  }

  /** Before a single step. */
  step(image: Image, streams: readonly StreamLike[]): void {
    if (this.single && !this.windowed && this.known === image.version) return;
    this.write(image, streams, 1);
    this.single = true;
  }

  /** Before a call of `lengths[port]` steps. */
  call(image: Image, streams: readonly StreamLike[], lengths: Readonly<Record<string, number>>): void {
    this.write(image, streams, lengths);
    this.single = false;
  }

  private write(
    image: Image,
    streams: readonly StreamLike[],
    lengths: Readonly<Record<string, number>> | number,
  ): void {
    const { position } = streams[0]!;
    if (this.windowed) {
      for (const stream of streams) if (stream.position !== position) notEquallyFar(streams);
    }
    // A program that needs whole sequences begins each call anew.
    const { rows, first } = this.chunk.count(lengths, this.program.wholeReasons.length === 0 ? position : 0);
    for (const meeting of this.meetings) {
      const wanted = meeting.rowsOf < 0 ? 1 : rows[meeting.rowsOf]!;
      if (rows[meeting.time] !== wanted) differ(this.program, meeting, wanted, rows[meeting.time]!);
    }
    image.i32.set(rows, image.layout.rowsAt >> 2);
    image.i32.set(first, image.layout.firstAt >> 2);
    this.known = image.version;
  }
}

/** An instruction over the rows of one time class (−1: one row) reads a buffer of another: they must be equally many. */
interface Meeting {
  readonly rowsOf: number;
  readonly time: number;
}

function meetingsOf({ buffers, blocks }: Program): Meeting[] {
  const found = new Map<string, Meeting>();
  for (const block of blocks) {
    if (block.kind !== 'rows') continue;
    for (const { op, operands } of block.instructions) {
      if (op !== 'binary' && op !== 'copy' && op !== 'select') continue;
      const rowsOf = operands.rows && 'rowsOf' in operands.rows ? operands.rows.rowsOf : -1;
      for (const operand of Object.values(operands)) {
        if (!operand || !('ref' in operand)) continue;
        const { time } = buffers[operand.ref.buffer]!;
        if (time !== rowsOf) found.set(`${rowsOf} ${time}`, { rowsOf, time });
      }
    }
  }
  return [...found.values()];
}

function differ({ times }: Program, { time }: Meeting, wanted: number, found: number): never {
  return fail('INPUT_SHAPE', 'sequences that are combined have different numbers of steps', {
    expected: `${wanted}`,
    found: `${found} (${times[time]!.kind})`,
  });
}

function notEquallyFar(streams: readonly StreamLike[]): never {
  return fail('INPUT_SHAPE', 'streams of a model with windows must be equally far to run in one call', {
    found: streams.map((stream) => stream.position).join(', '),
  });
}
