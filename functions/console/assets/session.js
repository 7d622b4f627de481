// The sign-in: OpenID Connect's authorization code flow with PKCE, in this tab.
//
// Tokens live in this module's memory and nowhere else; reloading the page forgets them. What has to
// survive the way to the sign-in page and back (the verifier, the state, the route, what was typed)
// is in sessionStorage during that time only.

import { texts } from "./texts.js";
import { quoted } from "./untrusted.js";

const PENDING = "latchkey.sign-in";
// Not a secret: says that this tab was signed in, so that a reload goes on by itself.
const RESUME = "latchkey.resume";
// Renewed this long before its end, in milliseconds.
const MARGIN = 60_000;
// How long sign-out waits for the provider, in milliseconds.
const REVOCATION = 2_000;

let config;
let tokens = null;
// Who signed in last, `{ id, name }`: also after the session has ended.
let person = null;
let renewal = null;
// Whether the session was left: what comes late doesn't begin another.
let left = false;

/** The address that sign-in returns to: the page without what follows its path. */
function home() {
  return new URL("./", location.href).href.replace(/[?#].*$/, "");
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

/**
 * Loads the configuration and finishes a sign-in that was under way.
 *
 * Answers `{ draft }` after a sign-in, `{ problem, draft }` when one failed, `{ resume, draft }` without one: `resume` in a
 * tab that was signed in before it was reloaded. Answers `{ again }` when the provider's session was ended for a fresh
 * sign-in. `draft` is what was typed before: it is kept until somebody is signed in, whichever way leads back.
 */
export async function start() {
  const answer = await fetch("config.json");
  if (!answer.ok) throw new Error("The page's configuration could not be loaded.");
  config = await answer.json();

  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "null");
  const resume = sessionStorage.getItem(RESUME) !== null;
  sessionStorage.removeItem(RESUME);

  const query = new URLSearchParams(location.search);
  if (!query.has("state")) {
    if (pending?.again) return { again: pending };
    // The way back from the sign-in page leads to the view that was left, another address to the page without a view.
    if (pending && !location.hash) history.replaceState(null, "", home() + pending.route);
    return { resume, draft: pending?.draft };
  }
  // The code must not stay in the address.
  history.replaceState(null, "", home() + (pending?.route ?? ""));
  const problem = await finish(pending, query);
  if (problem) {
    // The state is used up.
    if (pending) sessionStorage.setItem(PENDING, JSON.stringify({ route: pending.route, draft: pending.draft }));
    return { problem, draft: pending?.draft };
  }
  sessionStorage.removeItem(PENDING);
  // What somebody else typed is nobody's business.
  return { draft: pending.draft?.typist && pending.draft.typist === person?.id ? pending.draft : null };
}

/** Finishes a sign-in with the provider's answer. Answers what to tell people if that failed, and nothing otherwise. */
async function finish(pending, answer) {
  if (!pending || answer.get("state") !== pending.state) return texts.signIn.notStartedHere;
  if (!answer.has("code")) {
    const reason = answer.get("error_description") ?? answer.get("error") ?? texts.signIn.noReason;
    return texts.signIn.refused(quoted(reason));
  }
  return redeem({
    grant_type: "authorization_code",
    code: answer.get("code"),
    code_verifier: pending.verifier,
    redirect_uri: home(),
  });
}

/** Asks the token endpoint. Answers what to tell people if that failed, and nothing otherwise. */
async function redeem(grant) {
  let answer;
  try {
    answer = await fetch(config.tokenEndpoint, {
      method: "POST",
      body: new URLSearchParams({ client_id: config.clientId, ...grant }),
      credentials: "omit",
      signal: AbortSignal.timeout(20_000),
    });
  } catch {
    return texts.signIn.unreachable;
  }
  const body = await answer.json().catch(() => ({}));
  if (left) {
    // Nobody is there for it any more.
    await revoke(body.refresh_token);
    return texts.signIn.signedOut;
  }
  // A provider that is busy has not ended the session.
  if (answer.status === 429 || answer.status >= 500) return texts.signIn.busy;
  if (!answer.ok || !body.access_token) {
    tokens = null;
    return texts.signIn.unfinished;
  }
  tokens = {
    access: body.access_token,
    refresh: body.refresh_token ?? tokens?.refresh,
    ends: Date.now() + (body.expires_in ?? 3600) * 1000,
  };
  if (body.id_token) person = personIn(body.id_token);
  sessionStorage.setItem(RESUME, "1");
  return null;
}

/** Who signed in, for the page only: the API decides nothing by it. */
function personIn(idToken) {
  try {
    const payload = idToken.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (c) => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return { id: claims.sub ?? null, name: claims.email ?? claims.name ?? claims.preferred_username ?? null };
  } catch {
    return null;
  }
}

/** What the page was told about its surroundings. */
export const settings = () => config;

/** Whether somebody is signed in. */
export function signedIn() {
  return tokens !== null;
}

/** The e-mail address or name of whoever is signed in, if the provider tells. */
export function who() {
  return tokens && person ? person.name : null;
}

/** Whom what is typed belongs to, `null` if the provider doesn't tell. */
export const typist = () => person?.id ?? null;

/**
 * An access token that is good for a while, `null` when the session has ended.
 *
 * @throws {Error} when it has to be renewed and the provider can't be reached
 */
export async function accessToken({ renew = false } = {}) {
  if (!tokens) return null;
  if (!renew && Date.now() < tokens.ends - MARGIN) return tokens.access;
  if (!tokens.refresh) return renew || Date.now() >= tokens.ends ? null : tokens.access;
  // One renewal at a time, whoever asks for it.
  renewal ??= redeem({ grant_type: "refresh_token", refresh_token: tokens.refresh })
    .finally(() => { renewal = null; });
  const { access, ends } = tokens;
  if (!(await renewal)) return tokens.access;
  if (!renew && Date.now() < ends) return access;
  // Nor has one that can't be reached.
  if (tokens) throw new Error("The sign-in service could not be reached.");
  return null;
}

/**
 * Leaves for the sign-in page, and comes back to `route`. `draft` is what was typed and must not be lost. With `again`,
 * the provider is asked for a fresh sign-in, also if it has a session of its own.
 */
export async function signIn({ draft, route = location.hash, again = false } = {}) {
  const pending = { state: random(), verifier: random(), route, draft };
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(pending.verifier));
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  const url = new URL(config.authorizationEndpoint);
  const parameters = {
    response_type: "code",
    client_id: config.clientId,
    redirect_uri: home(),
    scope: config.scopes,
    state: pending.state,
    code_challenge: base64url(digest),
    code_challenge_method: "S256",
    // OpenID Connect's two ways to ask for it; some providers know only one of them.
    ...(again && { prompt: "login", max_age: "0" }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  location.assign(url);
}

/**
 * Leaves for the sign-in page so that whoever is signed in shows that it is still them, and comes back to `route`. The
 * provider's session is ended first: by its endpoint that is sure, while not every provider knows `prompt=login`.
 */
export async function signInAgain({ draft, route }) {
  if (!config.endSessionEndpoint) {
    await signIn({ draft, route, again: true });
    return;
  }
  const refresh = tokens?.refresh;
  sessionStorage.setItem(PENDING, JSON.stringify({ again: true, draft, route }));
  await revoke(refresh);
  endSession();
}

/**
 * Has the provider end the refresh token, with which whoever got hold of it could stay signed in. Waited for
 * only briefly, and whatever is answered: signing out must not fail. The request outlives the page, and needs no
 * provider that lets other origins read its answer.
 */
async function revoke(token) {
  if (!token || !config.revocationEndpoint) return;
  await briefly(fetch(config.revocationEndpoint, {
    method: "POST",
    body: new URLSearchParams({ client_id: config.clientId, token, token_type_hint: "refresh_token" }),
    credentials: "omit",
    mode: "no-cors",
    keepalive: true,
  }));
}

/** Waits for what must not hold up the sign-out: not for long, and whatever comes of it. */
function briefly(promise) {
  return Promise.race([promise, new Promise((done) => setTimeout(done, REVOCATION))]).catch(() => {});
}

/** Forgets the session, here and at the provider. */
export async function signOut() {
  // A renewal under way may bring another refresh token. What comes of it later is revoked where it comes in.
  await briefly(renewal);
  left = true;
  const refresh = tokens?.refresh;
  tokens = null;
  sessionStorage.removeItem(RESUME);
  await revoke(refresh);
  endSession();
}

/** Has the provider forget its session; it leads back to the page. */
function endSession() {
  if (!config.endSessionEndpoint) {
    location.assign(home());
    return;
  }
  const url = new URL(config.endSessionEndpoint);
  url.searchParams.set("client_id", config.clientId);
  // Two names for one thing: Cognito's and that of OpenID Connect.
  url.searchParams.set("logout_uri", home());
  url.searchParams.set("post_logout_redirect_uri", home());
  location.assign(url);
}
