// The form that creates and edits a token.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../html.js";
import { account, call } from "../../api.js";
import { Button, ButtonLink } from "../../components/Button.js";
import { handOver } from "../../components/HandOver.js";
import { Icon } from "../../components/Icon.js";
import { Notice, Problem } from "../../components/Notice.js";
import { fill, Foreign, Quoted, Who } from "../../components/Text.js";
import { toast } from "../../components/Toasts.js";
import { go, links, listAsLeft, replace } from "../../router.js";
import { texts } from "../../texts.js";
import { relative } from "../../times.js";
import { appName, LISTS, useApps } from "../../tokens.js";
import { discard, useUnsaved } from "../../unsaved.js";
import { isolated, quoted } from "../../untrusted.js";
import { useView } from "../../view.js";
import { sentence } from "../../words.js";
import { addresses, changed, entered, listsOf, scopeOf, sent, stored as storedEntries } from "./entries.js";
import { Field, Radios } from "./fields.js";
import { Picker } from "./Picker.js";
import { prefill } from "./prefill.js";
import { useResources } from "./resources.js";
import { Summary } from "./Summary.js";

/** The way back to the list, as it was left. */
export const Back = ({ me, app }) => html`<a class="back" href=${listAsLeft(me.id, app)}><${Icon} name="back" />${texts.form.back}</a>`;

