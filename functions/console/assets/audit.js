// The audit log of a token, or of a whole account, in a panel.

import { LIFETIMES } from "./actions.js";
import { account, call, query } from "./api.js";
import {
  exact, foreign, h, icon, isolated, openDialog, problem, quoted, relative, toast, unique, who, whoText, wordFor, working,
} from "./dom.js";

// Every action, for the filter and the log.
const ACTIONS = {
  create: "Create",
  update: "Edit",
  view: "Show token",
  revoke: "Revoke",
  reactivate: "Reactivate",
  regenerate: "Generate new token",
  retire: "End old secret",
  delete: "Delete",
  access: "Use",
  refused: "Refused use",
  purge: "Auto purge",
  remind: "Reminder",
  leak: "Leak report",
  tamper: "Tampering",
};
// What needs a look, and what it is.
const ALERTS = {
  refused: ["warning", "A secret was tried and refused."],
  leak: ["danger", "A secret was found in public. It never works again."],
  tamper: ["danger", "A record of this log was changed or removed. The old values are what it said."],
};
// A client can claim to be the page's.
const SOURCES = {
  ui: "This page, as claimed",
  api: "API",
  system: "System",
  leakReport: "Leak report",
};
const FIELDS = {
  name: "Name",
  kind: "Kind",
  integrationId: "Integration App",
  description: "Description",
  autoPurge: "Auto purge",
  purgeAt: "Purge time",
  scope: "Scope",
  "scope.connections": "Connections",
  "scope.exports": "Exports",
  "scope.imports": "Imports",
  "scope.apis": "My APIs",
  allowedCidrs: "Allowed addresses",
  status: "Status",
  revocationReason: "Reason",
  compromisedAt: "Secret compromised",
  compromisedSecret: "Which secret",
  hint: "Ends in",
  "previousSecret.hint": "Old secret ends in",
  "previousSecret.validUntil": "Old secret works until",
  // As the first records call it.
  previousSecretValidUntil: "Old secret works until",
  reason: "Why",
  daysRefused: "Days with this refusal",
  addressesToday: "Addresses today",
  introspectedBy: "Asked about by the token",
  leakUrl: "Where, as the report says",
  leakPlace: "Kind of place, as the report says",
};
// Nothing else is shown as a time: a name may look like one, also like one that there isn't.
const TIMES = ["purgeAt", "previousSecretValidUntil", "previousSecret.validUntil", "compromisedAt"];
// Why a secret was refused.
const REFUSALS = {
  revoked: "The token is revoked",
  expired: "The time of the token or the secret is over",
  ended: "The secret was replaced or ended",
  compromised: "The secret is compromised",
  address: "The address is not an allowed one",
};
const VALUES = {
  autoPurge: LIFETIMES,
  scope: { full: "Full access", custom: "Custom" },
  status: { active: "Active", revoked: "Revoked" },
  kind: { account: "Account token", integrationApp: "Integration App token" },
  compromisedSecret: {
    current: "The current one: the token is revoked",
    previous: "The old one, during its grace period",
    ended: "One that had ended before",
  },
  reason: REFUSALS,
};
// The types of users, in the order of the filter.
const USERS = {
  member: "People",
  token: "Tokens",
  scanner: "Secret scanners",
  system: "System",
};

