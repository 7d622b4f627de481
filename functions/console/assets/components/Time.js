import { html } from "../html.js";
import { exact, relative, short, useTicking } from "../times.js";

/** A moment, relative to now: "in 3 hours". */
export function Ago({ at }) {
  useTicking();
  return html`<time datetime=${at}>${relative(at)}</time>`;
}

/** A moment, relative to now and to the minute below it. */
export function Moment({ at }) {
  return html`<span class="moment"><${Ago} at=${at} /><span class="fine">${short(at)}</span></span>`;
}

/** A moment, relative to now, with the exact one beside it: to the second, with the zone. */
export function Exactly({ at }) {
  return html`<${Ago} at=${at} /> <span class="fine exact">(${exact(at)})</span>`;
}
