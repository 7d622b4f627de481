// Sentences about a token that several views and dialogs have.

import { html } from "../html.js";
import { texts } from "../texts.js";
import { until } from "../times.js";
import { fill } from "./Text.js";
import { Ago } from "./Time.js";

/** When a token was last used, as a sentence. */
export function LastUse({ token, subject = texts.lastUse.it }) {
  if (!token.lastUsedAt) return html`<p>${texts.lastUse.never(subject)}</p>`;
  return html`<p>${fill(texts.lastUse.at(subject, token.lastUsedIp), { when: html`<${Ago} at=${token.lastUsedAt} />` })}</p>`;
}

/** What an old secret ends in. The ends of the first ones weren't kept. */
export const OldSecretEnding = ({ old }) => (old?.hint ? html` <code>…${old.hint}</code>` : null);

/** Until when the old secret works, as a sentence. */
export function OldSecret({ old }) {
  const when = html`<time datetime=${old.validUntil}>${until(old.validUntil)}</time>`;
  return fill(texts.oldSecret.works, { ending: html`<${OldSecretEnding} old=${old} />`, until: when });
}

/** The status of a token. */
export const Status = ({ token }) => html`<span class=${`badge ${token.status}`}>${texts.status[token.status] ?? token.status}</span>`;
