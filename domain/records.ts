import type { TrainingLedger } from './ledger.ts';

/**
 * Rows of the JSONL artefacts and the references that travel through Temporal's history. Everything here is plain JSON.
 */

/** Where an artefact lies and what it must hash to. `rows` is 0 for what has no rows (an adapter, a report). */
export type ArtefactRef = { uri: string; sha256: string; bytes: number; rows: number };

/** What a training left. */
export type TrainingRecord = {
  /** The adapter's manifest. */
  adapter: ArtefactRef;
  /** JSONL of the step and eval events, for the report. */
  metrics: ArtefactRef;
  steps: number;
  trainLoss: number | null;
  /** Beside a training's evaluations: of these, too. */
  gpuSeconds: number;
  /** Steps repeated because an earlier attempt was lost after its last checkpoint. */
  stepsRedone: number;
  /** Attempts lost before this one finished. */
  losses: number;
  /** What these cost; not in runs of older versions. */
  ledger?: TrainingLedger | undefined;
};

export type Answer = 'yes' | 'no';

/** A yes/no question, normalised from StrategyQA's own format. `id` is the row's qid. */
export type Question = {
  id: string;
  question: string;
  answer: Answer;
  facts: string[];
  decomposition: string[];
};

/** How a generation ended: by a stop token or string, or by its token limit (then it counts as truncated). */
export type Finish = 'stop' | 'length';

/** One output of a generate job. */
export type Generated = { id: string; text: string; tokens: number; finish: Finish };

/** A student draft. `answer` is null when it could not be parsed; `text` is what the model wrote. */
export type Draft = Generated & { answer: Answer | null; questions: string | null; strict: boolean; repaired?: true };

export type ResponseClass = 'valid' | 'disagreed' | 'unparsable' | 'truncated' | 'refused' | 'failed';

/** Why a response is none, or not whole: the request's own fault, the answer's, or a server that never answered it. */
export type ResponseProblem =
  | 'context-too-long'
  | 'content-filter'
  | 'bad-request'
  | 'refusal'
  | 'length'
  | 'malformed'
  | 'empty'
  | 'reasoning-only'
  | 'tool-call'
  | 'copied'
  | 'server-error'
  | 'rate-limit'
  | 'connection'
  | 'timeout';

/** One teacher response to one attempt at one question; `failed` rows keep the reason and are never dropped silently. */
export type TeacherResponse = {
  id: string;
  attempt: number;
  text: string;
  answer: Answer | null;
  truth: Answer;
  class: ResponseClass;
  strict: boolean;
  requestDigest: string;
  inputTokens: number;
  outputTokens: number;
  costUsd: number;
  /** True when the answer came from the store and nothing was paid. */
  reused: boolean;
  error?: string;
  problem?: ResponseProblem;
  /** What the model thought before `text`, which is without it. */
  reasoning?: string;
  /** Half characters (lone surrogates) in the text were replaced by U+FFFD: no text file, and no tokenizer, takes them. */
  repaired?: true;
  /** Of several wordings, the one that asked; `digest` is the sha256 of both its templates. */
  template?: { name: string; digest: string };
};

/** A row of an SFT corpus; `weight` multiplies the row's loss. */
export type SftRow = { prompt: string; completion: string; weight?: number };

/** A preference pair; `origin` says how the rejected side came about. */
export type PreferencePair = {
  id: string;
  prompt: string;
  chosen: string;
  rejected: string;
  origin: 'wrong-draft' | 'flipped';
};

/** One evaluated item. `answer` null = unparsable. */
export type EvaluatedItem = {
  id: string;
  truth: Answer;
  answer: Answer | null;
  correct: boolean;
  finish: Finish;
  text: string;
};

/**
 * An evaluation: which prompt was asked of which adapter, and the counts. Shares and intervals are computed from the
 * counts, never stored beside them.
 */
export type EvaluationSummary = {
  name: EvaluationName;
  items: ArtefactRef;
  n: number;
  correct: number;
  unparsable: number;
  truncated: number;
  predictedYes: number;
  truthYes: number;
  /** sha256 of the prompt template; compared with the training template by the gate. */
  templateDigest: string;
  /** sha256 of the adapter's manifest, null for the bare base. */
  adapterSha256: string | null;
};

