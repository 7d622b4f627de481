import { html, useId, useRef, useState } from "../../html.js";
import { Button, ButtonLink } from "../../components/Button.js";
import { Icon } from "../../components/Icon.js";
import { Problem } from "../../components/Notice.js";
import { toast } from "../../components/Toasts.js";
import { links, setQuery } from "../../router.js";
import { texts } from "../../texts.js";
import { clock, day, zone } from "../../times.js";
import { useApps } from "../../tokens.js";
import { wordFor } from "../../untrusted.js";
import { Details } from "../audit/Details.js";
import { downloadCsv, logOf, readRecords, useNamesIn, useRecords } from "../audit/records.js";
import { Skeleton } from "../audit/Skeleton.js";
import { Changes, CreatedWith, Sentence } from "./Sentence.js";

const words = texts.timeline;

// What belongs to which kind of event. What is of no kind is among the changes: none is left out.
const KINDS = {
  use: ["access"],
  secrets: ["view", "regenerate", "retire"],
  problems: ["refused", "leak", "tamper"],
};
const ICONS = {
  create: "plus", update: "edit", view: "eye", revoke: "stop", reactivate: "play", regenerate: "swap", retire: "hide",
  delete: "trash", access: "check", refused: "warning", purge: "history", remind: "mail", leak: "warning", tamper: "warning",
};

const isOfKind = (kind) => ({ action }) => {
  if (Object.hasOwn(KINDS, kind)) return KINDS[kind].includes(action);
  return kind !== "changes" || !Object.values(KINDS).flat().includes(action);
};

/** The actions of a kind that a filter of the API can ask for: it takes one. */
const asked = (kind) => (Object.hasOwn(KINDS, kind) && KINDS[kind].length === 1 ? { action: KINDS[kind][0] } : {});

/** What happened to a token, as sentences, by day, the latest first. Another `version` reads it again. */
export function Timeline({ me, tokenId, query, version }) {
  const title = useId();
  const filter = useId();
  const heading = useRef();
  const [failed, setFailed] = useState(null);
  const kind = Object.hasOwn(words.kinds, query.events ?? "") ? query.events ?? "" : "";
  const path = logOf(me.id, tokenId);
  const log = useRecords(`${path}?${kind}`, version, (cursor, signal) =>
    readRecords(path, asked(kind), { cursor, signal, takes: isOfKind(kind), limit: kind ? "100" : "50" }));
  const names = useNamesIn(me.id, log.records);
  const { apps } = useApps(me.id);
  const days = Map.groupBy(log.records ?? [], ({ time }) => day(time));

  const csv = async () => {
    setFailed(null);
    try {
      await downloadCsv(path, {}, `audit-${tokenId}.csv`);
      toast(texts.audit.downloading);
    } catch (error) {
      setFailed(error);
    }
  };
  const older = async () => {
    await log.more();
    // The button is gone with the last of the events.
    requestAnimationFrame(() => document.activeElement === document.body && heading.current?.focus());
  };
  return html`<section class="card timeline" aria-labelledby=${title}>
    <div class="title"><h2 ref=${heading} id=${title} tabindex="-1">${words.title}</h2><span class="spring"></span>
      <div class="kind"><label for=${filter}>${words.filter}</label>
        <select id=${filter} value=${kind} onChange=${(event) => setQuery({ ...query, events: event.target.value })}>
          ${Object.entries(words.kinds).map(([key, text]) => html`<option key=${key} value=${key}>${text}</option>`)}</select></div>
      <${ButtonLink} kind="quiet" icon="history" href=${links.audit(me.id, tokenId)}>${words.table}<//>
      <${Button} kind="quiet" icon="download" run=${csv}>${texts.audit.download}<//></div>
    <p class="fine">${words.zone(zone)}</p>
    <${Problem} error=${failed} actions=${html`<${Button} run=${csv}>${texts.tryAgain}<//>`} />
    <p class="visually-hidden" role="status">${log.records ? words.loaded(log.read) : ""}</p>
    ${[...days].map(([name, records]) => html`<div key=${name} class="day"><h3>${name}</h3>
      <ol>${records.map((record) => html`<${Event} key=${record.id} record=${record} names=${names} apps=${apps} />`)}</ol></div>`)}
    ${log.records?.length === 0 && !log.error ? html`<p class="fine">${kind ? words.noMatch : words.empty}</p>` : null}
    ${!log.records && !log.error ? html`<${Skeleton} rows=${5} label=${words.loading} />` : null}
    <${Problem} error=${log.error} actions=${html`<${Button} run=${log.again}>${texts.tryAgain}<//>`} />
    ${log.more ? html`<div><${Button} run=${older}>${words.older}<//></div>` : null}</section>`;
}

function Event({ record, names, apps }) {
  const { action } = record;
  const [alarm = ""] = wordFor(texts.alerts, action) ?? [];
  return html`<li class=${`event ${alarm}`}><span class="mark-of"><${Icon} name=${wordFor(ICONS, action) ?? "info"} /></span>
    <div class="what"><p><${Sentence} record=${record} /></p>
      <${Changes} record=${record} names=${names} apps=${apps} />
      <div class="more"><time class="fine" datetime=${record.time}>${clock(record.time)}</time>
        ${action === "create" && record.changes.length
        ? html`<${CreatedWith} record=${record} names=${names} apps=${apps} />` : null}
        <${Details} record=${record} all /></div></div></li>`;
}
