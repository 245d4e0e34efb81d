/**
 * Whether nothing of a text can be seen (packages/contract/README.md): white space, control and format characters, and what
 * Unicode calls default ignorable, and the empty Braille pattern.
 */
export function isBlank(text: string): boolean {
  return !/[^\p{White_Space}\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u.test(text);
}

/** The pairs of an event as `key=value`, the form that every stack gives to a line of text. */
export function asText(event: Readonly<Record<string, unknown>>): string {
  return Object.entries(event)
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join(" ");
}

function quoted(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[^\s="\p{C}]+$/u.test(text) ? text : JSON.stringify(text);
}
