import { html } from "../../html.js";

/** Where something will be: lines that say nothing, and a text for screen readers. */
export function Skeleton({ rows, label }) {
  return html`<div class="lines" role="status"><span class="visually-hidden">${label}</span>
    ${Array.from({ length: rows }, (_, index) => html`<span key=${index} class="line" aria-hidden="true"></span>`)}</div>`;
}
