// Reading the tokens of a list.

import { account, call, query } from "../../api.js";
import { oldSecret } from "../../tokens.js";

// As many as one request answers, and as many as are loaded at once for sorting.
const MOST = 100;
export const ALL = 1000;

// An old secret that is over may still be told of, and its end is no news.
const fresh = (token) => ({ ...token, previousSecret: oldSecret(token) });

/** Reads one page: `{ tokens, next }`. */
export async function readPage(accountId, { cursor, ...wanted }, signal) {
  let tokens = [];
  let at = cursor;
  // A search reads a bounded part of the account at a time: a page without a hit may have a next one.
  do {
    const { body } = await call("GET", query(account(accountId, "tokens"), { ...wanted, cursor: at }), { signal });
    tokens = body.tokens;
    at = body.nextCursor;
  } while (tokens.length === 0 && at);
  return { tokens: tokens.map(fresh), next: at };
}

/** Reads all, up to a thousand. `progress` hears how many there are so far. */
export async function readAll(accountId, wanted, signal, progress) {
  let all = { tokens: [], next: "" };
  do {
    const { tokens, next } = await readPage(accountId, { ...wanted, limit: String(MOST), cursor: all.next }, signal);
    all = { tokens: [...all.tokens, ...tokens], next };
    progress(all.tokens.length);
  } while (all.next && all.tokens.length < ALL);
  return all;
}