/** Opens the panel; `token` is missing for the account's log. `onClose` hears when it is closed. */
export function openAudit({ me, tokenId, tokenName, onClose }) {
  const path = account(me.id, ...(tokenId ? ["tokens", tokenId] : []), "audit");
  const known = new Set();
  const groups = Object.create(null);
  let cursor = null;
  let loading = null;

  const id = (name) => unique(`audit-${name}`);
  const choice = (name, label, options) => {
    const control = h("select", { id: id(name), name, on: { change: () => load() } },
      Object.entries({ "": "All", ...options }).map(([value, text]) => h("option", { value }, text)));
    return [control, h("div", { class: "filter" }, h("label", { for: control.id }, label), control)];
  };
  const day = (name, label) => {
    const control = h("input", { id: id(name), name, type: "date", on: { change: () => load() } });
    return [control, h("div", { class: "filter" }, h("label", { for: control.id }, label), control)];
  };
  const [action, actionField] = choice("action", "Action", ACTIONS);
  const [source, sourceField] = choice("source", "Source", SOURCES);
  const [user, userField] = choice("user", "User", {});
  const [from, fromField] = day("from", "From");
  const [to, toField] = day("to", "To, inclusive");
  const download = h("button", { type: "button", on: { click: () => working(download, csv) } }, icon("download"), "Download CSV");
  const filters = h("form", { class: "filters", "aria-label": "Filter the audit log" }, actionField, sourceField, userField, fromField, toField,
    h("span", { class: "spring" }), download);
  filters.addEventListener("submit", (event) => event.preventDefault());

  const columns = ["Time", "Source", "User", ...(tokenId ? [] : ["Name"]), "Action", "Field", "Old value", "New value"];
  const rows = h("tbody", { role: "rowgroup" });
  const table = h("table", { role: "table", class: "audit", "aria-label": "Audit log", hidden: true },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map((title) => h("th", { scope: "col", role: "columnheader" }, title)))),
    rows);
  const outcome = h("div", { class: "outcome" });
  const more = h("button", { type: "button", hidden: true, on: { click: () => working(more, () => load(cursor)) } }, "Show older");
  const said = h("p", { class: "visually-hidden", role: "status" });
  const scroller = h("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Records" }, table, outcome, more);

  // A day is one of the reader's own time zone; the end is exclusive.
  const midnight = (value, days) => {
    if (!value) return "";
    const [year, month, date] = value.split("-").map(Number);
    return new Date(year, month - 1, date + days).toISOString();
  };
  const wanted = () => ({
    action: action.value, source: source.value, userId: user.value,
    from: midnight(from.value, 0), to: midnight(to.value, 1),
  });

  async function load(at = "") {
    loading?.abort();
    const mine = loading = new AbortController();
    try {
      let records = [];
      let next = at;
      do {
        const { body } = await call("GET", query(path, { ...wanted(), limit: "50", cursor: next }), { signal: mine.signal });
        records = body.records;
        next = body.nextCursor;
      } while (records.length === 0 && next);
      if (!at) rows.replaceChildren();
      const first = records.flatMap(rowsOf);
      rows.append(...first);
      cursor = next;
      more.hidden = !next;
      table.hidden = rows.childElementCount === 0;
      outcome.replaceChildren(...(table.hidden ? [nothing()] : []));
      said.textContent = `${records.length} ${records.length === 1 ? "record" : "records"} loaded.`;
      nameUsers(records);
    } catch (error) {
      if (mine.signal.aborted) return;
      outcome.replaceChildren(problem(error, h("button", { type: "button", on: { click: () => load(at) } }, "Try again")));
    }
  }

  function nothing() {
    return h("div", { class: "empty" }, Object.values(wanted()).some(Boolean)
      ? h("p", null, "No record matches these filters.")
      : h("p", null, "There are no records yet."));
  }

  // A group says what somebody is; a name can't.
  function nameUsers(records) {
    for (const { user: { id: userId, name, type } } of records) {
      if (known.has(userId)) continue;
      known.add(userId);
      groups[type] ??= group(type);
      groups[type].append(h("option", { value: userId }, isolated(name)));
    }
  }

  function group(type) {
    const types = Object.keys(USERS);
    const next = types.slice(types.indexOf(type) + 1).map((later) => groups[later]).find(Boolean);
    return user.insertBefore(h("optgroup", { label: wordFor(USERS, type) ?? type }), next ?? null);
  }

  /** A record has a row for every field that changed, and at least one. */
  function rowsOf(record) {
    const changes = record.changes.length ? record.changes : [null];
    const cell = (title, content, span = 1) =>
      h("td", { role: "cell", "data-label": title, rowspan: span, "aria-rowspan": span }, h("div", null, content));
    const own = (title, content) => cell(title, content, changes.length);
    // Each on a line of its own, which none can leave.
    const by = [whoText(record.user), record.user.email && isolated(record.user.email), isolated(record.user.id),
      record.userAgent && `Client, as claimed: ${quoted(record.userAgent)}`].filter(Boolean).join("\n");
    return changes.map((change, index) => h("tr", { role: "row", class: index ? null : "first" },
      index ? [] : [
        own("Time", h("time", { datetime: record.time, title: relative(record.time) }, exact(record.time))),
        own("Source", wordFor(SOURCES, record.source) ?? record.source),
        own("User", h("span", { title: by }, who(record.user), record.ip ? h("span", { class: "fine" }, record.ip) : null,
          record.assertedIp ? h("span", { class: "fine" }, `${record.assertedIp}, as claimed by the API that asked`) : null)),
        tokenId ? [] : own("Name", h("a", { href: `#/accounts/${me.id}/tokens/${record.resource.id}/audit` }, foreign(record.resource.name))),
        own("Action", what(record.action)),
      ],
      cell("Field", change ? field(record, change) : ""),
      cell("Old value", change ? shown(record, change.field, change.old) : ""),
      cell("New value", change ? shown(record, change.field, change.new) : "")));
  }

  function what(action) {
    const name = wordFor(ACTIONS, action) ?? action;
    const [kind, text] = wordFor(ALERTS, action) ?? [];
    return kind ? [h("span", { class: `badge ${kind}` }, name), h("span", { class: "fine" }, text)] : name;
  }

  // A record that was tampered with has whatever somebody put there: no words of ours for that.
  const isRaw = (record) => record.action === "tamper";

  function field(record, change) {
    return isRaw(record) ? h("code", null, foreign(change.field)) : wordFor(FIELDS, change.field) ?? foreign(change.field);
  }

  function shown(record, field, value) {
    if (value == null) return "";
    const isTime = !isRaw(record) && TIMES.includes(field) && !Number.isNaN(Date.parse(value));
    const word = isRaw(record) ? null : wordFor(wordFor(VALUES, field) ?? {}, value);
    return h("span", { class: "value" }, isTime ? exact(value) : word ?? foreign(value));
  }

  async function csv() {
    try {
      // A download has an end; what is behind it comes with the next ones.
      let text = "";
      let next = query(path, wanted());
      while (next) {
        const page = await call("GET", next, { accept: "text/csv" });
        text += text ? page.body.slice(page.body.indexOf("\r\n") + 2) : page.body;
        next = page.next;
      }
      const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
      const link = h("a", { href: url, download: `audit-${tokenId ?? me.id}.csv` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      toast("The download has started.");
    } catch (error) {
      outcome.replaceChildren(problem(error));
    }
  }

  const dialog = openDialog({
    title: tokenId ? ["Audit log", tokenName ? ` of ${isolated(tokenName)}` : ""].join("") : `Audit log of ${isolated(me.name)}`,
    kind: "panel",
    content: () => h("div", { class: "panel-body" },
      h("p", { class: "fine" }, tokenId ? h("code", null, foreign(tokenId)) : "Everything that happened to this account's tokens, deleted and purged ones included."),
      filters, said, scroller),
    onClose: () => {
      loading?.abort();
      onClose();
    },
  });
  load();
  return dialog;
}
