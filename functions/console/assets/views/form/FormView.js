// The view that creates or edits a token.

import { html, useEffect } from "../../html.js";
import { account, call } from "../../api.js";
import { Button } from "../../components/Button.js";
import { Problem } from "../../components/Notice.js";
import { useLoad } from "../../load.js";
import { links, replace } from "../../router.js";
import { texts } from "../../texts.js";
import { useView } from "../../view.js";
import { Back, Form } from "./Form.js";

/**
 * The form of a new token (of the Integration App `app`, if one is given), or of the token `tokenId`. `query` fills a new
 * one in; `draft.current` is what was typed before a sign-in.
 */
export function FormView({ me, app, tokenId, query, draft }) {
  return tokenId ? html`<${Edit} me=${me} tokenId=${tokenId} draft=${draft} />`
    : html`<${Form} me=${me} app=${app} query=${query} draft=${draft} />`;
}

/** Reads the token first, and always anew: an old version couldn't be saved. */
function Edit({ me, tokenId, draft }) {
  const { data, error, reload } = useLoad(`${me.id}/${tokenId}`, (signal) => call("GET", account(me.id, "tokens", tokenId), { signal }));
  // The token's page tells one that is gone from one that never was.
  const missing = error?.code === "token_not_found" || error?.status === 422;
  useEffect(() => {
    if (missing) replace(links.token(me.id, tokenId));
  }, [missing]);
  if (missing) return null;
  if (data) return html`<${Form} me=${me} stored=${{ token: data.body, etag: data.etag }} query=${{}} draft=${draft} />`;
  return html`<${Waiting} me=${me} error=${error} reload=${reload} />`;
}

function Waiting({ me, error, reload }) {
  const heading = useView(texts.form.edit);
  return html`<div class="view"><${Back} me=${me} />
    <div class="title"><h1 ref=${heading} tabindex="-1">${texts.form.edit}</h1></div>
    <${Problem} error=${error} actions=${html`<${Button} run=${reload}>${texts.tryAgain}<//>`} /></div>`;
}
