// The list of tokens: of an account, or of one of its Integration Apps. What it shows is in the address.

import { html, useEffect, useId, useRef, useState } from "../../html.js";
import { perform } from "../../actions.js";
import { Button, ButtonLink } from "../../components/Button.js";
import { ask } from "../../components/Dialog.js";
import { Icon } from "../../components/Icon.js";
import { Problem } from "../../components/Notice.js";
import { Pager } from "../../components/Pager.js";
import { SkeletonRows } from "../../components/Skeleton.js";
import { fill, Foreign } from "../../components/Text.js";
import { toast } from "../../components/Toasts.js";
import { useLoad } from "../../load.js";
import { go, links, parse, setQuery, withQuery } from "../../router.js";
import { signInAgain } from "../../stepUp.js";
import { texts } from "../../texts.js";
import { useAlarm } from "../../times.js";
import { appName, isPurged, useApps } from "../../tokens.js";
import { isolated, quoted, wordFor } from "../../untrusted.js";
import { useView } from "../../view.js";
import { revokeSeveral } from "./BulkRevoke.js";
import { Filters } from "./Filters.js";
import { readAll, readPage } from "./reading.js";
import { COLUMNS, nextSort, readSort, sorted, sorts } from "./sorting.js";
import { needs, readGroup, Summary } from "./Summary.js";
import { TokenRow } from "./TokenRow.js";

const words = texts.list;
const SIZES = ["25", "50", "100"];
const SIZE = "50";
// More would only be scrolled away.
const SKELETON = 8;

// For each page that was reached by "Next": the cursor of the one before. An address knows its own only.
const before = new Map();

/** What the address asks for. What it can't mean is left out. */
function read(query, app) {
  const filters = {
    q: query.q ?? "",
    status: wordFor(texts.status, query.status ?? "") ? query.status : "",
    kind: !app && wordFor(words.filters.kinds, query.kind ?? "") ? query.kind : "",
    integrationId: app ? "" : query.integrationId ?? "",
  };
  const sort = readSort(query.sort);
  return {
    filters,
    filtered: Object.values(filters).some(Boolean),
    order: query.order === "oldest" ? "oldest" : "",
    sort,
    size: SIZES.includes(query.limit) ? query.limit : SIZE,
    group: readGroup(query.attention),
    all: Boolean(sort && query.all),
    cursor: query.cursor ?? "",
    page: query.cursor ? Math.max(2, Number.parseInt(query.page, 10) || 2) : 1,
  };
}

