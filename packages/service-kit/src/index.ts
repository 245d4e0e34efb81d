export {
  ConfigError,
  type Contract,
  type Environment,
  type ErrorBody,
  type FieldProblem,
  isBlank,
  type Reader,
  readConfig,
  Secret,
  type ServiceConfig,
  type Variable,
} from "@nextai/contract";
export { type Caller, callerOf, Gone, userId } from "./caller.ts";
export { ApiError } from "./errors.ts";
export { type Check, type Checks, type Readiness, readiness } from "./health.ts";
export { createLog, describeError, type Logger, type LogOptions } from "./log.ts";
export { type Peer, peerAt, type Question } from "./peer.ts";
export { createServer, type Server, type ServerOptions, stream } from "./server.ts";
export { type Parts, runService } from "./service.ts";
