import { statfs } from 'node:fs/promises';
import { gpuLook } from './gpu-look.ts';
import { run } from './look.ts';
import type { Look } from './look.ts';
import { tryToListen } from './ports.ts';
import { StackProblem } from './problem.ts';
import { connectTemporal } from './probes.ts';
import type { WholeEnvironment } from './probes.ts';
import { liveRecord } from './records.ts';
import { checkSearchAttributes } from './search-attributes.ts';
import { makeHome } from './secret.ts';
import { projectNode, toolPath } from './services.ts';
import { stackEnvironment, stackSettings } from './settings.ts';
import type { Environment, StackSettings } from './settings.ts';

/** One finding. `detail` is what was found; `fix` what to do about it, empty where `ok`. */
export type Check = { name: string; ok: boolean; detail: string; fix: string };

/** The store takes a while to load. */
const loadStore = async () => ({
  ...(await import('../../activities/store/client.ts')),
  ...(await import('../../activities/store/objects.ts')),
  ...(await import('../../config/environment.ts')),
});
const failureKind = (error: unknown): unknown => (error as { type?: unknown }).type;

const SMALLEST_FREE_BYTES = 5e9;

/**
 * Looks at everything that a run needs, by using it: imports the Python packages, asks the servers, writes into the
 * bucket. Calls no model, so spends nothing. Takes some seconds, nearly all of it Python's imports.
 */
export async function doctor(env: Environment = process.env): Promise<Check[]> {
  const environment = stackEnvironment(env);
  const settings = stackSettings(environment);
  const looks = [
    ...toolLooks(settings, environment),
    portsLook(settings),
    diskLook(settings),
    temporalLook(settings, environment),
    bucketLook(settings, environment),
    teacherLook(settings, environment),
    proxyLook(environment),
    gpuLook(environment),
  ];
  return Promise.all(
    looks.map(async ({ name, fix, look }): Promise<Check> => {
      try {
        return { name, ok: true, detail: await look(), fix: '' };
      } catch (error) {
        const detail = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
        return { name, ok: false, detail, fix: error instanceof StackProblem ? error.fix : fix };
      }
    }),
  );
}

function toolLooks({ embedded }: StackSettings, env: WholeEnvironment): Look[] {
  const version = async (file: string) => (await run(file, ['--version'])).stdout.trim().split('\n')[0] ?? '';
  const packages = ['torch', 'transformers', 'trl', 'peft', 'bitsandbytes', 'ratchet_trainer'];
  const script = `import ${packages.join(', ')}; print("torch", torch.__version__, "transformers", transformers.__version__)`;
  const looks: Look[] = [
    { name: 'Node', fix: 'npm run setup', look: () => version(projectNode()) },
    {
      name: 'Python packages',
      fix: 'npm run setup',
      look: async () => (await run(env['RATCHET_PYTHON'] ?? 'python3', ['-c', script])).stdout.trim(),
    },
  ];
  if (embedded.temporal) {
    looks.push({ name: 'temporal', fix: 'npm run setup', look: () => version(toolPath('temporal', env)) });
  }
  if (embedded.s3) {
    looks.push({ name: 'versitygw', fix: 'npm run setup', look: () => version(toolPath('versitygw', env)) });
  }
  return looks;
}

function portsLook({ home, ports, embedded }: StackSettings): Look {
  const owners = { temporal: 'temporal', temporalUi: 'temporal', s3: 's3', teacher: 'teacher' } as const;
  const look = async () => {
    const words: string[] = [];
    for (const { name, port, variable, what } of Object.values(ports)) {
      if (!embedded[owners[name]]) continue;
      const isOurs = liveRecord(home, owners[name])?.ports[name] === port;
      if (!isOurs && (await tryToListen(port)) !== undefined) {
        throw new StackProblem(`${port} (${what}) is taken`, `Set ${variable} to a free port, or stop what holds it.`);
      }
      words.push(`${port} ${isOurs ? 'ours' : 'free'}`);
    }
    return words.join(', ');
  };
  return { name: 'ports', fix: '', look };
}

