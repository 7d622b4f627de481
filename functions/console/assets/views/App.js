// The page's frame: sign-in, the account, and which view the address asks for.

import { html, useEffect, useRef, useState } from "../html.js";
import { call, whenRightsChange, whenSessionEnds } from "../api.js";
import { Button, ButtonLink } from "../components/Button.js";
import { ask, closeDialogs, Dialog, Dialogs, Footer, isDialogOpen, openDialog } from "../components/Dialog.js";
import { Icon } from "../components/Icon.js";
import { Menu } from "../components/Menu.js";
import { Notice, Problem } from "../components/Notice.js";
import { Progress } from "../components/Progress.js";
import { fill, Foreign } from "../components/Text.js";
import { Toasts } from "../components/Toasts.js";
import { links, noteList, parse, placeOf, positionAfter, replace } from "../router.js";
import * as session from "../session.js";
import { goAndSignIn, isLeaving, leave } from "../stepUp.js";
import { texts } from "../texts.js";
import { discard, isDirty } from "../unsaved.js";
import { isolated } from "../untrusted.js";
import { useView } from "../view.js";
import { AuditView } from "./audit/AuditView.js";
import { FormView } from "./form/FormView.js";
import { ListView } from "./list/ListView.js";
import { NotificationsView } from "./notifications/NotificationsView.js";
import { TokenView } from "./token/TokenView.js";

// The roles that the API lets in.
const mayManage = ({ role }) => role === "owner" || role === "administrator";
const readAccounts = () => call("GET", "v1/accounts").then(({ body }) => body.accounts.sort((a, b) => a.name.localeCompare(b.name)));
const mayDiscard = async () => !isDirty() || ask({
  title: texts.frame.discard, text: texts.frame.discardText, action: texts.frame.discardAction, danger: true,
});

/**
 * The whole page. `begin` is how it begins: with a `draft` from before a sign-in, a `problem` with it, or a session to
 * `resume`.
 */
export function App({ begin }) {
  const [accounts, setAccounts] = useState(null);
  const [failure, setFailure] = useState(null);
  const [hash, setHash] = useState(location.hash);
  const [leaving, setLeaving] = useState(false);
  const shown = useRef(location.hash);
  const kept = useRef(begin.draft ?? null);

  const mayStay = (all) => all.some((each) => each.id === parse(shown.current).account && mayManage(each));
  const load = async () => {
    setFailure(null);
    try {
      setAccounts(await readAccounts());
    } catch (error) {
      setFailure(error);
    }
  };

  useEffect(() => {
    if (session.signedIn()) load();
  }, []);

  // Follows the address, unless something would be lost.
  useEffect(() => {
    let position = positionAfter(-1);
    let asking = false;
    const follow = async () => {
      const wanted = location.hash;
      const at = positionAfter(position);
      if (wanted === shown.current) {
        position = at;
        return;
      }
      if (isDirty()) {
        // Goes back to the entry that was left, and stays there until the question is answered.
        const step = at - position;
        history.go(-step);
        if (asking) return;
        asking = true;
        const discards = await mayDiscard();
        asking = false;
        if (!discards) return;
        discard();
        history.go(step);
        return;
      }
      position = at;
      shown.current = wanted;
      setHash(wanted);
    };
    const note = () => {
      shown.current = location.hash;
      setHash(location.hash);
    };
    addEventListener("hashchange", follow);
    addEventListener("querychange", note);
    return () => {
      removeEventListener("hashchange", follow);
      removeEventListener("querychange", note);
    };
  }, []);

  // Whoever loses the role while the page is open is told like everybody else, and so is who loses less.
  useEffect(() => whenRightsChange(async () => {
    const all = await readAccounts().catch(() => null);
    if (!all) return;
    if (!mayStay(all)) {
      closeDialogs();
      discard();
    }
    setAccounts(all);
  }), []);

  // Developer mode, licence and role change elsewhere, in another tab most often. What is being done goes on as it is.
  useEffect(() => {
    const look = async () => {
      if (document.visibilityState !== "visible" || !session.signedIn() || isLeaving() || isDialogOpen()) return;
      const all = await readAccounts().catch(() => null);
      if (all && (mayStay(all) || !(isDirty() || isDialogOpen()))) setAccounts(all);
    };
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);

  useEffect(() => {
    let asking = false;
    whenSessionEnds(async () => {
      if (asking || isLeaving()) return;
      asking = true;
      await openDialog(() => html`<${SessionEnded} />`);
      asking = false;
    });
  }, []);

  const signOut = async () => {
    if (!(await mayDiscard())) return;
    discard();
    leave();
    // Nothing is left to come back to.
    closeDialogs();
    setLeaving(true);
    session.signOut();
  };

  const route = parse(hash);
  useEffect(() => noteList(hash), [hash]);
  const me = accounts?.find(({ id }) => id === route.account);
  // What was typed goes back to where it was typed. Whoever goes elsewhere has given it up.
  if (session.signedIn() && kept.current?.place !== placeOf(route)) kept.current = null;
  useEffect(() => {
    if (accounts && !route.account && accounts.length > 0) replace(links.list((accounts.find(mayManage) ?? accounts[0]).id));
  }, [accounts, route.account]);

  let view;
  if (leaving) view = html`<${Message} title=${texts.signingOut} />`;
  else if (!session.signedIn()) view = html`<${SignIn} problem=${begin.problem} draft=${kept.current} />`;
  else if (failure) view = html`<${Failed} error=${failure} again=${load} />`;
  else if (!accounts) view = null;
  else if (accounts.length === 0) view = html`<${Message} title=${texts.frame.noAccount}><p>${texts.frame.noAccountText}</p><//>`;
  else if (!route.account) view = null;
  else if (!me) view = html`<${NoSuchAccount} />`;
  else if (!mayManage(me)) view = html`<${Denied} me=${me} />`;
  else view = html`<${View} route=${route} me=${me} draft=${kept} />`;

  const named = !leaving && session.signedIn();
  return html`
    <a class="skip" href="#main" onClick=${(event) => {
      // The address after the # is the route.
      event.preventDefault();
      document.getElementById("main").focus();
    }}>${texts.skip}</a>
    <header class="top"><${Progress} />
      <div class="header">${leaving ? null : html`<a class="brand" href=${me ? links.list(me.id) : "#/"}><span class="mark" aria-hidden="true"></span>${texts.product}</a>`}
        ${named && accounts ? html`<${Header} accounts=${accounts} me=${me} signOut=${signOut} />` : null}</div></header>
    <main id="main" tabindex="-1">${view}</main>
    <${Toasts} /><${Dialogs} />`;
}

function Header({ accounts, me, signOut }) {
  const person = session.who();
  return html`
    ${accounts.length > 1
      ? html`<${Menu} label=${texts.account} items=${() => accounts.map((each) => ({
        label: isolated(each.name), current: each.id === me?.id, run: () => { location.hash = links.list(each.id); },
      }))}><span class="clip"><span class="visually-hidden">${texts.account}: </span>${me ? html`<${Foreign} text=${me.name} />` : texts.choose}</span><//>`
      : html`<span class="account clip">${me ? html`<${Foreign} text=${me.name} />` : null}</span>`}
    <span class="spring"></span>
    ${person ? html`<span class="who clip"><${Foreign} text=${person} /></span>` : null}
    ${me && mayManage(me) ? html`<a class="button quiet icon-only" href=${links.notifications(me.id)} aria-label=${texts.frame.notifications}>
      <${Icon} name="mail" /></a>` : null}
    <${Button} kind="quiet" run=${signOut}>${texts.signOut}<//>`;
}

