import { inspect, stripVTControlCharacters } from "node:util";
import { asText, type LogLevel } from "@nextai/contract";
import type { AppConfig } from "./config.ts";

type Fields = Record<string, unknown>;
type Settings = Pick<AppConfig, "logLevel" | "logFormat">;

/** Writes one event as one line on standard output, by LOG_LEVEL and LOG_FORMAT. */
export type Log = (level: LogLevel, msg: string, fields?: Fields) => void;

const RANK: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 };

/** The log of a service; its settings are read when the first event comes. */
export function createLog(service: string, config: () => Settings): Log {
  let settings: Settings | undefined;
  return (level, msg, fields = {}) => {
    settings ??= config();
    if (RANK[level] < RANK[settings.logLevel]) return;
    process.stdout.write(`${line(settings.logFormat, service, level, msg, fields)}\n`);
  };
}

/** An event's line, as in every stack (packages/contract/README.md): `time`, `level`, `msg`, `service`, then its own fields. */
export function line(format: "json" | "text", service: string, level: LogLevel, msg: string, fields: Fields): string {
  const time = new Date().toISOString();
  const event = { time, level, msg, service, ...fields };
  if (format === "json") return JSON.stringify(event);
  return asText(event);
}

/** Sends what Next.js writes through `console` to the log: one event a line there too. */
export function captureConsole(log: Log): void {
  const levels = { debug: "debug", log: "info", info: "info", warn: "warn", error: "error" } as const;
  for (const [method, level] of Object.entries(levels)) {
    console[method as keyof typeof levels] = (...parts: unknown[]) => {
      const text = parts.map((part) => (typeof part === "string" ? part : inspect(part))).join(" ");
      const msg = stripVTControlCharacters(text).trim();
      if (msg) log(level, msg);
    };
  }
}
