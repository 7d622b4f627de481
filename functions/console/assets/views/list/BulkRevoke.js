// The dialog that revokes several tokens.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../../html.js";
import { Button } from "../../components/Button.js";
import { Dialog, DialogField, Footer, openDialog } from "../../components/Dialog.js";
import { Notice, Problem } from "../../components/Notice.js";
import { fill, Foreign, Name } from "../../components/Text.js";
import { Ago } from "../../components/Time.js";
import { toast } from "../../components/Toasts.js";
import { texts } from "../../texts.js";
import { appName, LISTS, oldSecret, references, useNames } from "../../tokens.js";
import { revokeMany } from "./revokeMany.js";

const words = texts.list.bulk;
// As many resources of a token are named; the rest is counted.
const SHOWN = 5;

/**
 * Asks before it revokes tokens, and shows how it goes. `settled({ token, after, gone, error })` hears what became of
 * each.
 */
export function revokeSeveral(given) {
  return openDialog((close) => html`<${BulkRevoke} ...${given} close=${close} />`);
}

function BulkRevoke({ tokens, me, apps, settled, close }) {
  // What is still to be revoked; those that are done leave.
  const [left, setLeft] = useState(tokens);
  const [errors, setErrors] = useState(new Map());
  const [problem, setProblem] = useState(null);
  // While it runs: how many are settled, of how many.
  const [run, setRun] = useState(null);
  const [resume, setResume] = useState(0);
  const [reason, setReason] = useState("");
  const [stopping, setStopping] = useState(false);
  const stopped = useRef(false);
  // What was done altogether, also in earlier attempts.
  const told = useRef({ revoked: 0, gone: 0 });
  const names = useNames(me.id, union(tokens));

  const summary = () => [told.current.revoked && words.revoked(told.current.revoked), told.current.gone && words.gone(told.current.gone)]
    .filter(Boolean).join(" ");

  const go = async () => {
    if (run) return;
    stopped.current = false;
    setStopping(false);
    setProblem(null);
    setErrors(new Map());
    setRun({ done: 0, all: left.length });
    const failed = new Map();
    const settledNow = new Set();
    const end = await revokeMany(left, reason.trim(), {
      each(outcome) {
        const { token, error, gone } = outcome;
        if (error) {
          failed.set(token.id, error);
        } else {
          told.current[gone ? "gone" : "revoked"] += 1;
          settledNow.add(token.id);
        }
        settled(outcome);
        setRun((now) => ({ ...now, done: now.done + 1 }));
      },
      waiting: setResume,
      stopped: () => stopped.current,
    });
    const rest = left.filter(({ id }) => !settledNow.has(id));
    if (closed.current) {
      // Nobody sees the dialog any more, but what came of it is told.
      if (!end) toast([rest.length ? words.failed(rest.length, left.length) : "", summary()].filter(Boolean).join(" "), rest.length ? "warning" : "info");
      return;
    }
    setRun(null);
    setResume(0);
    if (rest.length === 0) {
      close();
      toast(summary());
      return;
    }
    setLeft(rest);
    setErrors(failed);
    setProblem(end ?? { partial: true, of: left.length });
  };

  const stop = () => {
    stopped.current = true;
    setStopping(true);
  };
  // A browser may close a dialog that is asked to stay. What isn't sent yet stays unsent then.
  const closed = useRef(false);
  useEffect(() => () => {
    closed.current = true;
    stopped.current = true;
  }, []);
  const form = useRef();
  useLayoutEffect(() => {
    const field = form.current.querySelector("[aria-invalid=true]");
    // How it goes stands at the end, which a small screen doesn't show by itself.
    if (field) field.focus();
    else if (run || problem) form.current.querySelector("footer").scrollIntoView({ block: "nearest" });
  }, [problem, Boolean(run)]);

  const invalid = problem?.fields?.find(({ field }) => field === "reason")?.message;
  const olds = left.filter((token) => oldSecret(token)).length;
  const tried = problem !== null;
  return html`<${Dialog} title=${words.title(left.length)} kind="bulk-revoke" mayClose=${() => {
    if (run) stop();
    return !run;
  }}>
    <form ref=${form} novalidate onSubmit=${(event) => event.preventDefault()}>
      <div class="text"><p>${words.text(left.length)}</p></div>
      <ul class="what-stops" tabindex="0" aria-label=${texts.revoke.stops}>${left.map((token) => html`<li key=${token.id}>
        <${Name} of=${token} /><${Stopped} token=${token} names=${names} apps=${apps} />
        ${errors.has(token.id) ? html`<p class="error">${errors.get(token.id).title} ${errors.get(token.id).advice}</p>`
          : tried && !run ? html`<p class="fine">${words.notTried}</p>` : null}</li>`)}</ul>
      ${run ? null : html`<div class="text">${olds ? html`<p>${words.oldEnds(olds)}</p>` : null}<p>${words.later(left.length)}</p></div>
      <${DialogField} name="reason" label=${texts.revoke.reason} help=${words.reasonHelp} error=${invalid}
        control=${(properties) => html`<textarea ...${properties} data-focus dir="auto" rows="2" maxlength="1024"
          value=${reason} onInput=${(event) => setReason(event.target.value)}></textarea>`} />`}
      ${run ? html`<${Going} ...${run} resume=${resume} />` : null}
      ${problem && !run ? html`<${Outcome} problem=${problem} left=${left.length} done=${summary()} />` : null}
      <${Footer}>
        <${Button} aria-disabled=${run && stopping ? "true" : null} run=${run ? stop : () => close()}>${
          run ? stopping ? words.stopping : words.stop : tried ? texts.close : texts.cancel}<//>
        <${Button} kind="danger" data-action run=${go}>${tried && !run ? texts.tryAgain : words.action(run ? run.all : left.length)}<//>
      <//></form><//>`;
}

