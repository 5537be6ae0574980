import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Log } from '../logging.ts';

/** Base addresses of the metadata services, without a slash at the end. */
export type MetadataAddresses = { aws: string; gcp: string };

export type HostWatch = {
  cloud: 'none' | keyof MetadataAddresses;
  addresses: MetadataAddresses;
  /** Called once, with the cloud's word for what is going to happen. */
  onNotice: (what: string) => void;
  log: Log;
  /** Between two questions; the clouds ask for no more than one in five seconds. */
  everyMs?: number;
};

/** Answers what is going to happen to this host, null while nothing is. @throws any error of the request */
type Ask = (over: AbortSignal) => Promise<string | null>;

const ANSWER_WITHIN_MS = 2_000;
/** A question that waits for a change is answered after this long at the latest. */
const WAIT_SECONDS = 60;

/**
 * Asks the cloud's metadata service whether this host is about to be taken away. A service that cannot be reached is
 * warned about once and asked again; it disturbs nothing.
 *
 * @returns ends the asking
 */
export function watchHost({ cloud, addresses, onNotice, log, everyMs = 5_000 }: HostWatch): () => void {
  const over = new AbortController();
  if (cloud !== 'none') {
    const ask = cloud === 'aws' ? askAws(addresses.aws) : askGcp(addresses.gcp);
    void untilNotice(ask, over.signal, everyMs, (error) => {
      const fix = 'check reliability.preemptionNotice, or that this host may reach the service';
      log.warn(`the metadata service at ${addresses[cloud]} does not answer; ${fix}`, { reason: String(error) });
    }).then((what) => {
      if (what !== null) onNotice(what);
    });
  }
  return () => {
    over.abort();
  };
}

async function untilNotice(
  ask: Ask,
  over: AbortSignal,
  everyMs: number,
  warn: (error: unknown) => void,
): Promise<string | null> {
  let isWarned = false;
  const isOver = (): boolean => over.aborted;
  while (!isOver()) {
    try {
      const what = await ask(over);
      if (what !== null) return what;
    } catch (error) {
      if (!isOver() && !isWarned) warn(error);
      isWarned = true;
    }
    await delay(everyMs, undefined, { signal: over }).catch(() => undefined);
  }
  return null;
}

const InstanceAction = z.object({ action: z.string(), time: z.string() });

/** Spot instances, by IMDSv2: 404 until a time is set, about two minutes ahead. */
function askAws(address: string): Ask {
  let token: string | null = null;
  return async (over) => {
    const signal = AbortSignal.any([over, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
    token ??= await textOf(
      await fetch(`${address}/latest/api/token`, {
        ...{ method: 'PUT', headers: { 'X-aws-ec2-metadata-token-ttl-seconds': '21600' }, signal },
      }),
    );
    const headers = { 'X-aws-ec2-metadata-token': token };
    const response = await fetch(`${address}/latest/meta-data/spot/instance-action`, { headers, signal });
    // Expired: the next question takes a new one.
    if (response.status === 401) token = null;
    if (response.status === 401 || response.status === 404) {
      await response.body?.cancel();
      return null;
    }
    const { action, time } = InstanceAction.parse(JSON.parse(await textOf(response)));
    return `AWS will ${action} this host at ${time}`;
  };
}

/** Spot and preemptible machines: the answer waits for the change, which leaves 30 s. */
function askGcp(address: string): Ask {
  // With an etag that is not the current one the answer comes at once, so that no change falls between two questions.
  let etag = '0';
  const isPreempted = async (over: AbortSignal): Promise<boolean> => {
    const query = `wait_for_change=true&timeout_sec=${WAIT_SECONDS}&last_etag=${encodeURIComponent(etag)}`;
    const response = await fetch(`${address}/computeMetadata/v1/instance/preempted?${query}`, {
      headers: { 'Metadata-Flavor': 'Google' },
      signal: AbortSignal.any([over, AbortSignal.timeout(WAIT_SECONDS * 1000 + ANSWER_WITHIN_MS)]),
    });
    const text = await textOf(response);
    etag = response.headers.get('etag') ?? '0';
    return text.trim() === 'TRUE';
  };
  return async (over) => {
    const isGoing = (etag === '0' && (await isPreempted(over))) || (await isPreempted(over));
    return isGoing ? 'Google Cloud is preempting this host' : null;
  };
}

async function textOf(response: Response): Promise<string> {
  const text = await response.text();
  if (response.ok) return text;
  throw new Error(`${response.url} answered ${response.status}`);
}
