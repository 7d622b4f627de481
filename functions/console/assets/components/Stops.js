import { html } from "../html.js";
import { texts } from "../texts.js";
import { references, useNames } from "../tokens.js";
import { Foreign } from "./Text.js";

// As many as are named; the rest is counted.
const SHOWN = 8;

/** What stops working without a token, by name. */
export function Stops({ token }) {
  const names = useNames(token.accountId, token.scope);
  if (token.scope.type === "full") {
    return html`<p class="stops"><strong>${token.kind === "integrationApp" ? texts.revoke.stopsApp : texts.revoke.stopsFull}</strong></p>`;
  }
  const all = references(token.scope);
  return html`<div class="stops"><p><strong>${texts.revoke.stops}</strong></p><ul>
    ${all.slice(0, SHOWN).map((reference) => {
      const [list, id] = reference.split("/");
      return html`<li>${texts.lists[list][1]} <${Foreign} text=${names?.get(reference) ?? id} /></li>`;
    })}
    ${all.length > SHOWN ? html`<li>${texts.revoke.more(all.length - SHOWN)}</li>` : null}</ul></div>`;
}