/** What stops without a token, by name, and when it was last used. */
function Stopped({ token, names, apps }) {
  const all = references(token.scope);
  const app = html`<${Foreign} text=${appName(apps, token.integrationId ?? "")} />`;
  const what = token.scope.type === "full"
    ? token.kind === "integrationApp" ? fill(words.app, { app }) : texts.scope.full
    : all.slice(0, SHOWN).map((reference, index) => {
      const [list, id] = reference.split("/");
      return html`${index ? ", " : ""}${fill(words.resource, { kind: texts.lists[list][1], name: html`<${Foreign} text=${names?.get(reference) ?? id} />` })}`;
    });
  return html`<p class="fine">${what}${all.length > SHOWN ? ` ${texts.revoke.more(all.length - SHOWN)}` : ""} · ${token.lastUsedAt
    ? fill(words.lastUsed, { when: html`<${Ago} at=${token.lastUsedAt} />` }) : words.neverUsed}</p>`;
}

/** How far it is. */
function Going({ done, all, resume }) {
  const [, tick] = useState(0);
  useEffect(() => {
    if (resume <= Date.now()) return undefined;
    const timer = setInterval(() => tick((count) => count + 1), 500);
    return () => clearInterval(timer);
  }, [resume]);
  const seconds = Math.ceil((resume - Date.now()) / 1000);
  return html`<div class="going"><progress max=${all} value=${done} aria-label=${words.progressLabel}></progress>
    <p role="status">${words.progress(done, all)}</p>
    ${seconds > 0 ? html`<p class="fine">${words.waiting(seconds)}</p>` : null}</div>`;
}

/** What didn't work, and what did. */
function Outcome({ problem, left, done }) {
  if (!problem.partial) return html`<${Problem} error=${problem}>${done ? html`<p>${done}</p>` : null}<//>`;
  return html`<${Notice} kind="danger" alert>
    <p><strong>${words.failed(left, problem.of)}</strong> ${words.failedText(left)}</p>${done ? html`<p>${done}</p>` : null}<//>`;
}

/** A scope with everything that is in those of the tokens: their names are asked for at once. */
function union(tokens) {
  const custom = tokens.map(({ scope }) => scope).filter(({ type }) => type !== "full");
  return { type: "custom", ...Object.fromEntries(Object.keys(LISTS).map((list) => [list, [...new Set(custom.flatMap((scope) => scope[list]))]])) };
}
