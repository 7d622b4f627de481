// What the page knows about tokens: what they may do, whether their old secret works, and what needs attention.

import { useEffect, useState } from "./html.js";
import { account, call, query } from "./api.js";
import { texts } from "./texts.js";
import { count } from "./words.js";

/** The lists of a custom scope, in the page's order, with the type of their resources. */
export const LISTS = { connections: "connection", exports: "export", imports: "import", apis: "api" };

/**
 * Whether a token may be another one than the page has after a change failed: there was no answer, or none that says what
 * became of it, or the page had another one before.
 */
export const mayHaveChanged = ({ status }) => status === 0 || status >= 500 || [404, 409, 412].includes(status);

/** A token as it is now, `true` if it is gone. */
export const readAgain = ({ accountId, id }) => call("GET", account(accountId, "tokens", id)).then(({ body }) => body, (error) => {
  if (error.code === "token_not_found") return true;
  throw error;
});

/** The replaced secret, if it still works. */
export const oldSecret = ({ previousSecret }) =>
  (previousSecret && Date.parse(previousSecret.validUntil) > Date.now() ? previousSecret : null);

/** Whether a token is purged: its time has come, also if the page has it still. */
export const isPurged = ({ purgeAt }) => Boolean(purgeAt) && Date.parse(purgeAt) <= Date.now();

/** What a token may touch, in a few words. */
export function scopeText({ scope }) {
  if (scope.type === "full") return texts.scope.full;
  const parts = Object.keys(LISTS).filter((list) => scope[list].length > 0)
    .map((list) => count(scope[list].length, texts.lists[list][1], texts.lists[list][0]));
  return texts.scope.counted(parts);
}

/** The resources of a scope, as the API refers to them: `exports/exp_1`. */
export const references = (scope) => (scope.type === "full" ? []
  : Object.keys(LISTS).flatMap((list) => scope[list].map((id) => `${list}/${id}`)));

// ---- Names of resources and Integration Apps --------------------------------------------------------

// As many references as a request may have.
const MOST = 100;
// Per account: names by reference. What has no name any more is `null`.
const names = new Map();

/** The names of resources by reference, from the API or from before. */
async function read(accountId, wanted) {
  if (!names.has(accountId)) names.set(accountId, new Map());
  const known = names.get(accountId);
  const missing = wanted.filter((reference) => !known.has(reference));
  for (let at = 0; at < missing.length; at += MOST) {
    const ids = missing.slice(at, at + MOST);
    const { body } = await call("GET", query(account(accountId, "resources"), { ids: ids.join(",") }));
    const lists = Object.fromEntries(Object.entries(LISTS).map(([list, type]) => [type, list]));
    for (const reference of ids) known.set(reference, null);
    for (const { type, id, name } of body.resources) known.set(`${lists[type]}/${id}`, name);
  }
  return known;
}

/**
 * A hook: the names of the resources of a scope, as a map of references. `null` until they are known. A resource that no
 * longer exists has the name `null`; names that can't be read are missing, and the ids have to do.
 */
export function useNames(accountId, scope) {
  const wanted = references(scope);
  const key = wanted.join();
  const [state, setState] = useState({ key: null, names: null });
  useEffect(() => {
    let left = false;
    const take = (found) => left || setState({ key, names: found });
    read(accountId, wanted).then((all) => take(new Map(all)), () => take(new Map()));
    return () => { left = true; };
  }, [accountId, key]);
  return state.key === key ? state.names : null;
}

const apps = new Map();

// The pages of resources that are read to find Integration Apps of which the platform has told no names.
const APP_PAGES = 10;

/**
 * An account's Integration Apps, `[{ id, name }]` by name. A platform that doesn't tell their names has them as ids only,
 * from the resources that belong to them.
 */
export function readApps(accountId) {
  if (!apps.has(accountId)) {
    apps.set(accountId, readAll().catch((error) => {
      apps.delete(accountId);
      throw error;
    }));
  }
  return apps.get(accountId);

  async function readAll() {
    const found = [];
    let cursor = "";
    while (cursor != null) {
      const { body } = await call("GET", query(account(accountId, "integrations"), { limit: "100", cursor }));
      found.push(...body.integrations);
      cursor = body.nextCursor;
    }
    if (found.length === 0) found.push(...(await unnamed()).map((id) => ({ id, name: id })));
    return found.sort((a, b) => a.name.localeCompare(b.name));
  }

  async function unnamed() {
    const ids = new Set();
    let cursor = "";
    for (let page = 0; page < APP_PAGES && cursor != null; page++) {
      const { body } = await call("GET", query(account(accountId, "resources"), { limit: "100", cursor }));
      for (const { integrationId } of body.resources) if (integrationId) ids.add(integrationId);
      cursor = body.nextCursor;
    }
    return [...ids];
  }
}

/**
 * A hook: the account's Integration Apps, `{ apps, failed }`. `apps` are `null` until they are known, and none if they
 * can't be read: `failed`. Without an account, nothing is read.
 */
export function useApps(accountId) {
  const [state, setState] = useState({ apps: null, failed: false });
  useEffect(() => {
    if (!accountId) return undefined;
    let left = false;
    const take = (apps, failed) => left || setState({ apps, failed });
    readApps(accountId).then((found) => take(found, false), () => take([], true));
    return () => { left = true; };
  }, [accountId]);
  return state;
}

/** What an Integration App is called: its name, or its id. */
export const appName = (apps, id) => apps?.find((app) => app.id === id)?.name ?? id;

// ---- Attention --------------------------------------------------------------------------------------

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
// How long a token lives, by its auto purge.
const LIVES = { "1h": HOUR, "4h": 4 * HOUR, "1d": DAY, "4d": 4 * DAY, "10d": 10 * DAY, "30d": 30 * DAY };
// A token that nobody has used for so long is idle, and one that was made so long ago should have been used.
const IDLE = 30 * DAY;
const NEW = 7 * DAY;

/**
 * What needs attention, most urgent first: `[{ what, kind, at? }]`, with `what` a key of the page's texts and `kind`
 * `danger` or `warning`, or `info` for what only should be known.
 */
export function attention(token) {
  const found = [];
  const now = Date.now();
  const since = (at) => now - Date.parse(at);
  const active = token.status === "active";
  const life = LIVES[token.autoPurge] ?? Infinity;
  if (token.compromisedAt) found.push({ what: "compromised", kind: "danger", at: token.compromisedAt });
  if (token.purgeAt && active) {
    const left = -since(token.purgeAt);
    // What lives for an hour always ends soon: the end is news when most of the life is over.
    if (left <= Math.min(DAY, life / 8)) found.push({ what: "endsToday", kind: "danger", at: token.purgeAt });
    else if (left <= Math.min(7 * DAY, life / 4)) found.push({ what: "endsSoon", kind: "warning", at: token.purgeAt });
  }
  // An Integration App's token has access to the app only.
  if (active && token.kind === "account" && token.scope.type === "full" && !token.purgeAt) found.push({ what: "fullForever", kind: "warning" });
  const old = oldSecret(token);
  if (old && active) found.push({ what: "grace", kind: "info", at: old.validUntil });
  if (active && !token.lastUsedAt && since(token.createdAt) > Math.min(NEW, life / 4)) found.push({ what: "neverUsed", kind: "info", at: token.createdAt });
  if (active && token.lastUsedAt && since(token.lastUsedAt) > IDLE) found.push({ what: "idle", kind: "info", at: token.lastUsedAt });
  return found;
}
