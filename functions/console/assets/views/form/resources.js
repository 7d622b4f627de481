// All resources of a type, read page by page while one may already choose.

import { useEffect, useState } from "../../html.js";
import { account, call, query } from "../../api.js";
import { LISTS } from "../../tokens.js";

// The most that the API answers at once.
const PAGE = "100";
const NOTHING = { key: null, found: [], complete: false, error: null };

/**
 * A hook: an account's resources of a scope's `list`, those of one Integration App if `app` is given. Nothing is read
 * unless they are `wanted`. Answers `{ found, complete, error, reload }`.
 */
export function useResources(accountId, list, { app, wanted }) {
  const key = wanted ? `${list}/${app ?? ""}` : null;
  const [state, setState] = useState(NOTHING);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    // What was read stays for when it is wanted again.
    if (!key || (state.key === key && state.complete)) return undefined;
    const controller = new AbortController();
    const take = (now) => controller.signal.aborted || setState({ ...NOTHING, key, ...now });
    const read = async () => {
      const found = [];
      try {
        let cursor = "";
        do {
          const path = query(account(accountId, "resources"), { type: LISTS[list], integrationId: app, limit: PAGE, cursor });
          const { body } = await call("GET", path, { signal: controller.signal });
          found.push(...body.resources);
          cursor = body.nextCursor;
          take({ found: [...found], complete: !cursor });
        } while (cursor && !controller.signal.aborted);
      } catch (error) {
        take({ found: [...found], error });
      }
    };
    take({});
    read();
    return () => controller.abort();
  }, [accountId, key, attempt]);
  const current = state.key === key || !key;
  return { ...(current ? state : NOTHING), reload: () => setAttempt((count) => count + 1) };
}
