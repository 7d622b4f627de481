import { html, useId, useRef, useState } from "../../html.js";
import { account, call } from "../../api.js";
import { Button } from "../../components/Button.js";
import { Icon } from "../../components/Icon.js";
import { Problem } from "../../components/Notice.js";
import { Foreign, Who } from "../../components/Text.js";
import { toast } from "../../components/Toasts.js";
import { useLoad } from "../../load.js";
import { links, listAsLeft, setQuery } from "../../router.js";
import { texts } from "../../texts.js";
import { exact } from "../../times.js";
import { useApps } from "../../tokens.js";
import { isolated, wordFor } from "../../untrusted.js";
import { useView } from "../../view.js";
import { sentence } from "../../words.js";
import { Details } from "./Details.js";
import { Skeleton } from "./Skeleton.js";
import { downloadCsv, logOf, readRecords, useNamesIn, useRecords } from "./records.js";
import { FieldName, Value } from "./Value.js";

// The system and the scanners are always there to be chosen.
const OTHERS = { scanner: [["github", texts.audit.scanner]], system: [["system", texts.audit.system]] };

const isDay = (value) => /^\d{4}-\d\d-\d\d$/.test(value ?? "");

/** A day of the reader's own time zone, as the moment at which it begins; so many days later. */
function midnight(value, days) {
  if (!isDay(value)) return "";
  const [year, month, date] = value.split("-").map(Number);
  return new Date(year, month - 1, date + days).toISOString();
}

// Where a day of a filter counts: the first one from its beginning, the last one to its end, which is the next one's.
const DAYS = { from: 0, to: 1 };

/** The filters of an address, as the API wants them. */
const wanted = ({ action, source, userId, ...query }) => ({
  action, source, userId, ...Object.fromEntries(Object.entries(DAYS).map(([name, days]) => [name, midnight(query[name], days)])),
});

