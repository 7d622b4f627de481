// What is entered in the form of a token, as the API has it.

import { LISTS } from "../../tokens.js";

const NONE = Object.fromEntries(Object.keys(LISTS).map((list) => [list, []]));

// Neither a lifetime nor a scope is chosen beforehand: whoever creates a token decides both.
const EMPTY = { name: "", description: "", kind: "account", integrationId: "", autoPurge: "", scope: { type: "", ...NONE }, allowedCidrs: "" };

/** The entries of a form, from what is known of them. Those of a new token that nobody has begun are `entered({})`. */
export const entered = (known) => ({ ...EMPTY, ...known, scope: { ...EMPTY.scope, ...known.scope } });

/** The entries that a stored token has. No lifetime is chosen: it keeps its own. */
export const stored = (token) => entered({
  name: token.name,
  description: token.description,
  kind: token.kind,
  integrationId: token.integrationId ?? "",
  scope: Object.fromEntries(Object.entries(token.scope).map(([key, value]) => [key, Array.isArray(value) ? [...value].sort() : value])),
  allowedCidrs: token.allowedCidrs.join("\n"),
});

/** The lines of the allowed addresses. */
export const addresses = ({ allowedCidrs }) => allowedCidrs.split(/[\s,]+/).filter(Boolean);

/** The lists that a token's scope may have: an Integration App has exports and imports only. */
export const listsOf = (kind) => Object.keys(LISTS).filter((list) => kind !== "integrationApp" || list === "exports" || list === "imports");

/** The scope as the API has it: what doesn't go with the choices isn't in it. */
export function scopeOf({ kind, scope }) {
  if (scope.type !== "custom") return { type: scope.type };
  const lists = listsOf(kind);
  return { type: "custom", ...Object.fromEntries(Object.keys(LISTS).map((list) => [list, lists.includes(list) ? scope[list] : []])) };
}

/** The entries as the API has them. */
export const sent = (entries) => ({
  name: entries.name,
  description: entries.description,
  autoPurge: entries.autoPurge,
  scope: scopeOf(entries),
  allowedCidrs: addresses(entries),
  kind: entries.kind,
  integrationId: entries.kind === "integrationApp" ? entries.integrationId.trim() : "",
});

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** The names of what differs between two states of the form. */
export function changed(now, before) {
  const [a, b] = [sent(now), sent(before)];
  return Object.keys(a).filter((key) => !same(a[key], b[key]));
}
