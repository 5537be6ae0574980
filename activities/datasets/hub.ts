import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { failure, failureType } from '../failure.ts';
import { writeHashed } from '../store/files.ts';
import { chooseFiles, namesFile, parseHubSource, refuseTable } from './hub-files.ts';
import type { HubSource } from './hub-files.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export { parseHubSource } from './hub-files.ts';

/** A file of the hub: its size and, where the hub keeps it apart (LFS, Xet), the sha256 of its content. */
type HubFile = { path: string; size?: number | undefined; sha256?: string | undefined };

/** What was taken from the hub, whole: local copies in the order of their names, and the commit they are of. */
export type TakenFromHub = { revision: string; files: { name: string; path: string }[] };

/** A server that sends nothing for so long is away. */
const silenceMs = 60_000;
/** Tries of one request, and the pause after the first. */
const tries = 4;
const firstPauseMs = 250;
/** A pause that the hub asks for and that is waited for here; a longer one ends the try of the activity. */
const longestPauseMs = 20_000;

const endpoint = (environment: Environment): string =>
  (environment['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, '');

/** Something that may pass by itself. */
class Outage extends Error {
  readonly pauseMs: number | undefined;
  constructor(message: string, pauseMs?: number) {
    super(message);
    this.pauseMs = pauseMs;
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof Error
    ? error.cause instanceof Error
      ? error.cause.message || error.message
      : error.message
    : String(error);

function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/** Ends a request whose server falls silent; `heard` starts the time anew. */
function silence(): { signal: AbortSignal; heard: () => void; done: () => void } {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new Error(`nothing came for ${silenceMs / 1000} s`));
  }, silenceMs);
  return {
    signal: controller.signal,
    heard: () => timer.refresh(),
    done: () => {
      clearTimeout(timer);
    },
  };
}

/**
 * What a request to the hub comes to.
 *
 * @throws Outage; InvalidData (404 and other refusals), CredentialsRefused
 */
async function answerOf(url: string, what: string, environment: Environment, signal: AbortSignal): Promise<Response> {
  const token = environment['HF_TOKEN'];
  // The token goes to the hub alone; fetch drops it where a redirect leads elsewhere.
  const isHub = new URL(url).origin === new URL(endpoint(environment)).origin;
  const headers = { accept: '*/*', ...(token && isHub && { authorization: `Bearer ${token}` }) };
  const response = await fetch(url, { headers, signal });
  const { status } = response;
  if (response.ok) return response;
  await response.body?.cancel();
  if (status === 408 || status === 425 || status === 429 || status >= 500)
    throw new Outage(`the hub answered ${status}`, retryAfterMs(response.headers.get('retry-after')));
  if (status === 401 || status === 403)
    throw failure(
      'CredentialsRefused',
      `the hub refuses ${what} (${status}); it may not exist or be gated, or set HF_TOKEN`,
    );
  const refused = status === 404 || status === 410 ? `there is no ${what}` : `the hub refuses ${what} (${status})`;
  throw failure('InvalidData', `${refused}; check owner, name, revision and path`);
}

/** Runs a request to its end, again where it may pass by itself. What was half done is done anew. */
async function tried<T>(what: string, once: (signal: AbortSignal, heard: () => void) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const { signal, heard, done } = silence();
    try {
      return await once(signal, heard);
    } catch (error) {
      if (!isOutage(error)) throw error;
      const pauseMs = (error instanceof Outage ? error.pauseMs : undefined) ?? firstPauseMs * 2 ** (attempt - 1);
      if (attempt >= tries || pauseMs > longestPauseMs)
        throw failure(
          'StorageUnavailable',
          `${what} cannot be reached (${reasonOf(error)}); check the network or HF_ENDPOINT, or name a file`,
        );
      await delay(pauseMs);
    } finally {
      done();
    }
  }
}

/** Fetch has a TypeError for every connection that breaks, the stream of a body its own; a failure of ours is none. */
function isOutage(error: unknown): boolean {
  if (error instanceof Outage) return true;
  if (!(error instanceof Error) || failureType(error) !== undefined) return false;
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined || !/^E(?:NOSPC|ACCES|ROFS|NOENT|DQUOT)$/.test(code);
}

const Info = z.object({
  sha: z
    .string()
    .regex(/^[0-9a-f]{7,64}$/)
    .optional(),
  siblings: z.array(z.object({ rfilename: z.string() })).optional(),
});

