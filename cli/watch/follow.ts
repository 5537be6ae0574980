import { setTimeout as delay } from 'node:timers/promises';
import type { GateEvidence } from '../../domain/gate-types.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { decideAtTerminal } from '../gates/decide-at-terminal.ts';
import { decideCommand, evidenceText } from '../gates/evidence-text.ts';
import { asProblem } from '../problem.ts';
import { summary } from '../summary.ts';
import type { Programmes } from '../temporal/programmes.ts';
import type { Snapshot } from '../temporal/snapshot.ts';
import { paintFor } from '../terminal.ts';
import { changesBetween } from './changes.ts';
import { liveView } from './live-view.ts';
import { createScreen } from './screen.ts';

/** How to follow a run. */
export type Follow = {
  /** It has just been started: a first look that fails is not for want of a run or a server. */
  started: boolean;
  json: boolean;
  /** Ask on the terminal when a gate waits. */
  ask: boolean;
  /** Go on watching at a gate that nobody here decides, instead of ending with `waiting`. */
  wait: boolean;
  intervalMs: number;
};

/**
 * Shows a run until it ends, a gate waits that nobody here decides, or Ctrl-C. A server or worker that is away for a
 * while is waited for, since the run itself is.
 *
 * @returns what to exit with
 */
export async function follow(context: Context, programmes: Programmes, run: string, how: Follow): Promise<ExitCode> {
  const { terminal } = context;
  const interrupt = context.interrupt();
  const shown = view(context, how);
  let before: Snapshot | null = null;
  let silent = false;
  for (;;) {
    try {
      const now = await programmes.snapshot(run);
      shown.show(before, now);
      before = now;
      silent = false;
      if (now.closed !== null) return shown.end(now);
      const { open } = now.gates;
      if (open !== null && !interrupt.aborted) {
        if (!how.ask && !how.wait) return shown.waiting(run, open);
        if (how.ask) {
          shown.pause();
          if ((await decideAtTerminal(context, programmes, run, open, interrupt)) === 'later')
            return detached(run, context, how.json);
          continue;
        }
      }
    } catch (error) {
      const problem = asProblem(error);
      if ((before === null && !how.started) || problem.exitCode !== exitCodes.unreachable) throw error;
      shown.pause();
      if (!silent) terminal.err(`${problem.message} The run is waited for.\n`);
      silent = true;
    }
    if (!interrupt.aborted) await delay(how.intervalMs, undefined, { signal: interrupt }).catch(() => undefined);
    if (interrupt.aborted) {
      shown.pause();
      return detached(run, context, how.json);
    }
  }
}

function detached(run: string, { terminal }: Context, json: boolean): ExitCode {
  if (!json)
    terminal.out(
      `\nDetached; the run goes on. Watch it again: ratchet watch ${run}   Stop it: ratchet cancel ${run}\n`,
    );
  return exitCodes.interrupted;
}

/** The three ways to show a run: JSON lines, a view that is redrawn, a line per change. */
function view({ terminal }: Context, { json }: Follow) {
  const paint = paintFor(terminal.colour);
  const screen = terminal.interactive && terminal.colour && !json ? createScreen(terminal) : null;
  const lines = (text: string[]) => {
    terminal.out(`${text.join('\n')}\n`);
  };
  const pause = () => screen?.done();
  return {
    pause,
    show(before: Snapshot | null, now: Snapshot) {
      if (screen) {
        screen.draw(liveView(now, paint));
        return;
      }
      const changes = changesBetween(before, now);
      if (json)
        for (const change of changes)
          terminal.out(`${JSON.stringify({ at: now.at, run: now.state.run, stage: now.state.stage, ...change })}\n`);
      else for (const { text } of changes) terminal.out(`${clock(now)} ${text}\n`);
    },
    waiting(run: string, open: GateEvidence): ExitCode {
      pause();
      if (json) terminal.out(`${JSON.stringify({ kind: 'waiting', run, gate: open })}\n`);
      else
        lines([
          '',
          ...evidenceText(open, paint),
          `The run waits; nothing is lost. Decide: ${decideCommand(run, open)}`,
        ]);
      return exitCodes.waiting;
    },
    end(now: Snapshot): ExitCode {
      pause();
      if (json) terminal.out(`${JSON.stringify({ kind: 'summary', ...now.state })}\n`);
      else lines(['', ...summary(now.state, paint)]);
      return exitCodeOf(now);
    },
  };
}

/** `[ 3:07]` since the start of the run. */
function clock({ at, state }: Snapshot): string {
  const seconds = Math.max(0, Math.round((Date.parse(at) - Date.parse(state.startedAt)) / 1000));
  return `[${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, '0')}]`;
}

/** What a command exits with for a run that is over. A terminated or timed-out run counts as failed. */
export function exitCodeOf({ state, closed }: Pick<Snapshot, 'state' | 'closed'>): ExitCode {
  if (closed === 'completed') return state.stage === 'stopped' ? exitCodes.stopped : exitCodes.ok;
  return closed === 'cancelled' || state.stage === 'cancelled' ? exitCodes.stopped : exitCodes.failed;
}
