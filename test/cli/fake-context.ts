import type { Context } from '../../cli/context.ts';
import type { ExitCode } from '../../cli/exit-codes.ts';
import { runCommand } from '../../cli/program.ts';
import type { Programmes } from '../../cli/temporal/programmes.ts';
import type { Snapshot } from '../../cli/temporal/snapshot.ts';
import { budgetEvidenceOf } from '../../domain/budget.ts';
import type { Decision, GateEvidence } from '../../domain/gate-types.ts';
import type { GatesView } from '../../workflows/messages.ts';
import { referenceRun } from '../activities/reports/reference-run.ts';

/** What a command printed and asked for. */
export type Ran = { code: ExitCode; out: string; err: string; calls: unknown[][] };

export type Fakes = {
  programmes?: Partial<Programmes>;
  context?: Partial<Context>;
  env?: Record<string, string>;
  answers?: string[];
  interactive?: boolean;
};

const refuse = (what: string) => () => {
  throw new Error(`${what} was not expected here`);
};

/** Runs one command line without a server: what it reaches for and was not given is an error. */
export async function ratchet(line: string[], fakes: Fakes = {}): Promise<Ran> {
  const ran: Ran = { code: 0, out: '', err: '', calls: [] };
  const record =
    (name: string) =>
    (...args: unknown[]) => {
      ran.calls.push([name, ...args]);
      return Promise.resolve();
    };
  const programmes: Programmes = {
    start: record('start'),
    startAblation: record('startAblation'),
    resume: record('resume'),
    status: refuse('status'),
    gates: refuse('gates'),
    snapshot: refuse('snapshot'),
    decide: (run, decision) => {
      ran.calls.push(['decide', run, decision]);
      return Promise.resolve({
        ...decision,
        at: '2026-03-02T10:00:00.000Z',
        attempt: 1,
        accepted: true,
        override: false,
        source: 'update',
      } satisfies Decision);
    },
    cancel: record('cancel'),
    list: refuse('list'),
    close: record('close'),
    ...fakes.programmes,
  };
  const answers = [...(fakes.answers ?? [])];
  const context: Context = {
    terminal: {
      out: (text) => {
        ran.out += text;
      },
      err: (text) => {
        ran.err += text;
      },
      interactive: fakes.interactive ?? false,
      columns: () => 100,
      colour: false,
    },
    env: fakes.env ?? {},
    now: () => new Date('2026-03-02T08:00:00Z'),
    programmes: () => Promise.resolve(programmes),
    stack: {
      embedded: () => true,
      isUp: () => true,
      upDetached: refuse('up'),
      upAttached: refuse('up'),
      down: refuse('down'),
      doctor: refuse('doctor'),
      services: () => [],
      uiAddress: () => 'http://127.0.0.1:8233',
    },
    writeReport: refuse('a report'),
    sweep: refuse('a sweep'),
    storedState: () => Promise.resolve(null),
    interrupt: () => new AbortController().signal,
    question: (prompt) => {
      ran.out += prompt;
      const answer = answers.shift();
      return answer === undefined ? Promise.reject(new Error('one question too many')) : Promise.resolve(answer);
    },
    ...fakes.context,
  };
  ran.code = await runCommand(line, context);
  return ran;
}

/** The reference run as a watcher would see it at its end. */
export function finished(): Snapshot {
  const { state } = referenceRun();
  return {
    state,
    gates: { open: null, waitingSince: null },
    activities: [],
    inFlight: [],
    closed: 'completed',
    at: '2026-03-02T19:24:00.000Z',
  };
}

/** The same run while its first Gate B waits for a person. */
export function atGateB(): Snapshot {
  const { state } = referenceRun();
  const phases = state.phases.slice(0, 2);
  const open = phases[1]?.evidence ?? null;
  const waiting = {
    ...state,
    stage: 'phaseB' as const,
    waiting: 'B' as const,
    phases,
    decisions: state.decisions.slice(0, 1),
    finishedAt: null,
    conclusion: null,
  };
  return {
    state: waiting,
    gates: { open, waitingSince: '2026-03-02T12:00:00.000Z' },
    activities: [],
    inFlight: [],
    closed: null,
    at: '2026-03-02T12:30:00.000Z',
  };
}

/** The same run while Phase A trains. */
export function training(done: number): Snapshot {
  const { state } = referenceRun();
  const progress = {
    kind: 'sft' as const,
    label: 'A1',
    done,
    total: 100,
    loss: 0.48,
    tokensPerSecond: 1240,
    etaSeconds: 120,
    checkpointStep: 10,
    startedAt: 0,
  };
  return {
    state: { ...state, stage: 'phaseA', phases: [], decisions: [], finishedAt: null, conclusion: null, promoted: null },
    gates: { open: null, waitingSince: null },
    activities: [{ id: 'r1/1', type: 'trainSft', attempt: 1, running: true, progress, failure: null }],
    inFlight: [],
    closed: null,
    at: '2026-03-02T08:03:07.000Z',
  };
}

/** What the `gates` query answers at that gate. */
export const gatesView = (): GatesView => {
  const { state, gates } = atGateB();
  return {
    open: gates.open,
    waitingSince: gates.waitingSince,
    history: state.phases.flatMap(({ evidence }) => evidence ?? []),
    decisions: state.decisions,
  };
};

/** A run at its cap. */
export function budgetGate(): GateEvidence {
  const spent = { teacherUsd: 0.5, teacherCalls: 10, judgeUsd: 0.18, gpuSeconds: 600 };
  return {
    ...{ gate: 'budget', attempt: 1, verdict: 'fail', criteria: [], diagnosis: [], evaluations: [] },
    options: ['raise', 'stop'],
    budget: budgetEvidenceOf('phaseB', 1, spent, 1.8, { nextUsd: 0.05, restUsd: 0.4 }),
    recommendation: { choice: 'stop', reason: 'More money is for a person to give.' },
    digest: 'b'.repeat(64),
  };
}
