// The JSON API of the web listener, typed. Every unsafe call carries the session's CSRF token.

export interface Session {
  principal: string;
  admin: boolean;
  csrf: string;
  s3_endpoint: string;
  region: string;
  homes_bucket: string;
  domain: string;
  version: string;
}

export interface Tool {
  template: string;
  user: string;
  title: string;
  state: "stopped" | "queued" | "preparing" | "starting" | "ready" | "draining" | "failed" | "unknown";
  reason: string;
  log_tail: string;
  progress: number;
  since: string;
  generation: number;
  url: string;
}

export interface Place {
  bucket: string;
  prefix: string;
  level: "read" | "write" | "drop" | "admin";
  not_after: string | null;
  home: boolean;
}

export interface StoredObject {
  key: string;
  key_raw?: string;
  name: string;
  size: number;
  modified: string;
  mtime?: string;
  mode?: string;
  symlink?: boolean;
}

export interface FilePage {
  prefixes: { name: string; prefix: string }[];
  objects: StoredObject[];
  next: string | null;
}

export interface Version {
  version: string;
  size: number;
  modified: string;
  latest: boolean;
  deleted: boolean;
}

export interface DeletedItem {
  path: string;
  name: string;
  directory: boolean;
  count: number;
  bytes: number;
  deleted_at: string;
  restore_at: string;
}

export interface RestoreReport {
  at: string;
  restored: number;
  removed: number;
  unchanged: number;
  failed: number;
  expected_root: string;
  actual_root: string;
}

export interface User {
  name: string;
  kind: string;
  admin: boolean;
  disabled: boolean;
  uid: number;
  created: string;
}

export interface Bucket {
  name: string;
  created: string;
  versioning: string;
}

export interface Grant {
  id: number;
  principal: string;
  bucket: string;
  prefix: string;
  level: string;
  not_after: string | null;
  granted_by: string;
}

export interface AuditEvent {
  seq: number;
  time: string;
  actor: string;
  action: string;
  target: string;
  outcome: string;
  source: string;
  detail: unknown;
}

export interface HomeStatus {
  user: string;
  state: string;
  dirty?: number;
  stubs?: number;
  conflicts?: number;
  parked?: { path: string; reason: string }[];
  last_error?: string;
}

export interface Status {
  version: string;
  data: string;
  epoch: number;
  tools: { tool: string; user: string; state: string; reason: string }[];
  homes: HomeStatus[];
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

let csrf = "";

export function rememberCsrf(token: string): void {
  csrf = token;
}

// Waits before a read is tried again, in milliseconds.
const pauses = [200, 800];

// Browsers drop what is under way when the machine's network changes, if only by a container that
// starts. To read again does no harm; what changes something may have been done.
async function exchange(path: string, init: RequestInit): Promise<{ answer: Response; text: string }> {
  for (let failures = 0; ; ++failures) {
    try {
      const answer = await fetch(path, init);
      return { answer, text: await answer.text() };
    } catch (error) {
      // Fetch standard: a TypeError is a network error, so there was no whole answer.
      const again = init.method === "GET" && error instanceof TypeError && failures < pauses.length;
      if (!again) throw error;
      await new Promise((done) => setTimeout(done, pauses[failures]));
    }
  }
}

export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (method !== "GET") {
    headers["X-Holdfast-Csrf"] = csrf;
    headers["Content-Type"] = "application/json";
  }
  const { answer, text } = await exchange(`/api/v1/${path}`, {
    method,
    headers,
    body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
  });
  let value: unknown = {};
  try {
    value = text === "" ? {} : JSON.parse(text);
  } catch {
    throw new ApiError(answer.status, "the server answered something that is no JSON");
  }
  if (!answer.ok) {
    const message = (value as { error?: { message?: string } }).error?.message;
    if (answer.status === 401) window.location.reload();
    throw new ApiError(answer.status, message ?? `the server answered ${answer.status}`);
  }
  return value as T;
}

export const get = <T>(path: string, query: Record<string, string> = {}): Promise<T> => {
  const search = new URLSearchParams(query).toString();
  return call<T>("GET", search === "" ? path : `${path}?${search}`);
};
export const post = <T>(path: string, body: unknown): Promise<T> => call<T>("POST", path, body);
export const remove = <T>(path: string): Promise<T> => call<T>("DELETE", path);
