// What a token may do, until when and from where, in words.

import { html } from "../html.js";
import { texts } from "../texts.js";
import { short } from "../times.js";
import { appName, references } from "../tokens.js";
import { list } from "../words.js";
import { fill, Foreign } from "./Text.js";
import { Ago } from "./Time.js";

// As many resources of a type are named; the rest is counted.
const SHOWN = 6;
// How long each lifetime is, in milliseconds.
const HOUR = 3_600_000;
const LENGTHS = { "1h": HOUR, "4h": 4 * HOUR, "1d": 24 * HOUR, "4d": 96 * HOUR, "10d": 240 * HOUR, "30d": 720 * HOUR };

/**
 * What a token of that kind and scope may do. `names` are those of its resources by reference, `null` for what no longer
 * exists; an id has to do where there is none.
 */
export function May({ kind, app, apps, scope, names }) {
  const forApp = kind === "integrationApp";
  const parts = { app: app ? html`<strong><${Foreign} text=${appName(apps, app)} /></strong>` : texts.grants.anApp };
  if (scope.type === "full") return html`<p>${fill(forApp ? texts.grants.fullApp : texts.grants.full, parts)}</p>`;
  if (references(scope).length === 0) return html`<p>${texts.grants.nothing}</p>`;
  return html`<p>${fill(forApp ? texts.grants.customApp : texts.grants.custom, parts)}</p>
    <ul class="grants">${Object.entries(texts.lists).filter(([key]) => scope[key].length > 0).map(([key, [title]]) => html`
      <li key=${key}><span class="label">${title}</span> <${Some} reference=${key} ids=${scope[key]} names=${names} /></li>`)}</ul>`;
}

/** The first few of some resources, by name. */
function Some({ reference, ids, names }) {
  const rest = ids.length - SHOWN;
  return html`${ids.slice(0, SHOWN).map((id, index) => {
    const name = names?.get(`${reference}/${id}`);
    return html`${index > 0 ? ", " : ""}<${Foreign} text=${name ?? id} />${name === null ? html` <span class="fine">(${texts.grants.gone})</span>` : null}`;
  })}${rest > 0 ? html` <span class="fine">${texts.grants.more(rest)}</span>` : null}`;
}

/** Until when a token works: its purge, or `lifetime` from now on. */
export function Until({ purgeAt, lifetime }) {
  if (lifetime && lifetime !== "never") {
    const at = new Date(Date.now() + LENGTHS[lifetime]).toISOString();
    return html`<p>${fill(texts.grants.lifetime(texts.lifetimes[lifetime]), { when: html`<time datetime=${at}>${short(at)}</time>` })}</p>`;
  }
  if (lifetime === "never" || !purgeAt) return html`<p>${texts.grants.never}</p>`;
  if (Date.parse(purgeAt) <= Date.now()) return html`<p>${texts.grants.ended}</p>`;
  return html`<p>${fill(texts.grants.until, { when: html`${short(purgeAt)}, <${Ago} at=${purgeAt} />` })}</p>`;
}

/** From where a token may be used. */
export function From({ cidrs }) {
  if (cidrs.length === 0) return html`<p>${texts.grants.anywhere}</p>`;
  return html`<p class="addresses">${fill(texts.grants.only, { addresses: html`<${Foreign} text=${list(cidrs)} />` })}</p>`;
}
