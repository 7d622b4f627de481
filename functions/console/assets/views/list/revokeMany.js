// Revoking several tokens: one call each, a few at a time, as fast as the service allows.

import { account, call } from "../../api.js";
import { mayHaveChanged, readAgain } from "../../tokens.js";

const AT_ONCE = 4;
const ATTEMPTS = 4;
// How long to wait if the service doesn't say, and the longest wait that people are kept waiting for, in seconds.
const WAIT = 2;
const LONGEST_WAIT = 30;
// How often a wait looks whether it was stopped, in milliseconds.
const LOOK = 200;

/** Whether the same would happen to every other token: the session or the right is gone, or the reason isn't valid. */
const concernsAll = ({ status, code }) => [401, 403, 422].includes(status) || code === "account_not_found";

/** What became of a token whose revocation failed: it may be revoked all the same. */
async function afterFailure(token, error) {
  const after = mayHaveChanged(error) ? await readAgain(token).catch(() => null) : null;
  if (after === true) return { token, gone: true };
  return after?.status === "revoked" ? { token, after } : { token, error };
}

/**
 * Revokes them. `each({ token, after, gone, error })` hears what became of each that was tried, `waiting(until)` until
 * when the service asks to wait, in milliseconds. `stopped()` is asked before anything more is sent. Answers the error
 * that ended it early, if one did.
 */
export async function revokeMany(tokens, reason, { each, waiting, stopped }) {
  const queue = [...tokens];
  let end = null;
  let resume = 0;
  const over = () => end !== null || stopped();

  const pause = async () => {
    while (Date.now() < resume && !over()) await new Promise((done) => setTimeout(done, LOOK));
  };
  const one = async (token) => {
    for (let attempt = 1; ; attempt++) {
      try {
        const path = account(token.accountId, "tokens", token.id, "revoke");
        const { body } = await call("POST", path, { body: reason ? { reason } : {} });
        return { token, after: body };
      } catch (error) {
        const seconds = error.wait ?? WAIT * attempt;
        const busy = [429, 502, 503, 504].includes(error.status) && seconds <= LONGEST_WAIT;
        if (!busy || attempt === ATTEMPTS) return afterFailure(token, error);
        // All wait: the others would hear the same.
        resume = Math.max(resume, Date.now() + seconds * 1000);
        waiting(resume);
        await pause();
        if (over()) return { token, error };
      }
    }
  };
  const work = async () => {
    for (;;) {
      await pause();
      if (over() || queue.length === 0) return;
      const outcome = await one(queue.shift());
      if (outcome.error && concernsAll(outcome.error)) end = outcome.error;
      each(outcome);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, tokens.length) }, work));
  return end;
}
