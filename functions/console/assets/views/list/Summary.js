// What needs attention among the tokens that are loaded.

import { html } from "../../html.js";
import { Button } from "../../components/Button.js";
import { texts } from "../../texts.js";
import { useTicking } from "../../times.js";
import { attention } from "../../tokens.js";

const words = texts.list.attention;

// What is counted, and what belongs to it.
const GROUPS = {
  compromised: ["compromised"],
  ends: ["endsToday", "endsSoon"],
  fullForever: ["fullForever"],
  idle: ["idle"],
  neverUsed: ["neverUsed"],
  grace: ["grace"],
};

/** What a parameter of the address means, `null` if nothing. */
export const readGroup = (text = "") => (Object.hasOwn(GROUPS, text) ? text : null);

/** Whether a token needs this attention. */
export const needs = (token, group) => attention(token).some(({ what }) => GROUPS[group].includes(what));

/** A line that counts them. Its parts show only those, `chosen` is the one that does. */
export function Summary({ tokens, chosen, choose }) {
  useTicking();
  const counted = Object.keys(GROUPS).map((group) => [group, tokens.filter((token) => needs(token, group)).length])
    .filter(([group, number]) => number > 0 || group === chosen);
  if (counted.length === 0) return null;
  return html`<div class="needs" role="group" aria-label=${words.label}><span class="fine">${words.here}</span>
    ${counted.map(([group, number]) => html`<button key=${group} type="button" class=${`part ${group}`} aria-pressed=${String(group === chosen)}
      onClick=${() => choose(group === chosen ? "" : group)}>${words[group](number)}</button>`)}
    ${chosen ? html`<${Button} kind="quiet" run=${() => choose("")}>${words.all}<//>` : null}</div>`;
}
