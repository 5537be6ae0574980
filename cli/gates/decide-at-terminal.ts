import { setTimeout as delay } from 'node:timers/promises';
import { remedyWords } from '../../activities/reports/remedy-words.ts';
import { oneLine } from '../../activities/reports/visible-text.ts';
import type { Choice, DecisionInput, GateEvidence } from '../../domain/gate-types.ts';
import type { Context } from '../context.ts';
import { asProblem } from '../problem.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Programmes } from '../temporal/programmes.ts';
import { paintFor } from '../terminal.ts';
import { remediesOf, userName } from './decision-input.ts';
import { evidenceText } from './evidence-text.ts';

const lookAgainMs = 2_000;

/**
 * Shows the evidence and asks until a decision is taken. A gate that is decided elsewhere meanwhile ends the question.
 *
 * @returns `later` when the person would rather go
 */
export async function decideAtTerminal(
  context: Context,
  programmes: Programmes,
  run: string,
  open: GateEvidence,
  interrupt: AbortSignal,
): Promise<'decided' | 'later'> {
  const { terminal } = context;
  const settled = new AbortController();
  const elsewhere = new AbortController();
  const watching = untilDecided(programmes, run, open, settled.signal).then((decided) => {
    if (decided) elsewhere.abort();
  });
  const ask = (prompt: string) => context.question(prompt, AbortSignal.any([elsewhere.signal, interrupt]));
  terminal.out(`\n${evidenceText(open, paintFor(terminal.colour)).join('\n')}\n`);
  try {
    for (;;) {
      const decision = await askDecision(open, ask, terminal.out);
      if (decision === 'later') return 'later';
      try {
        await programmes.decide(run, decision);
        return 'decided';
      } catch (error) {
        const problem = asProblem(error);
        if (problem.exitCode !== exitCodes.badInput) throw error;
        terminal.out(`${problem.message}\n`);
      }
    }
  } catch (error) {
    if (interrupt.aborted) return 'later';
    if (!elsewhere.signal.aborted) throw error;
    terminal.out('\nThe gate was decided elsewhere.\n');
    return 'decided';
  } finally {
    settled.abort();
    await watching;
  }
}

async function untilDecided(
  programmes: Programmes,
  run: string,
  open: GateEvidence,
  settled: AbortSignal,
): Promise<boolean> {
  for (;;) {
    await delay(lookAgainMs, undefined, { signal: settled }).catch(() => undefined);
    if (settled.aborted) return false;
    const view = await programmes.gates(run).catch(() => null);
    if (view !== null && view.open?.digest !== open.digest) return true;
  }
}

/** One round of questions. An empty answer takes the recommendation; `later` leaves the gate open. */
export async function askDecision(
  open: GateEvidence,
  ask: (prompt: string) => Promise<string>,
  tell: (text: string) => void,
): Promise<DecisionInput | 'later'> {
  const { recommendation, options, gate, digest } = open;
  const answer = (await ask(`Decide [${recommendation.choice}], or later: `)).trim().toLowerCase();
  if (answer === 'later') return 'later';
  const choice = answer === '' ? recommendation.choice : optionOf(answer, options);
  if (choice === null) {
    tell(
      `Gate ${gate} offers ${options.join(', ')}. Enter takes ${recommendation.choice}; later leaves the gate open.\n`,
    );
    return askDecision(open, ask, tell);
  }
  const decision: DecisionInput = { gate, choice, by: userName(), evidence: digest };
  if (choice === 'fix' || choice === 'redesign') {
    const offered = choice === recommendation.choice ? recommendation.remedies : undefined;
    const prompt = offered ? `Remedies [${oneLine(remedyWords(offered))}]: ` : 'Remedies (name=value …): ';
    const settings = (await ask(prompt)).split(/\s+/u).filter((setting) => setting !== '');
    try {
      const remedies = settings.length === 0 ? offered : remediesOf(settings);
      if (remedies) decision.remedies = remedies;
    } catch (error) {
      tell(`${asProblem(error).message}\n`);
      return askDecision(open, ask, tell);
    }
  }
  if (choice === 'raise') {
    const cap = (await ask(`New cap in dollars, at least ${String(open.budget?.leastCapUsd ?? 0)}: `)).trim();
    decision.capUsd = Number(cap.replace(/^\$/u, ''));
  }
  const overrides = choice === 'approve' && open.verdict !== 'pass';
  const note = (
    await ask(
      overrides
        ? `Gate ${gate} did not pass. Approving overrides it and is marked for ever. Why (empty goes back): `
        : 'Note (optional): ',
    )
  ).trim();
  if (overrides && note === '') return askDecision(open, ask, tell);
  return note === '' ? decision : { ...decision, note };
}

/** An option by its name or the beginning of it. */
function optionOf(answer: string, options: readonly Choice[]): Choice | null {
  const fitting = options.filter((option) => option.startsWith(answer));
  return fitting.length === 1 ? (fitting[0] ?? null) : null;
}