/** The view that an address asks for. Another token or account has a view of its own, not the last one's remains. */
function View({ route, me, draft }) {
  const { account, app, token, page, query } = route;
  const given = { me, app, tokenId: token, query };
  switch (page) {
    case "create":
    case "edit": return html`<${FormView} key=${`${account}/${app}/${token}?${new URLSearchParams(query)}`} ...${given} draft=${draft} />`;
    case "token": return html`<${TokenView} key=${`${account}/${token}`} ...${given} />`;
    case "audit": return html`<${AuditView} key=${`${account}/${token}`} ...${given} />`;
    case "notifications": return html`<${NotificationsView} key=${account} ...${given} draft=${draft} />`;
    default: return html`<${ListView} key=${`${account}/${app}`} ...${given} />`;
  }
}

/** A message instead of a view. */
function Message({ title, children }) {
  const heading = useView(title);
  return html`<div class="message"><h1 ref=${heading} tabindex="-1">${title}</h1>${children}</div>`;
}

function SignIn({ problem, draft }) {
  return html`<${Message} title=${texts.title}>
    ${problem ? html`<${Notice} kind="warning" alert><p>${problem}</p><//>` : null}
    <p>${texts.signIn.lead}</p><p>${texts.signIn.whoFor}</p>
    <${Button} kind="primary" run=${() => goAndSignIn(draft)}>${texts.signIn.button}<//><//>`;
}

function SessionEnded() {
  return html`<${Dialog} title=${texts.signIn.ended}>
    <div><p>${texts.signIn.endedText} ${isDirty() ? texts.signIn.kept : ""}</p>
      <${Footer}><${Button} kind="primary" data-focus run=${() => goAndSignIn()}>${texts.signIn.button}<//><//></div><//>`;
}

function Failed({ error, again }) {
  return html`<${Message} title=${texts.title}><${Problem} error=${error} actions=${html`<${Button} run=${again}>${texts.tryAgain}<//>`} /><//>`;
}

function NoSuchAccount() {
  return html`<${Message} title=${texts.frame.noSuchAccount}><p>${texts.frame.noSuchAccountText}</p>
    <${ButtonLink} href="#/">${texts.frame.toMyAccount}<//><//>`;
}

function Denied({ me }) {
  const parts = { account: html`<strong><${Foreign} text=${me.name} /></strong>`, role: texts.roles[me.role] ?? me.role };
  return html`<${Message} title=${texts.frame.denied}><p>${fill(texts.frame.deniedText, parts)}</p><//>`;
}
