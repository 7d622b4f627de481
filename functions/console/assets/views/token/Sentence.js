import { html } from "../../html.js";
import { fill, Foreign, Quoted, Who } from "../../components/Text.js";
import { texts } from "../../texts.js";
import { until } from "../../times.js";
import { wordFor } from "../../untrusted.js";
import { clientOf, isRaw, isTime, listed, listOf, told, toldBefore } from "../audit/records.js";
import { FieldName, Resource, Value } from "../audit/Value.js";

const words = texts.timeline;
const { events, changed } = words;

const Ending = ({ hint }) => html`<code>…<${Foreign} text=${hint ?? ""} /></code>`;
const Until = ({ at }) => (isTime("purgeAt", at)
  ? html`<time datetime=${at}>${until(at)}</time>` : html`<${Foreign} text=${at ?? ""} />`);

/** Which sentence a record is told with. */
function eventOf(record) {
  switch (record.action) {
    case "revoke":
      if (told(record, "compromisedSecret")) return "revokeBySecret";
      return told(record, "revocationReason") ? "revokeFor" : "revoke";
    case "regenerate": return told(record, "previousSecret.validUntil") ? "regenerateWithGrace" : "regenerate";
    case "access": return told(record, "addressesToday") ? "accessCrowded" : "access";
    default: return Object.hasOwn(events, record.action) ? record.action : "other";
  }
}

/** What a record says, as a sentence. One of a kind that the page doesn't know is told too. */
export function Sentence({ record }) {
  const { action, ip, assertedIp } = record;
  const client = clientOf(record);
  const secret = told(record, "compromisedSecret");
  const reason = told(record, "reason");
  const old = toldBefore(record, "previousSecret.hint") ?? toldBefore(record, "hint");
  return fill(events[eventOf(record)], {
    who: html`<strong><${Who} of=${record.user} /></strong>`,
    reason: html`<${Quoted} text=${told(record, "revocationReason") ?? ""} />`,
    from: assertedIp ? fill(events.fromAsserted, { ip: html`<code>${assertedIp}</code>` })
      : ip ? fill(events.from, { ip: html`<code>${ip}</code>` }) : null,
    client: client ? fill(events.with, { client: html`<${Quoted} text=${client} />` }) : null,
    why: wordFor(words.refusals, reason ?? "") ?? html`<${Quoted} text=${reason ?? ""} />`,
    secret: wordFor(words.compromised, secret ?? "") ?? words.compromised.current,
    new: html`<${Ending} hint=${told(record, "hint")} />`,
    old: html`<${Ending} hint=${action === "regenerate" ? toldBefore(record, "hint") : old} />`,
    until: html`<${Until} at=${told(record, action === "regenerate" ? "previousSecret.validUntil" : "purgeAt")} />`,
    action: wordFor(texts.actions, action) ?? html`<${Foreign} text=${action} />`,
  });
}

// Values that the service itself writes: they are no texts of somebody.
const OWN = ["autoPurge", "integrationId", "daysRefused", "introspectedBy", "compromisedSecret"];

const OLD_SECRET = ["previousSecret.hint", "previousSecret.validUntil"];
// What the sentences say already.
const IN_SENTENCES = {
  create: null,
  delete: null,
  view: null,
  purge: null,
  remind: null,
  access: ["addressesToday"],
  revoke: ["status", "revocationReason", "compromisedSecret", "compromisedAt", ...OLD_SECRET],
  reactivate: ["status", "revocationReason"],
  regenerate: ["hint", "compromisedAt", ...OLD_SECRET],
  retire: OLD_SECRET,
  refused: ["reason"],
  leak: ["compromisedSecret", "status", "compromisedAt", "revocationReason", ...OLD_SECRET],
};

/** What changed, in words. */
export function Changes({ record, names, apps }) {
  const said = Object.hasOwn(IN_SENTENCES, record.action) ? IN_SENTENCES[record.action] : [];
  const isNews = ({ field, new: value }) => isRaw(record) || !(said.includes(field) || (field === "daysRefused" && value === "1"));
  const changes = said === null ? [] : record.changes.filter(isNews);
  // An old secret doesn't outlive a revocation.
  const ended = ["revoke", "leak"].includes(record.action) && told(record, "compromisedSecret") !== "previous"
    ? toldBefore(record, "previousSecret.validUntil") && !told(record, "previousSecret.validUntil") : false;
  if (changes.length === 0 && !ended) return null;
  return html`<ul class="changes">
    ${ended ? html`<li>${fill(events.oldEnded, { old: html`<${Ending} hint=${toldBefore(record, "previousSecret.hint")} />` })}</li>` : null}
    ${changes.map((change, index) => html`<li key=${index}>
    <${FieldName} record=${record} field=${change.field} />:${" "}
    <${Change} record=${record} change=${change} names=${names} apps=${apps} /></li>`)}</ul>`;
}

function Change({ record, change, names, apps }) {
  const raw = isRaw(record);
  const list = raw ? null : listOf(change.field);
  if (list || (!raw && change.field === "allowedCidrs")) {
    const [before, after] = [listed(change.old), listed(change.new)];
    const each = (ids) => ids.map((id, index) => [index ? ", " : "",
      list ? html`<${Resource} name=${names.get(`${list}/${id}`)} id=${id} />` : html`<code>${id}</code>`]);
    // No address at all is every address.
    if (!list && !after.length) return fill(changed.from, { new: changed.anyAddress, old: each(before) });
    const added = each(after.filter((id) => !before.includes(id)));
    const removed = each(before.filter((id) => !after.includes(id)));
    if (added.length && removed.length) return fill(changed.both, { added, removed });
    return fill(added.length ? changed.added : changed.removed, { what: added.length ? added : removed });
  }
  const value = (side) => {
    if (change[side] == null) return !raw && change.field === "purgeAt" ? changed.never : null;
    const shown = html`<${Value} record=${record} field=${change.field} value=${change[side]} names=${names} apps=${apps} />`;
    // A text of somebody is in quotation marks; what the page has a word for isn't.
    const word = !raw && (isTime(change.field, change[side]) || OWN.includes(change.field)
      || wordFor(wordFor(texts.values, change.field) ?? {}, change[side]));
    return word ? shown : html`<${Quoted} text=${change[side]} />`;
  };
  const [before, after] = [value("old"), value("new")];
  const renamed = !raw && change.field === "name";
  if (before && after) return fill(renamed ? changed.renamed : changed.from, { new: after, old: before });
  return before ? fill(changed.cleared, { old: before }) : fill(changed.set, { new: after });
}

/** What a token was created with, to be opened. */
export function CreatedWith({ record, names, apps }) {
  return html`<details class="record"><summary>${words.fields}</summary>
    <dl>${record.changes.map(({ field, new: value }) => html`<div key=${field}><dt><${FieldName} record=${record} field=${field} /></dt>
      <dd><${Value} record=${record} field=${field} value=${value} names=${names} apps=${apps} /></dd></div>`)}</dl></details>`;
}
