// Hands a secret over. The secret is in the properties of fields only, and in none once the dialog is closed.

import { html, useEffect, useRef, useState } from "../html.js";
import { texts } from "../texts.js";
import { useApps, useNames } from "../tokens.js";
import { useOnlyHere } from "../unsaved.js";
import { Button } from "./Button.js";
import { Copy } from "./Copy.js";
import { Dialog, Footer, openDialog } from "./Dialog.js";
import { From, May, Until } from "./Grants.js";
import { Notice } from "./Notice.js";
import { curl, env, mcp } from "./snippets.js";
import { Tabs } from "./Tabs.js";
import { fill, Name } from "./Text.js";
import { toast } from "./Toasts.js";
import { Whole } from "./Whole.js";

// How long a secret that is shown again stays readable, in milliseconds.
const SHOWN = 60_000;

/**
 * Shows the secret of a token: a new one, or one that is `shown` again. `secret` is missing if an earlier attempt got it
 * and its answer was lost. Answers when the dialog is closed.
 */
export function handOver(given) {
  return openDialog((close) => html`<${HandOver} ...${given} close=${close} />`);
}

function HandOver({ title, token, secret, me, shown = false, close }) {
  const [warned, setWarned] = useState(false);
  const copied = useRef(false);
  const field = useRef();
  useEffect(() => {
    if (!shown) return undefined;
    const timer = setTimeout(() => {
      close();
      toast(texts.handOver.masked);
    }, SHOWN);
    return () => clearTimeout(timer);
  }, []);

  // A new secret may be lost for good if nobody has copied it: that is asked once, and by the browser as well.
  const isLost = () => Boolean(secret) && !shown && !copied.current;
  useOnlyHere(isLost);
  const mayClose = () => {
    if (!isLost() || warned) return true;
    setWarned(true);
    return false;
  };
  const done = () => {
    copied.current = true;
    setWarned(false);
  };
  const later = me.developerMode ? texts.handOver.again : texts.handOver.once;
  return html`<${Dialog} title=${title} kind="wide" mayClose=${mayClose}><div class="handover">
    <div class="text"><p>${fill(texts.handOver.give, { token: html`<${Name} of=${token} />` })} ${shown ? texts.handOver.shown : later}</p></div>
    ${secret ? html`<div class="secret"><${Whole} value=${secret} label=${texts.handOver.secret} field=${field} />
        <${Copy} text=${() => secret} field=${field} kind="primary" data-focus done=${done}>${texts.handOver.copy}<//></div>`
      : html`<${Notice} kind="warning"><p>${texts.handOver.lost} ${me.developerMode ? texts.handOver.lostShow : texts.handOver.lostRegenerate}</p><//>`}
    <div class="warned" role="alert">${warned ? html`<${Notice} kind="warning"><p>${texts.handOver.notCopied}</p><//>` : null}</div>
    <${Granted} token=${token} />
    ${secret ? html`<${Ways} token=${token} secret=${secret} done=${done} />` : null}
    <${Footer}><${Button} run=${() => mayClose() && close()}>${texts.done}<//><//></div><//>`;
}

/** What the token may do, until when and from where. */
function Granted({ token }) {
  const names = useNames(token.accountId, token.scope);
  const { apps } = useApps(token.kind === "integrationApp" ? token.accountId : null);
  return html`<section class="granted"><h3>${texts.handOver.may}</h3><div>
    <${May} kind=${token.kind} app=${token.integrationId} apps=${apps} scope=${token.scope} names=${names} /></div>
    <${Until} purgeAt=${token.purgeAt} /><${From} cidrs=${token.allowedCidrs} /></section>`;
}

/** How the secret is used. */
function Ways({ token, secret, done }) {
  const call = curl(token, secret);
  const config = mcp(secret);
  const tab = (key, text, help) => ({ key, label: texts.handOver.ways[key], panel: () => html`
    <${Snippet} name=${key} text=${text} done=${done} /><p class="fine">${help}</p>` });
  const tabs = [
    tab("curl", call.text, html`${texts.handOver[call.what]} ${call.placeholder ? texts.handOver.placeholder : ""} ${texts.handOver.curlHelp}`),
    tab("env", env(secret), texts.handOver.envHelp),
    ...(config ? [tab("mcp", config, texts.handOver.mcpHelp)] : []),
  ];
  return html`<section><h3>${texts.handOver.use}</h3><${Tabs} label=${texts.handOver.use} tabs=${tabs} /></section>`;
}

function Snippet({ name, text, done }) {
  const field = useRef();
  return html`<${Whole} value=${text} label=${texts.handOver.snippet[name]} field=${field} />
    <${Copy} text=${() => text} field=${field} done=${done}>${texts.handOver.copyWay[name]}<//>`;
}