function diskLook({ home }: StackSettings): Look {
  const look = async () => {
    makeHome(home);
    const { bavail, bsize } = await statfs(home);
    const free = `${((bavail * bsize) / 1e9).toFixed(0)} GB free at ${home}`;
    if (bavail * bsize < SMALLEST_FREE_BYTES) throw new Error(free);
    return free;
  };
  return { name: 'disk', fix: `Free ${SMALLEST_FREE_BYTES / 1e9} GB, or set RATCHET_HOME to a larger disk.`, look };
}

function temporalLook({ embedded }: StackSettings, env: WholeEnvironment): Look {
  const look = async () => {
    const { connection, namespace } = await connectTemporal(env);
    try {
      await checkSearchAttributes(connection.operatorService, namespace);
      return `${connection.options.address}, namespace ${namespace}, search attributes registered`;
    } finally {
      await connection.close();
    }
  };
  const fix = embedded.temporal
    ? 'ratchet up'
    : 'Check TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_*.';
  return { name: 'Temporal', fix, look };
}

function bucketLook({ embedded }: StackSettings, env: WholeEnvironment): Look {
  const look = async () => {
    const { createS3Client, createObjects, readEnvironment } = await loadStore();
    const { s3, bucket } = readEnvironment(env);
    const client = createS3Client(s3, 2);
    try {
      const { checksums } = await createObjects(client, bucket).checkServer('doctor/check');
      return `s3://${bucket} can be written and read, conditional puts hold, ${checksums}`;
    } catch (error) {
      // An embedded server that is away is started by the fix below.
      if (failureKind(error) === 'StorageUnavailable') throw error;
      const [what, ...fixes] = (error as Error).message.split('; ');
      throw new StackProblem(what ?? '', `${fixes.join('; ')}.`);
    } finally {
      client.destroy();
    }
  };
  const fix = embedded.s3 ? 'ratchet up' : 'Check RATCHET_BUCKET, AWS_ENDPOINT_URL_S3, AWS_REGION and the credentials.';
  return { name: 'S3', fix, look };
}

/** How servers answer that have no list of models, or none for this key. */
const withoutList = [403, 404, 405];

function teacherLook({ embedded }: StackSettings, env: WholeEnvironment): Look {
  const base = (env['OPENAI_BASE_URL'] || 'https://api.openai.com/v1').replace(/\/+$/, '');
  const look = async () => {
    if (/^[a-z]+:\/\/[^/?#]*@/i.test(base)) {
      const fix = 'Write it without what stands before the @, and the key into OPENAI_API_KEY.';
      throw new StackProblem('OPENAI_BASE_URL holds a user name or a password', fix);
    }
    const headers = { authorization: `Bearer ${env['OPENAI_API_KEY'] ?? ''}` };
    // A server that sends on to another place is not followed with the key.
    const options = { headers, redirect: 'manual', signal: AbortSignal.timeout(10_000) } as const;
    const { status, ok } = await fetch(`${base}/models`, options);
    if (status === 401) throw new StackProblem(`${base} refuses the key`, 'Correct OPENAI_API_KEY.');
    if (withoutList.includes(status)) return `${base}, which shows no models (${status}): a run makes one small call`;
    if (!ok) throw new Error(`${base} answers ${status}`);
    return embedded.teacher ? `simulated (no OPENAI_API_KEY is set), ${base}` : base;
  };
  return { name: 'teacher', fix: embedded.teacher ? 'ratchet up' : 'Check OPENAI_BASE_URL and the network.', look };
}

function proxyLook(env: WholeEnvironment): Look {
  const look = () => {
    const ways = ['HTTP_PROXY', 'HTTPS_PROXY'].flatMap((name) => {
      const text = env[name.toLowerCase()] || env[name];
      return text && env['NODE_USE_ENV_PROXY'] !== '0' ? [`${name} ${text.replace(/\/\/[^@/]*@/, '//')}`] : [];
    });
    if (ways.length === 0) return Promise.resolve('none: requests go directly');
    const direct = env['no_proxy'] || env['NO_PROXY'] || '';
    const temporal = env['grpc_proxy'] ? 'Temporal by grpc_proxy' : 'Temporal directly';
    return Promise.resolve(`${ways.join(', ')}; directly to ${direct.replaceAll(',', ', ')}; ${temporal}`);
  };
  return { name: 'proxy', fix: '', look };
}
