// What can be done to a token, from wherever it is shown.

import { account, call, Failure } from "./api.js";
import { confirm, foreign, h, icon, isolated, openDialog, quote, quoted, time, toast, unique, until, who, working } from "./dom.js";

export const LIFETIMES = {
  never: "Never", "1h": "1 hour", "4h": "4 hours", "1d": "1 day", "4d": "4 days", "10d": "10 days", "30d": "30 days",
};
export const TYPES = [
  { list: "connections", type: "connection", title: "Connections" },
  { list: "exports", type: "export", title: "Exports" },
  { list: "imports", type: "import", title: "Imports" },
  { list: "apis", type: "api", title: "My APIs" },
];
// How long a shown token stays readable, in milliseconds.
const SHOWN = 30_000;
const GRACE = [[0, "None: the old token stops working at once"], [300, "5 minutes"], [3600, "1 hour"],
  [14_400, "4 hours"], [43_200, "12 hours"], [86_400, "24 hours"]];

const path = (token, ...rest) => account(token.accountId, "tokens", token.id, ...rest);

/** What a token may touch, in a few words. */
export function scopeText(token) {
  if (token.scope.type === "full") return "Full access";
  const parts = TYPES.map(({ list, title }) => [token.scope[list].length, title])
    .filter(([count]) => count > 0)
    .map(([count, title]) => `${count} ${count === 1 ? title.replace(/s$/, "") : title}`);
  return `Custom: ${parts.join(", ")}`;
}

/** When a token was last used, as a sentence. */
export function lastUse(token, subject = "It") {
  if (!token.lastUsedAt) return h("p", null, `${subject} has never been used.`);
  return h("p", null, `${subject} was last used `, time(token.lastUsedAt), token.lastUsedIp ? ` from ${token.lastUsedIp}.` : ".");
}

/** The replaced secret, if it still works. */
export const oldSecret = ({ previousSecret }) =>
  (previousSecret && Date.parse(previousSecret.validUntil) > Date.now() ? previousSecret : null);

/** What an old secret is called. The ends of the first ones weren't kept. */
const ending = ({ hint }) => (hint ? [" ", h("code", null, `…${hint}`)] : []);

/** Until when the old secret works, as contents. */
export const oldSecretText = (old) => ["The old secret", ending(old), " works until ", until(old.validUntil), "."];

const named = (token) => h("strong", { class: "name" }, foreign(token.name));

/** Writes to the clipboard, and says how it went. */
export async function copy(secret, field) {
  try {
    await navigator.clipboard.writeText(secret);
    toast("The token is in your clipboard.");
    return true;
  } catch {
    field?.focus();
    field?.select?.();
    toast("Your browser did not allow copying: the token is selected, copy it with the keyboard.", "warning");
    return false;
  }
}

// ---- Showing ----------------------------------------------------------------------------------------

/** The cell with a token's secret: masked, shown on request for half a minute, then masked again. */
export function secretCell(token, me) {
  const cell = h("div", { class: "secret" });
  const note = unique("note");
  let timer = null;

  const mask = (said) => {
    clearTimeout(timer);
    timer = null;
    const hadFocus = cell.contains(document.activeElement);
    const button = h("button", {
      type: "button", class: "quiet show", "aria-describedby": note, "aria-disabled": me.developerMode ? null : "true",
      "aria-label": `Show token ${isolated(token.name)}`, on: { click: () => working(button, show) },
    }, icon("eye"), "Show token");
    if (!me.developerMode) button.title = "Needs developer mode";
    const text = me.developerMode
      ? "The viewing is recorded, and the account's administrators are notified."
      : "Needs developer mode, which you turn on in your profile on the platform.";
    cell.replaceChildren(h("code", { class: "hint", "aria-label": `Ends in ${token.hint}` }, `…${token.hint}`), button,
      h("span", { id: note, class: "visually-hidden" }, text));
    if (hadFocus) button.focus();
    if (said && cell.isConnected) toast(said);
  };

  const show = async () => {
    if (!me.developerMode) return;
    let secret;
    try {
      ({ body: { secret } } = await call("POST", path(token, "reveal")));
    } catch (error) {
      toast(error instanceof Failure ? error.message : "The token could not be shown. Try again.", "danger");
      return;
    }
    const field = secretField(secret, `Token ${isolated(token.name)}`);
    const copyButton = h("button", { type: "button", "aria-label": `Copy token ${isolated(token.name)}`,
      on: { click: () => copy(field.value, field) } }, icon("copy"), "Copy");
    cell.replaceChildren(field, copyButton,
      h("button", { type: "button", class: "quiet icon-only", "aria-label": "Mask the token",
        on: { click: () => mask("The token is masked.") } }, icon("hide")));
    secret = null;
    copyButton.focus();
    toast("The token is shown for 30 seconds. The viewing is recorded, and the account's administrators are notified.");
    timer = setTimeout(() => mask("The token is masked again."), SHOWN);
  };

  mask();
  cell.mask = () => timer && mask();
  return cell;
}

