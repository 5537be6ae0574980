import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import OpenAI from 'openai';
import { failure } from '../../failure.ts';
import { linesOf } from '../../store/lines.ts';
import type { TeacherConnection } from '../connect.ts';
import { endOf } from '../teacher-failure.ts';

/** Until a server begins to answer: it may have to fetch the file itself. */
const firstByteMs = 30 * 60_000;
/** A download that brings nothing for so long is over. */
const idleMs = 2 * 60_000;
/** Before each next try at a file that is not there yet, or not whole; less for one that is not needed. */
const waitsMs = [500, 2000, 8000, 20_000];
const fewWaitsMs = [500, 2000];

/**
 * Lines of a file at the provider, without blank ones. A provider may name a file before it can give it, or give the first half
 * of it: then it is asked for again, and lines come twice.
 *
 * @param file.needed false = what cannot be had for long is left
 * @throws TeacherRejected, TeacherUnavailable (also where it breaks off, or is not there for long); the cancellation
 */
export async function* linesAt(
  connection: TeacherConnection,
  { id, needed }: { id: string; needed: boolean },
): AsyncGenerator<string> {
  const { cancellationSignal: signal, log } = Context.current();
  for (const waitMs of [...(needed ? waitsMs : fewWaitsMs), null]) {
    let whole = true;
    try {
      for await (const line of linesOf(download(connection, id))) {
        if (line.trim() === '') continue;
        whole &&= isJson(line);
        yield line;
      }
    } catch (error) {
      if (!(error instanceof OpenAI.NotFoundError)) throw await endOf(error, connection);
      whole = false;
      if (waitMs === null && needed) {
        const message = `${connection.host} names the file ${id} and does not have it (404): the answers in it are paid. It is looked for again`;
        throw failure('TeacherUnavailable', message);
      }
    }
    if (whole) return;
    if (waitMs === null)
      log.warn(`${connection.host}: the file ${id} is not there or not whole; what it lacks is asked again`);
    else await delay(waitMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) await Context.current().cancelled;
  }
}

async function* download({ client }: TeacherConnection, file: string): AsyncGenerator<Uint8Array> {
  const { cancellationSignal } = Context.current();
  const { body } = await client.files.content(file, { signal: cancellationSignal, timeout: firstByteMs });
  if (body === null) return;
  const idle = new AbortController();
  const watch = (): NodeJS.Timeout =>
    setTimeout(() => {
      idle.abort(new Error(`nothing came for ${idleMs / 1000} s`));
    }, idleMs);
  let timer = watch();
  try {
    const signal = AbortSignal.any([cancellationSignal, idle.signal]);
    const chunks: AsyncIterable<Uint8Array> = Readable.fromWeb(body, { signal });
    for await (const chunk of chunks) {
      // Whoever takes the lines may take their time.
      clearTimeout(timer);
      yield chunk;
      timer = watch();
    }
  } finally {
    clearTimeout(timer);
  }
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
