// better-auth's API keys as a service: POST with {"key": …}, answered with what `verifyApiKey` says. It is called
// directly, without better-auth's own router, which favours it. The store is a SQLite file. Every verification writes
// the time into the key's row, which no option turns off. The key has no rate limit, which would be a second write.
//
// Arguments: a folder for the file, and the port. Prints the key and its id as one line of JSON when it listens.

import http from "node:http";
import { join } from "node:path";
import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import Database from "better-sqlite3";

const [folder, port] = process.argv.slice(2);
const database = new Database(join(folder, "better-auth.sqlite"));
database.pragma("journal_mode = WAL");
const auth = betterAuth({
  database,
  baseURL: `http://127.0.0.1:${port}`,
  secret: "a secret that protects nothing but a benchmark",
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
  plugins: [apiKey()],
});
const { runMigrations } = await getMigrations(auth.options);
await runMigrations();
const { user } = await auth.api.signUpEmail({
  body: { email: "owner@acme.example", name: "Olive Owner", password: "a long password" },
});
const { key, id } = await auth.api.createApiKey({ body: { name: "Warehouse sync", userId: user.id } });
database.prepare('UPDATE apikey SET "rateLimitTimeWindow" = NULL, "rateLimitMax" = NULL').run();

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", async () => {
    let status = 200;
    let answer;
    try {
      answer = JSON.stringify(await auth.api.verifyApiKey({ body: JSON.parse(Buffer.concat(chunks).toString()) }));
    } catch (error) {
      status = 500;
      answer = JSON.stringify({ error: String(error) });
    }
    response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) });
    response.end(answer);
  });
});
server.keepAliveTimeout = 0;
server.listen(Number(port), "127.0.0.1", () => console.log(JSON.stringify({ key, id })));
// When the parent ends, for whatever reason, its end of the pipe closes.
process.stdin.on("end", () => process.exit()).resume();
