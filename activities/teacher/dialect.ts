import OpenAI from 'openai';

/** Names of the limit of what comes out: the newer models of OpenAI refuse the older one, many servers know no other. */
export const tokenLimitFields = ['max_tokens', 'max_completion_tokens'] as const;
export type TokenLimitField = (typeof tokenLimitFields)[number];

/** How a server wants to be spoken to; no part of a request's digest, since what is asked stays the same. */
export type Dialect = {
  tokenLimit: TokenLimitField;
  /** How attempts at one question differ on the wire, so that a cache between does not give all of them one answer. */
  attemptMark: 'seed' | 'spaces';
};

type Body = OpenAI.ChatCompletionCreateParamsNonStreaming;

/** The client's types call these fields deprecated; most servers know no others. */
type Sent = Omit<Body, 'max_tokens' | 'seed'> & { max_tokens?: number | null; seed?: number | null };

/** A server and a model, and what is known of them before anything is learnt. */
export type Asked = {
  /** The block of the recipe that names them. */
  section: 'teacher' | 'judge';
  server: string;
  model: string;
  official: boolean;
  /** The recipe's own word; then nothing is learnt. */
  tokenLimitField: TokenLimitField | undefined;
};

/** What refusals have taught this process, by server and model. */
const learnt = new Map<string, Partial<Dialect>>();
const nameOf = ({ server, model }: Asked): string => `${server} ${model}`;

/** How to speak to a model now. */
export const dialectOf = (asked: Asked): Dialect => ({
  tokenLimit: asked.official ? 'max_completion_tokens' : 'max_tokens',
  attemptMark: 'seed',
  ...learnt.get(nameOf(asked)),
  ...(asked.tokenLimitField !== undefined && { tokenLimit: asked.tokenLimitField }),
});

/** The same request in a dialect. */
export function inDialect(body: Body, { tokenLimit, attemptMark }: Dialect): Body {
  const { max_tokens, max_completion_tokens, seed, ...rest } = body as Sent;
  const wrongMark = attemptMark === 'spaces' && typeof seed === 'number';
  if (tokenLimit in body && !wrongMark) return body;
  const limit = max_tokens ?? max_completion_tokens;
  const said: Sent = {
    ...rest,
    ...(limit !== undefined && limit !== null && { [tokenLimit]: limit }),
    ...(typeof seed === 'number' && (wrongMark ? { messages: markedBySpaces(body.messages, seed) } : { seed })),
  };
  return said;
}

/** Marks an attempt where no field may: so many spaces behind the last message, which no server refuses. */
export function markedBySpaces(messages: Body['messages'], attempt: number): Body['messages'] {
  const last = messages.at(-1);
  if (last?.role !== 'user' || typeof last.content !== 'string') return messages;
  return [...messages.slice(0, -1), { ...last, content: `${last.content}${' '.repeat(attempt)}` }];
}

/** Words with which servers refuse a field as such; a value that is too large is refused in others. */
const unknownField =
  /unsupported|not.supported|does.not.support|unrecognized|unrecognised|unknown|unexpected|extra.?(?:_forbidden|inputs|fields)|not.permitted|not.allowed|no.such.field|additional.propert/i;

/** Some proxies hand a refusal of the server behind them on as their own fault. */
const refusing: readonly (number | undefined)[] = [400, 422, 500];

/** The field that a server refuses, of those that it was sent; null = it says nothing of the kind. */
function refusedField<Field extends string>(error: unknown, fields: readonly Field[]): Field | null {
  if (!(error instanceof OpenAI.APIError) || !refusing.includes(error.status as number | undefined)) return null;
  const param: unknown = error.param;
  const named = typeof param === 'string' && param !== '' ? param : error.message;
  if (!unknownField.test(`${String(error.code)} ${error.message}`)) return null;
  return fields.find((field) => new RegExp(`(?<![\\w-])${field}(?![\\w-])`).test(named)) ?? null;
}

/**
 * Learns from a refusal how this model is to be spoken to.
 *
 * @returns the request as it is to be sent now; null = nothing was learnt, or what was learnt is no better
 */
export function learnFrom(error: unknown, sent: Body, asked: Asked, before: readonly Body[]): Body | null {
  const limit = tokenLimitFields.find((name) => name in sent);
  const field = refusedField(error, [
    ...(limit ? [limit] : []),
    ...(typeof (sent as Sent).seed === 'number' ? ['seed'] : []),
  ]);
  if (field === null || (field !== 'seed' && asked.tokenLimitField !== undefined)) return null;
  const name = nameOf(asked);
  if (field === 'seed') learnt.set(name, { ...learnt.get(name), attemptMark: 'spaces' });
  else {
    const other = limit === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens';
    // A server that takes neither is not asked in turns.
    if (before.some((body) => other in body)) return null;
    learnt.set(name, { ...learnt.get(name), tokenLimit: other });
  }
  return inDialect(sent, dialectOf(asked));
}

/** A server refuses the temperature: named, so that it is not taken for one bad row, and never dropped without a word. */
export function namesTemperature(error: unknown, { section }: Asked): void {
  if (!(error instanceof OpenAI.APIError) || refusedField(error, ['temperature']) === null) return;
  const message = `${error.message.replace(/\.$/, '')}; ${section}.temperature: null leaves it out`;
  Object.assign(error, { code: 'unsupported_value', param: 'temperature', message });
}
