import { html } from "../../html.js";
import { From, May, Until } from "../../components/Grants.js";
import { Notice } from "../../components/Notice.js";
import { texts } from "../../texts.js";

/** What the token will be able to do, before it is saved. It follows what is entered. */
export function Summary({ kind, app, apps, scope, names, lifetime, purgeAt, keeps, cidrs }) {
  const full = scope.type === "full";
  const forever = lifetime === "never" || (keeps && !lifetime && !purgeAt);
  let warning = null;
  if (full && forever) warning = ["danger", texts.summary.fullForever, texts.summary.fullForeverText];
  else if (full) warning = ["warning", texts.summary.full, texts.summary.fullText];
  return html`<aside class="form-summary" aria-labelledby="summary"><h2 id="summary">${texts.summary.title}</h2>
    <div role="status">${warning ? html`<${Notice} kind=${warning[0]}><p><strong>${warning[1]}</strong></p><p>${warning[2]}</p><//>` : null}</div>
    <dl>
      <div><dt>${texts.summary.may}</dt><dd>${scope.type
        ? html`<${May} kind=${kind} app=${app} apps=${apps} scope=${scope} names=${names} />` : html`<p class="fine">${texts.summary.noScope}</p>`}</dd></div>
      <div><dt>${texts.summary.until}</dt><dd>${lifetime || keeps
        ? html`<${Until} purgeAt=${purgeAt} lifetime=${lifetime} />` : html`<p class="fine">${texts.summary.noLifetime}</p>`}</dd></div>
      <div><dt>${texts.summary.from}</dt><dd><${From} cidrs=${cidrs} /></dd></div>
    </dl></aside>`;
}
