import { callerOf, type Server, userId } from "@nextai/service-kit";
import Type from "typebox";
import type { Accounts } from "./accounts.ts";

const Email = Type.String({ format: "email", maxLength: 254 });
const Password = Type.String({ minLength: 8, maxLength: 256 });
const RefreshToken = Type.Object({ refreshToken: Type.String({ minLength: 1, maxLength: 256 }) });
const SignUp = Type.Object({ email: Email, password: Password, name: Type.String({ format: "line", maxLength: 100 }) });
// No rules for a password that exists: they may have been others when it was chosen.
const SignIn = Type.Object({ email: Email, password: Type.String({ minLength: 1, maxLength: 256 }) });

// An answer has what its schema names and nothing else, whatever a handler returns.
const Person = { id: Type.String(), email: Type.String(), name: Type.String() };
const Session = Type.Object({
  user: Type.Object(Person),
  accessToken: Type.String(),
  refreshToken: Type.String(),
  expiresIn: Type.Integer(),
});
const Profile = Type.Object({ ...Person, createdAt: Type.String() });

/** The paths as the gateway passes them on, without /api. */
export function addRoutes(server: Server, accounts: Accounts): void {
  server.post("/auth/sign-up", { schema: { body: SignUp, response: { 201: Session } } }, async (request, reply) => {
    const { email, password, name } = request.body;
    const session = await accounts.signUp(email, password, name, callerOf(request, reply));
    request.log.info({ userId: session.user.id }, "signed up");
    return reply.code(201).header("cache-control", "no-store").send(session);
  });

  server.post("/auth/sign-in", { schema: { body: SignIn, response: { 200: Session } } }, async (request, reply) => {
    const { email, password } = request.body;
    const session = await accounts.signIn(email, password, callerOf(request, reply));
    request.log.info({ userId: session.user.id }, "signed in");
    return reply.header("cache-control", "no-store").send(session);
  });

  server.post(
    "/auth/refresh",
    { schema: { body: RefreshToken, response: { 200: Session } } },
    async (request, reply) => {
      const session = await accounts.refresh(request.body.refreshToken, callerOf(request, reply).gone);
      return reply.header("cache-control", "no-store").send(session);
    },
  );

  server.post("/auth/sign-out", { schema: { body: RefreshToken } }, async (request, reply) => {
    await accounts.signOut(request.body.refreshToken);
    return reply.code(204).send();
  });

  server.get("/users/me", { schema: { response: { 200: Profile } } }, async (request) =>
    accounts.profile(userId(request)),
  );
}
