// What a client is to do, and what it finds: JSON in, JSON out.

declare const process: {
  stdin: AsyncIterable<{ toString(): string }>;
  stdout: { write(text: string): void };
};

export interface Task {
  url: string;
  account: string;
  accessToken: string;
  export: string;
}

export interface Found {
  names: string[];
  created: string;
  renamed: string;
  exports: string[];
  status: string;
  full: string;
  problems: string[];
  failures: [string, string][];
  revealed: boolean;
  gateway: string;
  info: string;
  decision: string;
  introspected: boolean;
  actions: string[];
}

export async function run(find: (task: Task) => Promise<Found>) {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  process.stdout.write(JSON.stringify(await find(JSON.parse(text))));
}

/** What isn't there when a call fails, or is when it shouldn't. */
export function sure<T>(value: T | undefined, error?: unknown): T {
  if (value === undefined) throw new Error(JSON.stringify(error));
  return value;
}

/** The fields of a validation's failures, each with its code. */
export function failures(error: { errors?: { field: string; code: string }[] } | { message: string } | undefined) {
  const known = sure(error);
  const failed = "errors" in known ? (known.errors ?? []) : [];
  return failed.map(({ field, code }): [string, string] => [field, code]);
}

/** The code of a problem, or what the gateway says. */
export function said(error: { code: string } | { message: string } | undefined) {
  const known = sure(error);
  return "code" in known ? known.code : known.message;
}
