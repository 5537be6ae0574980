import type { Terminal } from '../terminal.ts';

/** Redraws a block of lines in place. */
export type Screen = { draw: (lines: string[]) => void; done: () => void };

const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';

/**
 * Writes each frame in one go over the last one, line by line with the rest of each line erased: nothing is cleared
 * first, so nothing flickers. Lines are cut at the width of the screen, because a wrapped line would shift the block.
 */
export function createScreen(terminal: Terminal): Screen {
  let height = 0;
  let last = '';
  return {
    draw(lines) {
      const cut = lines.map((line) => cutLine(line, terminal.columns() - 1));
      const frame = cut.join('\n');
      if (frame === last) return;
      last = frame;
      const up = height > 0 ? `\u001b[${String(height)}A` : hideCursor;
      terminal.out(`${up}\r${cut.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
      height = cut.length;
    },
    done() {
      if (height > 0) terminal.out(showCursor);
      height = 0;
      last = '';
    },
  };
}

/** Cuts to `width` visible characters; colour codes stay whole and are closed. */
export function cutLine(line: string, width: number): string {
  let visible = 0;
  let cut = '';
  for (const [piece] of line.matchAll(/\u001b\[\d+m|./gsu)) {
    const isCode = piece.startsWith('\u001b[');
    if (!isCode && (visible += 1) > width) return `${cut}\u001b[0m`;
    cut += piece;
  }
  return cut;
}
