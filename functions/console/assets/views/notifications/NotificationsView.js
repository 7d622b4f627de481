import { html, useEffect, useId, useState } from "../../html.js";
import { account, call } from "../../api.js";
import { Button } from "../../components/Button.js";
import { Icon } from "../../components/Icon.js";
import { Notice, Problem } from "../../components/Notice.js";
import { fill, Foreign } from "../../components/Text.js";
import { toast } from "../../components/Toasts.js";
import { useLoad } from "../../load.js";
import { listAsLeft } from "../../router.js";
import { texts } from "../../texts.js";
import { useUnsaved } from "../../unsaved.js";
import { isolated } from "../../untrusted.js";
import { useView } from "../../view.js";
import { Skeleton } from "../audit/Skeleton.js";

const EVENTS = Object.keys(texts.notifications.events);
const HOW = ["immediate", "daily"];

/** Which mails whoever is signed in gets about an account's tokens. `draft` is what was chosen before a sign-in. */
export function NotificationsView({ me, draft }) {
  const heading = useView(`${texts.notifications.title} – ${isolated(me.name)}`);
  const path = account(me.id, "preferences");
  const stored = useLoad(me.id, async (signal) => (await call("GET", path, { signal })).body);
  return html`<div class="view narrow">
    <a class="back" href=${listAsLeft(me.id)}><${Icon} name="back" />${texts.tokenPage.back}</a>
    <h1 ref=${heading} tabindex="-1">${texts.notifications.title}</h1>
    <p class="lead">${fill(texts.notifications.lead, { account: html`<strong><${Foreign} text=${me.name} /></strong>` })}</p>
    ${stored.loading ? html`<${Skeleton} rows=${6} label=${texts.notifications.loading} />` : null}
    <${Problem} error=${stored.error} actions=${html`<${Button} run=${stored.reload}>${texts.tryAgain}<//>`} />
    ${stored.data ? html`<${Preferences} path=${path} stored=${stored.data} keep=${stored.set} draft=${draft} />` : null}</div>`;
}

function Preferences({ path, stored, keep, draft }) {
  const [restored] = useState(() => draft?.current?.preferences ?? null);
  const [entries, setEntries] = useState({ ...stored, ...restored });
  const [error, setError] = useState(null);
  const dirty = EVENTS.some((event) => entries[event] !== stored[event]);
  useUnsaved(dirty, () => ({ preferences: entries }));
  useEffect(() => {
    if (restored) draft.current = null;
  }, []);
  const save = async () => {
    setError(null);
    if (!dirty) {
      toast(texts.notifications.same);
      return;
    }
    try {
      const body = Object.fromEntries(EVENTS.map((event) => [event, entries[event]]));
      const { body: kept } = await call("PUT", path, { body });
      keep({ ...body, ...kept });
      setEntries({ ...body, ...kept });
      toast(texts.notifications.saved);
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<form class="preferences" onSubmit=${(event) => {
    event.preventDefault();
    event.target.querySelector("[data-save]").click();
  }}>
    ${restored && dirty ? html`<${Notice} kind="warning"><p>${texts.notifications.draftIsBack}</p><//>` : null}
    ${EVENTS.map((event) => html`<${Preference} key=${event} event=${event} value=${entries[event]}
      choose=${(how) => setEntries({ ...entries, [event]: how })} />`)}
    <section aria-labelledby="always"><h2 id="always">${texts.notifications.always}</h2>
      <p>${texts.notifications.alwaysText}</p>
      <ul class="always">${texts.notifications.alwaysEvents.map((text) => html`<li key=${text}>${text}</li>`)}</ul></section>
    <${Problem} error=${error}>${(error?.fields ?? []).map(({ field, message }) =>
      html`<p key=${field}>${texts.notifications.events[field]?.[0] ?? field}: ${message}</p>`)}<//>
    <footer><${Button} kind="primary" data-save run=${save}>${texts.notifications.save}<//></footer></form>`;
}

function Preference({ event, value, choose }) {
  const help = useId();
  const [title, text] = texts.notifications.events[event];
  return html`<fieldset aria-describedby=${help}><legend>${title}</legend><p id=${help} class="help">${text}</p>
    <div class="radios">${HOW.map((how) => html`<label key=${how}>
      <input type="radio" name=${event} value=${how} checked=${value === how} onChange=${() => choose(how)} />
      <span>${texts.notifications[how]}<span class="fine">${texts.notifications[`${how}Help`]}</span></span></label>`)}</div></fieldset>`;
}
