// Reading what a view shows.

import { useEffect, useRef, useState } from "./html.js";

/**
 * A hook: reads something with `read(signal)`, again whenever `key` changes. Answers `{ data, error, loading, reload, set }`.
 * While something else is read, `data` is `null`: nothing old stands under a new question.
 */
export function useLoad(key, read) {
  const [state, setState] = useState({ key: null, data: null, error: null });
  const [attempt, setAttempt] = useState(0);
  const latest = useRef();
  latest.current = read;
  useEffect(() => {
    const controller = new AbortController();
    const settle = (outcome) => controller.signal.aborted || setState({ key, data: null, error: null, ...outcome });
    latest.current(controller.signal).then((data) => settle({ data }), (error) => settle({ error }));
    return () => controller.abort();
  }, [key, attempt]);
  const current = state.key === key;
  return {
    data: current ? state.data : null,
    error: current ? state.error : null,
    loading: !current,
    /** Reads it again. */
    reload() {
      setState({ key: null, data: null, error: null });
      setAttempt((count) => count + 1);
    },
    /** Puts something else in its place, such as what a change answered. */
    set: (data) => setState((old) => (old.key === key ? { ...old, data: typeof data === "function" ? data(old.data) : data } : old)),
  };
}
