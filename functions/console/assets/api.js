// Calls of the management API, and its errors in words that say what to do.

import { busy } from "./progress.js";
import { accessToken } from "./session.js";
import { texts } from "./texts.js";
import { clock, relative } from "./times.js";
import { wordFor } from "./untrusted.js";

const TIMEOUT = 30_000;
// How often a read is tried, and the longest wait between two attempts, in milliseconds.
const ATTEMPTS = 3;
const LONGEST_WAIT = 3_000;

/**
 * What went wrong, for people. `fields` are the failures of single fields, `maxAge` how old a sign-in may be, and `wait`
 * after how long it is worth another try, both in seconds, where the service says so.
 */
export class Failure extends Error {
  constructor(title, advice, { status = 0, code = "", fields = [], requestId = null, maxAge = null, wait = null } = {}) {
    super(`${title} ${advice}`);
    Object.assign(this, { title, advice, status, code, fields, requestId, maxAge, wait });
  }
}

const BY_STATUS = { 401: "access_token_required", 413: "body_too_large", 429: "rate_limited", 502: "unavailable",
  503: "unavailable", 504: "unavailable" };

/** When a budget is renewed, which is so many seconds away: in whole minutes, none too early. */
function renewal(seconds) {
  if (!seconds) return null;
  const at = new Date(Math.ceil((Date.now() + seconds * 1000) / 60_000) * 60_000).toISOString();
  return { at: clock(at), relative: relative(at) };
}

function failure(code, { wait, ...rest } = {}) {
  const known = wordFor(texts.errors, code) ? code : "internal_error";
  const words = texts.errors[known];
  const [title, advice] = typeof words === "function" ? words(renewal(wait)) : words;
  return new Failure(title, advice, { code: known, wait: wait || null, ...rest });
}

function failureOf(answer, text) {
  const problem = parsed(text) ?? {};
  const code = problem.code ?? BY_STATUS[answer.status] ?? "internal_error";
  const fields = problem.errors ?? [];
  const wait = Number(answer.headers.get("retry-after"));
  return failure(code, { status: answer.status, fields, requestId: problem.requestId ?? null,
    maxAge: problem.maxAge ?? null, wait });
}

/** What a text in JSON is, `null` if it isn't JSON. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

let onSessionEnd = () => {};

/** Says what to do when the session has ended. */
export function whenSessionEnds(action) {
  onSessionEnd = action;
}

// The refusals that say that the caller's role, developer mode or licence is another one.
const RIGHTS = ["role_required", "account_not_found", "developer_mode_required", "api_management_license_required"];
let onRightsChange = () => {};

/** Says what to do when the caller may no longer do what the page thought. */
export function whenRightsChange(action) {
  onRightsChange = action;
}

/** The path of an account. */
export const account = (id, ...rest) => ["v1", "accounts", id, ...rest].map(encodeURIComponent).join("/");

/** Appends the parameters that have a value. */
export function query(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

// What may be over in a moment. What the browser knows to be without a connection is said at once.
const isPassing = ({ status, code }) => [429, 502, 503, 504].includes(status) || (code === "offline" && navigator.onLine);

/**
 * Sends a request and answers `{ body, next, etag }`. A read is repeated while the service is busy, or if the connection
 * broke.
 *
 * @throws {Failure} with the words to show
 */
export async function call(method, path, options = {}) {
  const done = busy();
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await once(method, path, options);
      } catch (error) {
        if (method !== "GET" || !isPassing(error) || attempt === ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, Math.min(attempt * 1000, LONGEST_WAIT)));
      }
    }
  } finally {
    done();
  }
}

async function once(method, path, { body, etag, idempotencyKey, accept = "application/json", signal } = {}) {
  const token = (how) => accessToken(how).catch(() => { throw failure("offline"); });
  let [answer, text] = await send(await token());
  // The session may have been ended elsewhere, or this machine's clock is wrong.
  if (answer.status === 401) [answer, text] = await send(await token({ renew: true }));
  if (!answer.ok) {
    const problem = failureOf(answer, text);
    if (problem.status === 401) onSessionEnd();
    if (RIGHTS.includes(problem.code)) onRightsChange();
    throw problem;
  }
  const isJson = accept === "application/json" && text;
  const json = isJson ? parsed(text) : null;
  // Something else answered, such as a network that asks for a sign-in of its own.
  if (isJson && json === null) throw failure("offline");
  const next = /<([^>]+)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1] ?? null;
  return { body: isJson ? json : text, next, etag: answer.headers.get("etag") };

  async function send(access) {
    if (!access) {
      onSessionEnd();
      throw failure("session_ended", { status: 401 });
    }
    const headers = { accept, authorization: `Bearer ${access}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (etag) headers["if-match"] = etag;
    if (idempotencyKey) headers["idempotency-key"] = idempotencyKey;
    const timeout = AbortSignal.timeout(TIMEOUT);
    try {
      const answer = await fetch(path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        credentials: "omit",
        cache: "no-store",
      });
      // The connection can be lost while the body arrives, too.
      return [answer, await answer.text()];
    } catch (error) {
      if (signal?.aborted) throw error;
      throw failure(error.name === "TimeoutError" ? "timeout" : "offline");
    }
  }
}
