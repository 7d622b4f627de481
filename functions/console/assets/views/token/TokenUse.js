import { html, useId } from "../../html.js";
import { Button } from "../../components/Button.js";
import { Problem } from "../../components/Notice.js";
import { fill, Foreign } from "../../components/Text.js";
import { Ago } from "../../components/Time.js";
import { texts } from "../../texts.js";
import { exact } from "../../times.js";
import { attention } from "../../tokens.js";
import { wordFor } from "../../untrusted.js";
import { useLoad } from "../../load.js";
import { clientOf, logOf, readRecords, told } from "../audit/records.js";
import { Skeleton } from "../audit/Skeleton.js";

const words = texts.tokenPage;
// How far back refusals are looked at, in milliseconds, and how many of them at most.
const RECENTLY = 30 * 86_400_000;
const MOST = 100;

/** When, from where and with what a token was last used, and how often a secret of it was refused. */
export function TokenUse({ token }) {
  const title = useId();
  const path = logOf(token.accountId, token.id);
  const use = useLoad(path, async (signal) => {
    const from = new Date(Date.now() - RECENTLY).toISOString();
    const [uses, refused] = await Promise.all([
      readRecords(path, { action: "access" }, { limit: "1", signal }),
      readRecords(path, { action: "refused", from }, { limit: String(MOST), signal }),
    ]);
    return { last: uses.records[0] ?? null, refused: refused.records, more: Boolean(refused.cursor) };
  });
  return html`<section class="card" aria-labelledby=${title} aria-busy=${use.loading ? "true" : null}>
    <h2 id=${title}>${words.use}</h2>
    <${Problem} error=${use.error} actions=${html`<${Button} run=${use.reload}>${texts.tryAgain}<//>`} />
    ${use.loading ? html`<${Skeleton} rows=${3} label=${texts.working} />` : html`
      <${LastUsed} token=${token} record=${use.data?.last} />
      ${use.data ? html`<${Refused} records=${use.data.refused} more=${use.data.more} />` : null}`}</section>`;
}

function LastUsed({ token, record }) {
  // A log keeps its records for some time only; the token itself remembers its last use.
  const at = record?.time ?? token.lastUsedAt;
  const hints = attention(token).map(({ what }) => what);
  if (!at) return html`<p>${words.neverUsed}${hints.includes("neverUsed") ? ` ${words.neverUsedYet}` : ""}</p>`;
  const client = record && clientOf(record);
  const ip = record ? record.ip : token.lastUsedIp;
  return html`<dl class="details">
      <div><dt>${words.lastUsed}</dt><dd><${Ago} at=${at} /><span class="fine">${exact(at)}</span></dd></div>
      ${ip ? html`<div><dt>${words.address}</dt><dd><code>${ip}</code></dd></div>` : null}
      ${record?.assertedIp ? html`<div><dt>${words.assertedAddress}</dt><dd><code>${record.assertedIp}</code></dd></div>` : null}
      ${client ? html`<div><dt>${words.client}</dt><dd><${Foreign} text=${client} /></dd></div>` : null}</dl>
    ${hints.includes("idle") ? html`<p class="hint">${words.idle}</p>` : null}
    <p class="fine">${words.useNote}</p>`;
}

/** How many days each reason was given on, the latest first. */
function Refused({ records, more }) {
  const days = (some) => new Set(some.map(({ time }) => new Date(time).toDateString())).size;
  const reasons = Map.groupBy(records, (record) => told(record, "reason") ?? "");
  return html`<h3>${words.refused}</h3>
    ${records.length === 0 ? html`<p>${words.notRefused}</p>` : html`
      <p>${words.refusedOn(days(records))}</p>
      <ul class="refused">${[...reasons].map(([reason, some]) => html`<li key=${reason}>${fill(words.refusedFor(days(some)), {
        reason: wordFor(texts.refusals, reason) ?? html`<${Foreign} text=${reason} />`,
        when: html`<${Ago} at=${some[0].time} />`,
        ip: html`<code>${some[0].assertedIp ?? some[0].ip}</code>`,
      })}</li>`)}</ul>
      ${more ? html`<p class="fine">${words.atLeast}</p>` : null}
      <p class="hint">${words.refusedAdvice}</p>`}`;
}
