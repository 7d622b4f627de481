// One token of the list.

import { html, useMemo } from "../../html.js";
import { reactivate, regenerate, remove, retire, revoke, show } from "../../actions.js";
import { Attention } from "../../components/Attention.js";
import { Menu } from "../../components/Menu.js";
import { Foreign, Quoted, Who } from "../../components/Text.js";
import { Moment } from "../../components/Time.js";
import { Status } from "../../components/TokenFacts.js";
import { links } from "../../router.js";
import { texts } from "../../texts.js";
import { appName, attention, oldSecret, scopeText } from "../../tokens.js";
import { isolated } from "../../untrusted.js";

const words = texts.list;

/**
 * A row. `select` is told whether the token is selected, and `act(action)` does something to it. `failure` is why a
 * revocation of it failed.
 */
export function TokenRow(given) {
  const { token, me, app, apps, selected, failure } = given;
  const kind = attention(token)[0]?.kind;
  // Drawn again only when something in it is another: a list may have a thousand rows.
  return useMemo(() => draw({ ...given, kind }), [token, kind, me, app, apps, selected, failure]);
}

function draw({ token, kind, me, app, apps, selected, select, failure, act }) {
  const cell = (column, content) => html`<td role="cell" class=${`of-${column}`} data-label=${words.columns[column]}><div>${content}</div></td>`;
  const custom = token.scope.type !== "full";
  return html`<tr role="row" data-token=${token.id} data-attention=${kind} data-selected=${selected ? "" : null}>
    <td role="cell" class="of-select">${token.status === "active"
      ? html`<label class="hit"><input type="checkbox" checked=${selected}
          onChange=${(event) => select(event.target.checked)} /><span>${words.select.one(isolated(token.name))}</span></label>` : null}</td>
    ${cell("name", html`<a class="name" href=${links.token(me.id, token.id)}><${Foreign} text=${token.name} /></a>
      ${token.description ? html`<p class="fine two-lines"><${Foreign} text=${token.description} /></p>` : null}
      <p class="fine meta"><code aria-label=${texts.endsIn(token.hint)}>…${token.hint}</code>
        ${token.integrationId && !app ? html`<span>${words.app} <a href=${links.list(me.id, token.integrationId)}>
          <${Foreign} text=${appName(apps, token.integrationId)} /></a></span>` : null}</p>
      ${failure ? html`<p class="error">${words.notRevoked} ${failure.title} ${failure.advice}</p>` : null}`)}
    ${cell("status", html`<${Status} token=${token} /><${Attention} token=${token} />
      ${token.revocationReason ? html`<p class="fine two-lines"><${Quoted} text=${token.revocationReason} /></p>` : null}`)}
    ${cell("scope", custom
      ? html`${texts.scope.custom}<p class="fine">${scopeText(token).replace(/^.*?: /, "")}</p>` : texts.scope.full)}
    ${cell("purge", token.purgeAt ? html`<${Moment} at=${token.purgeAt} />` : words.never)}
    ${cell("used", token.lastUsedAt ? html`<${Moment} at=${token.lastUsedAt} />` : words.never)}
    ${cell("updated", html`<${Moment} at=${token.updatedAt} /><p class="fine who-did">${words.by} <${Who} of=${token.updatedBy} /></p>`)}
    ${cell("actions", html`<${Menu} label=${texts.token.more(isolated(token.name))} items=${() => actions({ token, me, act })} />`)}</tr>`;
}

function actions({ token, me, act }) {
  const revoked = token.status === "revoked";
  const go = (to) => () => { location.hash = to; };
  return [
    { label: texts.token.view, run: go(links.token(me.id, token.id)) },
    { label: texts.token.edit, run: go(links.edit(me.id, token.id)) },
    { label: texts.token.show, reason: me.developerMode ? null : texts.token.needsDeveloperMode, run: () => act(show) },
    { label: texts.token.audit, run: go(links.audit(me.id, token.id)) },
    revoked
      ? { label: texts.token.reactivate, reason: token.compromisedAt ? texts.token.compromisedFirst : null, run: () => act(reactivate) }
      : { label: texts.token.revoke, danger: true, run: () => act(revoke) },
    { label: texts.token.regenerate, run: () => act(regenerate) },
    ...(oldSecret(token) ? [{ label: texts.token.retire, danger: true, run: () => act(retire) }] : []),
    { label: texts.token.delete, danger: true, reason: revoked ? null : texts.token.revokeFirst, run: () => act(remove) },
  ];
}
