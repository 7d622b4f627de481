import { html } from "../../html.js";
import { useView } from "../../view.js";

/** To be written. */
export function AuditView({ me }) {
  const heading = useView("AuditView");
  return html`<h1 ref=${heading} tabindex="-1">AuditView ${me.name}</h1>`;
}
