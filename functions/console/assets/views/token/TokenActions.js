import { html, useId } from "../../html.js";
import { reactivate, regenerate, remove, retire, revoke, show } from "../../actions.js";
import { Button, ButtonLink } from "../../components/Button.js";
import { Menu } from "../../components/Menu.js";
import { links } from "../../router.js";
import { texts } from "../../texts.js";
import { isPurged, oldSecret } from "../../tokens.js";
import { isolated, wordFor } from "../../untrusted.js";

/** What an address can ask for. Each asks first. */
export const ACTIONS = {
  revoke, reactivate, retire, regenerate,
  show: (token, me) => show(token, me, { asks: true }),
};

/** Why something that an address asks for can't be done to a token as it is now, `null` if it can. */
export function refusal(what, token, me) {
  const { notNow } = texts.tokenPage;
  const revoked = token.status === "revoked";
  if (!Object.hasOwn(ACTIONS, what)) return notNow.unknown;
  if (isPurged(token)) return texts.errors.token_not_found[0];
  if (what === "show" && !me.developerMode) return texts.token.needsDeveloperMode;
  if (what === "revoke" && revoked) return notNow.revoke;
  if (what === "reactivate" && !revoked) return notNow.reactivate;
  if (what === "reactivate" && token.compromisedAt) return texts.token.compromisedFirst;
  if (what === "retire" && !oldSecret(token)) return wordFor(notNow, "retire");
  return null;
}

/** The buttons of a token, the most useful first. What can't be done now says why. */
export function TokenActions({ token, me, act }) {
  const note = useId();
  const revoked = token.status === "revoked";
  const compromised = Boolean(token.compromisedAt);
  const stuck = revoked && compromised;
  const name = isolated(token.name);
  // A token without a secret that works needs one first; a revoked one is most often wanted back.
  const first = compromised ? "regenerate" : revoked ? "reactivate" : "show";
  const kind = (what) => (what === first ? "primary" : "");
  const showNote = me.developerMode ? texts.tokenPage.recorded : `${texts.token.show}: ${texts.token.needsDeveloperMode}`;
  return html`<div class="token-actions">
    <div class="buttons" role="group" aria-label=${texts.tokenPage.actions}>
      <${Button} kind=${kind("show")} icon="eye" aria-disabled=${me.developerMode ? null : "true"}
        aria-describedby=${`${note}-show`} run=${() => act(show)}>${texts.token.show}<//>
      <${Button} kind=${kind("regenerate")} icon="swap" run=${() => { act(regenerate); }}>${texts.token.regenerate}<//>
      <${Button} kind=${revoked ? kind("reactivate") : "danger-quiet"} icon=${revoked ? "play" : "stop"}
        aria-disabled=${stuck ? "true" : null} aria-describedby=${stuck ? `${note}-stuck` : null}
        run=${() => { act(revoked ? reactivate : revoke); }}>${revoked ? texts.token.reactivate : texts.token.revoke}<//>
      <${ButtonLink} icon="edit" href=${links.edit(me.id, token.id)}>${texts.token.edit}<//>
      <${Menu} kind="" label=${texts.token.more(name)} items=${() => [
        { label: texts.token.audit, run: () => { location.hash = links.audit(me.id, token.id); } },
        { label: texts.token.delete, danger: true, reason: revoked ? null : texts.token.revokeFirst, run: () => { act(remove); } },
      ]} />
    </div>
    <p id=${`${note}-show`} class="fine">${showNote}</p>
    ${stuck ? html`<p id=${`${note}-stuck`} class="fine">${texts.token.reactivate}: ${texts.token.compromisedFirst}</p>` : null}
  </div>`;
}
