import { html } from "../../html.js";
import { useView } from "../../view.js";

/** To be written. */
export function NotificationsView({ me }) {
  const heading = useView("NotificationsView");
  return html`<h1 ref=${heading} tabindex="-1">NotificationsView ${me.name}</h1>`;
}
