// Signing in again: because the session has ended, or because what was asked for needs a fresh sign-in.

import { parse, placeOf } from "./router.js";
import * as session from "./session.js";
import { draft } from "./unsaved.js";

let leaving = false;

/** Whether the page is being left for the sign-in page: nobody is asked about what isn't saved, it is kept. */
export const isLeaving = () => leaving;

/** Says that the page is being left for good. */
export function leave() {
  leaving = true;
}

/** What was entered and isn't saved, with where and by whom: it goes to no other form, and to nobody else. */
function entered() {
  const now = draft();
  return now && { ...now, place: placeOf(parse(location.hash)), typist: session.typist() };
}

/** Goes to the sign-in page, and comes back to where one is, with what was entered. */
export function goAndSignIn(kept = null) {
  leaving = true;
  return session.signIn({ draft: entered() ?? kept });
}

/**
 * Goes to the sign-in page, which asks for the password again, and comes back to `route`. What was entered says then why
 * it was kept.
 */
export function signInAgain(route = location.hash) {
  leaving = true;
  const now = entered();
  return session.signInAgain({ draft: now && { ...now, again: true }, route });
}
