import { existsSync, readFileSync, readdirSync } from 'node:fs';
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
});
