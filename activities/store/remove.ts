import { DeleteObjectCommand, DeleteObjectsCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { isRefusal } from './checksums.ts';
import { inParallel } from './parallel.ts';

/** As many as S3 takes in one request. */
const AT_ONCE = 1000;
const ONE_BY_ONE_AT_ONCE = 8;

/** Clients whose server does not delete many objects in one request, or wants another checksum over their names. */
const oneByOne = new WeakSet<S3Client>();

/** Deletes objects, many in one request where the server can. @throws what the server says of the first that stays */
export async function removeAll(client: S3Client, Bucket: string, keys: readonly string[]): Promise<void> {
  for (let start = 0; start < keys.length; start += AT_ONCE) {
    const some = keys.slice(start, start + AT_ONCE);
    if (!oneByOne.has(client) && (await removeTogether(client, Bucket, some))) continue;
    await inParallel(some, ONE_BY_ONE_AT_ONCE, (Key) => client.send(new DeleteObjectCommand({ Bucket, Key })));
    oneByOne.add(client);
  }
}

/** @returns false when the server does not take such a request */
async function removeTogether(client: S3Client, Bucket: string, keys: readonly string[]): Promise<boolean> {
  const Objects = keys.map((Key) => ({ Key }));
  try {
    const { Errors } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
    const left = Errors?.find(({ Code }) => Code !== 'NoSuchKey');
    if (left)
      throw Object.assign(new Error(`${left.Key ?? ''}: ${left.Message ?? ''}`), { name: left.Code ?? 'Error' });
    return true;
  } catch (error) {
    const { name = '' } = error as { name?: string };
    if (isRefusal(error) || name === 'MissingContentMD5' || name === 'MethodNotAllowed') return false;
    throw error;
  }
}
