// Calls the API with openapi-fetch and the types that openapi-typescript made of its description.

import createClient from "openapi-fetch";
import type { components, paths } from "./generated/schema.js";
import { failures, run, said, sure } from "./task.js";

await run(async (task) => {
  const client = (token: string) =>
    createClient<paths>({ baseUrl: task.url, headers: { authorization: `Bearer ${token}` } });
  const person = client(task.accessToken);
  const path = { accountId: task.account };
  type Draft = paths["/v1/accounts/{accountId}/tokens"]["post"]["requestBody"]["content"]["application/json"];
  const create = async (body: Draft) => {
    const { data, error } = await person.POST("/v1/accounts/{accountId}/tokens", { params: { path }, body });
    return sure(data, error);
  };
  const issued = await create({
    name: "Generated",
    autoPurge: "1h",
    scope: { type: "custom", exports: [task.export] },
  });
  const asker = await create({ name: "Asker", autoPurge: "1h", scope: { type: "full" } });
  const params = { path: { ...path, tokenId: issued.token.id } };
  const one = "/v1/accounts/{accountId}/tokens/{tokenId}";
  const token = sure((await person.GET(one, { params })).data);
  const renamed = sure((await person.PATCH(one, { params, body: { name: "Renamed" } })).data);
  const active = await person.DELETE(one, { params });
  const missing = await person.GET(one, { params: { path: { ...path, tokenId: "tok_unknown" } } });
  const all = "/v1/accounts/{accountId}/tokens";
  const invalid = await person.POST(all, {
    params: { path },
    body: { name: "Invalid", autoPurge: "1h", scope: { type: "full" }, allowedCidrs: ["somewhere"] },
  });
  const reveal = "/v1/accounts/{accountId}/tokens/{tokenId}/reveal";
  const revealed = sure((await person.POST(reveal, { params })).data);
  const names: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const query = { limit: 1, cursor };
    const page: components["schemas"]["TokensPage"] = sure(
      (await person.GET(all, { params: { path, query } })).data,
    );
    names.push(...page.tokens.map((token) => token.name));
    cursor = page.nextCursor;
  }
  const query = { method: "DELETE", path: `/v1/exports/${task.export}` } as const;
  const info = sure((await client(sure(issued.secret)).GET("/v1/tokenInfo", { params: { query } })).data);
  const introspected = await client(sure(asker.secret)).POST("/v1/introspect", {
    body: { token: sure(issued.secret) },
    bodySerializer: (body) => new URLSearchParams({ token: body.token }),
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
  const revoke = "/v1/accounts/{accountId}/tokens/{tokenId}/revoke";
  const revoked = sure((await person.POST(revoke, { params, body: { reason: "done" } })).data);
  const refused = await client("nobody").GET(one, { params });
  const to = sure(revoked.revokedAt ?? undefined);
  const log = "/v1/accounts/{accountId}/tokens/{tokenId}/audit";
  const audit = sure((await person.GET(log, { params: { ...params, query: { to } } })).data);
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
