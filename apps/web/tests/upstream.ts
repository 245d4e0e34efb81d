// A gateway of the tests' own: a real HTTP server with the platform's API, its data in memory.
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type User = { id: string; email: string; name: string; password: string };
/** A refresh token; `used` when its generation was spent, which counts up in each family. */
type Held = { user: User; family: string; generation: number; used: boolean };
type Memory = { id: string; text: string; createdAt: string };
export type Seen = { method: string; url: string; headers: IncomingMessage["headers"]; body: string };

const NO_ID = "(request id)";

export class Upstream {
  readonly requests: Seen[] = [];
  private readonly users = new Map<string, User>();
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
    const [status, body] = this.route(seen);
    response.writeHead(status, { "Content-Type": "application/json", "X-Upstream": "yes", Connection: "keep-alive" });
    const id = String(request.headers["x-request-id"] ?? "");
    response.end(status === 204 ? undefined : JSON.stringify(body).replace(NO_ID, id));
  }

  private route({ method, url, headers, body }: Seen): [number, unknown?] {
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
    if (!user) return [401, problem("unauthenticated", "Sign in first.")];
    const own = this.memories.get(user.id) ?? [];
    if (method === "GET" && pathname === "/api/users/me") return [200, { ...user, password: undefined }];
    if (method === "GET" && pathname === "/api/memories") return [200, { items: own }];
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
      return rest.length === own.length ? [404, problem("not_found", "No such memory.")] : [204];
    }
    return [404, problem("not_found", "No such route.")];
  }

  private signUp(fields: Record<string, string>): [number, unknown] {
    const { email = "", name = "", password = "" } = fields;
    if (password.length < 8) return [422, problem("validation", "The password needs 8 characters or more.")];
    if (this.users.has(email)) return [409, problem("email_taken", "This email has an account.")];
    const user = { id: randomUUID(), email, name, password };
    this.users.set(email, user);
    return [201, this.session(user)];
  }

  private signIn(fields: Record<string, string>): [number, unknown] {
    const user = this.users.get(fields.email ?? "");
    if (user?.password !== fields.password || !user) return [401, problem("invalid_credentials", "Wrong.")];
    return [200, this.session(user)];
  }

  /** As user-service does within its leeway: the last generation but one is good for siblings, an older one is not. */
  private renew(token: string): [number, unknown] {
    const held = this.refresh.get(token);
    if (!held) return [401, problem("invalid_refresh_token", "This session is over.")];
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

function problem(code: string, message: string): object {
  return { error: { code, message, requestId: NO_ID } };
}

function closest(memories: Memory[], query: string): object[] {
  const words = query.toLowerCase().split(/\W+/);
  const scored = memories.map((memory) => ({
    ...memory,
    score: words.filter((word) => memory.text.toLowerCase().includes(word)).length / words.length,
  }));
  return scored.sort((a, b) => b.score - a.score);
}
