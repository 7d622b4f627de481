// What can be done to a token, from wherever it is shown. Each action asks first, and answers the token as it is then:
// `true` if it is gone, `null` if nothing is known to have happened, nothing if only its log has more.

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
import { mayHaveChanged, oldSecret, readAgain, scopeText } from "./tokens.js";
import { quoted } from "./untrusted.js";

const path = (token, ...rest) => account(token.accountId, "tokens", token.id, ...rest);

/** Where a sign-in that an action needs returns to: the token's page, which asks again, with what was chosen. */
const resume = (token, what, chosen) => links.token(token.accountId, token.id, { do: what, ...chosen });

// Tokens that may have changed without the page knowing it: what is asked about them next looks at them first.
const unsure = new Set();

/**
 * Asks before something is done to a token. `contents(now)` and `fields(errors, now)` are the dialog's, of the token as it
 * is now; `send(now, entries)` does it. Answers `{ done, answer, after }`: whether it was done, what was answered then, and
 * the token as it is if it may have changed otherwise.
 */
async function asked(token, { contents, fields, send, ...dialog }) {
  let now = token;
  let after = null;
  let answer = null;
  const look = async () => {
    unsure.add(token.id);
    after = await readAgain(token);
    unsure.delete(token.id);
    if (after !== true) now = after;
  };
  if (unsure.has(token.id)) await look();
  if (after === true) return { done: false, after };
  const done = await confirm({
    ...dialog,
    contents: () => contents(now),
    fields: fields && ((errors) => fields(errors, now)),
    run: async (entries) => {
      try {
        ({ body: answer } = await send(now, entries));
      } catch (error) {
        // Another attempt must be about the token as it is, with the warnings for that.
        if (mayHaveChanged(error)) await look().catch(() => {});
        throw error;
      }
    },
  });
  if (done) unsure.delete(token.id);
  return { done, answer, after };
}

/** Asks before a token is changed. `said` is what is announced then. */
async function change(token, { said, ...given }) {
  const { done, answer, after } = await asked(token, given);
  if (!done) return after;
  toast(said);
  return answer;
}

// Tokens to which something is being done.
const busy = new Set();

/**
 * Does one of these actions, unless one is under way already: a second click is no second wish. Answers what it answers.
 */
export async function perform(action, token, me) {
  if (busy.has(token.id)) return null;
  busy.add(token.id);
  try {
    return await action(token, me);
  } finally {
    busy.delete(token.id);
  }
}

/** Revokes a token. */
export function revoke(token) {
  return change(token, {
    title: texts.token.revoke,
    contents: (now) => html`
      <p>${fill(texts.revoke.text, { token: html`<${Name} of=${now} />` })}</p>
      <${Stops} token=${now} />
      <${LastUse} token=${now} />
      ${oldSecret(now) ? html`<p>${fill(texts.revoke.oldEnds, { ending: html`<${OldSecretEnding} old=${oldSecret(now)} />` })}</p>` : null}
      <p>${texts.revoke.later}</p>`,
    fields: (errors) => html`<${DialogField} name="reason" label=${texts.revoke.reason} help=${texts.revoke.reasonHelp} error=${errors.reason}
      control=${(properties) => html`<textarea ...${properties} data-focus dir="auto" rows="2" maxlength="1024"></textarea>`} />`,
    action: texts.revoke.action,
    danger: true,
    resume: resume(token, "revoke"),
    send: (now, { reason }) => call("POST", path(token, "revoke"), { body: reason.trim() ? { reason: reason.trim() } : {} }),
    said: texts.revoke.done(quoted(token.name)),
  });
}

/** Undoes a revocation. */
export function reactivate(token) {
  const revocation = ({ revokedAt, revokedBy, revocationReason }) => fill(
    revocationReason ? texts.reactivate.revokedFor : texts.reactivate.revoked,
    { when: html`<${Ago} at=${revokedAt} />`, who: html`<${Who} of=${revokedBy} />`, reason: html`<${Quoted} text=${revocationReason ?? ""} />` },
  );
  return change(token, {
    title: texts.token.reactivate,
    contents: (now) => html`
      <p>${fill(texts.reactivate.text, { token: html`<${Name} of=${now} />`, hint: html`<code>…${now.hint}</code>`, scope: html`<strong>${scopeText(now)}</strong>` })}</p>
      ${now.status === "revoked" ? html`<p>${revocation(now)}</p>` : null}
      <${LastUse} token=${now} />
      ${now.purgeAt ? html`<p>${fill(texts.reactivate.purge, { when: html`<${Ago} at=${now.purgeAt} />` })}</p>` : null}`,
    action: texts.reactivate.action,
    resume: resume(token, "reactivate"),
    send: () => call("POST", path(token, "reactivate"), { body: {} }),
    said: texts.reactivate.done(quoted(token.name)),
  });
}

