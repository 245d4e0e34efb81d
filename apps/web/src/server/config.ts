import { type AppConfig, ConfigError, type Environment, readConfig as read } from "@nextai/web-kit/config";
import contract from "../../contract.json" with { type: "json" };

export type Config = AppConfig & {
  /** Base URL of the gateway, without a slash at its end. */
  gateway: string;
  /** Cookies go over HTTPS only. */
  secure: boolean;
};

export const SERVICE = contract.service;

/** The configuration, from the environment. Throws `ConfigError`, whose one line names every mistake. */
export function readConfig(environment: Environment = process.env): Config {
  return read(contract, environment, (values) => {
    const gateway = values.API_GATEWAY_URL as string;
    if (!/^https?:/.test(gateway)) {
      throw new ConfigError(`${SERVICE}: cannot start: API_GATEWAY_URL must begin with http:// or https://`);
    }
    return { gateway: gateway.replace(/\/+$/, ""), secure: values.COOKIE_SECURE === "true" };
  });
}

let known: Config | undefined;

/** The configuration of this process, read once, and at run time only: one image serves every environment. */
export function config(): Config {
  known ??= readConfig();
  return known;
}
