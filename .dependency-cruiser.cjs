/** The import table of ARCHITECTURE.md. A rule worth writing gets a tool. */
const tops = 'workflows|activities|workers|config|cli|infra|bench|test';
const forbid = (name, from, to, comment) => ({ name, severity: 'error', comment, from, to });

module.exports = {
  forbidden: [
    forbid(
      'no-cycles',
      {},
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
      'A cycle hides which file is the ground.',
    ),
    forbid('domain-is-pure', { path: '^domain/' }, { path: `^(${tops})/` }, 'domain imports itself alone.'),
    forbid(
      'domain-packages',
      { path: '^domain/' },
      { dependencyTypes: ['npm', 'npm-dev', 'core'], pathNot: 'node_modules/@stdlib/' },
      'The only packages in domain are pure number libraries (docs/adr/0003-statistics-library.md).',
    ),
    forbid(
      'workflows-are-deterministic',
      { path: '^workflows/' },
      { dependencyTypes: ['npm', 'npm-dev', 'core'], pathNot: 'node_modules/@temporalio/(workflow|common)/' },
      'Workflow code may only import the workflow SDK.',
    ),
    forbid(
      'workflows-types-only',
      { path: '^workflows/' },
      { path: '^(activities|config)/', dependencyTypesNot: ['type-only'] },
      'Workflows take only types from activities and config.',
    ),
    forbid('workflows-import-nobody-else', { path: '^workflows/' }, { path: '^(workers|cli|infra|bench|test)/' }, ''),
    forbid('activities-below', { path: '^activities/' }, { path: '^(workflows|workers|cli|infra|bench|test)/' }, ''),
    forbid('config-below', { path: '^config/' }, { path: '^(workflows|activities|workers|cli|infra|bench|test)/' }, ''),
    forbid('config-packages', { path: '^config/' }, { dependencyTypes: ['npm-dev'] }, ''),
    forbid(
      'nobody-imports-edges',
      { pathNot: '^(workers|cli|bench|test)/' },
      { path: '^(workers|cli|bench|test)/' },
      'workers and cli are edges.',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(node_modules|trainer|\\.ratchet)' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