/** Ends a token's old secret before its grace period is over. */
export function retire(token) {
  return change(token, {
    title: texts.token.retire,
    contents: (now) => html`
      <p>${fill(texts.retire.text, { ending: html`<${OldSecretEnding} old=${oldSecret(now)} />`, token: html`<${Name} of=${now} />` })}</p>
      <${LastUse} token=${now} subject=${texts.lastUse.either} />
      <p>${fill(texts.retire.rest, { hint: html`<code>…${now.hint}</code>` })}</p>`,
    action: texts.retire.action,
    danger: true,
    resume: resume(token, "retire"),
    // At the version that is shown: the old secret of another one may be today's.
    send: ({ version }) => call("POST", path(token, "retire"), { body: {}, etag: `"${version}"` }),
    said: texts.retire.done(quoted(token.name)),
  });
}

/** Replaces a token's secret and hands the new one over. */
export async function regenerate(token, me) {
  // The same key for the same choice: an attempt whose answer got lost is not made twice.
  const keys = {};
  // What was chosen before a sign-in.
  const { grace, ...rest } = parse(location.hash).query;
  if (grace) setQuery(rest);
  const isRevoked = ({ status }) => status === "revoked";
  const ends = (old) => html`<p>${fill(texts.regenerate.before, { ending: html`<${OldSecretEnding} old=${old} />`, until: until(old.validUntil) })}</p>`;
  const { done, answer, after } = await asked(token, {
    title: texts.token.regenerate,
    contents: (now) => html`
      <p>${fill(texts.regenerate.text, { token: html`<${Name} of=${now} />` })}</p>
      <p>${isRevoked(now) ? texts.regenerate.revoked : texts.regenerate.active}</p>
      ${oldSecret(now) ? ends(oldSecret(now)) : null}
      <${LastUse} token=${now} />`,
    fields: (errors, now) => html`<${DialogField} name="gracePeriodSeconds" label=${texts.regenerate.grace} error=${errors.gracePeriodSeconds}
      help=${isRevoked(now) ? texts.regenerate.graceRevoked : texts.regenerate.graceHelp}
      control=${(properties) => html`<select ...${properties} data-focus disabled=${isRevoked(now)}>
        ${Object.entries(texts.regenerate.graces).map(([seconds, text]) => html`<option value=${seconds} selected=${seconds === grace}>${text}</option>`)}</select>`} />`,
    action: texts.regenerate.action,
    danger: true,
    resume: ({ gracePeriodSeconds }) => resume(token, "regenerate", { grace: gracePeriodSeconds }),
    send: (now, { gracePeriodSeconds: seconds = "0" }) => {
      const idempotencyKey = keys[seconds] ??= crypto.randomUUID();
      const body = Number(seconds) ? { gracePeriodSeconds: Number(seconds) } : {};
      return call("POST", path(token, "regenerate"), { body, idempotencyKey });
    },
  });
  if (!done) return after;
  await handOver({ title: texts.regenerate.handedOver, token: answer.token, secret: answer.secret, me });
  return answer.token;
}

/** Shows a token's secret. It changes nothing, but it is recorded. With `asks`, it asks first: no link shows one. */
export async function show(token, me, { asks = false } = {}) {
  const send = () => call("POST", path(token, "reveal"));
  const { answer, after } = asks ? await asked(token, {
    title: texts.tokenPage.showTitle,
    contents: (now) => html`<p>${fill(texts.tokenPage.showText, { token: html`<${Name} of=${now} />` })}</p>`,
    action: texts.token.show,
    resume: resume(token, "show"),
    send,
  }) : { answer: (await send()).body, after: null };
  if (!answer) return after;
  await handOver({ title: texts.token.show, token, secret: answer.secret, me, shown: true });
  return undefined;
}

/** Deletes a revoked token. */
export async function remove(token) {
  const { done, after } = await asked(token, {
    title: texts.token.delete,
    contents: (now) => html`
      <p>${fill(texts.delete.text, { token: html`<${Name} of=${now} />` })}</p>
      <${LastUse} token=${now} />`,
    action: texts.delete.action,
    danger: true,
    send: () => call("DELETE", path(token)),
  });
  if (!done) return after;
  toast(texts.delete.done(quoted(token.name)));
  return true;
}
