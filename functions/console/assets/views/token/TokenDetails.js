import { html, useId } from "../../html.js";
import { Copy } from "../../components/Copy.js";
import { fill, Foreign, Who } from "../../components/Text.js";
import { Ago } from "../../components/Time.js";
import { texts } from "../../texts.js";
import { exact } from "../../times.js";
import { appName, useApps } from "../../tokens.js";
import { wordFor } from "../../untrusted.js";

const words = texts.tokenPage;

/** The facts about a token that its other sections don't have. */
export function TokenDetails({ token }) {
  const title = useId();
  return html`<section class="card" aria-labelledby=${title}><h2 id=${title}>${words.details}</h2>
    <dl class="details">
      <${Fact} name=${words.endsTitle}>
        ${token.purgeAt ? html`<${Ago} at=${token.purgeAt} /><${Exact} at=${token.purgeAt} />` : words.neverEnds}
        <span class="fine">${words.autoPurge(wordFor(texts.lifetimes, token.autoPurge) ?? token.autoPurge)}</span><//>
      <${Fact} name=${words.from}>${token.allowedCidrs.length
        ? html`<ul>${token.allowedCidrs.map((cidr) => html`<li key=${cidr}><code>${cidr}</code></li>`)}</ul>`
        : words.anyAddress}<//>
      <${Fact} name=${words.kind}>${wordFor(texts.kinds, token.kind) ?? token.kind}<//>
      ${token.integrationId ? html`<${App} token=${token} />` : null}
      <${Fact} name=${words.secret}>${texts.endsIn("")}<code>…${token.hint}</code><//>
      <${Fact} name=${words.created}><${Change} at=${token.createdAt} by=${token.createdBy} /><//>
      <${Fact} name=${words.updated}><${Change} at=${token.updatedAt} by=${token.updatedBy} /><//>
      <${Fact} name=${words.id}><code class="id">${token.id}</code>
        <${Copy} text=${() => token.id} kind="quiet" label=${words.copyIdLabel}>${words.copyId}<//><//>
    </dl></section>`;
}

function Fact({ name, children }) {
  return html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
}

const Exact = ({ at }) => html`<span class="fine">${exact(at)}</span>`;

function Change({ at, by }) {
  return html`<${Ago} at=${at} /> ${fill(words.by, { who: html`<${Who} of=${by} />` })}<${Exact} at=${at} />`;
}

function App({ token }) {
  const name = appName(useApps(token.accountId).apps, token.integrationId);
  return html`<${Fact} name=${words.app}>${name === token.integrationId ? null : html`<${Foreign} text=${name} /> `}
    <code><${Foreign} text=${token.integrationId} /></code><//>`;
}
