import { existsSync } from 'node:fs';
import { run } from './look.ts';
import type { Look } from './look.ts';
import { StackProblem } from './problem.ts';
import type { WholeEnvironment } from './probes.ts';

/** Oldest driver for each major version of CUDA; from NVIDIA's table of minor version compatibility. */
const oldestDrivers: Readonly<Record<string, number>> = { '11': 450, '12': 525, '13': 580 };

type Torch = { cuda: string | null; available: boolean; why: string };

/** The GPU, and that the trainer's torch can use it: with a driver that is too old for it, torch takes the CPU and says nothing. */
export function gpuLook(env: WholeEnvironment): Look {
  const required = env['RATCHET_REQUIRE_CUDA'] ?? '';
  const look = async () => {
    const gpus = await visibleGpus(env);
    if (gpus === null) {
      if (required !== '1') return 'none: CPU';
      throw new StackProblem(
        'RATCHET_REQUIRE_CUDA=1, but there is no GPU here',
        'Start the worker on a host with one, or unset RATCHET_REQUIRE_CUDA to train on the CPU.',
      );
    }
    const names = gpus.map(({ name, memory }) => `${name}, ${memory}`).join('; ');
    if (required === '0') return `${names}; the CPU is used, as RATCHET_REQUIRE_CUDA=0 says`;
    const torch = await askTorch(env);
    if (torch.available) return `${names}; torch uses it (CUDA ${torch.cuda ?? '?'}, driver ${gpus[0]?.driver ?? '?'})`;
    throw unusable(gpus[0]?.driver ?? '', torch);
  };
  return { name: 'GPU', fix: 'The driver does not answer: see what nvidia-smi says.', look };
}

function unusable(driver: string, { cuda, why }: Torch): StackProblem {
  const orCpu = 'or set RATCHET_REQUIRE_CUDA=0 if the CPU is meant.';
  if (cuda === null) {
    return new StackProblem(
      'torch was built without CUDA, so the trainer would use the CPU',
      `npm run setup, ${orCpu}`,
    );
  }
  const oldest = oldestDrivers[cuda.split('.')[0] ?? ''] ?? 0;
  if (Number(driver.split('.')[0]) < oldest) {
    return new StackProblem(
      `driver ${driver} is too old for torch's CUDA ${cuda}, so the trainer would use the CPU`,
      `Install driver ${oldest} or newer, ${orCpu}`,
    );
  }
  return new StackProblem(
    `torch (CUDA ${cuda}) cannot use the GPU with driver ${driver}, so the trainer would use the CPU${why && `: ${why}`}`,
    `See what nvidia-smi says, and CUDA_VISIBLE_DEVICES; ${orCpu}`,
  );
}

/** @returns null where there is none; rejects where there is one whose driver does not answer */
async function visibleGpus(env: WholeEnvironment): Promise<{ name: string; memory: string; driver: string }[] | null> {
  const command = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader'];
  try {
    const { stdout } = await run('nvidia-smi', command, { env });
    return stdout
      .trim()
      .split('\n')
      .map((line) => {
        const [name = '', memory = '', driver = ''] = line.split(',').map((text) => text.trim());
        return { name, memory, driver };
      });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !existsSync('/dev/nvidia0')) return null;
    throw error;
  }
}

async function askTorch(env: WholeEnvironment): Promise<Torch> {
  const script = `import json, warnings, torch
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    available = torch.cuda.is_available()
print(json.dumps({"cuda": torch.version.cuda, "available": available, "why": "; ".join(str(w.message).splitlines()[0] for w in said)[:200]}))`;
  const { stdout } = await run(env['RATCHET_PYTHON'] ?? 'python3', ['-c', script], { env });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Torch;
}
