import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createS3Client } from '../activities/store/client.ts';
import { getFolder, putFolder } from '../activities/store/folders.ts';
import { createStore } from '../activities/store/store.ts';
import { readEnvironment } from '../config/environment.ts';
import type { ArtefactRef } from '../domain/records.ts';
import { startStack } from '../infra/embedded/index.ts';
import { ownStack } from '../test/setup/own-stack.ts';
import { secondsOf } from './peers/contestant.ts';
import type { Contestant, Way } from './peers/contestant.ts';
import { startPeers } from './peers/peers.ts';

export const about = 'checkpoint folders to S3 and back, verified, against boto3, the AWS CRT and rclone';

const MIB = 1024 * 1024;
const ROUNDS = 5;
const ENOUGH_SECONDS = 150;
const ways = ['up', 'down'] as const;

type Shape = { name: string; sizes: number[] };
const shapes: Shape[] = [
  { name: '640 MiB and 6 small', sizes: [640 * MIB, ...Array.from({ length: 6 }, (_, n) => (n + 1) * 3000)] },
  { name: '200 x 1 MiB', sizes: Array.from({ length: 200 }, () => MIB) },
];

/** Speeds in MiB/s by contestant and column. */
type Speeds = Map<Contestant, Map<string, number[]>>;

/** Prints speeds and the worst of the four ratios to the best peer. Everybody is warm, and takes turns with the others. */
export async function measure(): Promise<void> {
  const { env, home, remove } = await ownStack();
  const stack = await startStack({ env, services: ['s3'] });
  const folder = fs.mkdtempSync(join(home, 'bench-'));
  const { bucket } = readEnvironment(env);
  const contestants = [
    startOurs(env, folder),
    ...(await startPeers(env['RATCHET_PYTHON'] ?? 'python3', { bucket, env })),
  ];
  try {
    const arena = { stored: join(home, 's3', bucket), folder };
    for (const shape of shapes) makeFiles(join(folder, shape.name), shape.sizes);
    const whole = new Map<string, boolean>();
    for (const each of contestants) whole.set(each.name, await fasterSetting(arena, each));
    const speeds: Speeds = new Map(contestants.map((each) => [each, new Map<string, number[]>()]));
    const startedAt = performance.now();
    for (let round = 0; round < ROUNDS && performance.now() - startedAt < ENOUGH_SECONDS * 1000; round += 1) {
      for (const shape of shapes) {
        for (let turn = 0; turn < contestants.length; turn += 1) {
          const each = contestants[(turn + round) % contestants.length];
          if (each === undefined) continue;
          const seconds = await thereAndBack(arena, each, shape, whole.get(each.name) ?? false);
          const mib = shape.sizes.reduce((sum, size) => sum + size, 0) / MIB;
          for (const way of ways) {
            const column = `${shape.name}, ${way}`;
            const list = speeds.get(each)?.get(column) ?? [];
            speeds.get(each)?.set(column, [...list, mib / seconds[way]]);
          }
        }
      }
    }
    await report(arena, speeds, whole);
  } finally {
    for (const each of contestants) await each.stop();
    await stack.stop();
    await remove();
  }
}

type Arena = { stored: string; folder: string };

/** putFolder and getFolder as the workers call them. */
function startOurs(env: Record<string, string>, folder: string): Contestant {
  const surroundings = readEnvironment(env);
  const client = createS3Client(surroundings.s3);
  const store = createStore({ client, bucket: surroundings.bucket, cacheDir: join(folder, 'cache') });
  const refs = new Map<string, ArtefactRef>();
  return {
    name: 'ratchet',
    checks: 'up CRC32, and SHA-256 into the manifest; down SHA-256',
    settings: [false],
    move: (way, directory, prefix) =>
      secondsOf(async () => {
        const ref = refs.get(prefix);
        if (way === 'up') refs.set(prefix, await putFolder(store, directory, prefix));
        else if (ref) await getFolder(store, ref, directory);
      }),
    stop: () => {
      client.destroy();
    },
  };
}

function makeFiles(directory: string, sizes: readonly number[]): void {
  fs.mkdirSync(directory);
  for (const [index, size] of sizes.entries()) {
    const file = fs.openSync(join(directory, `file-${index}.bin`), 'w');
    for (let left = size; left > 0; left -= MIB) fs.writeSync(file, randomBytes(Math.min(MIB, left)));
    fs.closeSync(file);
  }
}

