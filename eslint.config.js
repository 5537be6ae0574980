import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['node_modules', '.ratchet', 'trainer', 'dist', 'coverage', '**/*.mjs', '*.cjs'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      'max-lines': ['error', { max: 300, skipBlankLines: false, skipComments: false }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
    },
  },
  // readline takes a U+2028, which JSON leaves as it is in strings, for the end of a line, and does not hear of a stream
  // that is destroyed. Data is read by linesOf (activities/store/lines.ts); a prompt at a terminal is no data.
  {
    ignores: ['cli/process-context.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: ['readline', 'node:readline', 'readline/promises', 'node:readline/promises'].map((name) => ({
            name,
            message: 'Read data by linesOf (activities/store/lines.ts): readline splits at U+2028.',
          })),
        },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.property.name='readLines']",
          message: 'FileHandle.readLines is readline: read data by linesOf (activities/store/lines.ts).',
        },
      ],
    },
  },
  // A test's body is a list of cases, and a describe block is not a function in the sense of the rule.
  {
    files: ['test/**'],
    rules: { 'max-lines-per-function': 'off', '@typescript-eslint/require-await': 'off' },
  },
  { files: ['eslint.config.js'], ...tseslint.configs.disableTypeChecked },
  prettier,
);