function secretField(secret, label) {
  const field = h("input", { readonly: true, class: "secret-value", spellcheck: "false", autocomplete: "off",
    "aria-label": label, size: "53", on: { focus: () => field.select() } });
  // The property, not the attribute: nothing that reads the page's markup finds it.
  field.value = secret;
  return field;
}

/** Masks every token that is shown. */
export function maskAll() {
  for (const cell of document.querySelectorAll(".secret")) cell.mask?.();
}
addEventListener("pagehide", maskAll);

/** Hands a new secret over, which happens once. `secret` is missing if an earlier attempt did it. */
export function handOver({ title, token, secret, me }) {
  return new Promise((resolve) => {
    let copied = false;
    const warning = h("div", { role: "alert" });
    const field = secret ? secretField(secret, "The new token") : null;
    const later = me.developerMode
      ? "Owners and administrators with developer mode can show it again. Every viewing is recorded and mailed."
      : "You will not be able to see it again: showing a token needs developer mode.";
    const content = (dialog) => h("div", null,
      h("div", { class: "text" },
        h("p", null, "Give ", named(token), " to whoever is to use it, over a channel that you trust. ", later),
        field
          ? h("div", { class: "secret handover" }, field,
            h("button", { type: "button", class: "primary", autofocus: true, on: { click: async () => {
              copied = await copy(field.value, field) || copied;
              if (copied) warning.replaceChildren();
            } } }, icon("copy"), "Copy token"))
          : h("div", { class: "notice" }, icon("warning"), h("p", null,
            "An earlier attempt succeeded, and its answer with the token was lost. ",
            me.developerMode ? "Use “Show token” in the list to see it." : "Use “Generate new token” to get another one.")),
        h("p", { class: "fine" }, "Send it with each call as ", h("code", null, "Authorization: Bearer …"), "."),
        warning),
      h("footer", null, h("button", { type: "button", on: { click: () => mayClose() && dialog.close() } }, "Done")));
    const mayClose = () => {
      if (!field || copied || warning.hasChildNodes()) return true;
      warning.append(h("div", { class: "notice warning" }, icon("warning"),
        h("p", null, "You have not copied the token yet. Copy it, or close once more to leave it.")));
      return false;
    };
    openDialog({ title, content, mayClose, onClose: () => {
      if (field) field.value = "";
      resolve();
    } });
  });
}

// ---- Changes ----------------------------------------------------------------------------------------
// Each answers the token as it is then, `null` if nothing is known to have changed.

/**
 * Asks, as `confirm` does, before `send` changes a token; `said` is what is announced then. If that can't be done to
 * the token as it is now, the page had another one: it is read again.
 */
async function change(token, { send, said, ...dialog }) {
  let after = null;
  let stale = false;
  const done = await confirm({ ...dialog, run: async (entries) => {
    try {
      ({ body: after } = await send(entries));
    } catch (error) {
      stale = error.status === 409 || error.status === 412;
      throw error;
    }
  } });
  if (done) toast(said);
  else if (stale) after = await call("GET", path(token)).then(({ body }) => body, () => null);
  return after;
}

/** Revokes a token. */
export function revoke(token) {
  const reason = unique("reason");
  const old = oldSecret(token);
  return change(token, {
    title: "Revoke API token",
    body: [
      h("p", null, "Calls with ", named(token), " are refused from the next request on. Whatever uses it stops working: ",
        h("strong", null, scopeText(token)), "."),
      lastUse(token),
      old ? h("p", null, "The old secret", ending(old), " ends for good: no reactivation brings it back.") : null,
      h("p", null, "You can reactivate it later. The account's administrators are notified."),
    ],
    fields: [h("div", { class: "field" }, h("label", { for: reason }, "Reason (optional)"),
      h("textarea", { id: reason, name: "reason", dir: "auto", rows: "2", maxlength: "1024", autofocus: true }),
      h("p", { class: "help" }, "Is kept with the token and in its audit log."))],
    action: "Revoke",
    danger: true,
    send: ({ reason: text }) => call("POST", path(token, "revoke"), { body: text.trim() ? { reason: text.trim() } : {} }),
    said: `${quoted(token.name)} is revoked.`,
  });
}

