import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { gpuLook } from '../../infra/embedded/gpu-look.ts';

const folders: string[] = [];
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** Looks with stand-ins for the driver's tool and the trainer's Python, since no test machine has a GPU. */
async function look(nvidiaSmi: string | null, torch: object, more: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-gpu-'));
  folders.push(folder);
  if (nvidiaSmi !== null) writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\n${nvidiaSmi}\n`, { mode: 0o755 });
  const python = join(folder, 'python');
  writeFileSync(python, `#!/bin/sh\necho '${JSON.stringify({ why: '', ...torch })}'\n`, { mode: 0o755 });
  return gpuLook({ PATH: folder, RATCHET_PYTHON: python, ...more })
    .look()
    .then(
      (found) => ({ found, fix: '' }),
      (error: unknown) => ({ found: (error as Error).message, fix: (error as { fix?: string }).fix ?? '' }),
    );
}
const driver = (version: string) => `echo "NVIDIA T4, 15360 MiB, ${version}"`;
const works = { cuda: '13.2', available: true };
const doesNot = { cuda: '13.2', available: false };

test.each([
  ['535.183.01', '13.2', 'driver 535.183.01 is too old for torch’s CUDA 13.2', 'Install driver 580 or newer'],
  ['570.86.10', '13.0', 'driver 570.86.10 is too old for torch’s CUDA 13.0', 'Install driver 580 or newer'],
  ['470.1', '12.8', 'driver 470.1 is too old for torch’s CUDA 12.8', 'Install driver 525 or newer'],
])('a driver %s under torch with CUDA %s is a fault with its fix', async (version, cuda, found, fix) => {
  const said = await look(driver(version), { cuda, available: false });
  expect(said.found).toContain(found.replace('’', "'"));
  expect(said.found).toContain('the trainer would use the CPU');
  expect(said.fix).toContain(fix);
});

test.each([
  ['works', driver('580.65.06'), works, {}, 'NVIDIA T4, 15360 MiB; torch uses it (CUDA 13.2, driver 580.65.06)', ''],
  [
    'is hidden',
    driver('590.1'),
    { ...doesNot, why: 'no device' },
    {},
    'cannot use the GPU with driver 590.1',
    'CUDA_VISIBLE_DEVICES',
  ],
  [
    'meets a torch without CUDA',
    driver('590.1'),
    { cuda: null, available: false },
    {},
    'torch was built without CUDA',
    'npm run setup',
  ],
  [
    'is not to be used',
    driver('535.1'),
    doesNot,
    { RATCHET_REQUIRE_CUDA: '0' },
    'the CPU is used, as RATCHET_REQUIRE_CUDA=0 says',
    '',
  ],
  ['fell off the bus', 'exit 15', works, {}, 'nvidia-smi', ''],
  ['is not there', null, doesNot, {}, 'none: CPU', ''],
  [
    'is not there, but asked for',
    null,
    doesNot,
    { RATCHET_REQUIRE_CUDA: '1' },
    'there is no GPU here',
    'host with one',
  ],
])('a GPU that %s', async (_name, nvidiaSmi, torch, more: Record<string, string>, found, fix) => {
  const said = await look(nvidiaSmi, torch, more);
  expect(said.found).toContain(found);
  expect(said.fix).toContain(fix);
});