/** `stored` is the token that is edited and its version; nothing for a new one. */
export function Form({ me, app: fixedApp, stored, query, draft }) {
  const creating = !stored;
  const [current, setCurrent] = useState(stored);
  const token = current?.token;

  // What the form begins with: the token, or what a link fills in, and what was typed before a sign-in.
  const begin = useMemo(() => {
    const link = creating ? prefill(query, { lifetimes: me.autoPurgeChoices, app: fixedApp }) : null;
    const own = fixedApp ? { kind: "integrationApp", integrationId: fixedApp } : {};
    const before = creating ? entered({ ...link.entries, ...own }) : storedEntries(stored.token);
    const kept = draft.current;
    draft.current = null;
    return { link, before, kept, entries: kept?.entries ? entered(kept.entries) : before };
  }, []);
  const [entries, setEntries] = useState(begin.entries);
  const [baseline, setBaseline] = useState(begin.before);
  const [notice, setNotice] = useState(() => begin.kept && { kind: "info",
    text: begin.kept.again ? texts.form.steppedUp : texts.form.draftIsBack });
  const [failure, setFailure] = useState(null);
  const set = (change) => setEntries((all) => ({ ...all, ...change }));

  const { apps, failed: noNames } = useApps(me.id);
  const forApp = entries.kind === "integrationApp";
  const custom = entries.scope.type === "custom";
  // The Integration App whose resources may be chosen: "" if it isn't known yet, `null` for any.
  const app = forApp ? entries.integrationId.trim() : null;
  const lists = listsOf(entries.kind);
  const resources = {};
  for (const list of Object.keys(LISTS)) {
    resources[list] = useResources(me.id, list, { app, wanted: custom && lists.includes(list) && app !== "" });
  }
  const names = useMemo(() => {
    const all = new Map();
    for (const list of Object.keys(LISTS)) {
      const { found, complete } = resources[list];
      if (complete) for (const id of entries.scope[list]) all.set(`${list}/${id}`, null);
      for (const { id, name } of found) all.set(`${list}/${id}`, name);
    }
    return all;
  }, [entries.scope, ...Object.keys(LISTS).map((list) => resources[list].found)]);

  const dirty = changed(entries, baseline).length > 0;
  // The same key for the same entries: an attempt whose answer got lost makes no second token, also after a sign-in.
  const idempotency = useRef(begin.kept?.idempotency ?? { text: null, key: null });
  useUnsaved(dirty, () => ({ entries, idempotency: idempotency.current }));
  // What a request that is under way goes by when it is answered.
  const latest = useRef();
  latest.current = { entries, baseline, current };

  const title = creating ? (fixedApp ? fill(texts.form.createOf, { app: html`<${Foreign} text=${appName(apps, fixedApp)} />` })
    : texts.form.create) : texts.form.edit;
  const heading = useView(creating && fixedApp ? texts.form.createOf.replace("{app}", isolated(appName(apps, fixedApp)))
    : creating ? texts.form.create : texts.form.edit);
  const form = useRef();
  useEffect(() => {
    if (creating) form.current.elements.namedItem("name").focus({ preventScroll: true });
  }, []);

  // ---- Saving ---------------------------------------------------------------------------------------

  const sending = useRef(false);

  const submit = async (close) => {
    // Two buttons send it, and a key.
    if (sending.current) return;
    sending.current = true;
    const lines = addresses(entries).map(quoted);
    setFailure(null);
    setNotice(null);
    try {
      await (creating ? create(close) : update(close));
    } catch (error) {
      if (error.code === "version_mismatch") await merge().catch(setFailure);
      // Who goes on typing doesn't change which line was wrong.
      else setFailure(Object.assign(error, { lines }));
    } finally {
      sending.current = false;
    }
  };

  const create = async (close) => {
    const body = Object.fromEntries(Object.entries(sent(entries)).filter(([, entry]) => entry !== ""));
    if (!body.scope.type) delete body.scope;
    const text = JSON.stringify(body);
    if (idempotency.current.text !== text) idempotency.current = { text, key: crypto.randomUUID() };
    const answer = await call("POST", account(me.id, "tokens"), { body, idempotencyKey: idempotency.current.key });
    setBaseline(entries);
    await handOver({ title: texts.form.created, token: answer.body.token, secret: answer.body.secret, me });
    // Whoever has left meanwhile stays there.
    if (!form.current) return;
    discard();
    if (close) go(listAsLeft(me.id, fixedApp));
    else replace(links.token(me.id, answer.body.token.id));
  };

  const update = async (close) => {
    const now = sent(entries);
    const body = Object.fromEntries(changed(entries, baseline).map((key) => [key, now[key]]));
    if (Object.keys(body).length > 0) {
      const answer = await call("PATCH", account(me.id, "tokens", token.id), { body, etag: current.etag });
      const saved = storedEntries(answer.body);
      setCurrent({ token: answer.body, etag: answer.etag });
      // What was typed while it was on its way isn't saved.
      const typed = changed(latest.current.entries, entries);
      setEntries({ ...saved, ...Object.fromEntries(typed.map((key) => [key, latest.current.entries[key]])) });
      setBaseline(saved);
      toast(texts.form.saved);
      if (close && typed.length > 0) return;
    } else {
      toast(texts.form.unchanged);
    }
    if (!close || !form.current) return;
    discard();
    go(listAsLeft(me.id));
  };

  /** Somebody else saved meanwhile: takes over what they changed, and keeps what was typed here. */
  const merge = async () => {
    const { body, etag } = await call("GET", account(me.id, "tokens", token.id));
    const { entries: typed, baseline: before } = latest.current;
    const mine = changed(typed, before);
    const theirs = storedEntries(body);
    const fields = changed(theirs, storedEntries(latest.current.current.token)).map((key) => texts.form.conflictFields[key]).filter(Boolean);
    setCurrent({ token: body, etag });
    setBaseline(theirs);
    setEntries({ ...theirs, ...Object.fromEntries(mine.map((key) => [key, typed[key]])) });
    setNotice({ kind: "warning", who: body.updatedBy, fields });
  };

  // ---- Errors ---------------------------------------------------------------------------------------

  const labels = {
    name: texts.form.name, description: texts.form.description, autoPurge: texts.form.autoPurge, scope: texts.form.scope,
    allowedCidrs: texts.form.allowedCidrs,
    ...(creating && !fixedApp && { kind: texts.form.kind }),
    ...(creating && !fixedApp && forApp && { integrationId: texts.form.app }),
    ...(custom && Object.fromEntries(lists.map((list) => [`scope.${list}`, texts.lists[list][0]]))),
  };
  const errors = Object.fromEntries(Object.keys(labels).map((key) => [key, []]));
  const homeless = [];
  for (const { field, message } of failure?.fields ?? []) {
    const place = field === "scope.type" ? "scope" : [field, field.replace(/\.\d+$/, "")].find((key) => key in errors);
    const line = /^allowedCidrs\.(\d+)$/.exec(field);
    const subject = line ? failure.lines?.[line[1]] ?? labels.allowedCidrs : labels[place];
    if (place) errors[place].push(sentence(subject, message));
    else homeless.push(`${field}: ${message}`);
  }
  if (failure?.code === "api_management_license_required") errors.autoPurge.push(texts.form.licenceMissing);

  const problems = useRef();
  useLayoutEffect(() => {
    if (!failure && !notice) return;
    const first = failure && form.current.querySelector("[aria-invalid=true]");
    if (first) (first.querySelector("input") ?? first).focus();
    else problems.current.scrollIntoView({ block: "nearest" });
  }, [failure, notice]);

  // ---- View -----------------------------------------------------------------------------------------

  const choose = useRef();
  choose.current ??= (list, ids) => setEntries((all) => ({ ...all, scope: { ...all.scope, [list]: ids } }));
  const text = (key, type = "input", properties = {}) => (wiring) => html`<${type} ...${wiring} ...${properties} name=${key}
    value=${entries[key]} onInput=${(event) => set({ [key]: event.target.value })} />`;

  return html`<div class="view form-view"><${Back} me=${me} app=${fixedApp} />
    <div class="title"><h1 ref=${heading} tabindex="-1">${title}</h1>
      ${token ? html`<span class="fine of"><${Foreign} text=${token.name} /></span>` : null}</div>
    <form ref=${form} class="token" novalidate autocomplete="off" onSubmit=${(event) => event.preventDefault()}>
      <div ref=${problems} class="problems">
        <${Problem} error=${failure}>${homeless.map((each) => html`<p key=${each}>${each}</p>`)}<//>
        <${Said} notice=${notice} />
        ${begin.link?.given ? html`<${Prefilled} link=${begin.link} resources=${resources} lists=${lists} app=${app} apps=${apps} />` : null}
        ${token?.compromisedAt ? html`<${Notice} kind="danger" actions=${html`<${ButtonLink} href=${links.token(me.id, token.id)}>${texts.form.toToken}<//>`}>
          <p>${texts.form.compromised}</p><//>` : null}</div>
      <div class="sections">
        <section aria-labelledby="general"><h2 id="general">${texts.form.general}</h2>
          <${Field} label=${texts.form.name} help=${texts.form.nameHelp} errors=${errors.name}
            control=${text("name", "input", { dir: "auto", required: true, autocomplete: "off" })} />
          <${Field} label=${texts.form.description} help=${texts.form.descriptionHelp} errors=${errors.description}
            control=${text("description", "textarea", { dir: "auto", rows: "3" })} />
          ${creating && !fixedApp ? html`
            <${Radios} name="kind" label=${texts.form.kind} help=${texts.form.kindHelp} errors=${errors.kind} value=${entries.kind}
              options=${[["account", texts.kinds.account, texts.form.kindAccount], ["integrationApp", texts.kinds.integrationApp, texts.form.kindApp]]}
              choose=${(kind) => set({ kind, ...(kind === "integrationApp" && entries.autoPurge === "never" && { autoPurge: "" }) })} />
            ${forApp ? html`<${AppField} apps=${apps} noNames=${noNames} errors=${errors.integrationId} value=${entries.integrationId}
              choose=${(integrationId) => set({ integrationId })} />` : null}` : null}
          <${Lifetime} me=${me} token=${token} forApp=${forApp} value=${entries.autoPurge} errors=${errors.autoPurge}
            choose=${(autoPurge) => set({ autoPurge })} /></section>
        <section aria-labelledby="permissions"><h2 id="permissions">${texts.form.permissions}</h2>
          <${Radios} name="scope" label=${texts.form.scope} errors=${errors.scope} value=${entries.scope.type}
            options=${[["full", texts.form.full, forApp ? texts.form.fullHelpApp : texts.form.fullHelp], ["custom", texts.form.custom, texts.form.customHelp]]}
            choose=${(type) => set({ scope: { ...entries.scope, type } })} />
          ${custom ? html`<div class="pickers">${lists.map((list) => html`<${Steady} key=${list} list=${list} chosen=${entries.scope[list]}
            choose=${choose.current} resources=${resources[list]} app=${app} apps=${apps} errors=${errors[`scope.${list}`]} />`)}</div>` : null}</section>
        <section aria-labelledby="network"><h2 id="network">${texts.form.network}</h2>
          <${Field} label=${texts.form.allowedCidrs} help=${texts.form.allowedCidrsHelp} errors=${errors.allowedCidrs}
            control=${text("allowedCidrs", "textarea", { rows: "2", spellcheck: "false", placeholder: "192.0.2.0/24" })} /></section></div>
      <${Summary} kind=${entries.kind} app=${app} apps=${apps} scope=${{ ...entries.scope, ...scopeOf(entries) }} names=${names}
        lifetime=${entries.autoPurge} purgeAt=${token?.purgeAt} keeps=${Boolean(token)} cidrs=${addresses(entries)} />
      <footer>
        <${Button} type="submit" kind="primary" run=${() => submit(false)}>${texts.form.save}<//>
        <${Button} run=${() => submit(true)}>${texts.form.saveAndClose}<//>
        <${ButtonLink} kind="quiet" href=${listAsLeft(me.id, fixedApp)}>${texts.cancel}<//></footer></form></div>`;
}

