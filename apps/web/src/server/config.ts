import { type AppConfig, ConfigError, type Environment, readConfig as read } from "@nextai/web-kit/config";
import contract from "../../contract.json" with { type: "json" };

export type Config = AppConfig & {
  /** Base URL of the gateway, without a slash at its end. */
  readonly gateway: string;
  /** Cookies go over HTTPS only. */
  readonly secure: boolean;
  /** The routes whose answers are passed on while they are made, by their prefix. */
  readonly streams: readonly string[];
};

export const SERVICE = contract.service;

/** The configuration, from the environment. Throws `ConfigError`, whose one line names every mistake. */
export function readConfig(environment: Environment = process.env): Config {
  return read(contract, environment, (values) => {
    const gateway = values.string("API_GATEWAY_URL");
    if (!/^https?:/.test(gateway)) {
      throw new ConfigError(SERVICE, ["API_GATEWAY_URL must begin with http:// or https://"]);
    }
    return { gateway: gateway.replace(/\/+$/, ""), secure: values.bool("COOKIE_SECURE"), streams: contract.streams };
  });
}

let known: Config | undefined;

/** The configuration of this process, read once, and at run time only: one image serves every environment. */
export function config(): Config {
  known ??= readConfig();
  return known;
}
