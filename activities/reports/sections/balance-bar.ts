import { total, yesShare } from '../../../domain/data-report.ts';
import { percent, share } from '../../../domain/figures.ts';
import type { ClassCounts } from '../../../domain/records.ts';
import { html } from '../html.ts';
import type { Html } from '../html.ts';
import { count } from '../quantities.ts';

/** Share of yes as a bar, with its counts. */
export function balanceBar(counts: ClassCounts): Html {
  const n = total(counts);
  if (n === 0) return html`<span class="empty">empty</span>`;
  const yes = 100 * yesShare(counts);
  return html`<span class="balance" role="img" aria-label="${share(counts.yes, n)} yes"
      ><span style="width:${yes.toFixed(2)}%"></span
    ></span>
    <span class="balance-text"
      >${percent(yesShare(counts))} yes <span class="of">${count(counts.yes)} / ${count(counts.no)}</span></span
    >`;
}
