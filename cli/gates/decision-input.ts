import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { parse } from 'yaml';
import { parseRemedies } from '../../domain/decisions.ts';
import type { Choice, DecisionInput, GateEvidence, GateName, Remedies } from '../../domain/gate-types.ts';
import { badInput } from '../problem.ts';

/** What the options of `ratchet decide` say. */
export type DecisionOptions = {
  by?: string;
  note?: string;
  set?: string[];
  evidence?: string;
  override?: boolean;
  cap?: number;
};

/** `--set balance=upsample --set templates.reasoning=@new.txt` as remedies; the values are YAML, `@` reads a file. */
export function remediesOf(settings: readonly string[]): Remedies | undefined {
  if (settings.length === 0) return undefined;
  const remedies: Record<string, unknown> = {};
  for (const setting of settings) {
    const [, field, text] = /^([A-Za-z.]+)=(.*)$/su.exec(setting) ?? [];
    if (field === undefined || text === undefined)
      throw badInput(`--set ${setting}: expected remedy=value.`, 'For example --set balance=upsample');
    place(remedies, field.split('.'), valueOf(setting, text));
  }
  const parsed = parseRemedies(remedies);
  if ('refusal' in parsed) throw badInput(`--set: ${parsed.refusal}`);
  return parsed.remedies;
}

function valueOf(setting: string, text: string): unknown {
  try {
    return text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : parse(text);
  } catch (error) {
    throw badInput(
      `--set ${setting}: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`,
    );
  }
}

function place(target: Record<string, unknown>, [first, ...rest]: string[], value: unknown): void {
  if (first === undefined) return;
  if (rest.length === 0) target[first] = value;
  else place((target[first] ??= {}) as Record<string, unknown>, rest, value);
}

/**
 * A decision as it is sent. It names the evidence it is made on: the one given, else the one of the open gate.
 *
 * @throws CommandProblem an override that does not say `--override`; everything else the workflow itself refuses
 */
export function decisionInput(
  gate: GateName,
  choice: Choice,
  open: GateEvidence | null,
  options: DecisionOptions,
): DecisionInput {
  const remedies = remediesOf(options.set ?? []);
  const evidence = options.evidence ?? (open?.gate === gate ? open.digest : undefined);
  if (choice === 'approve' && open?.gate === gate && open.verdict !== 'pass' && !options.override)
    throw badInput(
      `Gate ${gate} did not pass (${open.verdict}): approving it overrides the gate, and the record says so for ever.`,
      `If that is meant: --override --note "why". Recommended: ${open.recommendation.choice}`,
    );
  return {
    gate,
    choice,
    by: options.by ?? userName(),
    ...(options.note === undefined ? {} : { note: options.note }),
    ...(remedies === undefined ? {} : { remedies }),
    ...(options.cap === undefined ? {} : { capUsd: options.cap }),
    ...(evidence === undefined ? {} : { evidence }),
  };
}

/** Who sits here; containers may run under a user id without a name. */
export function userName(): string {
  try {
    return process.env['USER'] ?? userInfo().username;
  } catch {
    return 'unknown';
  }
}
