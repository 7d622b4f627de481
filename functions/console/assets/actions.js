// What can be done to a token, from wherever it is shown. Each action asks first, and answers the token as it is then;
// `null` if nothing is known to have changed.

import { html } from "./html.js";
import { account, call } from "./api.js";
import { confirm, DialogField } from "./components/Dialog.js";
import { handOver } from "./components/HandOver.js";
import { LastUse, OldSecretEnding } from "./components/TokenFacts.js";
import { Stops } from "./components/Stops.js";
import { fill, Name, Quoted, Who } from "./components/Text.js";
import { Ago } from "./components/Time.js";
import { toast } from "./components/Toasts.js";
import { links, parse, setQuery } from "./router.js";
import { texts } from "./texts.js";
import { until } from "./times.js";
import { oldSecret, scopeText } from "./tokens.js";
import { quoted } from "./untrusted.js";

const path = (token, ...rest) => account(token.accountId, "tokens", token.id, ...rest);

/** Where a sign-in that an action needs returns to: the token's page, which asks again, with what was chosen. */
const resume = (token, what, chosen) => links.token(token.accountId, token.id, { do: what, ...chosen });

/**
 * Asks, with the dialog's contents, before `send` changes a token; `said` is what is announced then. If that can't be
 * done to the token as it is now, the page had another one: it is read again.
 */
async function change(token, { send, said, ...dialog }) {
  let after = null;
  let stale = false;
  const run = async (entries) => {
    try {
      ({ body: after } = await send(entries));
    } catch (error) {
      stale = error.status === 409 || error.status === 412;
      throw error;
    }
  };
  if (await confirm({ ...dialog, run })) toast(said);
  else if (stale) after = await call("GET", path(token)).then(({ body }) => body, () => null);
  return after;
}

/** Revokes a token. */
export function revoke(token) {
  const old = oldSecret(token);
  return change(token, {
    title: texts.token.revoke,
    contents: () => html`
      <p>${fill(texts.revoke.text, { token: html`<${Name} of=${token} />` })}</p>
      <${Stops} token=${token} />
      <${LastUse} token=${token} />
      ${old ? html`<p>${fill(texts.revoke.oldEnds, { ending: html`<${OldSecretEnding} old=${old} />` })}</p>` : null}
      <p>${texts.revoke.later}</p>`,
    fields: (errors) => html`<${DialogField} name="reason" label=${texts.revoke.reason} help=${texts.revoke.reasonHelp} error=${errors.reason}
      control=${(properties) => html`<textarea ...${properties} data-focus dir="auto" rows="2" maxlength="1024"></textarea>`} />`,
    action: texts.revoke.action,
    danger: true,
    send: ({ reason }) => call("POST", path(token, "revoke"), { body: reason.trim() ? { reason: reason.trim() } : {} }),
    said: texts.revoke.done(quoted(token.name)),
  });
}

/** Undoes a revocation. */
export function reactivate(token) {
  const revocation = { when: html`<${Ago} at=${token.revokedAt} />`, who: html`<${Who} of=${token.revokedBy} />`,
    reason: html`<${Quoted} text=${token.revocationReason ?? ""} />` };
  return change(token, {
    title: texts.token.reactivate,
    contents: () => html`
      <p>${fill(texts.reactivate.text, { token: html`<${Name} of=${token} />`, scope: html`<strong>${scopeText(token)}</strong>` })}</p>
      <p>${fill(token.revocationReason ? texts.reactivate.revokedFor : texts.reactivate.revoked, revocation)}</p>
      <${LastUse} token=${token} />
      ${token.purgeAt ? html`<p>${fill(texts.reactivate.purge, { when: html`<${Ago} at=${token.purgeAt} />` })}</p>` : null}`,
    action: texts.reactivate.action,
    send: () => call("POST", path(token, "reactivate"), { body: {} }),
    said: texts.reactivate.done(quoted(token.name)),
  });
}

