import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

type Compose = {
  services: Record<string, { command?: string[]; image: string; volumes?: string[]; build?: { dockerfile: string } }>;
};

describe('files for container engines, none of which runs here, name what is there', () => {
  const compose = parse(read('docker-compose.yml'), { merge: true }) as Compose;

  test('compose: workers, images and mounted files', () => {
    expect(Object.keys(compose.services)).toEqual(
      expect.arrayContaining(['temporal', 'temporal-ui', 'postgres', 's3', 'prometheus']),
    );
    expect(compose.services['api']?.command).toEqual(['workers/api.ts']);
    for (const service of Object.values(compose.services)) {
      expect(service.image).not.toMatch(/:latest$/);
      if (service.build) expect(existsSync(join(root, service.build.dockerfile))).toBe(true);
      for (const volume of service.volumes ?? []) {
        const source = volume.split(':')[0] ?? '';
        if (source.startsWith('./')) expect(existsSync(join(root, source)), volume).toBe(true);
      }
    }
  });

  test.each(['orchestrator', 'gpu'])('image %s: copied files are there and not ignored', (name) => {
    const text = read(`infra/images/${name}.Dockerfile`);
    const ignored = read('.dockerignore');
    const sources = [...text.matchAll(/^COPY (.+) \S+$/gm)].flatMap((match) => (match[1] ?? '').split(' '));
    expect(sources.length).toBeGreaterThan(2);
    for (const source of sources.filter((path) => path !== '.')) {
      expect(existsSync(join(root, source)), source).toBe(true);
      expect(ignored.split('\n'), source).toContain(`!${source}`);
    }
    expect(text).toContain(`CMD ["workers/${name}.ts"]`);
  });

  test('kubernetes: every resource is listed, every worker has its script, and a trainer has time for its checkpoint', () => {
    const { resources } = parse(read('infra/kubernetes/kustomization.yaml')) as { resources: string[] };
    const files = readdirSync(join(root, 'infra/kubernetes')).filter((name) => name !== 'kustomization.yaml');
    expect([...resources].sort()).toEqual(files.sort());
    type Pod = {
      terminationGracePeriodSeconds: number;
      containers: { args: string[]; resources: { limits: object } }[];
    };
    const pods = resources
      .flatMap((file) => parseAllDocuments(read(`infra/kubernetes/${file}`)))
      .map(
        (document) =>
          document.toJS() as { kind: string; metadata: { name: string }; spec: { template: { spec: Pod } } },
      )
      .filter(({ kind }) => kind === 'Deployment');
    expect(pods.map(({ metadata }) => metadata.name).sort()).toEqual(['api', 'gpu', 'orchestrator']);
    for (const { metadata, spec } of pods)
      expect(spec.template.spec.containers[0]?.args).toEqual([`workers/${metadata.name}.ts`]);
    const gpu = pods.find(({ metadata }) => metadata.name === 'gpu')?.spec.template.spec;
    expect(gpu?.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(120);
    expect(gpu?.containers[0]?.resources.limits).toMatchObject({ 'nvidia.com/gpu': 1 });
  });

  test('one Temporal server everywhere: the images are of the version that the embedded one is built from', () => {
    const built = /go\.temporal\.io\/server v(\S+)/.exec(read('infra/tools/temporal/go.mod'))?.[1];
    const images = Object.values(compose.services).map(({ image }) => image);
    const tags = images.flatMap((image) => /^temporalio\/(?:server|admin-tools):(.+)$/.exec(image)?.[1] ?? []);
    expect(tags).toEqual([built, built, built]);
    // Holes that were closed in the 1.30 line up to here: CVE-2026-5199.
    expect(Number(built?.split('.')[2])).toBeGreaterThanOrEqual(3);
  });

  test('wherever a GPU was asked for, training on the CPU instead is refused', () => {
    const gpu = compose.services['gpu'] as { environment?: Record<string, unknown> } | undefined;
    expect(gpu?.environment?.['RATCHET_REQUIRE_CUDA']).toBe(1);
    expect(read('infra/images/gpu.Dockerfile')).toContain('RATCHET_REQUIRE_CUDA=1');
    expect(read('infra/kubernetes/gpu.yaml')).toContain("{ name: RATCHET_REQUIRE_CUDA, value: '1' }");
    expect(read('infra/gpu-host/bootstrap.sh')).toMatch(
      /^export RATCHET_REQUIRE_CUDA="\$\{RATCHET_REQUIRE_CUDA:-1\}"$/m,
    );
  });
});

describe('bootstrap.sh, with stand-ins for the programs of a host', () => {
  /** Runs it up to where it would install something. */
  function bootstrap(nvidiaSmi: string) {
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-bootstrap-'));
    try {
      writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\n${nvidiaSmi}\n`, { mode: 0o755 });
      for (const name of ['apt-get', 'docker', 'python3']) {
        writeFileSync(join(folder, name), `#!/bin/sh\necho "$0 $*" >&2\nexit 9\n`, { mode: 0o755 });
      }
      writeFileSync(join(folder, 'settings.env'), 'TEMPORAL_ADDRESS=a:1\nRATCHET_BUCKET=b\nAWS_REGION=c\n');
      return spawnSync('bash', [join(root, 'infra/gpu-host/bootstrap.sh'), join(folder, 'settings.env'), 'image'], {
        encoding: 'utf8',
        env: { PATH: `${folder}:/usr/bin:/bin`, HOME: folder },
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const answers = (driver: string) =>
    `case "$*" in *name*) echo "NVIDIA T4, 15360 MiB, ${driver}";; *) echo ${driver};; esac`;

  test.each(['535.183.01', '550.54.15', '570.86.10'])(
    'a host with driver %s is refused with the driver that is needed',
    (driver) => {
      const { status, stderr } = bootstrap(answers(driver));
      expect(status).toBe(78);
      expect(stderr).toContain(`The NVIDIA driver is ${driver}; the trainer's torch (CUDA 13) needs 580 or newer.`);
    },
  );

  test('a host whose GPU does not answer is refused', () => {
    const { status, stderr } = bootstrap('echo "Unable to determine the device handle" >&2; exit 15');
    expect(status).toBe(78);
    expect(stderr).toContain('nvidia-smi finds no GPU that answers.');
  });

  test.each(['580.65.06', '595.10'])('a host with driver %s goes on, told never to train on the CPU', (driver) => {
    const { status, stderr } = bootstrap(answers(driver));
    expect(status).toBe(9);
    expect(stderr).toMatch(/docker run .*--env RATCHET_REQUIRE_CUDA /);
  });
});
