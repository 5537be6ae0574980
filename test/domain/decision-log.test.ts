import { describe, expect, it } from 'vitest';
import { withDecision, withUnreadable } from '../../domain/decision-log.ts';
import type { Decision } from '../../domain/gate-types.ts';

const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
const decision = (more: Partial<Decision>): Decision => ({
  ...{ gate: 'A', choice: 'retry', at: '2026-01-01T00:00:00.000Z', attempt: 1 },
  ...{ accepted: true, override: false, source: 'signal' },
  ...more,
});

describe('what a run was told', () => {
  const long = (character: string) => character.repeat(20_000);
  const big = (character: string): Decision =>
    decision({
      ...{
        accepted: false,
        by: long(character),
        note: long(character),
        evidence: long(character),
        refusal: long(character),
      },
      remedies: {
        templates: { reasoning: long(character), teacherSystem: long(character), teacherUser: long(character) },
      },
    });

  it.each(['x', '"', '\\', 'é', '語', '😀', '\u0000', '\ud83d', '\n'])(
    'a refused one of %j takes a kilobyte at most',
    (character) => {
      const [kept] = withDecision([], big(character));
      expect(bytes(kept)).toBeLessThanOrEqual(1024);
      expect(kept).toMatchObject({ gate: 'A', choice: 'retry', accepted: false, source: 'signal' });
      expect(kept?.refusal).toMatch(/…$/u);
      const [unreadable] = withUnreadable([], '2026-01-01T00:00:00.000Z', { [long(character)]: 1 }, long(character));
      expect(bytes(unreadable)).toBeLessThanOrEqual(1024);
    },
  );

  it('a small refused one stays as it was', () => {
    const small = decision({ accepted: false, refusal: 'no', remedies: { epochs: 2 } });
    expect(withDecision([], small)).toEqual([small]);
  });

  it('ten thousand big refused ones push out no accepted one, and the state stays small', () => {
    const redesign = decision({
      choice: 'redesign',
      remedies: { templates: { reasoning: long('r') } },
      note: long('n'),
    });
    let decisions: Decision[] = [decision({ override: true, note: 'because' }), redesign];
    let unreadable: ReturnType<typeof withUnreadable> = [];
    for (let sent = 0; sent < 10_000; sent += 1) {
      decisions = withDecision(decisions, {
        ...decision({ accepted: false, refusal: 'no' }),
        by: `${String(sent)} ${'b'.repeat(3_000)}`,
      });
      unreadable = withUnreadable(unreadable, 'now', { sent, filler: 'f'.repeat(3_000) }, 'odd');
      if (sent === 5_000) decisions = withDecision(decisions, decision({ choice: 'approve' }));
    }
    expect(decisions.filter(({ accepted }) => accepted).map(({ choice }) => choice)).toEqual([
      'retry',
      'redesign',
      'approve',
    ]);
    expect(decisions[1]).toEqual(redesign);
    expect(decisions).toHaveLength(103);
    expect(decisions.at(-1)?.by).toMatch(/^9999 /u);
    expect(unreadable).toHaveLength(100);
    expect(bytes({ decisions, unreadable })).toBeLessThan(300_000);
  }, 30_000);
});
