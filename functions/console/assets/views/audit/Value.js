import { html } from "../../html.js";
import { Foreign } from "../../components/Text.js";
import { texts } from "../../texts.js";
import { exact } from "../../times.js";
import { appName } from "../../tokens.js";
import { wordFor } from "../../untrusted.js";
import { isRaw, isTime, listed, listOf } from "./records.js";

/** A resource by name, with its id beside it; one without a name by its id only. */
export function Resource({ name, id }) {
  return name == null || name === id ? html`<code>${id}</code>`
    : html`<${Foreign} text=${name} /> <code class="id">${id}</code>`;
}

/** What a field of a record is called. */
export function FieldName({ record, field }) {
  if (isRaw(record)) return html`<code><${Foreign} text=${field} /></code>`;
  return wordFor(texts.fields, field) ?? html`<${Foreign} text=${field} />`;
}

/** A value of a record, in words where there are some. `names` and `apps` are what resources and apps are called. */
export function Value({ record, field, value, names, apps }) {
  if (value == null) return null;
  const raw = isRaw(record);
  const list = raw ? null : listOf(field);
  if (list) {
    return html`<ul class="values">${listed(value).map((id) =>
      html`<li><${Resource} name=${names.get(`${list}/${id}`)} id=${id} /></li>`)}</ul>`;
  }
  if (!raw && isTime(field, value)) return html`<time datetime=${value}>${exact(value)}</time>`;
  if (!raw && field === "integrationId") {
    const name = appName(apps, value);
    return html`<${Resource} name=${name === value ? null : name} id=${value} />`;
  }
  return (raw ? null : wordFor(wordFor(texts.values, field) ?? {}, value)) ?? html`<${Foreign} text=${value} />`;
}
