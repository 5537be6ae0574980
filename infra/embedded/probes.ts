import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';

// The two clients take a while to load: only what talks to a server pays for it.
const loadTemporal = () => import('@temporalio/client');
const loadS3 = () => import('@aws-sdk/client-s3');

/** A whole environment, as `stackEnvironment` makes it. */
export type WholeEnvironment = Readonly<Record<string, string>>;

/** Connection by the same settings that workers use (`TEMPORAL_*`, profile files). The caller closes it. */
export async function connectTemporal(env: WholeEnvironment): Promise<{ connection: Connection; namespace: string }> {
  const { Connection } = await loadTemporal();
  const { connectionOptions, namespace } = loadClientConnectConfig({ overrideEnvVars: { ...env } });
  const connection = await Connection.connect({
    ...connectionOptions,
    connectTimeout: 2_000,
    // As the workers do: directly, unless a proxy is named for it alone.
    channelArgs: { 'grpc.enable_http_proxy': env['grpc_proxy'] ? 1 : 0 },
  });
  return { connection, namespace: namespace ?? 'default' };
}

/** Resolves when the server says that it serves and knows the namespace; rejects with what it said instead. */
export async function probeTemporal(env: WholeEnvironment): Promise<void> {
  const { connection, namespace } = await connectTemporal(env);
  try {
    await connection.withDeadline(Date.now() + 2_000, async () => {
      await connection.healthService.check({ service: 'temporal.api.workflowservice.v1.WorkflowService' });
      await connection.workflowService.describeNamespace({ namespace });
    });
  } finally {
    await connection.close();
  }
}

/** Client for the stack's S3, embedded or the user's own. The caller destroys it. */
export async function connectS3(env: WholeEnvironment, maxAttempts = 3): Promise<S3Client> {
  const [{ S3Client }, { NodeHttpHandler }] = await Promise.all([loadS3(), import('@smithy/node-http-handler')]);
  const endpoint = env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'];
  const accessKeyId = env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = env['AWS_SECRET_ACCESS_KEY'];
  const sessionToken = env['AWS_SESSION_TOKEN'];
  return new S3Client({
    maxAttempts,
    // The SDK's own agents know of no proxy.
    requestHandler: new NodeHttpHandler({
      httpAgent: new HttpAgent({ keepAlive: true, proxyEnv: process.env }),
      httpsAgent: new HttpsAgent({ keepAlive: true, proxyEnv: process.env }),
    }),
    ...(env['AWS_REGION'] && { region: env['AWS_REGION'] }),
    ...(endpoint && { endpoint, forcePathStyle: true }),
    ...(accessKeyId &&
      secretAccessKey && { credentials: { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) } }),
  });
}

/** Resolves when the server answers and the bucket is there (made if it was not). */
export async function probeS3(env: WholeEnvironment): Promise<void> {
  const { CreateBucketCommand, HeadBucketCommand, S3ServiceException } = await loadS3();
  const client = await connectS3(env, 1);
  const bucket = { Bucket: env['RATCHET_BUCKET'] };
  const abortSignal = AbortSignal.timeout(2_000);
  try {
    await client.send(new HeadBucketCommand(bucket), { abortSignal });
  } catch (error) {
    if (!(error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404)) throw error;
    await client.send(new CreateBucketCommand(bucket), { abortSignal });
  } finally {
    client.destroy();
  }
}

/** Returns when the worker with this pid has said that it polls. */
export function probeReadyFile(file: string, pid: number): void {
  const { pid: writer } = JSON.parse(readFileSync(file, 'utf8')) as { pid: number };
  if (writer !== pid) throw new Error(`${file} was written by process ${writer}, not ${pid}`);
}
