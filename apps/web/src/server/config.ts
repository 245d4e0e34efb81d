import contract from "../../contract.json" with { type: "json" };
import { ConfigError, type Environment, readEnvironment } from "./contract.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

export type Config = {
  host: string;
  port: number;
  logLevel: LogLevel;
  logFormat: "json" | "text";
  /** Base URL of the gateway, without a slash at its end. */
  gateway: string;
  /** Cookies go over HTTPS only. */
  secure: boolean;
};

export const SERVICE = contract.service;
export const VERSION = process.env.APP_VERSION || "dev";

/** The configuration, from the environment. Throws `ConfigError`, whose one line names every mistake. */
export function readConfig(environment: Environment = process.env): Config {
  const values = readEnvironment(contract, environment);
  const gateway = values.API_GATEWAY_URL as string;
  if (!/^https?:/.test(gateway)) {
    throw new ConfigError(`${SERVICE}: cannot start: API_GATEWAY_URL must begin with http:// or https://`);
  }
  return {
    host: values.HOST as string,
    port: Number(values.PORT),
    logLevel: values.LOG_LEVEL as LogLevel,
    logFormat: values.LOG_FORMAT as "json" | "text",
    gateway: gateway.replace(/\/+$/, ""),
    secure: values.COOKIE_SECURE === "true",
  };
}

let known: Config | undefined;

/** The configuration of this process, read once, and at run time only: one image serves every environment. */
export function config(): Config {
  known ??= readConfig();
  return known;
}
