import { html } from "../../html.js";
import { Button, ButtonLink } from "../../components/Button.js";
import { Icon } from "../../components/Icon.js";
import { Problem } from "../../components/Notice.js";
import { fill, Foreign, Who } from "../../components/Text.js";
import { Ago } from "../../components/Time.js";
import { useLoad } from "../../load.js";
import { listAsLeft } from "../../router.js";
import { texts } from "../../texts.js";
import { isolated, quoted } from "../../untrusted.js";
import { useView } from "../../view.js";
import { logOf, readRecords } from "../audit/records.js";
import { Skeleton } from "../audit/Skeleton.js";
import { Timeline } from "./Timeline.js";

const words = texts.tokenPage;

/** A token that isn't there: deleted or purged if its log knows it, else there never was one. */
export function TokenGone({ me, tokenId, query }) {
  const path = logOf(me.id, tokenId);
  const log = useLoad(path, async (signal) => {
    const newest = (action) => readRecords(path, { action }, { limit: "1", signal }).then(({ records }) => records[0] ?? null);
    try {
      const [last, deleted, purged] = await Promise.all([newest(""), newest("delete"), newest("purge")]);
      return { last, deleted, purged };
    } catch (error) {
      // An ID that can't be one has no log.
      if (error.status === 404 || error.status === 422) return { last: null };
      throw error;
    }
  });
  if (log.loading) return html`<div class="view"><${Skeleton} rows=${6} label=${words.loading} /></div>`;
  if (log.error) return html`<${Message} title=${words.gone}><${Problem} error=${log.error}
    actions=${html`<${Button} run=${log.reload}>${texts.tryAgain}<//>`} /><//>`;
  const { last, deleted, purged } = log.data;
  if (!last) {
    return html`<${Message} title=${words.none}>
      <p>${fill(words.noneText, { id: html`<code><${Foreign} text=${tokenId} /></code>` })}</p>
      <${ButtonLink} kind="primary" href=${listAsLeft(me.id)}>${words.toList}<//><//>`;
  }
  return html`<${Gone} me=${me} tokenId=${tokenId} query=${query} name=${last.resource.name} deleted=${deleted} purged=${purged} />`;
}

function Message({ title, children }) {
  const heading = useView(title);
  return html`<div class="message"><h1 ref=${heading} tabindex="-1">${title}</h1>${children}</div>`;
}

function Gone({ me, tokenId, query, name, deleted, purged }) {
  const heading = useView(`${quoted(name)} – ${isolated(me.name)}`);
  const when = deleted
    ? fill(words.deleted, { when: html`<${Ago} at=${deleted.time} />`, who: html`<${Who} of=${deleted.user} />` })
    : purged ? fill(words.purgedAt, { when: html`<${Ago} at=${purged.time} />` }) : words.purgedSometime;
  return html`<div class="view token-page">
    <a class="back" href=${listAsLeft(me.id)}><${Icon} name="back" />${words.back}</a>
    <header><h1 ref=${heading} tabindex="-1"><${Foreign} text=${name} /></h1>
      <div class="state revoked"><div class="said"><${Icon} name="trash" />
        <p><strong>${words.gone}.</strong> ${when} ${words.goneText}</p></div></div>
      <div class="buttons"><${ButtonLink} kind="primary" href=${listAsLeft(me.id)}>${words.toList}<//></div></header>
    <${Timeline} me=${me} tokenId=${tokenId} query=${query} version=${0} /></div>`;
}