/** Commit and files of a data set. A mirror may have one of the hub's two listings only. */
async function listing(hub: HubSource, environment: Environment): Promise<{ revision: string; files: HubFile[] }> {
  const what = `data set ${hub.repo}@${hub.revision}`;
  const infoUrl = `${endpoint(environment)}/api/datasets/${hub.repo}/revision/${encodeURIComponent(hub.revision)}`;
  let missing: Error | undefined;
  const info = await tried(what, async (signal) => {
    const response = await answerOf(infoUrl, what, environment, signal);
    const parsed = Info.safeParse(await response.json());
    return parsed.data ?? {};
  }).catch((error: unknown) => {
    if (failureType(error) !== 'InvalidData' || !(error instanceof Error)) throw error;
    missing = error;
    return null;
  });
  const revision = info?.sha ?? hub.revision;
  const tree = await tried(what, (signal) => filesOf({ ...hub, revision }, environment, signal));
  const files = tree ?? info?.siblings?.map(({ rfilename }) => ({ path: rfilename }));
  if (files === undefined)
    throw missing ?? failure('InvalidData', `there is no ${what}; check owner, name, revision and path`);
  return { revision, files };
}

/** All files of the tree, page after page; null where the server has no such listing. */
async function filesOf(hub: HubSource, environment: Environment, signal: AbortSignal): Promise<HubFile[] | null> {
  const what = `data set ${hub.repo}@${hub.revision}`;
  const files: HubFile[] = [];
  // Loaded by the few that ask the hub.
  const { listFiles } = await import('@huggingface/hub');
  const asking = listFiles({
    repo: { type: 'dataset', name: hub.repo },
    revision: hub.revision,
    recursive: true,
    hubUrl: endpoint(environment),
    fetch: (url) => answerOf(String(url instanceof Request ? url.url : url), what, environment, signal),
  });
  try {
    for await (const { type, path, size, lfs } of asking)
      if (type === 'file') files.push({ path, size: lfs?.size ?? size, sha256: lfs?.oid });
    return files;
  } catch (error) {
    if (failureType(error) === 'InvalidData') return null;
    throw error;
  }
}

/** `data/train 1.json` as a part of a URL. */
const encoded = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

/** Writes one file, whole: a body that is cut off or is not what the hub lists is fetched again. */
async function download(hub: HubSource, file: HubFile, environment: Environment, target: string): Promise<void> {
  const what = `file ${file.path} in data set ${hub.repo}@${hub.revision}`;
  const url = `${endpoint(environment)}/datasets/${hub.repo}/resolve/${encodeURIComponent(hub.revision)}/${encoded(file.path)}`;
  await tried(what, async (signal, heard) => {
    await rm(target, { force: true });
    const response = await answerOf(url, what, environment, signal);
    const body = response.body;
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for await (const chunk of body ?? []) {
        heard();
        yield chunk;
      }
    }
    const written = await writeHashed(target, chunks());
    if (file.size !== undefined && written.bytes !== file.size)
      throw new Outage(`${written.bytes} of ${file.size} bytes came`);
    if (file.sha256 !== undefined && /^[0-9a-f]{64}$/.test(file.sha256) && written.sha256 !== file.sha256)
      throw new Outage('other bytes came than the hub lists');
  });
}

async function card(
  hub: HubSource,
  files: readonly HubFile[],
  environment: Environment,
  folder: string,
): Promise<string | null> {
  const found = files.find(({ path }) => path === 'README.md');
  if (found === undefined) return null;
  const target = join(folder, 'card');
  try {
    await download(hub, found, environment, target);
  } catch (error) {
    if (failureType(error) === 'InvalidData') return null;
    throw error;
  }
  return readFile(target, 'utf8');
}

/**
 * Writes the files of a source into `folder`: the one that it names, else all shards of the split. `HF_TOKEN` and
 * `HF_ENDPOINT` are honoured; the token goes nowhere else.
 *
 * @throws InvalidData, CredentialsRefused: permanent; StorageUnavailable: retryable
 */
export async function downloadFromHub(source: string, environment: Environment, folder: string): Promise<TakenFromHub> {
  const hub = parseHubSource(source);
  const { path } = hub;
  if (path !== undefined && namesFile(path) && !/[*?]/.test(path)) {
    refuseTable(path, hub);
    const target = join(folder, '0');
    await download(hub, { path }, environment, target);
    return { revision: hub.revision, files: [{ name: path, path: target }] };
  }
  const { revision, files } = await listing(hub, environment);
  const pinned = { ...hub, revision };
  const chosen = chooseFiles(
    hub,
    files.map((file) => file.path),
    await card(pinned, files, environment, folder),
  );
  const taken: TakenFromHub = { revision, files: [] };
  for (const [index, name] of chosen.entries()) {
    const file = files.find((one) => one.path === name) ?? { path: name };
    const target = join(folder, String(index));
    await download(pinned, file, environment, target).catch(async (error: unknown) => {
      // A mirror may know branches alone.
      if (revision === hub.revision || failureType(error) !== 'InvalidData') throw error;
      await download(hub, file, environment, target);
    });
    taken.files.push({ name, path: target });
  }
  return taken;
}
