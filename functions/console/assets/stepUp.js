// Signing in again: because the session has ended, or because what was asked for needs a fresh sign-in.

import * as session from "./session.js";
import { draft } from "./unsaved.js";

let leaving = false;

/** Whether the page is being left for the sign-in page: nobody is asked about what isn't saved, it is kept. */
export const isLeaving = () => leaving;

/** Says that the page is being left for good. */
export function leave() {
  leaving = true;
}

/** Goes to the sign-in page, and comes back to where one is, with what was entered. */
export function goAndSignIn(kept = null) {
  leaving = true;
  return session.signIn({ draft: draft() ?? kept });
}

/**
 * Goes to the sign-in page, which asks for the password again, and comes back to `route`. What was entered says then why
 * it was kept.
 */
export function signInAgain(route = location.hash) {
  leaving = true;
  const entered = draft();
  return session.signInAgain({ draft: entered && { ...entered, again: true }, route });
}
