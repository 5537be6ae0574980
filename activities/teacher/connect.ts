import OpenAI from 'openai';
import type { Surroundings } from '../../config/environment.ts';
import { failure } from '../failure.ts';
import type { Recipe } from '../../config/recipe.ts';
import { simulatedOwner } from './simulated.ts';

/** Recipes that were resolved by older versions do not say it. */
const usualTimeoutSeconds = 120;

/** A server of models as a client sees it: the teacher's, or the judge's. */
export type TeacherConnection = {
  client: OpenAI;
  /** For a whole answer, body included. */
  timeoutMs: number;
  /** For messages: `api.openai.com`. */
  host: string;
  /** OpenAI itself; others know the older name of the token limit, and not all of them the newer. */
  official: boolean;
  /** The block of the recipe that names this server. */
  section: 'teacher' | 'judge';
  /** Environment variable with the key. */
  keyName: string;
  /** Takes the key out of a text, should a server have put it there. */
  redact(text: string): string;
};

/**
 * A client of the recipe's server, else the environment's, else OpenAI. It does not try again by itself: that
 * would hide from window and pace what the provider bears (ask-all.ts).
 *
 * @throws CredentialsRefused when OpenAI is to be asked without a key
 */
export function connectTeacher(openai: Surroundings['openai'], teacher: Recipe['teacher']): TeacherConnection {
  const baseURL = teacher.baseUrl ?? openai.baseUrl;
  if (baseURL === undefined && openai.apiKey === undefined) {
    throw failure(
      'CredentialsRefused',
      'OPENAI_API_KEY: not set, and no other server is named; set it, or set teacher.baseUrl (OPENAI_BASE_URL), or let `ratchet up` start the simulated teacher',
    );
  }
  const { timeoutSeconds } = teacher;
  return connect({ section: 'teacher', baseURL, apiKey: openai.apiKey, keyName: 'OPENAI_API_KEY', timeoutSeconds });
}

/** What a connection is made from; without `baseURL` it is to OpenAI. */
export type ConnectionSettings = Pick<TeacherConnection, 'section' | 'keyName'> & {
  baseURL: string | undefined;
  apiKey: string | undefined;
  timeoutSeconds: number | undefined;
};

/** A client of a server, whoever is asked there. */
export function connect({ section, baseURL, keyName, ...settings }: ConnectionSettings): TeacherConnection {
  // Local servers want no key, but the client does.
  const apiKey = settings.apiKey ?? 'none';
  const timeoutMs = (settings.timeoutSeconds ?? usualTimeoutSeconds) * 1000;
  const client = new OpenAI({
    apiKey,
    baseURL: baseURL ?? 'https://api.openai.com/v1',
    maxRetries: 0,
    timeout: timeoutMs,
  });
  const { host } = new URL(client.baseURL);
  const redact = (text: string): string => (apiKey.length < 8 ? text : text.replaceAll(apiKey, '[key]'));
  return { client, timeoutMs, host, official: host === 'api.openai.com', section, keyName, redact };
}

/** What a server says of itself. `models` is null where it does not list them. */
export type TeacherServer = { simulated: boolean; models: string[] | null };

/**
 * Asks the server for its models: free of charge, and it checks the key. The simulated teacher says here what it is.
 *
 * @throws what the client throws, except where the server has no such list
 */
export async function describeServer({ client }: TeacherConnection, signal?: AbortSignal): Promise<TeacherServer> {
  try {
    const { data } = await client.models.list({ signal: signal ?? null });
    return { simulated: data.some((model) => model.owned_by === simulatedOwner), models: data.map(({ id }) => id) };
  } catch (error) {
    if (error instanceof OpenAI.NotFoundError || (error instanceof OpenAI.APIError && error.status === 405)) {
      return { simulated: false, models: null };
    }
    throw error;
  }
}

/** Whether the server has a model; a server without a list is believed, its first answer will tell. */
export async function hasModel(
  { client }: TeacherConnection,
  { models }: TeacherServer,
  model: string,
): Promise<boolean> {
  if (models === null || models.length === 0 || models.includes(model)) return true;
  try {
    // Some servers answer to names (aliases, fine-tunes) that they do not list.
    await client.models.retrieve(model);
    return true;
  } catch (error) {
    if (error instanceof OpenAI.NotFoundError) return false;
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
