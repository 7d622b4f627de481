// How a secret is used, ready to be copied. The texts have the secret in them: they are shown in fields only.

import { settings } from "../session.js";
import { LISTS } from "../tokens.js";

// Stands for the platform's API where the page doesn't know its address.
const PLACEHOLDER = "https://api.example.com";

/**
 * A call that works with that token: `{ text, what, placeholder }`, with `what` a key of the page's texts, and whether
 * the address is only a placeholder. Which paths a token may call is said in docs/api.md.
 */
export function curl({ kind, scope }, secret) {
  const { platformApiUrl } = settings();
  const platform = (platformApiUrl ?? PLACEHOLDER).replace(/\/$/, "");
  const listed = scope.type === "custom" ? Object.keys(LISTS).find((list) => scope[list].length > 0) : null;
  const [url, what] = call();
  return { text: `curl -H "Authorization: Bearer ${secret}" \\\n  "${url}"`, what, placeholder: !platformApiUrl && what !== "curlInfo" };

  function call() {
    const one = listed && `${platform}/v1/${listed}/${encodeURIComponent(scope[listed][0])}`;
    // The token of an Integration App reads nothing but debug logs.
    if (one) return kind === "integrationApp" ? [`${one}/debug`, "curlDebug"] : [one, "curlRead"];
    if (scope.type === "full" && kind === "account") return [`${platform}/v1/connections`, "curlList"];
    // Which exports an app has isn't said here. This service tells every token what it is.
    return [new URL("v1/tokenInfo", location.href.replace(/[?#].*$/, "")).href, "curlInfo"];
  }
}

/** A line of a file with a program's environment. */
export const env = (secret) => `API_TOKEN=${secret}`;

/** The configuration of an MCP client; nothing if the platform has no such server. */
export function mcp(secret) {
  const { mcpUrl } = settings();
  if (!mcpUrl) return null;
  const server = { type: "http", url: mcpUrl, headers: { Authorization: `Bearer ${secret}` } };
  return JSON.stringify({ mcpServers: { platform: server } }, null, 2);
}