/** A picker that is drawn again only if something of its own has changed: a thousand rows are many. */
function Steady({ list, chosen, choose, resources, app, apps, errors }) {
  return useMemo(() => html`<${Picker} list=${list} chosen=${chosen} choose=${choose} resources=${resources} app=${app} apps=${apps} errors=${errors} />`,
    [chosen, resources.found, resources.complete, resources.error, app, apps, errors.join()]);
}

/** What happened before, or meanwhile. */
function Said({ notice }) {
  if (!notice) return null;
  const { kind, text, who, fields } = notice;
  if (text) return html`<${Notice} kind=${kind} alert><p>${text}</p><//>`;
  return html`<${Notice} kind=${kind} alert><p><strong>${fill(texts.form.conflict, { who: html`<${Who} of=${who} />` })}</strong>
    ${fields.length ? texts.form.conflictIn(fields.join(", ")) : texts.form.conflictElsewhere}${texts.form.conflictKept}</p><//>`;
}

/** Says that a link filled the form in, and what of it isn't there. */
function Prefilled({ link, resources, lists, app, apps }) {
  const unknown = lists.flatMap((list) => {
    const { found, complete } = resources[list];
    if (!complete) return [];
    const ids = new Set(found.map(({ id }) => id));
    return (link.entries.scope?.[list] ?? []).filter((id) => !ids.has(id)).map((id) => [texts.lists[list][1], id]);
  });
  const wanted = link.entries.integrationId;
  if (wanted && apps?.length && app === wanted && !apps.some(({ id }) => id === wanted)) unknown.unshift([texts.form.app, wanted]);
  const rows = (all) => html`<ul>${all.map(([label, value]) => html`<li key=${`${label}/${value}`}>${label} <${Quoted} text=${value} /></li>`)}</ul>`;
  return html`<${Notice} kind=${unknown.length || link.ignored.length ? "warning" : "info"} alert><div class="prefilled">
    <p><strong>${texts.prefill.notice}</strong> ${texts.prefill.advice}</p>
    ${link.ignored.length ? html`<p>${texts.prefill.ignored}</p>${rows(link.ignored)}` : null}
    ${unknown.length ? html`<p>${texts.prefill.unknown}</p>${rows(unknown)}` : null}</div><//>`;
}

