// A gateway of the tests' own: a real HTTP server with the platform's API, its data in memory. It answers as the
// services do: packages/service-kit/src/server.ts, services/user-service/src/{routes,accounts,attempts}.ts,
// services/memory-service/memory_service/routes.py, services/api-gateway/internal/proxy/routes.go.
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type User = { id: string; email: string; name: string; password: string; createdAt: string };
/** A refresh token; `used` when its generation was spent, which counts up in each family. */
type Held = { user: User; family: string; generation: number; used: boolean };
type Memory = { id: string; text: string; createdAt: string };
type FieldProblem = { field: string; message: string };
type Answer = [status: number, body?: unknown, headers?: Record<string, string>];
export type Seen = { method: string; url: string; headers: IncomingMessage["headers"]; body: string };

const NO_ID = "(request id)";
const ATTEMPTS = 10;
const PERIOD = 15 * 60;

export class Upstream {
  readonly requests: Seen[] = [];
  private readonly users = new Map<string, User>();
  private readonly attempts = new Map<string, number>();
  private readonly access = new Map<string, User>();
  private readonly refresh = new Map<string, Held>();
  private readonly memories = new Map<string, Memory[]>();
  private readonly server: Server;
  /** Answers in place of the API, where it returns true. */
  intercept: (request: Seen, response: ServerResponse) => boolean = () => false;

