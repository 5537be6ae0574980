/** What providers call an account that can pay for no more, as a code. */
const codes =
  /^(?:insufficient_(?:quota|balance|credits?|funds)|billing_\w+|exceeded_current_quota_error|payment_required|out_of_credits?|credit_limit_\w+|account_suspended|arrearage|budget_exceeded)$/i;

/** The same in words that say nothing else. */
const words =
  /insufficient[\s_-]{0,2}(?:account\s)?(?:balance|credits?|funds|quota)|(?:not|n't have) enough (?:credits?|balance|funds|quota)|balance (?:is|are) (?:too low|insufficient|not enough|exhausted)|out of credits?|no (?:more )?credits? (?:left|remaining)|(?:credits?|quota|balance) (?:has been |have been |is |are |was )?(?:exhausted|used up|depleted|exceeded|run out)|exceeded your (?:current |monthly )?(?:quota|spend\w*|budget)|requires? more credits|can only afford|used all (?:of )?(?:your |the )?(?:available )?credits|(?:spend(?:ing)?|billing|credit) (?:hard )?limit|budget has been exceeded|payment (?:is )?required|account (?:is |has been )?(?:in arrears|overdue|suspended)|overdue[- ]payment|in good standing|余额不足|欠费/i;

/** What says so only where access is refused. */
const mild = /\b(?:billing|payment|credits?|balance|quota|subscription|prepaid)\b/i;

/** A limit that fills again by itself, which some providers call a quota. */
const passing =
  /(?:try again|retry|retry_delay|available again) (?:in|after) |per[\s_-]?(?:second|minute|hour|day)\b|\/\s?min\b|rate.?limit|too many requests/i;

/** Whether a refusal says that the account is out of money or quota, so that no request can get past it. */
export function isOutOfCredit({
  status,
  code,
  message,
  waits,
}: {
  status: number;
  code: string;
  message: string;
  waits: boolean;
}): boolean {
  if (status === 402 || codes.test(code)) return true;
  if (status === 429 && (waits || passing.test(message))) return false;
  return words.test(message) || (status === 403 && mild.test(message));
}