/** The list of the account `me`, or of its Integration App `app`. */
export function ListView({ me, app, query }) {
  const { apps } = useApps(me.id);
  const name = app ? appName(apps, app) : null;
  const heading = useView(app ? words.titleApp(isolated(name)) : words.title);
  const shown = read(query, app);
  const { filters, order, size, sort, group, cursor, page } = shown;
  const [soFar, setSoFar] = useState(0);

  const wanted = { ...filters, order, ...(app ? { kind: "integrationApp", integrationId: app } : {}) };
  const list = useLoad(JSON.stringify([wanted, shown.all ? "all" : [size, cursor]]), (signal) => {
    setSoFar(0);
    return shown.all ? readAll(me.id, wanted, signal, setSoFar) : readPage(me.id, { ...wanted, limit: size, cursor }, signal);
  });
  const loaded = list.data?.tokens ?? null;
  const more = Boolean(list.data?.next);
  const tokens = loaded && sorted(group ? loaded.filter((token) => needs(token, group)) : loaded, sort);

  // ---- The address ----------------------------------------------------------------------------------

  // What has happened since this was drawn counts: somebody may type while an answer arrives.
  const now = () => parse(location.hash).query;
  /** Shows the list from its beginning, with something else chosen. */
  const restart = (changes) => setQuery({ ...now(), ...changes, cursor: "", page: "", all: "" });
  /** Shows what is loaded in another way. */
  const arrange = (changes) => setQuery({ ...now(), ...changes });
  const sortBy = (text) => arrange({ sort: text, ...(text ? {} : { all: "" }) });
  const keywords = useRef();
  const clear = () => {
    restart({ q: "", status: "", kind: "", integrationId: "", attention: "" });
    keywords.current.focus();
  };
  const turn = (to, number) => go(withQuery(location.hash, { ...now(), cursor: to, page: to ? String(number) : "" }));
  const next = more && !shown.all ? () => {
    before.set(list.data.next, cursor);
    turn(list.data.next, page + 1);
  } : null;
  const previous = before.has(cursor) ? () => turn(before.get(cursor), page - 1) : null;
  // Another page begins at its top, however it was reached.
  const turned = useRef(cursor);
  useEffect(() => {
    if (turned.current === cursor) return;
    turned.current = cursor;
    scrollTo(0, 0);
    heading.current?.focus({ preventScroll: true });
  }, [cursor]);

  // ---- Changes --------------------------------------------------------------------------------------

  const change = (edit) => list.set((data) => data && { ...data, tokens: edit(data.tokens) });
  const replace = (after) => change((all) => all.map((each) => (each.id === after.id ? after : each)));
  const dropAll = (ids) => change((all) => all.filter(({ id }) => !ids.includes(id)));
  /** Gives the focus to the row's menu, or to the heading, if what had it is gone. */
  const refocus = (id) => setTimeout(() => {
    if (document.activeElement !== document.body || document.querySelector("dialog[open]")) return;
    const row = id && document.querySelector(`[data-token="${CSS.escape(id)}"] .menu-anchor button`);
    (row || heading.current)?.focus();
  });
  const act = (token) => async (action) => {
    try {
      const after = await perform(action, token, me);
      if (after === true) dropAll([token.id]);
      else if (after) replace(after);
    } catch (error) {
      if (error.code === "step_up_required") await askToSignIn(error, token);
      else toast(error.title ? error.message : words.showFailed, "danger");
    }
    refocus(token.id);
  };

  // A purged token is gone from the moment its time comes, here too, and so is an old secret.
  const ends = (loaded ?? []).flatMap(({ purgeAt, previousSecret }) => [purgeAt, previousSecret?.validUntil])
    .filter(Boolean).map((at) => Date.parse(at)).filter((at) => at > Date.now());
  useAlarm(ends.length ? Math.min(...ends) : null);
  useEffect(() => {
    const isOver = ({ previousSecret }) => Boolean(previousSecret) && Date.parse(previousSecret.validUntil) <= Date.now();
    const over = (loaded ?? []).filter(isOver);
    for (const token of over) toast(texts.oldSecret.over(quoted(token.name)));
    const purged = (loaded ?? []).filter(isPurged);
    if (purged.length) toast(purged.length === 1 ? words.purged(quoted(purged[0].name)) : words.purgedMany(purged.length));
    if (over.length === 0 && purged.length === 0) return;
    change((all) => all.filter((token) => !isPurged(token)).map((token) => (isOver(token) ? { ...token, previousSecret: null } : token)));
    refocus();
  });
  // Where nothing is left, there may be more behind it.
  const had = useRef(false);
  useEffect(() => {
    if (loaded?.length === 0 && had.current && !cursor) list.reload();
    had.current = Boolean(loaded?.length);
  }, [loaded?.length]);

  // ---- Selecting ------------------------------------------------------------------------------------

  const [marked, setMarked] = useState(new Set());
  const [failures, setFailures] = useState(new Map());
  useEffect(() => {
    setMarked(new Set());
    setFailures(new Map());
  }, [cursor, size, JSON.stringify(wanted)]);
  const selectable = (tokens ?? []).filter(({ status }) => status === "active");
  // What isn't shown any more isn't selected.
  const selected = selectable.filter(({ id }) => marked.has(id));
  const mark = (ids, on) => {
    setFailures(new Map());
    setMarked((old) => new Set(on ? [...old, ...ids] : [...old].filter((id) => !ids.includes(id))));
  };
  const revokeThem = async () => {
    setFailures(new Map());
    await revokeSeveral({ tokens: selected, me, apps, settled({ token, after, gone, error }) {
      if (after) replace(after);
      if (gone) dropAll([token.id]);
      setFailures((old) => {
        const others = new Map(old);
        others.delete(token.id);
        return error ? others.set(token.id, error) : others;
      });
    } });
    refocus();
  };

  // ---- What is shown --------------------------------------------------------------------------------

  const empty = loaded?.length === 0;
  const position = list.loading ? (shown.all && soFar ? words.loadingAll(soFar) : words.loading) : !loaded || empty ? "" : words.position({
    loaded: loaded.length, shown: tokens.length, page, more, by: sort && words.sort.by[sort.column],
  });
  const choose = (attention) => {
    arrange({ attention });
    refocus();
  };
  const again = () => {
    if (list.error.code === "invalid_cursor") restart({});
    else list.reload();
    refocus();
  };
  const table = list.loading || tokens?.length > 0;
  return html`<div class="view list">
    ${app ? html`<a class="back" href=${links.list(me.id)}><${Icon} name="back" /><span>${fill(words.back, { account: html`<${Foreign} text=${me.name} />` })}</span></a>` : null}
    <div class="title"><h1 ref=${heading} tabindex="-1">${app
        ? fill(words.titleAppParts, { app: html`<span class="name"><${Foreign} text=${name} /></span>` }) : words.title}</h1>
      <span class="spring"></span>
      ${app ? null : html`<${ButtonLink} icon="history" href=${links.audit(me.id)}>${words.auditLog}<//>`}
      <${ButtonLink} kind="primary" icon="plus" href=${links.create(me.id, app)}>${words.create}<//></div>
    <${Filters} keywords=${keywords} filters=${filters} app=${app} apps=${apps} filtered=${shown.filtered || Boolean(group)} change=${restart} clear=${clear} />
    ${list.error ? html`<${Problem} error=${list.error} actions=${html`<${Button} run=${again}>${texts.tryAgain}<//>`} />` : null}
    ${loaded ? html`<${Summary} tokens=${loaded} chosen=${group} choose=${choose} />` : null}
    <div class="toolbar">
      <p class="position" role="status">${position}</p>
      ${shown.all || (sort && loaded && (more || cursor)) ? html`<${Button} kind="quiet" run=${() => {
        arrange(shown.all ? { all: "" } : { all: "1", cursor: "", page: "" });
        refocus();
      }}>${shown.all ? words.sort.pages : words.sort.all}<//>` : null}
      <span class="spring"></span>
      ${list.error || empty ? null : html`<${SortBy} order=${order} sort=${sort} sortBy=${sortBy}
        orderBy=${(value) => restart({ order: value, sort: "" })} />`}</div>
    ${table ? html`<div class="table" aria-busy=${list.loading ? "true" : null}><table role="table" aria-label=${words.title} class="tokens">
      <thead role="rowgroup"><tr role="row">
        <th role="columnheader" scope="col" class="of-select"><${SelectAll} tokens=${selectable} selected=${selected} mark=${mark} /></th>
        ${COLUMNS.map((column) => html`<${Head} key=${column} column=${column} sort=${sort} sortBy=${sortBy} />`)}</tr></thead>
      <tbody role="rowgroup">${list.loading
        ? html`<${SkeletonRows} rows=${SKELETON} columns=${["select", ...COLUMNS]} />`
        : tokens.map((token) => html`<${TokenRow} key=${token.id} token=${token} me=${me} app=${app} apps=${apps} act=${act(token)}
          selected=${marked.has(token.id) && token.status === "active"} select=${(on) => mark([token.id], on)} failure=${failures.get(token.id)} />`)}</tbody>
    </table></div>` : null}
    ${empty ? html`<${Nothing} me=${me} app=${app} filtered=${shown.filtered} cursor=${cursor} clear=${clear} first=${() => turn("")} />` : null}
    ${loaded && !empty && tokens.length === 0 ? html`<${NoneOfThese} more=${more || cursor} all=${() => choose("")} />` : null}
    ${selected.length ? html`<${Bar} number=${selected.length} run=${revokeThem} clear=${() => {
      mark([...marked], false);
      refocus();
    }} />` : null}
    ${loaded && !shown.all && (!empty || cursor) ? html`<${Pager} sizes=${SIZES} size=${size} resize=${(limit) => restart({ limit: limit === SIZE ? "" : limit })}
      previous=${previous} next=${next} first=${cursor && !previous ? () => turn("") : null} />` : null}</div>`;
}

/** Says that a token is only shown after a fresh sign-in, which returns to the token's page. */
async function askToSignIn({ title, advice }, token) {
  const yes = await ask({ title, text: advice, action: texts.signIn.again });
  if (yes) await signInAgain(links.token(token.accountId, token.id, { do: "show" }));
}

/** The head of a column. */
function Head({ column, sort, sortBy }) {
  if (!sorts(column)) return html`<th role="columnheader" scope="col" class=${`of-${column}`}>${words.columns[column]}</th>`;
  const state = sort?.column !== column ? "none" : sort.descending ? "descending" : "ascending";
  return html`<th role="columnheader" scope="col" class=${`of-${column}`} aria-sort=${state}>
    <button type="button" class="sort" onClick=${() => sortBy(nextSort(column, sort))}>${words.columns[column]}<${Icon} name="down" /></button></th>`;
}

/** The choice among all orders, which is there where the heads of the columns aren't. */
function SortBy({ order, sort, sortBy, orderBy }) {
  const id = useId();
  const value = sort ? `${sort.descending ? "-" : ""}${sort.column}` : order || "newest";
  const choose = ({ target }) => (readSort(target.value) ? sortBy(target.value) : orderBy(target.value === "oldest" ? "oldest" : ""));
  return html`<div class="sort-by"><label for=${id}>${words.sort.label}</label>
    <select id=${id} value=${value} onChange=${choose}>
      <optgroup label=${words.sort.whole}>
        <option value="newest">${words.sort.newest}</option><option value="oldest">${words.sort.oldest}</option></optgroup>
      <optgroup label=${words.sort.loaded}>
        ${Object.entries(words.sort.columns).flatMap(([column, [up, down]]) => [
          html`<option key=${column} value=${column}>${up}</option>`, html`<option key=${`-${column}`} value=${`-${column}`}>${down}</option>`])}</optgroup>
    </select></div>`;
}

/** The box that selects every active token that is shown. */
function SelectAll({ tokens, selected, mark }) {
  if (tokens.length === 0) return html`<span class="visually-hidden">${words.select.bar}</span>`;
  const all = selected.length === tokens.length;
  return html`<label class="hit"><input type="checkbox" checked=${all} indeterminate=${selected.length > 0 && !all}
    onChange=${(event) => mark(tokens.map(({ id }) => id), event.target.checked)} /><span>${words.select.all}</span></label>`;
}

/** What can be done to the selected tokens. */
function Bar({ number, run, clear }) {
  return html`<section class="picked" aria-label=${words.select.bar}>
    <p role="status"><strong>${words.select.selected(number)}</strong></p><span class="spring"></span>
    <${Button} kind="quiet" run=${clear}>${words.select.clear}<//>
    <${Button} kind="danger" run=${() => { run(); }}>${words.select.revoke}<//></section>`;
}

/** Instead of a list without tokens. */
function Nothing({ me, app, filtered, cursor, clear, first }) {
  if (cursor) {
    return html`<div class="empty"><h2>${words.noMore}</h2><p>${words.noMoreText}</p><${Button} run=${first}>${words.first}<//></div>`;
  }
  if (filtered) {
    return html`<div class="empty"><h2>${words.noMatch}</h2>
      <p>${fill(words.noMatchText, { log: html`<a href=${links.audit(me.id)}>${words.log}</a>` })}</p>
      <${Button} run=${clear}>${words.filters.clear}<//></div>`;
  }
  return html`<div class="empty"><h2>${app ? words.noneApp : words.none}</h2><p>${app ? words.noneAppText : words.noneText}</p>
    <${ButtonLink} kind="primary" icon="plus" href=${links.create(me.id, app)}>${words.create}<//></div>`;
}

/** Instead of a list that the choice of what needs attention leaves empty. */
function NoneOfThese({ more, all }) {
  return html`<div class="empty"><h2>${words.attention.none}</h2>${more ? html`<p>${words.attention.noneText}</p>` : null}
    <${Button} run=${all}>${words.attention.all}<//></div>`;
}
