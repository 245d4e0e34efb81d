import { inspect, stripVTControlCharacters } from "node:util";
import { type LogLevel, readConfig, SERVICE } from "./config.ts";

type Fields = Record<string, unknown>;
type Settings = { logLevel: LogLevel; logFormat: "json" | "text" };

const RANK: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 };

let settings: Settings | undefined;

/** Writes one event as one line on standard output, by LOG_LEVEL and LOG_FORMAT. */
export function log(level: LogLevel, msg: string, fields: Fields = {}): void {
  settings ??= readConfig();
  if (RANK[level] < RANK[settings.logLevel]) return;
  process.stdout.write(`${line(settings.logFormat, level, msg, fields)}\n`);
}

/** An event's line, as in every stack (packages/contract/README.md): `time`, `level`, `msg`, `service`, then its own fields. */
export function line(format: "json" | "text", level: LogLevel, msg: string, fields: Fields): string {
  const time = new Date().toISOString();
  const event = { time, level, msg, service: SERVICE, ...fields };
  if (format === "json") return JSON.stringify(event);
  return Object.entries(event)
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join(" ");
}

function quoted(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[^\s="\p{C}]+$/u.test(text) ? text : JSON.stringify(text);
}

/** Sends what Next.js writes through `console` to the log: one event a line there too. */
export function captureConsole(): void {
  const levels = { debug: "debug", log: "info", info: "info", warn: "warn", error: "error" } as const;
  for (const [method, level] of Object.entries(levels)) {
    console[method as keyof typeof levels] = (...parts: unknown[]) => {
      const text = parts.map((part) => (typeof part === "string" ? part : inspect(part))).join(" ");
      const msg = stripVTControlCharacters(text).trim();
      if (msg) log(level, msg);
    };
  }
}
