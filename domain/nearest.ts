/** Levenshtein distance, rows of the usual table; both texts are cut to 64 characters, names are shorter. */
function distance(left: string, right: string): number {
  const a = left.slice(0, 64).toLowerCase();
  const b = right.slice(0, 64).toLowerCase();
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/**
 * The candidate closest to a mistyped name, or null where nothing is close (more than half of it would have to change).
 * Small and pure, because workflows import it too.
 */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  let best: { candidate: string; edits: number } | null = null;
  for (const candidate of candidates) {
    const edits = distance(name, candidate);
    if (best === null || edits < best.edits) best = { candidate, edits };
  }
  return best !== null && best.edits <= Math.max(1, best.candidate.length / 2) ? best.candidate : null;
}
