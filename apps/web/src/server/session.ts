import { errorResponse } from "@nextai/web-kit/errors";
import { type Problem, problemOf } from "../session/messages.ts";
import { readBody } from "./body.ts";
import type { Config } from "./config.ts";
import { endedCookies, readTokens, sessionCookies, type Tokens } from "./cookies.ts";
import { callGateway, GatewayError } from "./gateway.ts";
import { sameOrigin } from "./origin.ts";
import { traceHeaders } from "./passthrough.ts";
import { currentToken } from "./refresh.ts";

type Fields = Record<string, string>;
type SignedIn = Tokens & { user: { id: string; email: string; name: string } };

const FORM = "application/x-www-form-urlencoded";
const LONGEST_FORM = 16_384;

/**
 * POST /api/session/{sign-in,sign-up,sign-out}: trades credentials for cookies.
 *
 * A script sends JSON and gets JSON; a plain form (no script ran) sends a form and is redirected.
 */
export async function handleSession(config: Config, action: string, request: Request): Promise<Response> {
  if (!sameOrigin(request))
    return errorResponse(request, 403, "This request came from another site.", "foreign_origin");
  if (action === "sign-out") return signOut(config, request);
  if (action !== "sign-in" && action !== "sign-up") return errorResponse(request, 404, "There is nothing here.");
  const fields = await readFields(request);
  if (fields === "too long") return errorResponse(request, 413, "The form is too large.");
  if (!fields) return errorResponse(request, 422, "The form could not be read.");
  return begin(config, action, request, fields);
}

async function begin(
  config: Config,
  action: "sign-in" | "sign-up",
  request: Request,
  fields: Fields,
): Promise<Response> {
  const wanted = action === "sign-up" ? ["name", "email", "password"] : ["email", "password"];
  const body = Object.fromEntries(wanted.map((name) => [name, fields[name] ?? ""]));
  let answer: Response;
  try {
    answer = await post(config, request, `/api/auth/${action}`, body);
    if (answer.ok) return await signedIn(config, request, (await answer.json()) as SignedIn, answer.status);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (isForm(request)) return redirect(formPage(action, error, fields));
    return errorResponse(request, error.status, error.message, error.code);
  }
  return isForm(request) ? redirect(formPage(action, await problemOf(answer), fields)) : relay(answer);
}

async function signedIn(config: Config, request: Request, answer: SignedIn, status: number): Promise<Response> {
  const { user } = answer;
  const response = isForm(request) ? redirect("/memories") : Response.json({ user }, { status });
  return withCookies(response, sessionCookies(answer, config.secure));
}

async function signOut(config: Config, request: Request): Promise<Response> {
  const { refresh } = readTokens(request.headers.get("cookie"), config.secure);
  if (refresh) {
    // Signed out here in any case: a gateway that is down must not keep a person signed in at this browser.
    await post(config, request, "/api/auth/sign-out", { refreshToken: await currentToken(refresh) }).catch(
      () => undefined,
    );
  }
  const response = isForm(request) ? redirect("/sign-in?signed-out=1") : new Response(null, { status: 204 });
  return withCookies(response, endedCookies(config.secure));
}

function post(config: Config, request: Request, path: string, body: Fields): Promise<Response> {
  const headers = traceHeaders(request);
  headers.set("content-type", "application/json");
  return callGateway(config.gateway + path, { method: "POST", headers, body: JSON.stringify(body) });
}

async function readFields(request: Request): Promise<Fields | "too long" | undefined> {
  const body = await readBody(request, LONGEST_FORM);
  if (body === "too long") return body;
  const text = new TextDecoder().decode(body);
  if (isForm(request)) return Object.fromEntries(new URLSearchParams(text));
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    return Object.fromEntries(Object.entries(value).filter(([, item]) => typeof item === "string"));
  } catch {
    return undefined;
  }
}

function isForm(request: Request): boolean {
  return (request.headers.get("content-type") ?? "").startsWith(FORM);
}

/** The form again, with what was typed but the password. */
function formPage(action: string, problem: Problem, fields: Fields): string {
  const query = new URLSearchParams({ error: problem.code });
  if (problem.fields?.length) query.set("fields", problem.fields.join(","));
  if (problem.wait !== undefined) query.set("wait", String(problem.wait));
  for (const name of ["email", "name"]) if (fields[name]) query.set(name, fields[name]);
  return `/${action}?${query}`;
}

function redirect(location: string): Response {
  return new Response(null, { status: 303, headers: { Location: location } });
}

async function relay(answer: Response): Promise<Response> {
  const headers = new Headers({ "Cache-Control": "no-store" });
  for (const name of ["content-type", "retry-after"]) {
    const value = answer.headers.get(name);
    if (value) headers.set(name, value);
  }
  return new Response(await answer.arrayBuffer(), { status: answer.status, headers });
}

/** A response with cookies, which no cache may keep. */
export function withCookies(response: Response, cookies: string[]): Response {
  for (const cookie of cookies) response.headers.append("Set-Cookie", cookie);
  response.headers.set("Cache-Control", "no-store");
  return response;
}
