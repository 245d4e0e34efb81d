export {
  ConfigError,
  type Contract,
  type Environment,
  readConfig,
  type Secret,
  type ServiceConfig as AppConfig,
} from "@nextai/contract";

export const VERSION = process.env.APP_VERSION || "dev";
