import type { Client } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { takeSnapshot } from '../../cli/temporal/snapshot.ts';
import { changesBetween } from '../../cli/watch/changes.ts';
import type { ProgrammeState } from '../../domain/programme.ts';
import { training } from './fake-context.ts';

type Described = { pendingActivities?: object[]; pendingChildren?: { workflowId: string }[] };
type Told = { described?: Described; queries?: Record<string, unknown> };

/** A client that knows these workflows; a query that one does not have fails, as Temporal's do. */
const clientOf = (workflows: Record<string, Told>): Client =>
  ({
    workflow: {
      getHandle: (id: string) => ({
        describe: () => Promise.resolve({ raw: workflows[id]?.described ?? {}, status: { name: 'RUNNING' } }),
        query: (name: string) => {
          const answer = workflows[id]?.queries?.[name];
          return answer === undefined ? Promise.reject(new Error(`no query ${name}`)) : Promise.resolve(answer);
        },
      }),
    },
  }) as unknown as Client;

const stateAt = (stage: ProgrammeState['stage']): ProgrammeState => ({
  ...training(1).state,
  run: 'r1',
  stage,
  waiting: null,
  recipe: { teacher: { mode: 'batch' } },
});
const wait = { round: 1, batches: [{ id: 'batch_1', status: 'in_progress', done: 3, total: 10 }], nextLookAt: null };

describe('takeSnapshot', () => {
  it.each(['teacher', 'phaseB', 'phaseC'] as const)('shows the batches that are waited for in %s', async (stage) => {
    const asking = stage === 'teacher' ? 'r1' : 'r1/asks';
    const children = stage === 'teacher' ? [] : [{ workflowId: 'r1/other' }, { workflowId: 'r1/asks' }];
    const own = { status: stateAt(stage), ...(asking === 'r1' && { batches: wait }) };
    const { batches } = await takeSnapshot(
      clientOf({
        r1: { described: { pendingChildren: children }, queries: own },
        'r1/other': { queries: { batches: { ...wait, batches: [] } } },
        ...(asking !== 'r1' && { [asking]: { queries: { batches: wait } } }),
      }),
      'r1',
    );
    expect(batches).toEqual(wait);
  });

  it('tells activities of one type apart, in the run and in its children', async () => {
    const pending = (activityId: string) => ({ activityId, activityType: { name: 'evaluate' }, attempt: 1, state: 2 });
    const { activities } = await takeSnapshot(
      clientOf({
        r1: {
          described: { pendingActivities: [pending('1'), pending('2')], pendingChildren: [{ workflowId: 'r1/B' }] },
          queries: { status: stateAt('phaseB') },
        },
        'r1/B': { described: { pendingActivities: [pending('1')] } },
      }),
      'r1',
    );
    expect(activities.map(({ id }) => id)).toEqual(['r1/1', 'r1/2', 'r1/B/1']);
  });
});

it('two activities of one type keep their own tenths', () => {
  const look = (first: number, second: number) => {
    const snapshot = training(1);
    const [activity] = snapshot.activities;
    if (!activity?.progress) throw new Error('no activity');
    const { progress } = activity;
    const at = (id: string, done: number) => ({ ...activity, id, progress: { ...progress, label: id, done } });
    return { ...snapshot, activities: [at('r1/1', first), at('r1/2', second)] };
  };
  const told = changesBetween(look(10, 80), look(11, 81)).map(({ text }) => text);
  expect(told).toEqual([]);
  const next = changesBetween(look(10, 80), look(10, 90)).map(({ text }) => text);
  expect(next).toHaveLength(1);
  expect(next[0]).toContain('r1/2');
});
