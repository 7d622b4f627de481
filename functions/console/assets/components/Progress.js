import { html } from "../html.js";
import { slow } from "../progress.js";
import { texts } from "../texts.js";

/** The bar that shows that something is under way. */
export function Progress() {
  return html`<div class="progress" role="progressbar" aria-label=${texts.working} hidden=${!slow.use()}></div>`;
}
