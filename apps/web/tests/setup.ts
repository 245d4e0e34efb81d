import { afterEach, beforeEach, vi } from "vitest";
import { handleApi } from "../src/server/api.ts";
import { type Config, readConfig } from "../src/server/config.ts";
import { handleSession } from "../src/server/session.ts";
import { Upstream } from "./upstream.ts";

export const HOST = "app.example.com";

/** What a web server does with requests. */
interface Pod {
  readonly handleApi: typeof handleApi;
  readonly handleSession: typeof handleSession;
}

/** A web server beside the first, which knows nothing of what that one remembers. */
export async function anotherPod(): Promise<Pod> {
  vi.resetModules();
  vi.stubGlobal("nextaiRefreshes", undefined);
  const [api, session] = await Promise.all([import("../src/server/api.ts"), import("../src/server/session.ts")]);
  vi.unstubAllGlobals();
  return { handleApi: api.handleApi, handleSession: session.handleSession };
}

/** A browser in front of the handlers: keeps cookies, says where it is from. */
export class Browser {
  readonly cookies = new Map<string, string>();
  /** Milliseconds, long enough for a busy machine; a test of what is slow sets its own. */
  waits = { whole: 20_000, idle: 20_000 };
  /** Aborts when the person leaves before the answer. */
  leaves: AbortSignal | null = null;
  /** Who gets the next request. */
  pod: Pod = { handleApi, handleSession };
  private readonly config: Config;

  constructor(config: Config) {
    this.config = config;
  }

  session(action: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
    return this.send("POST", `/api/session/${action}`, JSON.stringify(fields), {
      "content-type": "application/json",
      ...headers,
    });
  }

  form(action: string, fields: Record<string, string>): Promise<Response> {
    return this.send("POST", `/api/session/${action}`, new URLSearchParams(fields).toString(), {
      "content-type": "application/x-www-form-urlencoded",
    });
  }

  async send(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Response> {
    const request = new Request(`http://${HOST}${path}`, {
      method,
      body: body ?? null,
      signal: this.leaves,
      headers: {
        host: HOST,
        cookie: this.cookieHeader(),
        ...(method === "GET" ? {} : { origin: `http://${HOST}` }),
        ...headers,
      },
    });
    const action = /^\/api\/session\/(.*)$/.exec(path)?.[1];
    const response = action
      ? await this.pod.handleSession(this.config, action, request)
      : await this.pod.handleApi(this.config, request, this.waits);
    this.keep(response);
    return response;
  }

  private cookieHeader(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  private keep(response: Response): void {
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (/Max-Age=0\b/.test(cookie)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }
}

/** A gateway before each test, gone after it, and browsers in front of it. */
export function platform(environment: Record<string, string> = { COOKIE_SECURE: "false" }) {
  const state = {} as { upstream: Upstream; url: string; config: Config; browser: () => Browser };
  beforeEach(async () => {
    state.upstream = new Upstream();
    state.url = await state.upstream.listen();
    state.config = { ...readConfig({ API_GATEWAY_URL: `${state.url}/`, ...environment }), streams: ["/api/runs"] };
    state.browser = () => new Browser(state.config);
  });
  afterEach(() => state.upstream.close());
  return state;
}

export const MIRA = { name: "Mira", email: "mira@example.com", password: "a window seat" };

export async function errorOf(response: Response): Promise<{ code: string; message: string; requestId: string }> {
  return ((await response.json()) as { error: { code: string; message: string; requestId: string } }).error;
}
