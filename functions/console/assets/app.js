// The page's frame: sign-in, the account, and which view the address asks for.

import { account, call, whenRightsChange, whenSessionEnds } from "./api.js";
import { openAudit } from "./audit.js";
import { confirm, foreign, h, icon, isolated, menuButton, openDialog, problem, quoted } from "./dom.js";
import { formView } from "./form.js";
import { listView } from "./list.js";
import { maskAll } from "./actions.js";
import * as session from "./session.js";

const main = document.getElementById("main");
const header = document.getElementById("header");
// The roles that the API lets in.
const mayManage = ({ role }) => role === "owner" || role === "administrator";
const ROLES = { owner: "Owner", administrator: "Administrator", manage: "Manage", monitor: "Monitor" };

const hash = (parts, query) => {
  const given = Object.entries(query ?? {}).filter(([, value]) => value);
  return `#/${["accounts", ...parts].map(encodeURIComponent).join("/")}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
};
const links = {
  list: (id, app, query) => hash(app ? [id, "apps", app] : [id], query),
  app: (id, app) => hash([id, "apps", app]),
  create: (id, app) => hash([id, ...(app ? ["apps", app] : []), "tokens", "new"]),
  edit: (id, token) => hash([id, "tokens", token]),
  audit: (id, token) => hash([id, "tokens", token, "audit"]),
  accountAudit: (id) => hash([id, "audit"]),
};

let accounts = [];
let view = null;
let panel = null;
// The address of what is shown, and of the list that panels and forms return to.
let shown = null;
let lastList = null;
let draft = null;
let leaving = false;

/** What an address asks for. */
function parse(text) {
  const [path, query = ""] = text.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  const route = { account: null, app: null, token: null, page: "list", query: Object.fromEntries(new URLSearchParams(query)) };
  if (parts.shift() !== "accounts") return route;
  route.account = parts.shift() ?? null;
  if (parts[0] === "apps") [, route.app] = parts.splice(0, 2);
  if (parts[0] === "audit") route.page = "audit";
  if (parts[0] === "tokens" && parts[1] === "new") route.page = "create";
  else if (parts[0] === "tokens" && parts[1]) {
    route.token = parts[1];
    route.page = parts[2] === "audit" ? "audit" : "edit";
  }
  return route;
}

// ---- Frame ------------------------------------------------------------------------------------------

function drawHeader(me) {
  const brand = h("a", { class: "brand", href: me ? links.list(me.id) : "#/" }, h("span", { class: "mark", "aria-hidden": "true" }), "Latchkey");
  if (!session.signedIn()) {
    header.replaceChildren(brand);
    return;
  }
  const others = accounts.length > 1 ? menuButton({
    label: "Account", text: h("span", { class: "clip" }, h("span", { class: "visually-hidden" }, "Account: "), me ? foreign(me.name) : "Choose"), items: () => accounts.map((each) => ({
      label: isolated(each.name), current: each.id === me?.id, run: () => { location.hash = links.list(each.id); },
    })),
  }) : h("span", { class: "account clip" }, me ? foreign(me.name) : "");
  const person = session.who();
  header.replaceChildren(brand, others, h("span", { class: "spring" }),
    person ? h("span", { class: "who clip", title: isolated(person) }, foreign(person)) : null,
    h("button", { type: "button", class: "quiet", on: { click: leave } }, "Sign out"));
}

async function leave() {
  if (!(await mayDiscard())) return;
  leaving = true;
  // Nothing is left to come back to.
  say("Signing out…");
  header.replaceChildren();
  session.signOut();
}

// A page that the browser kept for its back button is from another session.
addEventListener("pageshow", (event) => event.persisted && location.reload());

/** Shows a message instead of a view. */
function say(title, ...content) {
  maskAll();
  view?.leave();
  view = null;
  const heading = h("h1", { tabindex: "-1" }, title);
  main.replaceChildren(h("div", { class: "message" }, heading, content));
  document.title = `${title} – Latchkey`;
  heading.focus({ preventScroll: true });
}

function show(next) {
  maskAll();
  view?.leave();
  view = next;
  main.replaceChildren(next.element);
  document.title = next.title;
  scrollTo(0, 0);
  next.heading.focus({ preventScroll: true });
}

function signedOut(message) {
  drawHeader();
  const button = h("button", { type: "button", class: "primary", on: { click: goAndSignIn } }, "Sign in");
  say("API tokens", message ? h("div", { class: "notice warning", role: "alert" }, icon("warning"), h("p", null, message)) : null,
    h("p", null, "Create, show, replace and revoke the API tokens of your account, and see everything that happens to them."),
    h("p", null, "For owners and administrators."), button);
}

function goAndSignIn() {
  leaving = true;
  return session.signIn(view?.draft?.() ?? draft);
}

let ended = null;
whenSessionEnds(() => {
  if (ended || leaving) return;
  maskAll();
  ended = openDialog({
    title: "Your session has ended",
    content: () => h("div", null,
      h("div", { class: "text" }, h("p", null, "Sign in again to go on where you are. What you typed is kept.")),
      h("footer", null, h("button", { type: "button", class: "primary", autofocus: true, on: { click: goAndSignIn } }, "Sign in"))),
    onClose: () => { ended = null; },
  });
});

// Whoever loses the role while the page is open is told like everybody else.
whenRightsChange(async () => {
  const id = parse(shown ?? "").account;
  ({ body: { accounts } } = await call("GET", "v1/accounts"));
  const me = accounts.find((each) => each.id === id);
  if (me && mayManage(me)) return;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  view?.leave();
  view = shown = null;
  await route();
});

addEventListener("beforeunload", (event) => {
  if (!leaving && view?.dirty?.()) event.preventDefault();
});

async function mayDiscard() {
  if (!view?.dirty?.()) return true;
  return confirm({
    title: "Discard your changes?",
    body: h("p", null, "What you entered is not saved."),
    action: "Discard",
    danger: true,
    run: async () => {},
  });
}

// ---- Views ------------------------------------------------------------------------------------------

async function route() {
  const wanted = location.hash;
  if (wanted === shown) return;
  if (shown !== null && view?.dirty?.()) {
    // Stays where it is until the question is answered.
    history.replaceState(null, "", shown);
    if (!(await mayDiscard())) return;
    view = null;
    history.replaceState(null, "", wanted);
  }
  shown = wanted;
  panel?.close();
  const to = parse(wanted);
  if (!to.account) {
    const first = accounts.find(mayManage) ?? accounts[0];
    if (first) location.replace(links.list(first.id));
    else noAccount();
    return;
  }
  const me = accounts.find(({ id }) => id === to.account);
  drawHeader(me);
  if (!me) {
    say("No such account", h("p", null, "This account does not exist, or you are not its member. Ask one of its owners or administrators, or choose another account."),
      accounts.length ? h("a", { class: "button", href: "#/" }, "Go to my account") : null);
  } else if (!mayManage(me)) {
    denied(me);
  } else if (to.page === "create" || to.page === "edit") {
    await form(to, me, wanted);
  } else {
    await list(to, me, wanted);
  }
}

function noAccount() {
  drawHeader();
  say("No account", h("p", null, "You are signed in, but you are not a member of any account. Ask an owner or administrator of your company's account to invite you."));
}

function denied(me) {
  say("You may not see this page", h("p", null, "Your role in ", h("strong", null, foreign(me.name)), ` is ${ROLES[me.role] ?? me.role}. `,
    "API tokens are for the account's owner and administrators only. Ask one of them if you need a token, or another role."));
}

async function list(to, me, wanted) {
  draft = null;
  // The audit log opens over the list that one comes from.
  if (to.page === "list") lastList = wanted;
  const from = parse(lastList ?? "");
  const { app, query } = from.account === me.id ? from : { app: null, query: {} };
  const key = `${me.id}/${app ?? ""}`;
  if (view?.key !== key) {
    const next = listView({ app, me, links, go: (filters) => {
      // Filters replace each other in the history; each is still an address to share.
      history.replaceState(null, "", links.list(me.id, app, filters));
      shown = lastList = location.hash;
      view.update(filters);
    } });
    show({ ...next, key, title: app ? `API tokens of ${isolated(app)} – ${isolated(me.name)}` : `API tokens – ${isolated(me.name)}` });
    view.update(query);
  } else if (to.page === "list") {
    document.title = view.title;
    view.update(query);
  }
  if (to.page !== "audit") return;
  let tokenName = null;
  if (to.token) {
    // Its name, if it still exists; the log is there in any case.
    tokenName = await call("GET", account(me.id, "tokens", to.token)).then(({ body }) => body.name, () => null);
    if (shown !== wanted) return;
  }
  document.title = tokenName ? `Audit log of ${quoted(tokenName)} – ${isolated(me.name)}` : `Audit log – ${isolated(me.name)}`;
  panel = openAudit({ me, tokenId: to.token, tokenName, onClose: () => {
    panel = null;
    // Somebody may be on the way elsewhere already.
    if (shown !== wanted || location.hash !== wanted) return;
    shown = lastList ?? links.list(me.id);
    history.pushState(null, "", shown);
    document.title = view.title;
  } });
}

async function form(to, me, wanted) {
  const kept = draft;
  draft = null;
  let stored = {};
  if (to.token) {
    try {
      const { body, etag } = await call("GET", account(me.id, "tokens", to.token));
      stored = { token: body, etag };
    } catch (error) {
      if (shown !== wanted) return;
      failed(error, error.code === "token_not_found"
        ? h("p", null, h("a", { href: links.audit(me.id, to.token) }, "View its audit log"), " or ", h("a", { href: links.list(me.id) }, "go back to the list"), ".")
        : null);
      return;
    }
    if (shown !== wanted) return;
  }
  const back = lastList && parse(lastList).account === me.id ? lastList : links.list(me.id, to.app);
  const next = formView({ app: to.app, me, links, back, draft: kept, ...stored });
  show({ ...next, title: `${stored.token ? quoted(stored.token.name) : "Create API token"} – ${isolated(me.name)}` });
}

function failed(error, ...more) {
  say("API tokens", problem(error, h("button", { type: "button", on: { click: () => {
    shown = null;
    if (accounts.length) route();
    else load();
  } } }, "Try again")), ...more);
}

/** Reads who the person is in which account, and shows what the address asks for. */
async function load() {
  try {
    ({ body: { accounts } } = await call("GET", "v1/accounts"));
  } catch (error) {
    drawHeader();
    failed(error);
    return;
  }
  accounts.sort((a, b) => a.name.localeCompare(b.name));
  await route();
}

async function boot() {
  let begin;
  try {
    begin = await session.start();
  } catch {
    drawHeaderless();
    return;
  }
  draft = begin.draft ?? null;
  addEventListener("hashchange", () => session.signedIn() && route());
  document.querySelector(".skip").addEventListener("click", (event) => {
    // The address after the # is the route.
    event.preventDefault();
    main.focus();
  });
  if (session.signedIn()) await load();
  else if (begin.resume) await goAndSignIn();
  else signedOut(begin.problem);
}

function drawHeaderless() {
  say("API tokens", problem({ title: "The page could not be loaded.", advice: "Check your connection, then reload it." },
    h("button", { type: "button", on: { click: () => location.reload() } }, "Reload")));
}

await boot();