/** What the one before wrote and deleted is on the disk before the next one begins; else everybody pays for another's work. */
const diskAtRest = async (): Promise<void> => {
  await promisify(execFile)('sync');
};

const prefixOf = (contestant: Contestant, shape: Shape): string =>
  `${contestant.name}/${shape.name}`.replaceAll(' ', '-');

async function thereAndBack(arena: Arena, contestant: Contestant, shape: Shape, wholeFiles: boolean) {
  const prefix = prefixOf(contestant, shape);
  const copy = join(arena.folder, 'copy');
  fs.rmSync(join(arena.stored, prefix), { recursive: true, force: true });
  fs.rmSync(copy, { recursive: true, force: true });
  await diskAtRest();
  const up = await contestant.move('up', join(arena.folder, shape.name), prefix, wholeFiles);
  await diskAtRest();
  const down = await contestant.move('down', copy, prefix, wholeFiles);
  return { up, down } satisfies Record<Way, number>;
}

/**
 * Not measured: everybody gets warm, what came back is compared, and each peer finds out whether it is faster with parts
 * or with files as a whole. @returns wholeFiles
 */
async function fasterSetting(arena: Arena, contestant: Contestant): Promise<boolean> {
  let best = { wholeFiles: false, seconds: Infinity };
  for (const wholeFiles of contestant.settings) {
    let seconds = 0;
    for (const shape of shapes) {
      const { up, down } = await thereAndBack(arena, contestant, shape, wholeFiles);
      seconds += up + down;
      if (digestOf(join(arena.folder, 'copy')) !== digestOf(join(arena.folder, shape.name))) {
        throw new Error(`${contestant.name} brought back something else`);
      }
    }
    if (seconds < best.seconds) best = { wholeFiles, seconds };
  }
  return best.wholeFiles;
}

function digestOf(directory: string): string {
  const hash = createHash('sha256');
  for (const name of fs.readdirSync(directory).sort()) {
    if (name !== 'manifest.json') hash.update(name).update(fs.readFileSync(join(directory, name)));
  }
  return hash.digest('hex');
}

async function report(arena: Arena, speeds: Speeds, whole: Map<string, boolean>): Promise<void> {
  const columns = shapes.flatMap((shape) => ways.map((way) => `${shape.name}, ${way}`));
  console.log(`MiB/s, medians | ${columns.join(' | ')} | verified | a flipped byte in S3`);
  for (const [contestant, bySpeed] of speeds) {
    const cells = columns.map((column) => median(bySpeed.get(column) ?? []).toFixed(0));
    const [shape] = shapes;
    if (shape === undefined) continue;
    const wholeFiles = whole.get(contestant.name) ?? false;
    const setting = wholeFiles ? 'one request a file' : 'parts';
    const refuses = await noticesDamage(arena, contestant, shape, wholeFiles);
    const verdict = refuses ? 'refused' : 'NOT noticed';
    console.log(`${contestant.name}, ${setting} | ${cells.join(' | ')} | ${contestant.checks} | ${verdict}`);
  }
  const [ours, ...peers] = [...speeds.values()];
  const ratios = columns.map((column) => {
    const best = Math.max(...peers.map((peer) => median(peer.get(column) ?? [])));
    return median(ours?.get(column) ?? []) / best;
  });
  console.log(`to the best peer | ${ratios.map((ratio) => ratio.toFixed(2)).join(' | ')}`);
  console.log(Math.min(...ratios).toFixed(2));
}

/** Flips a byte in the middle of the largest file where it is stored: a download that verifies must fail. */
async function noticesDamage(
  arena: Arena,
  contestant: Contestant,
  shape: Shape,
  wholeFiles: boolean,
): Promise<boolean> {
  const prefix = prefixOf(contestant, shape);
  const copy = join(arena.folder, 'copy');
  const stored = fs.openSync(join(arena.stored, prefix, 'file-0.bin'), 'r+');
  const byte = Buffer.alloc(1);
  fs.readSync(stored, byte, 0, 1, 300 * MIB);
  fs.writeSync(stored, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, 300 * MIB);
  fs.closeSync(stored);
  fs.rmSync(copy, { recursive: true, force: true });
  return contestant.move('down', copy, prefix, wholeFiles).then(
    () => false,
    () => true,
  );
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return ((sorted[Math.floor((sorted.length - 1) / 2)] ?? 0) + (sorted[Math.floor(sorted.length / 2)] ?? 0)) / 2;
};
