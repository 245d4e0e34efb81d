export { ConfigError, type Environment, type Reader, readConfig, type ServiceConfig, seconds } from "./config.ts";
export type { Contract, Variable } from "./contract.ts";
export { ApiError, type ErrorBody, type FieldProblem } from "./errors.ts";
export { type Check, type Checks, type Readiness, readiness } from "./health.ts";
export { createLog, describeError, type Logger, type LogOptions } from "./log.ts";
export { Secret } from "./secret.ts";
export { createServer, type Server, type ServerOptions } from "./server.ts";
export { type Parts, runService } from "./service.ts";
export { isBlank } from "./text.ts";
