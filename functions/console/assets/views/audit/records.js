// Reading the audit log, and what its values are.

import { useEffect, useMemo, useRef, useState } from "../../html.js";
import { account, call, query } from "../../api.js";
import { LISTS, useNames } from "../../tokens.js";

/** The path of a token's log, or of the account's. */
export const logOf = (accountId, tokenId) => account(accountId, ...(tokenId ? ["tokens", tokenId] : []), "audit");

/** The records from `cursor` on: at least one that `takes` wants, if there is one. Answers `{ records, cursor }`. */
export async function readRecords(path, filters, { cursor = "", limit = "50", takes = () => true, signal } = {}) {
  let at = cursor;
  for (;;) {
    const { body } = await call("GET", query(path, { ...filters, limit, cursor: at }), { signal });
    const records = body.records.filter(takes);
    at = body.nextCursor;
    if (records.length > 0 || !at) return { records, cursor: at };
  }
}

const NOTHING = { records: null, cursor: null, error: null, read: 0 };

/**
 * A hook: the records that `read(cursor, signal)` answers, page after page. `question` says what is asked: under another
 * one, nothing old is shown. Another `version` reads the same again. Answers `{ records, error, more, again, read }`;
 * `more()` reads older ones, if there are any, and `read` is how many the last page had.
 */
export function useRecords(question, version, read) {
  const [state, setState] = useState({ ...NOTHING, question: null });
  const latest = useRef();
  latest.current = read;
  const loading = useRef(null);
  const load = async (cursor = "") => {
    loading.current?.abort();
    const controller = loading.current = new AbortController();
    const settle = (next) => controller.signal.aborted || setState((old) => ({ ...old, question, error: null, ...next(old) }));
    try {
      const page = await latest.current(cursor, controller.signal);
      settle((old) => ({
        records: cursor ? [...old.records, ...page.records] : page.records, cursor: page.cursor, read: page.records.length,
      }));
    } catch (error) {
      // What was read before stays only under a question for more of it.
      settle(() => ({ ...(cursor ? {} : NOTHING), error, failedAt: cursor }));
    }
  };
  useEffect(() => {
    load();
    return () => loading.current?.abort();
  }, [question, version]);
  const { records, cursor, error, read: count, failedAt } = state.question === question ? state : NOTHING;
  return {
    records,
    error,
    read: count,
    more: cursor && !error ? () => load(cursor) : null,
    again: () => {
      setState((old) => ({ ...old, error: null }));
      return load(failedAt);
    },
  };
}

/** A whole log as CSV, as a download. */
export async function downloadCsv(path, filters, name) {
  // A download has an end; what is behind it comes with the next ones.
  let text = "";
  let next = query(path, filters);
  while (next) {
    const page = await call("GET", next, { accept: "text/csv" });
    text += text ? page.body.slice(page.body.indexOf("\r\n") + 2) : page.body;
    next = page.next;
  }
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

// ---- Values -----------------------------------------------------------------------------------------

// Nothing else is shown as a time: a name may look like one, also like one that there isn't.
const TIMES = ["purgeAt", "previousSecretValidUntil", "previousSecret.validUntil", "compromisedAt"];

/** Whether a change's value is a time. */
export const isTime = (field, value) => TIMES.includes(field) && !Number.isNaN(Date.parse(value));

/** Whether a record has whatever somebody put there: no words of ours for that. */
export const isRaw = (record) => record.action === "tamper";

/** The list of a scope that a field is, if it is one. */
export const listOf = (field) => (field.startsWith("scope.") && Object.hasOwn(LISTS, field.slice(6)) ? field.slice(6) : null);

/** The things that a value lists. */
export const listed = (value) => (value ? value.split(", ") : []);

/** What a record says of a field after it, `null` if nothing. */
export const told = (record, field) => record.changes.find((change) => change.field === field)?.new ?? null;

/** The same of a field before it. */
export const toldBefore = (record, field) => record.changes.find((change) => change.field === field)?.old ?? null;

/** What a record's client calls itself, in words if the API has some. */
export const clientOf = (record) => record.client ?? record.userAgent;

/** A hook: the names of the resources in changes of scopes. Before they are known, there are none. */
export function useNamesIn(accountId, records) {
  const scope = useMemo(() => {
    const lists = Object.fromEntries(Object.keys(LISTS).map((list) => [list, new Set()]));
    for (const record of records ?? []) {
      if (isRaw(record)) continue;
      for (const change of record.changes) {
        const list = listOf(change.field);
        if (list) for (const id of [...listed(change.old), ...listed(change.new)]) lists[list].add(id);
      }
    }
    return { type: "custom", ...Object.fromEntries(Object.entries(lists).map(([list, ids]) => [list, [...ids]])) };
  }, [records]);
  const names = useNames(accountId, scope);
  const latest = useRef(new Map());
  if (names) latest.current = names;
  return latest.current;
}
