import OpenAI from 'openai';
import { z } from 'zod';
import { bindingFor, keyFor, openAiUrl, originOf, serverUrlProblem } from '../../config/keys.ts';
import type { ModelServers } from '../../config/keys.ts';
import type { Recipe } from '../../config/recipe.ts';
import { withoutUserinfo } from '../../domain/without-userinfo.ts';
import { failure } from '../failure.ts';
import { dialectOf, inDialect, learnFrom, namesTemperature } from './dialect.ts';
import type { Asked, TokenLimitField } from './dialect.ts';
import { fetchWithin } from './server-fetch.ts';
import { simulatedOwner } from './simulated.ts';

/** Recipes that were resolved by older versions do not say it. */
const usualTimeoutSeconds = 120;

type Body = OpenAI.ChatCompletionCreateParamsNonStreaming;

/** A server of models as a client sees it: the teacher's, or the judge's. */
export type TeacherConnection = {
  client: OpenAI;
  /**
   * One chat completion, in the words that server and model take. A field that they refuse by name is learnt once for all
   * requests of this process, and the refused one is sent again at once.
   *
   * @throws what the client throws
   */
  complete(body: Body, options: { signal: AbortSignal }): Promise<{ data: OpenAI.ChatCompletion; response: Response }>;
  /** For a whole answer, body included. */
  timeoutMs: number;
  /** For messages: `api.openai.com`. */
  host: string;
  /** Base URL without the slash at its end: part of the digest of every request to it. */
  server: string;
  /** OpenAI itself; others know the older name of the token limit, and not all of them the newer. */
  official: boolean;
  /** The block of the recipe that names this server. */
  section: 'teacher' | 'judge';
  /** Environment variable with the key that is bound to it; null = there is none. */
  keyVariable: string | null;
  /** The same for a fix that says "check …". */
  keyName: string;
  /** Name of the token limit, as far as it is known now; or the recipe's own word. */
  tokenLimit(): TokenLimitField;
  tokenLimitIsSet: boolean;
  /** Takes the key out of a text, should a server have put it there. */
  redact(text: string): string;
};

/** What a recipe says of a server. */
export type ServerSettings = Pick<
  Recipe['teacher'],
  'baseUrl' | 'model' | 'timeoutSeconds' | 'headers' | 'tokenLimitField'
>;

/**
 * A client of the recipe's server, else the environment's, else OpenAI, with the key that the environment binds to it, or
 * none. It does not try again by itself: that would hide from window and pace what the provider bears (ask-all.ts).
 *
 * @throws CredentialsRefused when OpenAI is to be asked without a key, InvalidRecipe for a URL that no server can have
 */
export function connectTeacher(openai: ModelServers, teacher: ServerSettings): TeacherConnection {
  return connectTo(openai, 'teacher', teacher);
}

/** The same for the block of the recipe that is named. */
export function connectTo(
  openai: ModelServers,
  section: TeacherConnection['section'],
  settings: ServerSettings,
): TeacherConnection {
  const baseURL = settings.baseUrl ?? openai.baseUrl ?? openAiUrl;
  const wrong = serverUrlProblem(baseURL);
  if (wrong !== null) throw failure('InvalidRecipe', `${section}.baseUrl: ${wrong.problem}; ${wrong.fix}`);
  const { host, origin } = new URL(baseURL);
  const official = origin === originOf(openAiUrl);
  const bound = keyFor(openai, baseURL);
  if (official && bound === null) throw noKey(settings.baseUrl !== undefined, section, baseURL);
  const keyVariable = bound?.variable ?? null;
  const keyName = keyVariable ?? `that a key is bound to it: ${bindingFor(baseURL)} for the workers`;
  const timeoutMs = (settings.timeoutSeconds ?? usualTimeoutSeconds) * 1000;
  const ofEnvironment = origin === originOf(openai.baseUrl ?? openAiUrl);
  const client = new OpenAI({
    apiKey: bound?.key ?? 'none',
    adminAPIKey: null,
    ...(ofEnvironment ? {} : { organization: null, project: null }),
    baseURL,
    fetch: fetchWithin(origin),
    defaultHeaders: {
      ...(ofEnvironment ? {} : withheldHeaders()),
      ...settings.headers,
      ...(bound === null && { Authorization: null }),
    },
    maxRetries: 0,
    timeout: timeoutMs,
  });
  const server = baseURL.replace(/\/+$/, '');
  const { model, tokenLimitField } = settings;
  const asked = { section, server, model, official, tokenLimitField };
  const complete = completing(client, asked);
  const tokenLimit = () => dialectOf(asked).tokenLimit;
  const redact = (text: string): string =>
    withoutUserinfo(bound === null || bound.key.length < 8 ? text : text.replaceAll(bound.key, '[key]'));
  return {
    ...{ client, complete, timeoutMs, host, server, official, section, keyVariable, keyName, tokenLimit, redact },
    tokenLimitIsSet: tokenLimitField !== undefined,
  };
}

