// Calls the API through the client that Hey API made of its description.

import { createClient } from "./generated/hey-api/client/index.js";
import * as latchkey from "./generated/hey-api/index.js";
import { failures, run, said, sure } from "./task.js";

await run(async (task) => {
  const client = (token: string) =>
    createClient({
      baseUrl: task.url,
      // An operation may name several ways to authenticate; it sends the last one that there is something for.
      auth: ({ scheme }) => (scheme === "bearer" ? token : undefined),
    });
  const person = client(task.accessToken);
  const path = { accountId: task.account };
  const create = async (body: latchkey.CreateTokenRequest) => {
    const { data, error } = await latchkey.createToken({ client: person, path, body });
    return sure(data, error);
  };
  const issued = await create({
    name: "Generated",
    autoPurge: "1h",
    scope: { type: "custom", exports: [task.export] },
  });
  const asker = await create({ name: "Asker", autoPurge: "1h", scope: { type: "full" } });
  const one = { client: person, path: { ...path, tokenId: issued.token.id } };
  const token = sure((await latchkey.getToken(one)).data);
  const renamed = sure((await latchkey.updateToken({ ...one, body: { name: "Renamed" } })).data);
  const active = await latchkey.deleteToken(one);
  const missing = await latchkey.getToken({ ...one, path: { ...path, tokenId: "tok_unknown" } });
  const invalid = await latchkey.createToken({
    client: person,
    path,
    body: { name: "Invalid", autoPurge: "1h", scope: { type: "full" }, allowedCidrs: ["somewhere"] },
  });
  const revealed = sure((await latchkey.revealToken(one)).data);
  const names: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const query = { limit: 1, cursor };
    const page: latchkey.TokensPage = sure((await latchkey.listTokens({ client: person, path, query })).data);
    names.push(...page.tokens.map((token) => token.name));
    cursor = page.nextCursor;
  }
  const call = { method: "DELETE", path: `/v1/exports/${task.export}` } as const;
  const info = sure((await latchkey.tokenInfo({ client: client(sure(issued.secret)), query: call })).data);
  const asking = client(sure(asker.secret));
  const introspected = await latchkey.introspectToken({ client: asking, body: { token: sure(issued.secret) } });
  const revoked = sure((await latchkey.revokeToken({ ...one, body: { reason: "done" } })).data);
  const refused = await latchkey.getToken({ ...one, client: client("nobody") });
  const to = sure(revoked.revokedAt ?? undefined);
  const audit = sure((await latchkey.listTokenAudit({ ...one, query: { to } })).data);
  if (typeof audit === "string") throw new Error("CSV");
  return {
    names,
    created: token.createdAt,
    renamed: renamed.name,
    exports: token.scope.type === "custom" ? token.scope.exports : [],
    status: revoked.status,
    full: asker.token.scope.type,
    problems: [said(active.error), said(missing.error)],
    failures: failures(invalid.error),
    revealed: revealed.secret === issued.secret,
    gateway: said(refused.error),
    info: info.name,
    decision: sure(info.decision?.code),
    introspected: sure(introspected.data, introspected.error).active,
    actions: audit.records.map((record) => record.action),
  };
});
