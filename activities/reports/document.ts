import { readFile } from 'node:fs/promises';
import { html, styleSheet } from './html.ts';
import type { Html } from './html.ts';

/**
 * A report as one HTML file: style inside, plots as SVG, no script and nothing from elsewhere. The content policy in
 * its head keeps it so even if something got past the escaping.
 *
 * @param contents ids and titles of sections; those that are empty are left out
 */
export async function reportDocument(
  title: string,
  head: Html,
  sections: Html[],
  contents: [id: string, title: string][],
): Promise<string> {
  const style = styleSheet(await readFile(new URL('report.css', import.meta.url), 'utf8'));
  const present = contents.filter(([id]) => sections.some(({ markup }) => markup.startsWith(`<section id="${id}"`)));
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · ratchet report</title>
        <style>
          ${style}
        </style>
      </head>
      <body>
        <main>
          ${head}
          <nav aria-label="Contents">${present.map(([id, name]) => html`<a href="#${id}">${name}</a>`)}</nav>
          ${sections}
          <footer>Written by ratchet. The same numbers as JSON: report.json beside this file.</footer>
        </main>
      </body>
    </html> `.markup;
}
