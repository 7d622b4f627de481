// The list of tokens: of an account, or of one of its Integration Apps.

import { account, call, query } from "./api.js";
import { exact, foreign, h, icon, isolated, menuButton, problem, quoted, time, toast, unique, who, whoText } from "./dom.js";
import {
  LIFETIMES, maskAll, oldSecret, oldSecretText, reactivate, regenerate, remove, retire, revoke, scopeText, secretCell,
} from "./actions.js";
import { apps } from "./form.js";

const COLUMNS = [
  { title: "Name", by: (token) => token.name.toLowerCase() },
  { title: "Status", by: (token) => token.status },
  { title: "Scope", by: scopeText },
  { title: "Auto purge", by: (token) => token.purgeAt ?? "~" },
  { title: "Last used", by: (token) => token.lastUsedAt ?? "" },
  { title: "Last updated", by: (token) => token.updatedAt },
  { title: "Token" },
  { title: "Actions" },
];
const SIZES = ["25", "50", "100"];
// An interval that `setTimeout` can hold.
const LONGEST = 2 ** 31 - 1;

/**
 * The list of the account `me`, or of its Integration App `app`. `go` is told the filters that were chosen.
 * Answers the view: its element, `update(filters)` and `leave()`.
 */
export function listView({ app, me, go, links }) {
  let filters = {};
  let page = { tokens: [], next: null };
  // The cursors of the pages before this one.
  let before = [];
  let cursor = "";
  let sort = { column: null, descending: false };
  let loading = null;
  let ending = null;

  // ---- Filters --------------------------------------------------------------------------------------

  const ids = { q: unique("q"), status: unique("status"), kind: unique("kind"), app: unique("app"), apps: unique("apps") };
  const select = (name, label, options) => h("div", { class: "filter" }, h("label", { for: ids[name] }, label),
    h("select", { id: ids[name], name, on: { change: apply } },
      Object.entries(options).map(([value, text]) => h("option", { value }, text))));
  const known = h("datalist", { id: ids.apps });
  const form = h("form", { class: "filters", role: "search", "aria-label": "Filter the tokens" },
    h("div", { class: "filter wide" }, h("label", { for: ids.q }, "Keywords"),
      h("input", { id: ids.q, name: "q", type: "search", autocomplete: "off", dir: "auto", placeholder: "Name or description",
        on: { input: applySoon } })),
    select("status", "Status", { "": "All", active: "Active", revoked: "Revoked" }),
    app ? null : select("kind", "Kind", { "": "All", account: "Account tokens", integrationApp: "Integration App tokens" }),
    app ? null : h("div", { class: "filter" }, h("label", { for: ids.app }, "Integration App"),
      h("input", { id: ids.app, name: "integrationId", list: ids.apps, autocomplete: "off", placeholder: "All",
        on: { change: apply, focus: () => apps(me.id).then((all) => known.replaceChildren(
          ...all.map((value) => h("option", { value }))), () => {}) } }), known),
    h("button", { type: "button", class: "quiet clear", hidden: true, on: { click: clear } }, "Clear filters"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  let typing = null;
  function applySoon() {
    clearTimeout(typing);
    typing = setTimeout(apply, 300);
  }
  function apply() {
    clearTimeout(typing);
    const entries = [...new FormData(form)].map(([name, value]) => [name, value.trim()]);
    go(Object.fromEntries(entries.filter(([, value]) => value)));
  }
  function clear() {
    for (const control of form.elements) if (control.name) control.value = "";
    apply();
    form.elements.q.focus();
  }

  // ---- Table ----------------------------------------------------------------------------------------

  const heads = COLUMNS.map(({ title, by }, index) => {
    if (!by) return h("th", { scope: "col", role: "columnheader" }, title);
    const button = h("button", { type: "button", class: "sort", on: { click: () => sortBy(index) } }, title, icon("down"));
    return h("th", { scope: "col", role: "columnheader", "aria-sort": "none" }, button);
  });
  const rows = h("tbody", { role: "rowgroup" });
  const table = h("table", { role: "table", "aria-label": "API tokens", class: "tokens" },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads)), rows);
  const outcome = h("div", { class: "outcome" });
  const size = h("select", { id: unique("size"), on: { change: () => restart() } },
    SIZES.map((value) => h("option", { value, selected: value === "50" }, value)));
  const previous = h("button", { type: "button", on: { click: () => turn(before.pop(), previous) } }, "Previous");
  const next = h("button", { type: "button", on: { click: () => {
    before.push(cursor);
    turn(page.next, next);
  } } }, "Next");
  const position = h("span", { role: "status", class: "position" });
  const pager = h("nav", { class: "pager", "aria-label": "Pages" }, position, h("span", { class: "spring" }),
    h("label", { for: size.id }, "Per page"), size, previous, next);

  const title = app ? ["API tokens of ", h("span", { class: "name" }, foreign(app))] : "API tokens";
  const heading = h("h1", { tabindex: "-1" }, title);
  const element = h("div", { class: "view" },
    app ? h("a", { class: "back", href: links.list(me.id) }, icon("back"), "All API tokens of ", foreign(me.name)) : null,
    h("div", { class: "title" }, heading, h("span", { class: "spring" }),
      app ? null : h("a", { class: "button", href: links.accountAudit(me.id) }, icon("history"), "Audit log"),
      h("a", { class: "button primary", href: links.create(me.id, app) }, icon("plus"), "Create API token")),
    form, outcome, h("div", { class: "table" }, table), pager);

  function row(token) {
    const cell = (index, ...content) =>
      h("td", { role: "cell", "data-label": COLUMNS[index].title }, h("div", null, content));
    const revoked = token.status === "revoked";
    const reason = token.revokedAt ? `Revoked by ${whoText(token.revokedBy)}, ${
      token.revocationReason ? `with the reason ${quoted(token.revocationReason)}` : "without a reason"}` : null;
    // One that is over may still be told of, and its end is no news.
    const old = token.previousSecret = oldSecret(token);
    return h("tr", { role: "row", "data-token": token.id },
      cell(0, h("a", { class: "name", href: links.edit(me.id, token.id) }, foreign(token.name)),
        token.description ? h("p", { class: "fine clip", title: isolated(token.description) }, foreign(token.description)) : null,
        token.integrationId && !app
          ? h("p", { class: "fine" }, "Integration App ", h("a", { href: links.app(me.id, token.integrationId) }, token.integrationId))
          : null),
      cell(1, h("span", { class: `badge ${token.status}`, title: reason }, revoked ? "Revoked" : "Active"),
        token.compromisedAt ? h("p", { class: "fine compromised", title: exact(token.compromisedAt) }, "Secret compromised") : null),
      cell(2, token.scope.type === "full" ? "Full access" : ["Custom", h("p", { class: "fine scope" }, scopeText(token).replace(/^Custom: /, ""))]),
      cell(3, token.purgeAt ? time(token.purgeAt) : LIFETIMES.never),
      cell(4, token.lastUsedAt ? time(token.lastUsedAt) : "Never"),
      cell(5, time(token.updatedAt), h("p", { class: "fine by" }, "by ", who(token.updatedBy))),
      cell(6, secretCell(token, me), old ? h("p", { class: "fine old-secret" }, oldSecretText(old)) : null),
      cell(7, menuButton({ label: `Actions for ${isolated(token.name)}`, items: () => actions(token) })));
  }

  function actions(token) {
    const revoked = token.status === "revoked";
    const compromised = "Its secret is compromised and never works again: generate a new token first.";
    return [
      { label: "Edit API token", run: () => { location.hash = links.edit(me.id, token.id); } },
      { label: "View audit log", run: () => { location.hash = links.audit(me.id, token.id); } },
      revoked
        ? { label: "Reactivate token", reason: token.compromisedAt ? compromised : null, run: () => change(token, reactivate) }
        : { label: "Revoke API token", danger: true, run: () => change(token, revoke) },
      { label: "Generate new token", run: () => change(token, regenerate) },
      ...(oldSecret(token) ? [{ label: "End the old secret now", danger: true, run: () => change(token, retire) }] : []),
      { label: "Delete API token", danger: true, reason: revoked ? null : "To delete this API token, revoke it first.",
        run: async () => {
          if (await remove(token)) drop(token.id);
        } },
    ];
  }

  async function change(token, action) {
    const after = await action(token, me);
    if (!after) return;
    page.tokens = page.tokens.map((each) => (each.id === after.id ? after : each));
    maskAll();
    const old = rows.querySelector(`[data-token="${CSS.escape(token.id)}"]`);
    old?.replaceWith(row(after));
    focusRow(token.id);
    schedule();
  }

  function focusRow(id) {
    (rows.querySelector(`[data-token="${CSS.escape(id)}"] .menu-anchor button`) ?? heading).focus();
  }

  function drop(id) {
    const hadFocus = document.activeElement === document.body
      || rows.querySelector(`[data-token="${CSS.escape(id)}"]`)?.contains(document.activeElement);
    page.tokens = page.tokens.filter((token) => token.id !== id);
    rows.querySelector(`[data-token="${CSS.escape(id)}"]`)?.remove();
    if (hadFocus) heading.focus();
    if (page.tokens.length === 0) load();
    else describe();
  }

  // A purged token is gone from the moment its time comes, here too, and so is an old secret.
  function schedule() {
    clearTimeout(ending);
    const ends = page.tokens.flatMap((token) => [token.purgeAt, token.previousSecret?.validUntil]);
    const times = ends.filter(Boolean).map((end) => Date.parse(end));
    if (!times.length) return;
    ending = setTimeout(() => {
      const isOver = (at) => Date.parse(at) <= Date.now();
      for (const token of page.tokens.filter((each) => isOver(each.previousSecret?.validUntil))) {
        token.previousSecret = null;
        rows.querySelector(`[data-token="${CSS.escape(token.id)}"] .old-secret`)?.remove();
        toast(`The old secret of ${quoted(token.name)} has ended: its grace period is over.`);
      }
      for (const token of page.tokens.filter((each) => isOver(each.purgeAt))) {
        drop(token.id);
        toast(`${quoted(token.name)} was purged: its time has come.`);
      }
      schedule();
    }, Math.min(Math.max(Math.min(...times) - Date.now(), 0), LONGEST));
  }

  function sortBy(index) {
    if (sort.column !== index) sort = { column: index, descending: false };
    else if (!sort.descending) sort.descending = true;
    else sort = { column: null, descending: false };
    draw();
    const direction = sort.descending ? "descending" : "ascending";
    position.textContent = sort.column === null ? "Newest first." : `This page by ${COLUMNS[index].title}, ${direction}.`;
  }

  function draw() {
    heads.forEach((head, index) => {
      if (!COLUMNS[index].by) return;
      const state = sort.column !== index ? "none" : sort.descending ? "descending" : "ascending";
      head.setAttribute("aria-sort", state);
    });
    let tokens = page.tokens;
    if (sort.column !== null) {
      const { by } = COLUMNS[sort.column];
      const sign = sort.descending ? -1 : 1;
      tokens = tokens.toSorted((a, b) => sign * (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0));
    }
    maskAll();
    rows.replaceChildren(...tokens.map(row));
  }

  function describe() {
    const filtered = Object.keys(filters).length > 0;
    form.querySelector(".clear").hidden = !filtered;
    const empty = page.tokens.length === 0;
    table.hidden = empty;
    pager.hidden = empty && before.length === 0;
    previous.disabled = before.length === 0;
    next.disabled = !page.next;
    const first = before.length ? `Page ${before.length + 1}, ` : "";
    const count = page.tokens.length;
    position.textContent = `${first}${count} ${count === 1 ? "token" : "tokens"}${page.next ? ", more follow" : ""}`;
    outcome.replaceChildren(...(empty ? [nothing(filtered)] : []));
  }

  function nothing(filtered) {
    if (filtered) {
      return h("div", { class: "empty" }, h("h2", null, "No token matches"),
        h("p", null, "Search looks at names and descriptions, for every word. Purged and deleted tokens are in the audit log only."),
        h("button", { type: "button", on: { click: clear } }, "Clear filters"));
    }
    return h("div", { class: "empty" },
      h("h2", null, app ? "This Integration App has no API tokens yet" : "This account has no API tokens yet"),
      h("p", null, app
        ? "A token of an Integration App lets somebody run the app's exports and imports and see their debug logs, and nothing else."
        : "A token lets somebody call this account's API without signing in. You choose what it may do and how long it lives; "
          + "everything that happens to it is recorded and mailed to the account's administrators."),
      h("a", { class: "button primary", href: links.create(me.id, app) }, icon("plus"), "Create API token"));
  }

  // ---- Loading --------------------------------------------------------------------------------------

  function restart() {
    before = [];
    cursor = "";
    return load();
  }

  async function turn(to, button) {
    cursor = to;
    await load();
    if (button.disabled) heading.focus();
  }

  async function load() {
    loading?.abort();
    const mine = loading = new AbortController();
    element.setAttribute("aria-busy", "true");
    try {
      const wanted = { limit: size.value, ...filters, ...(app ? { kind: "integrationApp", integrationId: app } : {}) };
      let tokens = [];
      let at = cursor;
      // A search reads a bounded part of the account at a time: a page without a hit may have a next one.
      do {
        const { body } = await call("GET", query(account(me.id, "tokens"), { ...wanted, cursor: at }), { signal: mine.signal });
        tokens = body.tokens;
        at = body.nextCursor;
      } while (tokens.length === 0 && at);
      page = { tokens, next: at };
      draw();
      describe();
      schedule();
    } catch (error) {
      if (mine.signal.aborted) return;
      const again = h("button", { type: "button", on: { click: () => (error.code === "invalid_cursor" ? restart() : load()) } },
        "Try again");
      outcome.replaceChildren(problem(error, again));
    } finally {
      if (loading === mine) element.removeAttribute("aria-busy");
    }
  }

  return {
    element,
    heading,
    /** Shows the list with other filters, from its beginning. */
    update(chosen) {
      filters = chosen;
      for (const control of form.elements) {
        if (control.name && control !== document.activeElement) control.value = filters[control.name] ?? "";
      }
      return restart();
    },
    leave() {
      loading?.abort();
      clearTimeout(ending);
      clearTimeout(typing);
    },
  };
}