/** The audit log of a token, or of the whole account, as a table. */
export function AuditView({ me, tokenId, query }) {
  // Its name, if it still exists; the log is there in any case.
  const token = useLoad(`${me.id}/${tokenId}`, async (signal) => (tokenId
    ? call("GET", account(me.id, "tokens", tokenId), { signal }).then(({ body }) => body, () => null) : null));
  const members = useLoad(me.id, (signal) =>
    call("GET", account(me.id, "members"), { signal }).then(({ body }) => body.members, () => []));
  const { apps } = useApps(me.id);
  const filters = wanted(query);
  const path = logOf(me.id, tokenId);
  const log = useRecords(JSON.stringify([path, filters]), 0, (cursor, signal) => readRecords(path, filters, { cursor, signal }));
  const names = useNamesIn(me.id, log.records);
  const [failed, setFailed] = useState(null);
  const users = useUsers(log.records, members.data ?? [], tokenId, token.data);
  const of = tokenId ? token.data?.name : me.name;
  const title = of ? texts.audit.of(isolated(of)) : texts.audit.title;
  const heading = useView(tokenId ? `${title} – ${isolated(me.name)}` : title);
  const table = useRef();

  const csv = async () => {
    setFailed(null);
    try {
      await downloadCsv(path, filters, `audit-${tokenId ?? me.id}.csv`);
      toast(texts.audit.downloading);
    } catch (error) {
      setFailed(error);
    }
  };
  const older = async () => {
    await log.more();
    // The button is gone with the last of the records.
    requestAnimationFrame(() => document.activeElement === document.body && table.current?.focus());
  };
  const filtered = Object.values(filters).some(Boolean);
  return html`<div class="view audit-view">
    <a class="back" href=${tokenId ? links.token(me.id, tokenId) : listAsLeft(me.id)}><${Icon} name="back" />
      ${tokenId ? texts.audit.toToken : texts.tokenPage.back}</a>
    <div class="title"><h1 ref=${heading} tabindex="-1">${title}</h1><span class="spring"></span>
      <${Button} icon="download" run=${csv}>${texts.audit.download}<//></div>
    <p class="fine">${tokenId ? html`<code><${Foreign} text=${tokenId} /></code>` : texts.audit.lead}</p>
    <${Filters} query=${query} users=${users} failures=${log.error?.fields ?? []} />
    <${Problem} error=${failed} actions=${html`<${Button} run=${csv}>${texts.tryAgain}<//>`} />
    <p class="visually-hidden" role="status">${log.records ? texts.audit.loaded(log.read) : ""}</p>
    ${log.error ? html`<${Problem} error=${log.error} actions=${html`<${Button} run=${log.again}>${texts.tryAgain}<//>`} />` : null}
    ${log.records?.length === 0 && !log.error ? html`<div class="empty">
      <p>${filtered ? texts.audit.noMatch : texts.audit.empty}</p>
      ${filtered ? html`<${Button} run=${() => {
        setQuery({});
        heading.current.focus();
      }}>${texts.audit.clear}<//>` : null}</div>` : null}
    ${!log.records && !log.error ? html`<${Skeleton} rows=${8} label=${texts.audit.loading} />` : null}
    ${log.records?.length ? html`<div ref=${table} class="table" tabindex="0" role="region" aria-label=${texts.audit.records}>
      <${Table} me=${me} records=${log.records} names=${names} apps=${apps} ofToken=${Boolean(tokenId)} /></div>` : null}
    ${log.more ? html`<div class="pager"><${Button} run=${older}>${texts.audit.older}<//></div>` : null}</div>`;
}

/** A hook: the users to choose from, by type: `[[id, text]]`. Whoever was seen once stays. */
function useUsers(records, members, tokenId, token) {
  const seen = useRef(new Map());
  for (const { user } of records ?? []) seen.current.set(user.id, user);
  const groups = Object.fromEntries(Object.keys(texts.users).map((type) => [type, new Map(OTHERS[type] ?? [])]));
  for (const { id, name, email } of members) groups.member.set(id, texts.audit.person(isolated(name), email && isolated(email)));
  if (tokenId) groups.token.set(tokenId, token ? isolated(token.name) : texts.audit.thisToken);
  for (const { id, type, name, email } of seen.current.values()) {
    groups[type] ??= new Map();
    if (!groups[type].has(id)) groups[type].set(id, texts.audit.person(isolated(name), email && isolated(email)));
  }
  return groups;
}

function Filters({ query, users, failures }) {
  const change = (name) => (event) => setQuery({ ...query, [name]: event.target.value });
  const error = (name) => failures.find(({ field }) => field === name)?.message;
  const known = Object.values(users).some((group) => group.has(query.userId));
  return html`<form class="filters" aria-label=${texts.audit.filters} onSubmit=${(event) => event.preventDefault()}>
    <${Choice} label=${texts.audit.action} name="action" value=${query.action} error=${error("action")} change=${change("action")} options=${texts.actions} />
    <${Choice} label=${texts.audit.source} name="source" value=${query.source} error=${error("source")} change=${change("source")} options=${texts.sources} />
    <${Choice} label=${texts.audit.user} name="user" value=${query.userId} error=${error("userId")} change=${change("userId")}>
      ${query.userId && !known ? html`<option value=${query.userId}>${isolated(query.userId)}</option>` : null}
      ${Object.entries(users).filter(([, group]) => group.size).map(([type, group]) => html`
        <optgroup key=${type} label=${wordFor(texts.users, type) ?? type}>
          ${[...group].map(([id, text]) => html`<option key=${id} value=${id}>${text}</option>`)}</optgroup>`)}<//>
    ${Object.keys(DAYS).map((name) => html`
      <${Day} key=${name} label=${texts.audit[name]} name=${name} value=${query[name]} bounds=${name === "from" ? { max: query.to } : { min: query.from }}
        error=${error(name)} change=${change(name)} />`)}</form>`;
}

/** A filter. `control` is given the properties that join it to its label and error. */
function Filter({ label, error, control }) {
  const id = useId();
  return html`<div class="filter"><label for=${id}>${label}</label>
    ${control({ id, "aria-describedby": error ? `${id}-error` : null, "aria-invalid": error ? "true" : null })}
    ${error ? html`<p id=${`${id}-error`} class="error">${sentence(label.replace(/,.*$/, ""), error)}</p>` : null}</div>`;
}

function Choice({ label, error, name, value = "", change, options = {}, children }) {
  return html`<${Filter} label=${label} error=${error} control=${(wiring) => html`
    <select ...${wiring} name=${name} value=${value} onChange=${change}><option value="">${texts.audit.all}</option>
      ${value && !children && !Object.hasOwn(options, value) ? html`<option value=${value}>${isolated(value)}</option>` : null}
      ${Object.entries(options).map(([key, text]) => html`<option key=${key} value=${key}>${text}</option>`)}${children}</select>`} />`;
}

function Day({ label, error, name, value, bounds, change }) {
  return html`<${Filter} label=${label} error=${error} control=${(wiring) => html`
    <input ...${wiring} ...${bounds} name=${name} type="date" value=${isDay(value) ? value : ""} onChange=${change} />`} />`;
}

function Table({ me, records, names, apps, ofToken }) {
  const columns = Object.entries(texts.audit.columns).filter(([key]) => !ofToken || key !== "name");
  return html`<table role="table" class="audit" aria-label=${texts.audit.title}>
    <thead role="rowgroup"><tr role="row">${columns.map(([key, title]) =>
      html`<th key=${key} scope="col" role="columnheader">${title}</th>`)}</tr></thead>
    <tbody role="rowgroup">${records.map((record) =>
      html`<${Rows} key=${record.id} me=${me} record=${record} names=${names} apps=${apps} ofToken=${ofToken} />`)}</tbody></table>`;
}

function Cell({ column, span = 1, children }) {
  return html`<td role="cell" data-label=${texts.audit.columns[column]} rowspan=${span} aria-rowspan=${span}><div>${children}</div></td>`;
}

/** A record has a row for every field that changed, and at least one. A creation, which has them all, is one line first. */
function Rows({ me, record, names, apps, ofToken }) {
  const folds = record.action === "create" && record.changes.length > 1;
  const [open, setOpen] = useState(false);
  const toggle = html`<button type="button" class="fold" aria-expanded=${String(open)} onClick=${() => setOpen(!open)}>
    ${open ? texts.audit.noFields : texts.audit.allFields(record.changes.length)}<${Icon} name="down" /></button>`;
  const changes = [...(folds ? [toggle] : []), ...(folds && !open ? [] : record.changes)];
  if (changes.length === 0) changes.push(null);
  const { user } = record;
  return changes.map((change, index) => html`<tr key=${index} role="row" class=${index ? null : "first"}>
    ${index ? null : html`
      <${Cell} column="time" span=${changes.length}><time datetime=${record.time}>${exact(record.time)}</time><//>
      <${Cell} column="source" span=${changes.length}>
        ${wordFor(texts.sources, record.source) ?? html`<${Foreign} text=${record.source} />`}<//>
      <${Cell} column="user" span=${changes.length}><${Who} of=${user} />
        ${record.ip ? html`<span class="fine">${record.ip}</span>` : null}
        ${record.assertedIp ? html`<span class="fine">${texts.audit.assertedIp.replace("{ip}", record.assertedIp)}</span>` : null}
        <${Details} record=${record} /><//>
      ${ofToken ? null : html`<${Cell} column="name" span=${changes.length}>
        <a href=${links.token(me.id, record.resource.id)}><${Foreign} text=${record.resource.name} /></a><//>`}
      <${Cell} column="action" span=${changes.length}><${What} action=${record.action} /><//>`}
    ${change === toggle ? html`<${Cell} column="field">${toggle}<//><${Cell} column="old" /><${Cell} column="new" />` : html`
      <${Cell} column="field">${change ? html`<${FieldName} record=${record} field=${change.field} />` : null}<//>
      ${["old", "new"].map((side) => html`<${Cell} key=${side} column=${side}>
        ${change?.[side] == null ? null : html`<span class="value"><${Value} record=${record} field=${change.field}
          value=${change[side]} names=${names} apps=${apps} /></span>`}<//>`)}`}</tr>`);
}

/** What an action is called, marked if it needs a look. */
function What({ action }) {
  const name = wordFor(texts.actions, action) ?? html`<${Foreign} text=${action} />`;
  const [kind, text] = wordFor(texts.alerts, action) ?? [];
  return kind ? html`<span class=${`badge ${kind}`}>${name}</span><span class="fine">${text}</span>` : name;
}
