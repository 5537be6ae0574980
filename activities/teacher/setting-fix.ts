/** Words of refusals, and what answers them; `SECTION` is the block of the recipe. */
const fixes: readonly (readonly [words: RegExp, fix: string])[] = [
  [
    /enable_thinking|thinking|reasoning_effort|chat_template_kwargs/i,
    'set SECTION.extraBody to what it names, such as {enable_thinking: false}',
  ],
  [
    /system (?:role|message|prompt|instruction)|(?:role|messages?)\b.{0,60}\b(?:system|developer)|conversation roles must|developer instruction/i,
    'set SECTION.systemRole: user',
  ],
  [
    /max_completion_tokens|max_tokens|max_new_tokens|token limit/i,
    'lower SECTION.maxTokens, or set SECTION.tokenLimitField to the name that it takes',
  ],
  [/temperature/i, 'set SECTION.temperature to what it takes, or to null'],
  [/response_format|json_schema|structured/i, 'set SECTION.structuredOutput: false'],
  [/context.?length|context window|too many tokens|too long/i, 'lower SECTION.maxTokens, or shorten the templates'],
  [
    /content.?(?:filter|policy|management)|flagged|moderation/i,
    'change the templates, which every request has in common',
  ],
  [/header/i, 'set SECTION.headers to what it names'],
  [/\bstream\b/i, 'choose a model that answers without streaming'],
];

/** What to set where a server refuses every request, by its words. */
export function settingFix(section: string, message: string): string {
  const fix = fixes.find(([words]) => words.test(message))?.[1];
  const usual =
    'correct what it names under SECTION; more fields of a request go into SECTION.extraBody, headers into SECTION.headers';
  return (fix ?? usual).replaceAll('SECTION', section);
}
