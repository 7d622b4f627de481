// A form that a link fills in. What the link says is somebody else's: it is checked like what people type, shown with
// everything invisible written out, and nothing of it is saved by itself.

import { texts } from "../../texts.js";
import { LISTS } from "../../tokens.js";
import { visible } from "../../untrusted.js";

// More than any of these may have; the rest of a longer one would only be in the way.
const LONGEST = { name: 512, description: 8192, integrationId: 256, allowedCidrs: 8192 };
const MOST_RESOURCES = 1000;

const line = (text) => visible(text).replaceAll(/[\n\t]/g, " ");
const ids = (text) => [...new Set(text.split(",").map((id) => line(id.trim())).filter(Boolean))].slice(0, MOST_RESOURCES).sort();

/**
 * What a link's parameters fill in: `{ entries, ignored, given }`, with the entries as the form has them, and what can't
 * be chosen as `[label, value]`. `lifetimes` are those that may be chosen. Parameters that no form knows mean nothing.
 */
export function prefill(query, { lifetimes, app }) {
  const entries = {};
  const ignored = [];
  const choose = (key, label, allowed) => {
    if (!(key in query)) return;
    if (allowed.includes(query[key])) entries[key] = query[key];
    else ignored.push([label, line(query[key]).slice(0, 100)]);
  };
  if ("name" in query) entries.name = line(query.name).slice(0, LONGEST.name);
  if ("description" in query) entries.description = visible(query.description).slice(0, LONGEST.description);
  if (!app) {
    choose("kind", texts.form.kind, ["account", "integrationApp"]);
    if ("integrationId" in query) {
      entries.integrationId = line(query.integrationId).slice(0, LONGEST.integrationId);
      entries.kind ??= "integrationApp";
    }
  }
  const forApp = Boolean(app) || entries.kind === "integrationApp";
  choose("autoPurge", texts.form.autoPurge, lifetimes.filter((lifetime) => !forApp || lifetime !== "never"));
  const lists = Object.keys(LISTS).filter((list) => list in query);
  if (lists.length > 0 || "scope" in query) {
    const scope = { type: query.scope ?? "custom" };
    if (scope.type !== "full" && scope.type !== "custom") {
      ignored.push([texts.form.scope, line(scope.type).slice(0, 100)]);
      scope.type = "";
    }
    for (const list of lists) scope[list] = ids(query[list]);
    entries.scope = scope;
  }
  if ("cidrs" in query) {
    entries.allowedCidrs = line(query.cidrs).slice(0, LONGEST.allowedCidrs).split(/[\s,]+/).filter(Boolean).join("\n");
  }
  return { entries, ignored, given: Object.keys(entries).length > 0 || ignored.length > 0 };
}
