import { html } from "../html.js";

/** Rows of grey bars where a table's rows will be. They say nothing: what is loading is said once, elsewhere. */
export function SkeletonRows({ rows, columns }) {
  return Array.from({ length: rows }, (_, row) => html`<tr key=${row} class="skeleton" aria-hidden="true">
    ${columns.map((column) => html`<td key=${column} class=${`of-${column}`}><span class="bar"></span></td>`)}</tr>`);
}
