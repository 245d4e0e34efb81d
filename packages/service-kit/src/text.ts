/**
 * Whether nothing of a text can be seen (packages/contract/README.md): white space, control and format characters, and what
 * Unicode calls default ignorable, and the empty Braille pattern.
 */
export function isBlank(text: string): boolean {
  return !/[^\p{White_Space}\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u.test(text);
}