/** Chooses an Integration App by its name; by its id if the names can't be read. */
function AppField({ apps, noNames, errors, value, choose }) {
  if (noNames) {
    return html`<${Field} label=${texts.form.app} help=${texts.form.appIdHelp} errors=${errors} control=${(wiring) => html`<input ...${wiring}
      name="integrationId" autocomplete="off" value=${value} onInput=${(event) => choose(event.target.value)} />`} />`;
  }
  const twice = (name) => apps.filter((each) => each.name === name).length > 1;
  const known = apps?.some(({ id }) => id === value);
  return html`<${Field} label=${texts.form.app} help=${texts.form.appHelp} errors=${errors} control=${(wiring) => html`<select ...${wiring}
    name="integrationId" value=${value} onChange=${(event) => choose(event.target.value)}>
      <option value="" selected=${!value}>${!apps ? texts.form.loadingApps : apps.length ? texts.form.chooseApp : texts.form.noApps}</option>
      ${value && !known ? html`<option value=${value} selected>${apps ? texts.form.unknownApp(isolated(value)) : isolated(value)}</option>` : null}
      ${(apps ?? []).map(({ id, name }) => html`<option key=${id} value=${id} selected=${id === value}>
        ${twice(name) ? texts.form.sameName(isolated(name), isolated(id)) : isolated(name)}</option>`)}</select>`} />`;
}

/** Chooses how long the token lives, among what the licence and the kind allow. */
function Lifetime({ me, token, forApp, value, errors, choose }) {
  const forbidden = (choice, words) => (forApp && choice === "never" ? texts.form.notForApps(words)
    : me.autoPurgeChoices.includes(choice) ? null : texts.form.notLicensed(words));
  const keep = token && (token.purgeAt ? texts.form.keep(relative(token.purgeAt)) : texts.form.keepNever);
  const help = html`<p>${texts.form.autoPurgeHelp} ${token ? texts.form.autoPurgeRestarts : ""}</p>
    ${me.apiManagement ? null : html`<p>${texts.form.licence}</p>`}`;
  return html`<${Field} label=${texts.form.autoPurge} help=${help} errors=${errors} control=${(wiring) => html`<select ...${wiring}
    name="autoPurge" value=${value} onChange=${(event) => choose(event.target.value)}>
      <option value="" selected=${!value}>${keep ?? texts.form.chooseLifetime}</option>
      ${Object.entries(texts.lifetimes).map(([choice, words]) => html`<option key=${choice} value=${choice} selected=${choice === value}
        disabled=${forbidden(choice, words) !== null}>${forbidden(choice, words) ?? words}</option>`)}</select>`} />`;
}