/** Ends a token's old secret before its grace period is over. */
export function retire(token) {
  const old = oldSecret(token);
  return change(token, {
    title: texts.token.retire,
    contents: () => html`
      <p>${fill(texts.retire.text, { ending: html`<${OldSecretEnding} old=${old} />`, token: html`<${Name} of=${token} />` })}</p>
      <${LastUse} token=${token} subject=${texts.lastUse.either} />
      <p>${fill(texts.retire.rest, { hint: html`<code>…${token.hint}</code>` })}</p>`,
    action: texts.retire.action,
    danger: true,
    // At the version that is shown: the old secret of another one may be today's.
    send: () => call("POST", path(token, "retire"), { body: {}, etag: `"${token.version}"` }),
    said: texts.retire.done(quoted(token.name)),
  });
}

/** Replaces a token's secret and hands the new one over. */
export async function regenerate(token, me) {
  let answer = null;
  // The same key for the same choice: an attempt whose answer got lost is not made twice.
  const keys = {};
  const revoked = token.status === "revoked";
  const old = oldSecret(token);
  // What was chosen before a sign-in.
  const { grace, ...rest } = parse(location.hash).query;
  if (grace) setQuery(rest);
  await confirm({
    title: texts.token.regenerate,
    contents: () => html`
      <p>${fill(texts.regenerate.text, { token: html`<${Name} of=${token} />` })}</p>
      <p>${revoked ? texts.regenerate.revoked : texts.regenerate.active}</p>
      ${old ? html`<p>${fill(texts.regenerate.before, { ending: html`<${OldSecretEnding} old=${old} />`, until: until(old.validUntil) })}</p>` : null}
      <${LastUse} token=${token} />`,
    fields: (errors) => html`<${DialogField} name="gracePeriodSeconds" label=${texts.regenerate.grace} error=${errors.gracePeriodSeconds}
      help=${revoked ? texts.regenerate.graceRevoked : texts.regenerate.graceHelp}
      control=${(properties) => html`<select ...${properties} data-focus disabled=${revoked}>
        ${Object.entries(texts.regenerate.graces).map(([seconds, text]) => html`<option value=${seconds} selected=${seconds === grace}>${text}</option>`)}</select>`} />`,
    action: texts.regenerate.action,
    danger: true,
    resume: ({ gracePeriodSeconds }) => resume(token, "regenerate", { grace: gracePeriodSeconds }),
    run: async ({ gracePeriodSeconds: seconds = "0" }) => {
      const idempotencyKey = keys[seconds] ??= crypto.randomUUID();
      const body = Number(seconds) ? { gracePeriodSeconds: Number(seconds) } : {};
      ({ body: answer } = await call("POST", path(token, "regenerate"), { body, idempotencyKey }));
    },
  });
  if (!answer) return null;
  await handOver({ title: texts.regenerate.handedOver, token: answer.token, secret: answer.secret, me });
  return answer.token;
}

/** Shows a token's secret. It changes nothing, but it is recorded. With `asks`, it asks first: no link shows one. */
export async function show(token, me, { asks = false } = {}) {
  let secret = null;
  const reveal = async () => {
    ({ body: { secret } } = await call("POST", path(token, "reveal")));
  };
  if (asks) {
    await confirm({
      title: texts.tokenPage.showTitle,
      contents: () => html`<p>${fill(texts.tokenPage.showText, { token: html`<${Name} of=${token} />` })}</p>`,
      action: texts.token.show,
      resume: resume(token, "show"),
      run: reveal,
    });
  } else {
    await reveal();
  }
  if (secret !== null) await handOver({ title: texts.token.show, token, secret, me, shown: true });
}

/** Deletes a revoked token. Answers whether it is gone. */
export async function remove(token) {
  const done = await confirm({
    title: texts.token.delete,
    contents: () => html`
      <p>${fill(texts.delete.text, { token: html`<${Name} of=${token} />` })}</p>
      <${LastUse} token=${token} />`,
    action: texts.delete.action,
    danger: true,
    run: () => call("DELETE", path(token)),
  });
  if (done) toast(texts.delete.done(quoted(token.name)));
  return done;
}
