import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { z } from 'zod';
import { failure } from '../failure.ts';
import { writeHashed } from '../store/files.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A file of a data set on the Hugging Face hub; without a path, the one that holds the training rows is looked for. */
export type HubSource = { repo: string; revision: string; path: string | undefined };

const timeoutMs = 60_000;

/** @throws InvalidData when the text is not `hf://owner/name[@revision][/path/in/repo]` */
export function parseHubSource(source: string): HubSource {
  const match = /^hf:\/\/([\w.-]+\/[\w.-]+?)(?:@([\w.-]+))?(?:\/(.+))?$/.exec(source);
  if (!match)
    throw failure(
      'InvalidData',
      `${source} is no data set; write hf://owner/name or hf://owner/name/path/in/repo.json`,
    );
  return { repo: match[1] ?? '', revision: match[2] ?? 'main', path: match[3] };
}

async function get(url: string, what: string, environment: Environment): Promise<Response> {
  const token = environment['HF_TOKEN'];
  let response: Response;
  try {
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    response = await fetch(url, { headers, signal: AbortSignal.timeout(timeoutMs) });
  } catch (cause) {
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw failure(
      'StorageUnavailable',
      `${what} cannot be reached (${why}); check the network or HF_ENDPOINT, or name a file`,
    );
  }
  if (response.ok) return response;
  await response.body?.cancel();
  if (response.status === 404)
    throw failure('InvalidData', `there is no ${what}; check owner, name, revision and path`);
  if (response.status === 401 || response.status === 403) {
    throw failure(
      'CredentialsRefused',
      `the hub refuses ${what} (${response.status}); it may not exist, or set HF_TOKEN`,
    );
  }
  throw failure('StorageUnavailable', `the hub answered ${response.status} for ${what}; try again later`);
}

const endpoint = (environment: Environment): string =>
  (environment['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/$/, '');

const Listing = z.object({ siblings: z.array(z.object({ rfilename: z.string() })) });

async function findTrainingFile({ repo, revision }: HubSource, environment: Environment): Promise<string> {
  const what = `data set ${repo}@${revision}`;
  const response = await get(`${endpoint(environment)}/api/datasets/${repo}/revision/${revision}`, what, environment);
  const listing = Listing.safeParse(await response.json());
  const files = listing.success ? listing.data.siblings.map(({ rfilename }) => rfilename) : [];
  const readable = files.filter((file) => /\.jsonl?$/.test(file));
  const training = readable.filter((file) => /train/i.test(file));
  const found = training[0] ?? (readable.length === 1 ? readable[0] : undefined);
  if (found !== undefined) return found;
  const list = (readable.length > 0 ? readable : files).slice(0, 10).join(', ');
  throw failure(
    'InvalidData',
    `${what} has no JSON file of training rows (it has ${list || 'no files'}); write hf://${repo}/PATH`,
  );
}

/** Streams a hub file to `target`. `HF_TOKEN` and `HF_ENDPOINT` are honoured. */
export async function downloadFromHub(source: string, environment: Environment, target: string): Promise<void> {
  const hub = parseHubSource(source);
  const path = hub.path ?? (await findTrainingFile(hub, environment));
  const url = `${endpoint(environment)}/datasets/${hub.repo}/resolve/${hub.revision}/${path}`;
  const response = await get(url, `file ${path} in data set ${hub.repo}@${hub.revision}`, environment);
  // The two declarations of web streams (DOM's and Node's) describe the same object.
  await writeHashed(
    target,
    response.body === null ? [] : Readable.fromWeb(response.body as ReadableStream<Uint8Array>),
  );
}
