import { html, useEffect, useRef, useState } from "../../html.js";
import { perform, retire } from "../../actions.js";
import { account, call } from "../../api.js";
import { Button } from "../../components/Button.js";
import { Icon } from "../../components/Icon.js";
import { Notice, Problem } from "../../components/Notice.js";
import { Foreign } from "../../components/Text.js";
import { toast } from "../../components/Toasts.js";
import { useLoad } from "../../load.js";
import { links, listAsLeft, setQuery } from "../../router.js";
import { texts } from "../../texts.js";
import { useAlarm } from "../../times.js";
import { isPurged, oldSecret } from "../../tokens.js";
import { isolated, quoted } from "../../untrusted.js";
import { useView } from "../../view.js";
import { Skeleton } from "../audit/Skeleton.js";
import { ACTIONS, refusal, TokenActions } from "./TokenActions.js";
import { TokenDetails } from "./TokenDetails.js";
import { TokenGone } from "./TokenGone.js";
import { TokenScope } from "./TokenScope.js";
import { TokenState } from "./TokenState.js";
import { TokenUse } from "./TokenUse.js";
import { Timeline } from "./Timeline.js";

/** Everything about one token, with everything that can be done to it. */
export function TokenView({ me, tokenId, query }) {
  const token = useLoad(`${me.id}/${tokenId}`, async (signal) =>
    (await call("GET", account(me.id, "tokens", tokenId), { signal })).body);
  const [deleted, setDeleted] = useState(false);
  const missing = token.error?.code === "token_not_found" || token.error?.status === 422;
  if (deleted || missing) return html`<${TokenGone} me=${me} tokenId=${tokenId} query=${query} />`;
  if (token.error) return html`<${Failed} error=${token.error} again=${token.reload} />`;
  if (token.loading) {
    return html`<div class="view"><${Skeleton} rows=${8} label=${texts.tokenPage.loading} /></div>`;
  }
  return html`<${Page} me=${me} token=${token.data} keep=${token.set} deleted=${() => setDeleted(true)} query=${query} />`;
}

function Failed({ error, again }) {
  const heading = useView(texts.title);
  return html`<div class="view narrow"><h1 ref=${heading} tabindex="-1">${texts.title}</h1>
    <${Problem} error=${error} actions=${html`<${Button} run=${again}>${texts.tryAgain}<//>`} /></div>`;
}

function Page({ me, token, keep, deleted, query }) {
  const heading = useView(`${quoted(token.name)} – ${isolated(me.name)}`);
  const [problem, setProblem] = useState(null);
  const [notice, setNotice] = useState(null);
  // How often something was done: each time, there is more in the log.
  const [done, setDone] = useState(0);
  const old = oldSecret(token);
  useAlarm(old && Date.parse(old.validUntil));
  useAlarm(token.purgeAt && Date.parse(token.purgeAt));

  // A button that is gone leaves the focus to the heading.
  const holdFocus = () => requestAnimationFrame(() => {
    if (document.activeElement === document.body) heading.current?.focus();
  });

  // An old secret that has ended by itself is said; one that was ended is no longer the token's.
  const worked = useRef(Boolean(old));
  useEffect(() => {
    if (worked.current && !old && token.previousSecret) toast(texts.oldSecret.over(quoted(token.name)));
    worked.current = Boolean(old);
    holdFocus();
  }, [Boolean(old)]);

  const act = async (action) => {
    setProblem(null);
    setNotice(null);
    try {
      const after = await perform(action, token, me);
      // What was deleted has no state any more.
      if (after === true) {
        deleted();
        return;
      }
      if (after) keep(after);
      // Whoever cancels has done nothing.
      if (after !== null) setDone((count) => count + 1);
    } catch (error) {
      setProblem(error);
    }
    holdFocus();
  };

  // What a mail's link, or the return from a sign-in, asks for. It is asked again: a link does nothing by itself.
  useEffect(() => {
    const { do: what, ...rest } = query;
    if (!what) return;
    setQuery(rest);
    const reason = refusal(what, token, me);
    if (reason) setNotice(reason);
    else act(ACTIONS[what]);
  }, [query.do]);

  const purged = isPurged(token);
  return html`<div class="view token-page">
    <a class="back" href=${listAsLeft(me.id)}><${Icon} name="back" />${texts.tokenPage.back}</a>
    <header>
      <h1 ref=${heading} tabindex="-1"><${Foreign} text=${token.name} /></h1>
      <${TokenState} token=${token} old=${old} end=${() => { act(retire); }} />
      ${purged ? null : html`<${TokenActions} token=${token} me=${me} act=${act} />`}
      ${notice ? html`<${Notice} kind="info" alert><p>${notice}</p><//>` : null}
      <${Problem} error=${problem} resume=${links.token(me.id, token.id, { do: "show" })} />
    </header>
    <div class="columns">
      <${TokenScope} token=${token} />
      <aside>
        <${TokenUse} token=${token} />
        <${TokenDetails} token=${token} />
      </aside>
      <${Timeline} me=${me} tokenId=${token.id} query=${query} version=${done} />
    </div></div>`;
}