/** Headers that the client takes from its own variable are for the environment's server; any other is sent none of them. */
const withheldHeaders = (): Record<string, null> =>
  Object.fromEntries(
    (process.env['OPENAI_CUSTOM_HEADERS'] ?? '')
      .split('\n')
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')).trim(), null]),
  );

/** OpenAI is asked, and no key is there for it. */
function noKey(named: boolean, section: TeacherConnection['section'], baseURL: string): Error {
  if (named) {
    const fix = `set ${bindingFor(baseURL)} for the workers, or OPENAI_API_KEY where OPENAI_BASE_URL is not set`;
    return failure('CredentialsRefused', `${section}.baseUrl: no key is bound to ${originOf(baseURL)}; ${fix}`);
  }
  const fix =
    section === 'teacher'
      ? 'set it, or set teacher.baseUrl (OPENAI_BASE_URL), or let `ratchet up` start the simulated teacher'
      : 'set it, or remove judge from the recipe';
  const why = section === 'teacher' ? 'and no other server is named' : 'and the judge needs it';
  return failure('CredentialsRefused', `OPENAI_API_KEY: not set, ${why}; ${fix}`);
}

const completing =
  (client: OpenAI, asked: Asked): TeacherConnection['complete'] =>
  async (body, options) => {
    const sent: Body[] = [inDialect(body, dialectOf(asked))];
    for (;;) {
      const now = sent.at(-1) ?? body;
      try {
        return await client.chat.completions.create(now, options).withResponse();
      } catch (error) {
        const next = learnFrom(error, now, asked, sent);
        namesTemperature(error, asked);
        if (next === null) throw error;
        sent.push(next);
      }
    }
  };

/** What a server says of itself. `models` is null where it says nothing that is a list of models. */
export type TeacherServer = { simulated: boolean; models: string[] | null };

const ModelList = z.object({ data: z.array(z.looseObject({ id: z.string(), owned_by: z.unknown() })) });

/**
 * Asks the server for its models: free of charge. The simulated teacher says here what it is. A server that answers
 * anything else (many have no such list, or show it to other keys only) is not refused for it.
 *
 * @throws what the client throws where the server cannot be reached, or has no time now
 */
export async function describeServer({ client }: TeacherConnection, signal?: AbortSignal): Promise<TeacherServer> {
  const nothing = { simulated: false, models: null };
  try {
    const list = ModelList.safeParse(await client.get('/models', { signal: signal ?? null }));
    if (!list.success) return nothing;
    const { data } = list.data;
    return { simulated: data.some((model) => model.owned_by === simulatedOwner), models: data.map(({ id }) => id) };
  } catch (error) {
    if (isAnswer(error)) return nothing;
    throw error;
  }
}

/** Statuses that say nothing but that it is not now. */
const notNow: readonly number[] = [408, 409, 429, 503];

/** Whether a server has answered, whatever: not where it could not be reached, and not where it has no time now. */
export function isAnswer(error: unknown): boolean {
  if (error instanceof SyntaxError) return true;
  if (!(error instanceof OpenAI.APIError)) return false;
  const status = error.status as number | undefined;
  return status !== undefined && !notNow.includes(status);
}

/** Whether the server says for nothing that it has a model: some answer to names (aliases, fine-tunes) that they do not list. */
export async function namesModel(
  { client }: TeacherConnection,
  { models }: TeacherServer,
  model: string,
): Promise<boolean> {
  if (models?.includes(model) === true) return true;
  try {
    const found = await client.get(`/models/${encodeURIComponent(model)}`);
    return z.object({ id: z.string() }).safeParse(found).success;
  } catch (error) {
    if (isAnswer(error)) return false;
    throw error;
  }
}

/** Whether the server has a Batch API. */
export async function hasBatches({ client }: TeacherConnection): Promise<boolean> {
  try {
    await client.batches.list({ limit: 1 });
    return true;
  } catch (error) {
    if (error instanceof OpenAI.NotFoundError || (error instanceof OpenAI.APIError && error.status === 405))
      return false;
    throw error;
  }
}
