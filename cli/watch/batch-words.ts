import { count } from '../../activities/reports/quantities.ts';
import { oneLine } from '../../activities/reports/visible-text.ts';
import type { BatchWait } from '../../domain/teacher-batches.ts';

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

/** Requests of the round that have come to something, and of how many. */
export const batchProgress = ({ batches }: BatchWait): { done: number; total: number } => ({
  done: sum(batches.map(({ done }) => done)),
  total: sum(batches.map(({ total }) => total)),
});

/** `3,200/10,000 in 4 batches, round 1 · next look 16:40 UTC`. */
export function batchWords(wait: BatchWait): string {
  const { done, total } = batchProgress(wait);
  const { length } = wait.batches;
  const next = wait.nextLookAt === null ? '' : ` · next look ${wait.nextLookAt.slice(11, 16)} UTC`;
  return `${count(done)}/${count(total)} in ${count(length)} ${length === 1 ? 'batch' : 'batches'}, round ${count(wait.round)}${next}`;
}

const mostListed = 8;

/** A line per batch, with the provider's id and word for how it stands. */
export function batchList({ batches }: BatchWait): string[] {
  const more = batches.length - mostListed;
  return [
    ...batches
      .slice(0, mostListed)
      .map(({ id, status, done, total }) => `${oneLine(id, 60)} ${status} ${count(done)}/${count(total)}`),
    ...(more > 0 ? [`and ${count(more)} more`] : []),
  ];
}