/** Undoes a revocation. */
export function reactivate(token) {
  return change(token, {
    title: "Reactivate token",
    body: [
      h("p", null, "Calls with ", named(token), " work again at once, with the same secret: ",
        h("strong", null, scopeText(token)), "."),
      token.revocationReason ? h("p", null, "It was revoked ", time(token.revokedAt), " by ", who(token.revokedBy), ": ",
        quote(token.revocationReason)) : h("p", null, "It was revoked ", time(token.revokedAt), " by ", who(token.revokedBy), "."),
      lastUse(token),
      token.purgeAt ? h("p", null, "Auto purge stays: the token is purged ", time(token.purgeAt), ".") : null,
    ],
    action: "Reactivate",
    send: () => call("POST", path(token, "reactivate"), { body: {} }),
    said: `${quoted(token.name)} is active again.`,
  });
}

/** Ends a token's old secret before its grace period is over. */
export function retire(token) {
  const old = oldSecret(token);
  return change(token, {
    title: "End the old secret now",
    body: [
      h("p", null, "Calls with the old secret", old ? ending(old) : null, " of ", named(token),
        " are refused from the next request on. Whatever still uses it stops working."),
      lastUse(token, "With either of its secrets, the token"),
      h("p", null, "The new secret ", h("code", null, `…${token.hint}`),
        " goes on working. This can't be undone, and the account's administrators are notified."),
    ],
    action: "End it now",
    danger: true,
    // At the version that is shown: the old secret of another one may be today's.
    send: () => call("POST", path(token, "retire"), { body: {}, etag: `"${token.version}"` }),
    said: `The old secret of ${quoted(token.name)} has ended.`,
  });
}

/** Replaces a token's secret and hands the new one over. */
export async function regenerate(token, me) {
  let answer = null;
  const grace = unique("grace");
  // The same key for the same choice: an attempt whose answer got lost is not made twice.
  const keys = {};
  const revoked = token.status === "revoked";
  const old = oldSecret(token);
  await confirm({
    title: "Generate new token",
    body: [
      h("p", null, named(token), " gets a new secret. Its name, scope, auto purge and audit log stay."),
      h("p", null, revoked ? "The secret that it has now never works again."
        : "Whatever uses the old secret stops working when the grace period ends."),
      old ? h("p", null, "The secret before that", ending(old), ", which still works until ", until(old.validUntil),
        ", ends at once: a token has one old secret at most.") : null,
      lastUse(token),
    ],
    fields: [h("div", { class: "field" }, h("label", { for: grace }, "Grace period of the old token"),
      h("select", { id: grace, name: "gracePeriodSeconds", autofocus: true, disabled: revoked },
        GRACE.map(([seconds, text]) => h("option", { value: seconds }, text))),
      h("p", { class: "help" }, revoked
        ? "A revoked token gets none. The new secret works once you reactivate the token."
        : "Both secrets work during it, so that whoever uses the token can change over without an outage. "
          + "The old one ends with the token's auto purge at the latest."))],
    action: "Generate",
    danger: true,
    run: async ({ gracePeriodSeconds: seconds = "0" }) => {
      const idempotencyKey = keys[seconds] ??= crypto.randomUUID();
      const body = Number(seconds) ? { gracePeriodSeconds: Number(seconds) } : {};
      ({ body: answer } = await call("POST", path(token, "regenerate"), { body, idempotencyKey }));
    },
  });
  if (!answer) return null;
  await handOver({ title: "New token generated", token: answer.token, secret: answer.secret, me });
  return answer.token;
}

/** Deletes a revoked token. Answers whether it is gone. */
export async function remove(token) {
  const done = await confirm({
    title: "Delete API token",
    body: [
      h("p", null, named(token), " is deleted for good and can't be reactivated. Its audit log stays."),
      lastUse(token),
    ],
    action: "Delete",
    danger: true,
    run: () => call("DELETE", path(token)),
  });
  if (done) toast(`${quoted(token.name)} is deleted.`);
  return done;
}