  constructor() {
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(port, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Makes every access token given so far invalid, as time would. */
  expireAccess(): void {
    this.access.clear();
  }

  /** Requests for a path, in order. */
  to(path: string): Seen[] {
    return this.requests.filter((seen) => seen.url.split("?")[0] === path);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const seen = {
      method: request.method ?? "",
      url: request.url ?? "",
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    };
    this.requests.push(seen);
    if (this.intercept(seen, response)) return;
    const [status, body, headers] = this.route(seen);
    const type = { "Content-Type": "application/json; charset=utf-8" };
    response.writeHead(status, { ...type, "X-Upstream": "yes", Connection: "keep-alive", ...headers });
    const id = String(request.headers["x-request-id"] ?? "");
    response.end(status === 204 ? undefined : JSON.stringify(body).replace(NO_ID, id));
  }

  private route({ method, url, headers, body }: Seen): Answer {
    const { pathname, searchParams } = new URL(url, "http://upstream");
    const fields = (body ? JSON.parse(body) : {}) as Record<string, string>;
    switch (`${method} ${pathname}`) {
      case "POST /api/auth/sign-up":
        return this.signUp(fields);
      case "POST /api/auth/sign-in":
        return this.signIn(fields);
      case "POST /api/auth/refresh":
        return this.renew(fields.refreshToken ?? "");
      case "POST /api/auth/sign-out":
        this.end(this.refresh.get(fields.refreshToken ?? "")?.family);
        return [204];
    }
    const user = this.access.get((headers.authorization ?? "").replace("Bearer ", ""));
    if (!user) return [401, problem("unauthenticated", "Sign in first: there is no token.")];
    const own = this.memories.get(user.id) ?? [];
    if (method === "GET" && pathname === "/api/users/me") return [200, profile(user)];
    if (method === "GET" && pathname === "/api/memories") return [200, { items: own, cursor: null }];
    if (method === "GET" && pathname === "/api/memories/search") {
      return [200, { items: closest(own, searchParams.get("q") ?? "") }];
    }
    if (method === "POST" && pathname === "/api/memories") {
      const memory = { id: randomUUID(), text: fields.text ?? "", createdAt: new Date().toISOString() };
      this.memories.set(user.id, [memory, ...own]);
      return [201, memory];
    }
    if (method === "DELETE") {
      const rest = own.filter((memory) => pathname !== `/api/memories/${memory.id}`);
      this.memories.set(user.id, rest);
      return rest.length === own.length ? [404, problem("memory_not_found", "You have no such memory.")] : [204];
    }
    return [404, problem("not_found", "There is nothing at this address.")];
  }

  private signUp(fields: Record<string, string>): Answer {
    const { email = "", name = "", password = "" } = fields;
    const problems = [...emailProblems(email), ...lengthProblems("password", password, 8, 256), ...nameProblems(name)];
    if (problems.length > 0) return invalid(problems);
    if (this.users.has(email.toLowerCase())) {
      return [409, problem("email_taken", "There is an account with this e-mail address already.")];
    }
    const user = { id: randomUUID(), email, name: name.trim(), password, createdAt: new Date().toISOString() };
    this.users.set(email.toLowerCase(), user);
    return [201, this.session(user)];
  }

  private signIn({ email = "", password = "" }: Record<string, string>): Answer {
    const problems = [...emailProblems(email), ...lengthProblems("password", password, 1, 256)];
    if (problems.length > 0) return invalid(problems);
    const key = email.toLowerCase();
    const attempts = (this.attempts.get(key) ?? 0) + 1;
    this.attempts.set(key, attempts);
    if (attempts > ATTEMPTS) {
      const message = "Too many attempts. Try again in 15 minutes.";
      return [429, problem("too_many_attempts", message), { "Retry-After": String(PERIOD) }];
    }
    const user = this.users.get(key);
    if (user?.password !== password) {
      return [401, problem("invalid_credentials", "The e-mail address or the password is wrong.")];
    }
    this.attempts.delete(key);
    return [200, this.session(user)];
  }

  /** As user-service does within its leeway: the last generation but one is good for siblings, an older one is not. */
  private renew(token: string): Answer {
    const held = this.refresh.get(token);
    if (!held) return [401, problem("invalid_refresh_token", "The session has ended. Sign in again.")];
    const relatives = [...this.refresh.values()].filter(({ family }) => family === held.family);
    if (relatives.some(({ generation, used }) => used && generation > held.generation)) {
      this.end(held.family);
      return [401, problem("refresh_reused", "This session is over.")];
    }
    for (const other of relatives) if (other.generation === held.generation) other.used = true;
    return [200, this.session(held.user, held.family, held.generation + 1)];
  }

  private end(family: string | undefined): void {
    for (const [token, held] of this.refresh) if (held.family === family) this.refresh.delete(token);
  }

  private session(user: User, family: string = randomUUID(), generation = 0): object {
    const claims = Buffer.from(JSON.stringify({ sub: user.id, name: user.name })).toString("base64url");
    const tokens = { accessToken: `e30.${claims}.${randomUUID()}`, refreshToken: randomUUID() };
    this.access.set(tokens.accessToken, user);
    this.refresh.set(tokens.refreshToken, { user, family, generation, used: false });
    return { user: { id: user.id, email: user.email, name: user.name }, ...tokens, expiresIn: 900 };
  }
}

function problem(code: string, message: string, fields?: FieldProblem[]): object {
  return { error: { code, message, requestId: NO_ID, ...(fields ? { fields } : {}) } };
}

function invalid(fields: FieldProblem[]): Answer {
  const message = fields.map(({ field, message }) => `${field} ${message}`).join("; ");
  return [422, problem("validation", message, fields)];
}

function emailProblems(email: string): FieldProblem[] {
  const format = /^[^@\s]+@([a-z0-9-]+\.)+[a-z0-9-]+$/i.test(email);
  const problems = format ? [] : [{ field: "email", message: "must be an e-mail address" }];
  return [...lengthProblems("email", email, 0, 254), ...problems];
}

function nameProblems(name: string): FieldProblem[] {
  const line = /\S/.test(name) && !/\p{Cc}/u.test(name);
  const problems = line ? [] : [{ field: "name", message: "must be text on one line" }];
  return [...lengthProblems("name", name, 0, 100), ...problems];
}

function lengthProblems(field: string, text: string, least: number, most: number): FieldProblem[] {
  const { length } = [...text];
  if (length < least) return [{ field, message: `must not have fewer than ${least} characters` }];
  return length > most ? [{ field, message: `must not have more than ${most} characters` }] : [];
}

function profile({ id, email, name, createdAt }: User): object {
  return { id, email, name, createdAt };
}

function closest(memories: Memory[], query: string): object[] {
  const words = query.toLowerCase().split(/\W+/);
  const scored = memories.map((memory) => ({
    ...memory,
    score: words.filter((word) => memory.text.toLowerCase().includes(word)).length / words.length,
  }));
  return scored.sort((a, b) => b.score - a.score);
}
