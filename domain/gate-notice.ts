import type { Choice, GateName, Verdict } from './gate-types.ts';

/** What is posted while a gate waits: small, and without anything that the evidence itself should be asked for. */
export type GateNotice = {
  run: string;
  gate: GateName;
  attempt: number;
  verdict: Verdict;
  /** Digest of the evidence; a decision should name it. */
  evidence: string;
  options: Choice[];
  /** Null where there is nothing to decide. */
  recommended: Choice | null;
  /** ISO 8601. */
  waitingSince: string;
  /** 0 when the gate opens, then counted. */
  reminder: number;
  /** `deadline`: nobody decided, so the recommendation was taken. `warning`: the cap is near, and nothing waits. */
  kind: 'opened' | 'reminder' | 'escalation' | 'deadline' | 'warning';
  /** Of the budget gate and its warning. */
  budget?: { spentUsd: number; capUsd: number };
};
