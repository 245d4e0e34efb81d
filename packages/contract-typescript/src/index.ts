// What TypeScript programs of the platform do alike, by packages/contract. It depends on nothing but Node.js, so that the
// services' kit, the pages' kit and the database's package can all stand on it.
export {
  ConfigError,
  type Environment,
  type LogFormat,
  type LogLevel,
  logFormats,
  logLevels,
  type Reader,
  readConfig,
  type ServiceConfig,
  seconds,
} from "./config.ts";
export type { Contract, Variable } from "./contract.ts";
export { codeOf, codes, type ErrorBody, type FieldProblem, retryAfter } from "./errors.ts";
export { limits } from "./limits.ts";
export { requestId } from "./requestid.ts";
export { Secret } from "./secret.ts";
export { asText, isBlank } from "./text.ts";
