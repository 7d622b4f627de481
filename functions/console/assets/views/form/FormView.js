import { html } from "../../html.js";
import { useView } from "../../view.js";

/** To be written. */
export function FormView({ me }) {
  const heading = useView("FormView");
  return html`<h1 ref=${heading} tabindex="-1">FormView ${me.name}</h1>`;
}
