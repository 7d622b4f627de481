import { html } from "../html.js";
import { texts } from "../texts.js";
import { relative, until, useTicking } from "../times.js";
import { attention } from "../tokens.js";

const DAY = 86_400_000;

/** What needs attention with a token, as badges with words. */
export function Attention({ token }) {
  useTicking();
  const found = attention(token);
  if (found.length === 0) return null;
  return html`<ul class="attention">${found.map(({ what, kind, at }) => html`
    <li key=${what} class=${`badge ${kind}`} data-what=${what}>${texts.attention[what]({
      when: at && relative(at), until: at && until(at), days: at && Math.floor((Date.now() - Date.parse(at)) / DAY),
    })}</li>`)}</ul>`;
}
