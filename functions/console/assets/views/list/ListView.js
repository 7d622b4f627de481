import { html } from "../../html.js";
import { useView } from "../../view.js";

/** To be written. */
export function ListView({ me }) {
  const heading = useView("ListView");
  return html`<h1 ref=${heading} tabindex="-1">ListView ${me.name}</h1>`;
}