/**
 * direct = Phase A's prompt, answer read at once; reasoning = question + draft, answer read after the reasoning;
 * no-draft = reasoning without the draft; shuffled-draft = reasoning with another question's draft.
 */
export type EvaluationMode = 'direct' | 'reasoning' | 'no-draft' | 'shuffled-draft';
export type PhaseName = 'A' | 'B' | 'C';
/** For example `base/direct`, `A/direct`, `B2/reasoning` (second attempt at Phase B), `C1/no-draft`. */
export type EvaluationName = string;

/** A token of a prompt with its part in the answer, in nats: positive where it speaks for the answer that was given. */
export type AttributedToken = { text: string; draft: boolean; special: boolean; attribution: number };

/**
 * One answer attributed to the tokens of its prompt by integrated gradients; their texts, joined, are the prompt. Scores are
 * log-odds of the answer given over the other one, in nats: at the prompt, and with the end token in place of every token.
 */
export type AttributedItem = {
  id: string;
  truth: Answer;
  answer: Answer;
  score: number;
  baselineScore: number;
  tokens: AttributedToken[];
};

/** The attributions of one adapter; everything but the counts is computed from the rows. */
export type AttributionSummary = {
  rows: ArtefactRef;
  n: number;
  /** Items drawn that could not be attributed: no readable answer, or no draft. */
  leftOut: { noAnswer: number; noDraft: number };
  /** Points of the integral. */
  steps: number;
  /** sha256 of the adapter's manifest. */
  adapterSha256: string;
};

export type Balance = 'none' | 'upsample' | 'weighted-loss';
export type Filtering = 'drop-disagreements' | 'keep-all' | 'consensus';

/** Counts by label. */
export type ClassCounts = { yes: number; no: number };

/** What one step between two row sets did. `removed` says why, per class; kept + removed = before. */
export type DataStep = {
  name: string;
  before: ClassCounts;
  after: ClassCounts;
  removed: { reason: string; counts: ClassCounts }[];
};

/** What was taken as a run's questions. */
export type DataSource = {
  /** As the recipe names it. */
  name: string;
  /** In their order; of very many the first ones, then `more` of them. */
  files: { name: string; rows: number }[];
  more?: number;
  /** The commit of a data set on the hub. */
  revision?: string;
  /** Questions that come more than once. */
  repeated?: number;
  /** Of these, with both answers; the ids of the first. */
  contradicting?: { count: number; first: [id: string, id: string] };
};

/** Class balance before and after each filter, and the quality of what was generated; counts only. */
export type DataReport = {
  steps: DataStep[];
  /** Of the run's questions. */
  source?: DataSource;
  /** `repaired`: with half characters replaced; absent when none had any. */
  drafts?: {
    n: number;
    truncated: number;
    unparsable: number;
    lenient: number;
    correct: number;
    repaired?: number;
  };
  responses?: {
    n: number;
    byClass: Record<ResponseClass, number>;
    lenient: number;
    /** Texts with half characters replaced; absent when none had any. */
    repaired?: number;
    /** Counts of the kinds that occurred; absent when none did. */
    problems?: Partial<Record<ResponseProblem, number>>;
    /** Of questions that were asked more than once; absent when none was. */
    agreement?: {
      questions: number;
      /** Of these, with two readable answers or more; `unanimous` of these, all the same. */
      compared: number;
      unanimous: number;
      /** Share of its answers that a question's commoner answer has, mean of those compared; null for none. */
      majorityShare: number | null;
      /** Fleiss' κ; null where it is not defined. */
      kappa: number | null;
    };
    /** By wording, where the recipe lists several: truths of what was asked, and of what was answered rightly. */
    templates?: {
      name: string;
      digest: string;
      n: number;
      readable: number;
      asked: ClassCounts;
      right: ClassCounts;
    }[];
  };
  pairs?: { n: number; flipped: number; duplicates: number; meanChosenChars: number; meanRejectedChars: number };
};
