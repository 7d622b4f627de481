import { html } from "../../html.js";
import { useView } from "../../view.js";

/** To be written. */
export function TokenView({ me }) {
  const heading = useView("TokenView");
  return html`<h1 ref=${heading} tabindex="-1">TokenView ${me.name}</h1>`;
}
