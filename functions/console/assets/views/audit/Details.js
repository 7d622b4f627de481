import { html } from "../../html.js";
import { Foreign, Who } from "../../components/Text.js";
import { texts } from "../../texts.js";
import { exact } from "../../times.js";
import { wordFor } from "../../untrusted.js";
import { clientOf } from "./records.js";

/** What else a record says, to be opened. With `all`, also what stands in the columns of the table. */
export function Details({ record, all = false }) {
  const words = texts.timeline;
  const { user } = record;
  const client = clientOf(record);
  const facts = [
    all && [words.exactly, html`<time datetime=${record.time}>${exact(record.time)}</time>`],
    all && [words.user, html`<${Who} of=${user} />`],
    user.email && [words.email, html`<${Foreign} text=${user.email} />`],
    [words.userId, html`<code><${Foreign} text=${user.id} /></code>`],
    all && [words.source, wordFor(texts.sources, record.source) ?? html`<${Foreign} text=${record.source} />`],
    all && record.ip && [words.ip, record.ip],
    all && record.assertedIp && [words.assertedIp, record.assertedIp],
    client && [words.client, html`<${Foreign} text=${client} />`],
    client && client !== record.userAgent && record.userAgent && [words.userAgent, html`<${Foreign} text=${record.userAgent} />`],
    [words.requestId, html`<code><${Foreign} text=${record.requestId} /></code>`],
    [words.recordId, html`<code>${record.id}</code>`],
  ].filter(Boolean);
  return html`<details class="record"><summary>${words.details}</summary>
    <dl>${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></details>`;
}
