import { html } from "../../html.js";
import { Button } from "../../components/Button.js";
import { Icon } from "../../components/Icon.js";
import { fill, Quoted, Who } from "../../components/Text.js";
import { Ago } from "../../components/Time.js";
import { OldSecret } from "../../components/TokenFacts.js";
import { texts } from "../../texts.js";
import { short, useTicking } from "../../times.js";
import { attention, isPurged } from "../../tokens.js";

const words = texts.tokenPage;

/** What a token's state is, in a sentence. `old` is its old secret, if that works; `end()` ends it. */
export function TokenState({ token, old, end }) {
  // The nearer the end, the louder it is said.
  useTicking();
  const { kind, sentence } = state(token, old);
  return html`<div class=${`state ${kind}`}>
    <div class="said"><${Icon} name=${{ good: "check", revoked: "stop" }[kind] ?? "warning"} /><p>${sentence}</p></div>
    ${old && token.status === "active" && !isPurged(token)
      ? html`<${Button} icon="hide" run=${end}>${texts.token.retire}<//>` : null}</div>`;
}

function state(token, old) {
  const ago = (at) => html`<${Ago} at=${at} />`;
  const date = (at) => html`<time datetime=${at}>${short(at)}</time>`;
  if (isPurged(token)) return { kind: "danger", sentence: fill(words.purged, { when: ago(token.purgeAt) }) };
  if (token.compromisedAt) {
    // Who revoked the token tells what happened to the secret.
    const how = { scanner: words.leaked, token: words.givenUp }[token.revokedBy?.type] ?? words.compromised;
    return { kind: "danger", sentence: fill(how, { when: ago(token.compromisedAt) }) };
  }
  if (token.status === "revoked") {
    const { revokedAt, revokedBy, revocationReason } = token;
    const reason = html`<${Quoted} text=${revocationReason ?? ""} />`;
    const parts = { when: ago(revokedAt), who: html`<${Who} of=${revokedBy} />`, reason };
    const purge = token.purgeAt ? [" ", fill(words.revokedPurge, { when: ago(token.purgeAt) })] : null;
    return { kind: "revoked", sentence: [fill(revocationReason ? words.revokedFor : words.revoked, parts), purge] };
  }
  const near = attention(token).find(({ what }) => what === "endsToday" || what === "endsSoon");
  const ending = token.purgeAt ? { when: ago(token.purgeAt), date: date(token.purgeAt) } : null;
  const before = old ? [" ", html`<${OldSecret} old=${old} />`] : null;
  if (near) return { kind: near.kind, sentence: [html`<strong>${fill(words.endsSoon, ending)}</strong>`, before] };
  return { kind: "good", sentence: [words.active, " ", ending ? fill(words.ends, ending) : words.never, before] };
}
