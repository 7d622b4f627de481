// Begins the page.

import { html, render } from "./html.js";
import { Button } from "./components/Button.js";
import { closeDialogs } from "./components/Dialog.js";
import * as session from "./session.js";
import { goAndSignIn, isLeaving } from "./stepUp.js";
import { texts } from "./texts.js";
import { App } from "./views/App.js";
import { losesSomething } from "./unsaved.js";

const root = document.getElementById("page");

// A page that the browser kept for its back button is from another session.
addEventListener("pageshow", (event) => event.persisted && location.reload());
// A secret that is shown is in a dialog.
addEventListener("pagehide", closeDialogs);
addEventListener("beforeunload", (event) => {
  if (!isLeaving() && losesSomething()) event.preventDefault();
});

/** The page without its configuration: nothing but what went wrong. */
function NotLoaded() {
  return html`<main id="main"><div class="message"><h1>${texts.title}</h1>
    <div class="notice danger" role="alert"><div><p><strong>${texts.frame.notLoaded}</strong> ${texts.frame.notLoadedAdvice}</p></div>
      <${Button} run=${() => location.reload()}>${texts.frame.reload}<//></div></div></main>`;
}

let begin = null;
try {
  begin = await session.start();
} catch {
  render(html`<${NotLoaded} />`, root);
}
if (begin?.again) await session.signIn({ ...begin.again, again: true });
else if (begin?.resume && !session.signedIn()) await goAndSignIn(begin.draft);
else if (begin) {
  root.replaceChildren();
  render(html`<${App} begin=${begin} />`, root);
}
