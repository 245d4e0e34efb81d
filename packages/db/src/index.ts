export { type Connection, type ConnectOptions, connect, type Database, silence } from "./client.ts";
export { isUnavailable, uniqueViolation } from "./failure.ts";
export { type RefreshToken, refreshTokens, type User, users } from "./schema.ts";
