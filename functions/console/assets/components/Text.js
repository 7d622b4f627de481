// Texts of others, and texts of the page with something in them.

import { html } from "../html.js";
import { texts } from "../texts.js";
import { unquoted, visible, wordFor } from "../untrusted.js";

/** A text that somebody else wrote: it turns nothing around that stands beside it. */
export function Foreign({ text, ...properties }) {
  return html`<bdi ...${properties}>${visible(text)}</bdi>`;
}

/** The same in quotation marks that it can't end. */
export function Quoted({ text }) {
  return html`“<${Foreign} text=${unquoted(text)} />”`;
}

/** The name of something, emphasized. */
export function Name({ of }) {
  return html`<strong class="name"><${Foreign} text=${of.name} /></strong>`;
}

/**
 * A sentence of the page with elements in it: `fill("Revoked by {who}.", { who: html`…` })`. What is in braces is
 * replaced, so that a translation can order the parts as its language wants.
 */
export function fill(sentence, parts) {
  return sentence.split(/(\{\w+\})/).map((piece) => (piece.startsWith("{") ? parts[piece.slice(1, -1)] : piece));
}

/**
 * Who did something. A token may be called like a person, so what isn't one says what it is. That stands first: a long
 * name can't push it out of what is seen.
 */
export function Who({ of: { name, type } }) {
  const kind = wordFor(texts.actorTypes, type) ?? type;
  return html`${kind ? html`<span class="badge kind">${kind}</span> ` : null}<${Foreign} text=${name} />`;
}
