/** Where a command prints and reads; tests hand in their own. */
export type Terminal = {
  out: (text: string) => void;
  err: (text: string) => void;
  /** Whether a person sits there: both sides are a terminal. */
  interactive: boolean;
  columns: () => number;
  /** Colours and redrawing are for terminals that want them (`NO_COLOR`, `TERM=dumb` do not). */
  colour: boolean;
};

/** The terminal of this process. */
export function processTerminal(env: Readonly<Record<string, string | undefined>> = process.env): Terminal {
  const colour = process.stdout.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  return {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    interactive: process.stdin.isTTY && process.stdout.isTTY && env['TERM'] !== 'dumb',
    columns: () => (process.stdout.isTTY ? process.stdout.columns : 100),
    colour,
  };
}

/** Styles by meaning. Without colour they leave the text as it is. */
export type Paint = Record<'good' | 'bad' | 'unsure' | 'soft' | 'strong' | 'accent', (text: string) => string>;

const codes = { good: 32, bad: 31, unsure: 33, soft: 2, strong: 1, accent: 36 } as const;

export function paintFor(colour: boolean): Paint {
  const style = (code: number) => (text: string) => (colour ? `\u001b[${String(code)}m${text}\u001b[0m` : text);
  return {
    good: style(codes.good),
    bad: style(codes.bad),
    unsure: style(codes.unsure),
    soft: style(codes.soft),
    strong: style(codes.strong),
    accent: style(codes.accent),
  };
}

/** Characters that a line takes on the screen, colour codes not counted. */
export const plainLength = (text: string): number => Array.from(text.replace(/\u001b\[\d+m/gu, '')).length;

/** Columns padded to their widest cell; the last one is not. `right` names columns that are aligned right. */
export function textTable(rows: string[][], right: readonly number[] = []): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => plainLength(row[column] ?? ''))));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const space = ' '.repeat(Math.max(0, (widths[column] ?? 0) - plainLength(cell)));
        if (right.includes(column)) return space + cell;
        return column === row.length - 1 ? cell : cell + space;
      })
      .join('  ')
      .trimEnd(),
  );
}
