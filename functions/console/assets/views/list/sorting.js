// The orders of the list. The server knows two, for the whole list; the columns sort what is loaded.

import { scopeText } from "../../tokens.js";

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** The columns that sort, with what each is sorted by. */
const BY = {
  name: (token) => token.name,
  status: (token) => token.status,
  scope: scopeText,
  // What is never purged comes last, and what was never used first.
  purge: (token) => token.purgeAt ?? "~",
  used: (token) => token.lastUsedAt ?? "",
  updated: (token) => token.updatedAt,
};
const TIMES = ["purge", "used", "updated"];

export const COLUMNS = ["name", "status", "scope", "purge", "used", "updated", "actions"];

/** Whether a column sorts. */
export const sorts = (column) => Object.hasOwn(BY, column);

/** What a parameter of the address means: `name`, or `-name` for the other direction. `null` if it means nothing. */
export function readSort(text = "") {
  const column = text.replace(/^-/, "");
  return sorts(column) ? { column, descending: text.startsWith("-") } : null;
}

/** The tokens in an order. Equal ones stay as the server has them. */
export function sorted(tokens, sort) {
  if (!sort) return tokens;
  const by = BY[sort.column];
  const plain = (a, b) => (a < b ? -1 : Number(a > b));
  const compare = TIMES.includes(sort.column) ? plain : collator.compare;
  const sign = sort.descending ? -1 : 1;
  return tokens.toSorted((a, b) => sign * compare(by(a), by(b)));
}

/** The next order of a column whose head is pressed: up, down, and none. */
export function nextSort(column, sort) {
  if (sort?.column !== column) return column;
  return sort.descending ? "" : `-${column}`;
}
