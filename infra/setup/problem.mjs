/** A set-up failure that a person can act on: what is wrong, and what to do about it. */
export class Problem extends Error {
  /**
   * @param {string} what one sentence, names the missing thing
   * @param {string} fix one or more commands or settings
   */
  constructor(what, fix) {
    super(what);
    this.name = 'Problem';
    this.fix = fix;
  }
}

const NETWORK_FAILURE =
  /ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|network is unreachable|name resolution|no such host|dial tcp|dns error|connection refused|error sending request|Failed to establish a new connection|client error \(Connect\)/i;

/**
 * Turns the log of a failed command into a Problem: an unreachable registry is named as such, anything else shows its tail.
 *
 * @param {string} command what was run, as a person would type it
 * @param {string} host the registry that the command talks to
 * @param {{ output: string, logFile: string }} failure
 */
export function explainFailure(command, host, { output, logFile }) {
  if (NETWORK_FAILURE.test(output)) {
    return new Problem(
      `${command} could not reach ${host}.`,
      `The first set-up needs the network (later ones do not). Check the connection or the proxy settings ` +
        `(HTTPS_PROXY, npm config get registry, PIP_INDEX_URL, UV_INDEX_URL, GOPROXY), then start again. Log: ${logFile}`,
    );
  }
  const tail = output.trimEnd().split('\n').slice(-12).join('\n    ');
  return new Problem(`${command} failed:\n    ${tail}`, `The whole log is ${logFile}`);
}
