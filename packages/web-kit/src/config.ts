import { type Contract, type Environment, readEnvironment } from "./contract.ts";

export { ConfigError, type Contract, type Environment } from "./contract.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** What every application has, whatever else it reads. */
export type AppConfig = {
  host: string;
  port: number;
  logLevel: LogLevel;
  logFormat: "json" | "text";
};

export const VERSION = process.env.APP_VERSION || "dev";

/**
 * The configuration from the environment: what every application has, and what `pick` takes of the checked values.
 * Throws `ConfigError`, whose one line names every mistake.
 */
export function readConfig<T>(
  contract: Contract,
  environment: Environment,
  pick: (values: Record<string, string>) => T,
): AppConfig & T {
  const values = readEnvironment(contract, environment);
  return {
    host: values.HOST as string,
    port: Number(values.PORT),
    logLevel: values.LOG_LEVEL as LogLevel,
    logFormat: values.LOG_FORMAT as "json" | "text",
    ...pick(values),
  };
}
