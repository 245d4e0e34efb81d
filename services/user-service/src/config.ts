import type { Reader, ServiceConfig } from "@nextai/service-kit";

/** Takes from the contract what this service has beyond the address and the logs that every service has. */
export function pick(read: Reader) {
  return {
    databaseUrl: read.secret("DATABASE_URL"),
    redisUrl: read.secret("REDIS_URL"),
    jwtSecret: read.secret("JWT_SECRET"),
    /** Seconds. */
    accessTokenLifetime: read.duration("JWT_EXPIRES_IN"),
  };
}

export type Config = ReturnType<typeof pick> & ServiceConfig;
