// Calls of the management API, and its errors in words that say what to do.

import { accessToken } from "./session.js";
import { busy, clock, relative, wordFor } from "./dom.js";

const TIMEOUT = 30_000;
// How often a read is tried, and the longest wait between two attempts, in milliseconds.
const ATTEMPTS = 3;
const LONGEST_WAIT = 3_000;

/** What went wrong, for people. `fields` are the failures of single fields. */
export class Failure extends Error {
  constructor(title, advice, { status = 0, code = "", fields = [], requestId = null } = {}) {
    super(`${title} ${advice}`);
    Object.assign(this, { title, advice, status, code, fields, requestId });
  }
}

const WORDS = {
  session_ended: ["Your session has ended.", "Sign in again; what you typed is kept."],
  access_token_required: ["Your session has ended.", "Sign in again; what you typed is kept."],
  role_required: ["Your role does not allow this.", "Ask an owner or administrator of the account."],
  developer_mode_required: [
    "Tokens are shown in developer mode only.",
    "Turn developer mode on in your profile on the platform, then try again.",
  ],
  api_management_license_required: [
    "The account's licence does not cover this lifetime.",
    "Choose 1 hour as auto purge, or ask the account's owner for the API Management licence.",
  ],
  account_not_found: ["This account does not exist, or you are not its member.", "Choose another account."],
  token_not_found: [
    "This token no longer exists.",
    "It was deleted or purged; its audit log is still there. Reload the list.",
  ],
  token_active: ["This token is active.", "Revoke it first, then delete it."],
  secret_compromised: [
    "The secret of this token is compromised: it never works again.",
    "Generate a new token first, then reactivate it.",
  ],
  account_deleted: [
    "This token ended when its account was deleted.",
    "It can't be reactivated; create a new token instead.",
  ],
  no_previous_secret: ["No old secret of this token works any more.", "There is nothing left to end."],
  conflict: ["Somebody changed this token at the same moment.", "Try again."],
  version_mismatch: ["This token was changed in the meantime.", "Look at it again, then repeat your change."],
  invalid_cursor: ["The list has changed.", "Start again at its first page."],
  malformed_json: ["The request was not understood.", "Reload the page and try again."],
  duplicate_key: ["The request was not understood.", "Reload the page and try again."],
  unsupported_media_type: ["The request was not understood.", "Reload the page and try again."],
  body_too_large: ["This is more text than fits into one request.", "Shorten it, or list fewer resources."],
  validation_failed: ["Some entries are not valid.", "Correct the marked fields."],
  idempotency_key_reused: ["This request was sent before with other entries.", "Try again."],
  budget_exceeded: overBudget,
  unavailable: ["The service is busy.", "Wait a moment, then try again."],
  internal_error: ["Something went wrong on our side.", "Try again; if it goes on, report the request's id."],
  rate_limited: ["Too many requests at once.", "Wait a moment, then try again."],
  offline: ["Latchkey could not be reached.", "Check your connection, then try again; nothing you typed is lost."],
  timeout: ["The answer took too long.", "Try again; nothing you typed is lost."],
};

const BY_STATUS = { 401: "access_token_required", 413: "body_too_large", 429: "rate_limited", 502: "unavailable",
  503: "unavailable", 504: "unavailable" };

/** A budget is renewed after so many seconds, but for the number of tokens. */
function overBudget(seconds) {
  if (!seconds) return ["This account has as many tokens as it may have.", "Delete some that nobody needs, then try again."];
  // Whole minutes, none too early.
  const end = new Date(Math.ceil((Date.now() + seconds * 1000) / 60_000) * 60_000);
  return ["This was done as often as is allowed in an hour.",
    `Try again at ${clock(end)}, ${relative(end.toISOString())}. Revoking, deleting and ending an old secret go on working.`];
}

function failure(code, { wait, ...rest } = {}) {
  const known = wordFor(WORDS, code) ? code : "internal_error";
  const words = WORDS[known];
  const [title, advice] = typeof words === "function" ? words(wait) : words;
  return new Failure(title, advice, { code: known, ...rest });
}

async function failureOf(answer) {
  const problem = await answer.json().catch(() => ({}));
  const code = problem.code ?? BY_STATUS[answer.status] ?? "internal_error";
  const fields = problem.errors ?? [];
  const wait = Number(answer.headers.get("retry-after"));
  return failure(code, { status: answer.status, fields, requestId: problem.requestId ?? null, wait });
}

let onSessionEnd = () => {};

/** Says what to do when the session has ended. */
export function whenSessionEnds(action) {
  onSessionEnd = action;
}

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

/**
 * Sends a request and answers `{ body, next, response }`. A read is repeated while the service is busy.
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
        const passing = [429, 502, 503, 504].includes(error.status);
        if (method !== "GET" || !passing || attempt === ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, Math.min(attempt * 1000, LONGEST_WAIT)));
      }
    }
  } finally {
    done();
  }
}

async function once(method, path, { body, etag, idempotencyKey, accept = "application/json", signal } = {}) {
  const token = (how) => accessToken(how).catch(() => { throw failure("offline"); });
  let answer = await send(await token());
  // The session may have been ended elsewhere, or this machine's clock is wrong.
  if (answer.status === 401) answer = await send(await token({ renew: true }));
  if (!answer.ok) {
    const problem = await failureOf(answer);
    if (problem.status === 401) onSessionEnd();
    if (problem.code === "role_required" || problem.code === "account_not_found") onRightsChange();
    throw problem;
  }
  const text = await answer.text();
  const json = accept === "application/json" && text;
  const next = /<([^>]+)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1] ?? null;
  return { body: json ? JSON.parse(text) : text, next, etag: answer.headers.get("etag") };

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
      return await fetch(path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        credentials: "omit",
        cache: "no-store",
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw failure(error.name === "TimeoutError" ? "timeout" : "offline");
    }
  }
}
