import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const css = readFileSync(new URL("../src/app/globals.css", import.meta.url), "utf8");
const [light = "", dark = ""] = [...css.matchAll(/:root \{(.*?)\n {0,2}\}/gs)].map(([, block]) => block ?? "");
const opacity = Number(/::placeholder \{[^}]*opacity: ([\d.]+)/.exec(css)?.[1] ?? 0.54);

/** A token's red, green and blue, 0 to 255. */
function colour(block: string, name: string): number[] {
  const hex = new RegExp(`--${name}: #([\\da-f]{6});`).exec(block)?.[1];
  if (!hex) throw new Error(`no --${name}`);
  return [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}

// WCAG 2.2, "relative luminance" and "contrast ratio".
function luminance(channels: number[]): number {
  const linear = channels
    .map((value) => value / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return [0.2126, 0.7152, 0.0722].reduce((sum, weight, at) => sum + weight * (linear[at] ?? 0), 0);
}

function contrast(text: number[], ground: number[], alpha = 1): number {
  const seen = text.map((value, at) => value * alpha + (ground[at] ?? 0) * (1 - alpha));
  const [a, b] = [luminance(seen), luminance(ground)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

test.each([
  ["light", light],
  ["dark", dark],
])("placeholders and texts can be read in the %s scheme", (_scheme, block) => {
  expect(contrast(colour(block, "ink-soft"), colour(block, "sheet"), opacity)).toBeGreaterThanOrEqual(4.5);
  for (const [text, ground] of [
    ["ink", "sheet"],
    ["ink", "wash"],
    ["ink-soft", "paper"],
    ["ink-soft", "sheet"],
    ["accent", "paper"],
    ["accent", "wash"],
    ["accent", "danger-wash"],
    ["on-accent", "accent"],
    ["danger", "sheet"],
    ["danger", "danger-wash"],
  ] as const) {
    expect(contrast(colour(block, text), colour(block, ground)), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
  }
});
